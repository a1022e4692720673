import { Fault } from "@lanyard/contract";
import type { Client } from "../client.ts";
import type { Context } from "../context.ts";
import { exit, printable } from "../terminal.ts";

/** Said below every verb that is done as oneself. */
export const credentialHelp = "\nYour credential (lyd_user_...) is read from LANYARD_CREDENTIAL, never from the command line.\n";

/** A client of the running daemon that speaks as the user at the terminal. Throws Fault `unauthenticated`. */
export async function asOneself(context: Context, doing: string): Promise<Client> {
  const token = context.variable("LANYARD_CREDENTIAL");
  if (!token) throw new Fault("unauthenticated", `to ${doing}, set LANYARD_CREDENTIAL to your own credential (\`lanyard credential issue user <name>\` makes one)`, { remedy: "" });
  return context.reach({ daemonOnly: true, token });
}

/** A version's number from the command line. Throws Fault `invalid_request`. */
export function versionNumber(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new Fault("invalid_request", `\`${text}\` is no version: write a number; \`lanyard policy history\` lists them`);
}

/** What stands against a version, each problem with its place: printed, and the verb has failed. */
export function printProblems(context: Context, problems: readonly string[], title: string): void {
  for (const problem of problems) for (const line of problem.split("\n")) context.err(printable(line));
  context.err(`${context.colour.red("lanyard:")} ${title}: ${problems.length} problem${problems.length === 1 ? "" : "s"}`);
  process.exitCode = exit.failed;
}

/** The answer to a verb that posts a version. */
export interface PostAnswer {
  readonly ok: boolean;
  readonly problems?: readonly string[];
}
