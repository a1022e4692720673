import type { Command } from "commander";
import type { Context } from "../context.ts";
import { activateVerb } from "./activate.ts";
import { analyseVerb } from "./analyse.ts";
import { approveVersionVerb } from "./approve.ts";
import { canaryVerb } from "./canary.ts";
import { checkVerb } from "./check.ts";
import { diffVerb } from "./diff.ts";
import { groundVerb } from "./ground.ts";
import { initVerb } from "./init.ts";
import { historyVerb } from "./history.ts";
import { publishVerb } from "./publish.ts";
import { rollbackVerb } from "./rollback.ts";
import { shadowVerb } from "./shadow.ts";
import { showVerb } from "./show.ts";
import { suggestVerb } from "./suggest.ts";
import { testVerb } from "./test.ts";

/** `lanyard policy ...`: one file a verb, in the order `--help` lists them. */
export function policyVerbs(program: Command, context: Context): void {
  const policy = program.command("policy").description("policies: write, check, test, compare, publish, take back").enablePositionalOptions();
  for (const register of [initVerb, checkVerb, testVerb, diffVerb, analyseVerb, suggestVerb, groundVerb, publishVerb, approveVersionVerb, shadowVerb, canaryVerb, activateVerb, rollbackVerb, historyVerb, showVerb]) register(policy, context);
}
