import { Fault } from "@lanyard/contract";
import type { Command } from "commander";
import type { Context } from "../context.ts";
import { json } from "../terminal.ts";
import { asOneself, credentialHelp, printProblems, versionNumber, type PostAnswer } from "./oneself.ts";

export function shadowVerb(policy: Command, context: Context): void {
  policy
    .command("shadow [version]")
    .description("lets a version decide beside the active one, without effect; differences are recorded")
    .option("--stop", "ends it")
    .option("--json", "as one JSON object")
    .addHelpText("after", `${credentialHelp}\nExample:\n  lanyard policy shadow 4\n  lanyard policy show shadow\n  lanyard policy shadow --stop`)
    .action(async (text: string | undefined, options: { stop?: boolean; json?: boolean }) => {
      const version = wanted(text, options.stop);
      const answer = await (await asOneself(context, "shadow")).call<PostAnswer>("policy_shadow", { body: { version } });
      if (options.json) context.out(json(answer));
      if (!answer.ok) return printProblems(context, answer.problems ?? [], "no shadow");
      if (!options.json) context.out(version === null ? "the shadow has ended" : `version ${version} decides beside the active one, without effect; \`lanyard policy show shadow\` tells what it would have done`);
    });
}

/** A version, or `--stop`. Throws Fault `invalid_request` for both and for neither. */
const wanted = (text: string | undefined, stop = false): number | null => {
  if ((text === undefined) !== stop) throw new Fault("invalid_request", "name a version, or --stop");
  return text === undefined ? null : versionNumber(text);
};
