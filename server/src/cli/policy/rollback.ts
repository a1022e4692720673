import type { Command } from "commander";
import type { Context } from "../context.ts";
import { json } from "../terminal.ts";

export function rollbackVerb(policy: Command, context: Context): void {
  policy
    .command("rollback")
    .description("back to the version that was in force before, at once; ends canary and shadow")
    .option("--why <text>", "why; recorded")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\nWorks for the operator without a credential; with LANYARD_CREDENTIAL, as yourself. Once more goes further back.\n\nExample:\n  lanyard policy rollback --why \"support cannot read tickets\"")
    .action(async (options: { why?: string; json?: boolean }) => {
      const token = context.variable("LANYARD_CREDENTIAL");
      const api = await context.reach({ daemonOnly: true, ...(token && { token }) });
      const answer = await api.call<{ from: number | null; to: number | null }>("policy_rollback", { body: options.why ? { why: options.why } : {} });
      if (options.json) return context.out(json(answer));
      context.out(answer.to === null ? "canary and shadow have ended; no version was in force before this one" : `version ${answer.to} is in force again${answer.from === null ? "" : `, instead of version ${answer.from}`}`);
    });
}
