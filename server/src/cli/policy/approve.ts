import type { Command } from "commander";
import type { Context } from "../context.ts";
import { json } from "../terminal.ts";
import { asOneself, credentialHelp, versionNumber } from "./oneself.ts";

export function approveVersionVerb(policy: Command, context: Context): void {
  policy
    .command("approve <version>")
    .description("says yes, as the second person, to a version that loosens the organisation's policies")
    .option("--json", "as one JSON object")
    .addHelpText("after", `${credentialHelp}\nExample:\n  lanyard policy show 4\n  lanyard policy approve 4`)
    .action(async (text: string, options: { json?: boolean }) => {
      const version = versionNumber(text);
      const answer = await (await asOneself(context, "approve")).call("policy_approve", { at: { version } });
      context.out(options.json ? json(answer) : `approved version ${version}`);
    });
}
