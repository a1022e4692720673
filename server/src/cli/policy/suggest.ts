import type { JsonObject } from "@lanyard/contract";
import type { Command } from "commander";
import type { Suggestion } from "../../mediation/suggestion/suggest.ts";
import type { Context } from "../context.ts";
import { exit, json, printable } from "../terminal.ts";

const help = `
Nothing is changed: the text is Cedar for a person to read, to make wider or narrower, and to keep in the folder of policies. It holds values that
the session's calls had as arguments. What forbids it stays forbidden: the suggestion is decided beside the policies in force, on the session's own
calls, and what still stands in the way is listed.

With LANYARD_CREDENTIAL set it is asked as yourself, an owner of the organisation's policies or of the agent's team.
The text goes to standard output, everything else to standard error. Exits 1 when the text does not compile beside the policies in force.

Example:
  lanyard policy suggest --from-session ses_Zk3v9QpL0aXw2rTn > policies/teams/support/clerk.cedar
  lanyard policy suggest --from-session ses_Zk3v9QpL0aXw2rTn --effect deny --json`;

export function suggestVerb(policy: Command, context: Context): void {
  policy
    .command("suggest")
    .description("the narrowest policies that would have allowed what a recorded session did")
    .requiredOption("--from-session <session>", "the session, as `lanyard log` shows it")
    .option("--effect <effect>", "only from calls that were decided so: allow, deny, ask")
    .option("--json", "as one JSON object")
    .addHelpText("after", help)
    .action(async ({ fromSession, effect, json: isJson }: { fromSession: string; effect?: string; json?: boolean }) => {
      const token = context.variable("LANYARD_CREDENTIAL");
      const api = await context.reach(token ? { token } : {});
      const suggestion = await api.call<Suggestion & JsonObject>("policy_suggest", { body: { session: fromSession, ...(effect && { effect }) } });
      if (suggestion.errors.length > 0) process.exitCode = exit.failed;
      if (isJson) return context.out(json(suggestion));
      context.out(suggestion.text.trimEnd());
      for (const line of notesOf(suggestion)) context.err(line);
    });
}

/** What is to be known of a suggestion beside its text. */
function notesOf({ calls, allowed, file, standing, skipped, beyond, errors }: Suggestion): string[] {
  const count = (of: number): string => (of === 1 ? "1 call" : `${of} calls`);
  const lines = [`made from ${count(calls)}; its place would be \`${printable(file)}\``];
  if (errors.length > 0) lines.push("it does not compile beside the policies in force:", ...errors.map(printable));
  else lines.push(`the policies in force allow ${allowed.before} of them; with this beside them ${allowed.after}`);
  for (const { action, effect, policies, approvers, calls: of, seqs } of standing) {
    const one = of === 1 ? "s" : "";
    const how = effect === "ask" ? `wait${one} for ${approvers.join(", ")}` : `stay${one} denied`;
    lines.push(`${count(of)} to ${printable(action)} ${how}${policies.length > 0 ? ` by ${policies.join(", ")}` : ""} (entry ${seqs.slice(0, 3).join(", ")}): a suggestion lifts no forbid`);
  }
  if (beyond.calls > 0) lines.push(`it would also allow ${count(beyond.calls)} of other sessions in the last 7 d, e.g. entry ${beyond.examples[0]?.seq}`);
  for (const { why, calls: of } of skipped) lines.push(`${count(of)} left out: ${printable(why)}`);
  return lines;
}
