import type { Command } from "commander";
import type { Context } from "../context.ts";
import { json } from "../terminal.ts";
import { readGround } from "./draft.ts";

export function groundVerb(policy: Command, context: Context): void {
  policy
    .command("ground")
    .description("what policies are written against, as JSON: approved tools, contracts, agents, groups")
    .option("--json", "as it is anyway")
    .addHelpText("after", "\nKept in a repository of policies, it lets `check`, `test` and `analyse` run there without a daemon.\n\nExample:\n  lanyard policy ground > ground.json\n  lanyard policy check --ground ground.json")
    .action(async () => context.out(json(await readGround(context, {}))));
}
