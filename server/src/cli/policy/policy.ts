import type { Command } from "commander";
import type { Context } from "../context.ts";
import { registerVerbs, type VerbRow } from "../verb-table.ts";

/** One file a verb, in the order `--help` lists them. */
const verbs: readonly VerbRow[] = [
  { names: ["init"], load: async () => (await import("./init.ts")).initVerb },
  { names: ["check"], load: async () => (await import("./check.ts")).checkVerb },
  { names: ["test"], load: async () => (await import("./test.ts")).testVerb },
  { names: ["diff"], load: async () => (await import("./diff.ts")).diffVerb },
  { names: ["analyse"], load: async () => (await import("./analyse.ts")).analyseVerb },
  { names: ["suggest"], load: async () => (await import("./suggest.ts")).suggestVerb },
  { names: ["ground"], load: async () => (await import("./ground.ts")).groundVerb },
  { names: ["publish"], load: async () => (await import("./publish.ts")).publishVerb },
  { names: ["approve"], load: async () => (await import("./approve.ts")).approveVersionVerb },
  { names: ["shadow"], load: async () => (await import("./shadow.ts")).shadowVerb },
  { names: ["canary"], load: async () => (await import("./canary.ts")).canaryVerb },
  { names: ["activate"], load: async () => (await import("./activate.ts")).activateVerb },
  { names: ["rollback"], load: async () => (await import("./rollback.ts")).rollbackVerb },
  { names: ["history"], load: async () => (await import("./history.ts")).historyVerb },
  { names: ["show"], load: async () => (await import("./show.ts")).showVerb },
];

/** `lanyard policy ...` */
export async function policyVerbs(program: Command, context: Context, words: readonly string[]): Promise<void> {
  const policy = program.command("policy").description("policies: write, check, test, compare, publish, take back").enablePositionalOptions();
  await registerVerbs(verbs, policy, context, words);
}
