import { Fault, type JsonObject } from "@lanyard/contract";
import type { Command } from "commander";
import type { Context } from "./context.ts";
import { brief, json, printable, time } from "./terminal.ts";

export function approvalVerbs(program: Command, context: Context): void {
  program
    .command("approvals")
    .description("calls that wait for a person")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\nExample:\n  lanyard approvals")
    .action(async (options: { json?: boolean }) => {
      const { approvals } = await (await context.reach()).call<{ approvals: JsonObject[] }>("approval_list");
      if (options.json) return context.out(json({ approvals }));
      if (approvals.length === 0) context.out("nothing waits for approval");
      for (const card of approvals) for (const line of cardLines(card)) context.out(line);
    });
  verdictVerb(program, context, "approve", "lets a held call through, once, as yourself");
  verdictVerb(program, context, "deny", "refuses a held call, as yourself; the comment reaches the agent");
}

/** What a person must see before saying yes: who, for whom, what exactly, who may lift it, until when. */
export function cardLines(card: JsonObject): string[] {
  const field = (name: string): string => printable(String(card[name] ?? ""));
  const changes = Array.isArray(card["transforms"]) ? card["transforms"] : [];
  return [
    `${field("id")}  ${field("state")}`,
    `  what      ${field("action")} ${brief(card["args"], 1000)}`,
    ...(changes.length > 0 ? [`  changed   ${printable(changes.join(", "))}, before it is carried out`] : []),
    ...(card["beside"] ? [`  with      ${brief(card["beside"], 1000)}`] : []),
    `  who       agent ${field("agent")} for ${field("user")}, session ${field("session")}`,
    `  waits for ${brief(card["groups"])}`,
    `  until     ${time(Number(card["expires_at_ms"]))}`,
  ];
}

function verdictVerb(program: Command, context: Context, verdict: "approve" | "deny", description: string): void {
  program
    .command(`${verdict} <approval>`)
    .description(description)
    .option("--comment <text>", "why; recorded, and shown to the agent on a denial")
    .option("--json", "as one JSON object")
    .addHelpText("after", `\nYour credential (lyd_user_...) is read from LANYARD_CREDENTIAL, never from the command line.\n\nExample:\n  lanyard ${verdict} a_x7Qp0LrT2kVn8sWz --comment "checked with Ben"`)
    .action(async (id: string, options: { comment?: string; json?: boolean }) => {
      const token = context.variable("LANYARD_CREDENTIAL");
      if (!token) throw new Fault("unauthenticated", `to ${verdict}, set LANYARD_CREDENTIAL to your own credential (\`lanyard credential issue user <name>\` makes one)`);
      const api = await context.reach({ daemonOnly: true, token });
      const answer = await api.call("approval_decide", { at: { id }, body: { verdict, ...(options.comment && { comment: options.comment }) } });
      context.out(options.json ? json(answer) : `${verdict === "approve" ? "approved" : "denied"} ${id}`);
    });
}
