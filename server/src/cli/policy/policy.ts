import type { Command } from "commander";
import type { Context } from "../context.ts";
import { groundVerb } from "./ground.ts";

/** `lanyard policy ...`: one file a verb, in the order `--help` lists them. */
export function policyVerbs(program: Command, context: Context): void {
  const policy = program.command("policy").description("policies: write, check, test, compare, publish, take back").enablePositionalOptions();
  for (const register of [groundVerb]) register(policy, context);
}
