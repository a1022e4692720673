import type { Command } from "commander";
import type { Context } from "../context.ts";
import { json } from "../terminal.ts";
import { asOneself, credentialHelp, printProblems, versionNumber, type PostAnswer } from "./oneself.ts";

export function activateVerb(policy: Command, context: Context): void {
  policy
    .command("activate <version>")
    .description("puts a published version in force, for every call that begins from now on")
    .option("--json", "as one JSON object")
    .addHelpText("after", `${credentialHelp}\nExample:\n  lanyard policy activate 4`)
    .action(async (text: string, options: { json?: boolean }) => {
      const version = versionNumber(text);
      const answer = await (await asOneself(context, "activate")).call<PostAnswer>("policy_activate", { body: { version } });
      if (options.json) context.out(json(answer));
      if (!answer.ok) return printProblems(context, answer.problems ?? [], "not activated");
      if (!options.json) context.out(`version ${version} is in force`);
    });
}
