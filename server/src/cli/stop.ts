import { Fault, stopSubjectKinds, type JsonObject, type StopKind } from "@lanyard/contract";
import { Argument, type Command } from "commander";
import type { Client } from "./client.ts";
import type { Context } from "./context.ts";
import { json, printable, table, time } from "./terminal.ts";

const about = "\nYou are the operator, or with LANYARD_CREDENTIAL (lyd_user_...) yourself, as lanyard.yaml lets you under `stop:`.";
const subjectArgument = () => new Argument("<subject>", "what").choices(stopSubjectKinds);

export function stopVerbs(program: Command, context: Context): void {
  orderVerb(program, context, "stop", "lets nothing more happen, at once: refuses, cancels what is under way, ends sandboxes", "lanyard stop agent coder --why \"deletes what it should not\"\n  lanyard stop all --why \"nobody knows what this is\"");
  orderVerb(program, context, "quarantine", "lets nothing but reads happen, at once", "lanyard quarantine session ses_x7Qp0LrT2kVn8sWz --why \"to be looked at\"");
  program
    .command("resume")
    .description("lets a stopped or quarantined subject go on; for `all`, two people must say so")
    .addArgument(subjectArgument())
    .argument("[name]", "its name; a tool's is <server>/<tool>")
    .option("--json", "as one JSON object")
    .addHelpText("after", `${about}\n\nExample:\n  lanyard resume agent coder`)
    .action(async (subject: string, name: string | undefined, options: { json?: boolean }) => {
      const answer = await (await reachAs(context)).call<{ lifted: boolean; stops: JsonObject[] }>("stop_lift", { body: bodyOf(subject, name) });
      if (options.json) return context.out(json(answer));
      const whom = whomText(subject, name);
      context.out(answer.lifted ? `${whom} goes on` : `${whom} stays stopped until a second person says so too: LANYARD_CREDENTIAL=... lanyard resume ${subject}`);
    });
  program
    .command("stops")
    .description("what is stopped or quarantined now")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\nExample:\n  lanyard stops")
    .action(async (options: { json?: boolean }) => {
      const { stops } = await (await reachAs(context, false)).call<{ stops: JsonObject[] }>("stop_list");
      if (options.json) return context.out(json({ stops }));
      if (stops.length === 0) return context.out("nothing is stopped");
      const cells = stops.map((order) => [String(order["id"]), String(order["kind"]), whomText(String(order["subject"]), String(order["name"])), String(order["by"]), time(Number(order["at_ms"])), printable(String(order["why"]))]);
      for (const line of table(["order", "kind", "subject", "by", "since", "why"], cells, context.colour)) context.out(line);
    });
}

function orderVerb(program: Command, context: Context, kind: StopKind, description: string, example: string): void {
  program
    .command(kind)
    .description(description)
    .addArgument(subjectArgument())
    .argument("[name]", "its name; a tool's is <server>/<tool>")
    .requiredOption("--why <text>", "for whoever reads the record; the agent is not told")
    .option("--json", "as one JSON object")
    .addHelpText("after", `${about}\n\nExample:\n  ${example}`)
    .action(async (subject: string, name: string | undefined, options: { why: string; json?: boolean }) => {
      const answer = await (await reachAs(context)).call<JsonObject>("stop_order", { body: { kind, ...bodyOf(subject, name), why: options.why } });
      if (options.json) return context.out(json(answer));
      const number = (key: string) => String(answer[key] ?? 0);
      const done = `${whomText(subject, name)} is ${kind === "stop" ? "stopped" : "quarantined"}${answer["already"] === true ? " already" : ""} (order ${String(answer["id"])})`;
      context.out(`${done}: ${number("sessions")} sessions, ${number("cancelled")} calls cancelled, ${number("voided")} approvals voided`);
      if (answer["recorded"] !== true) context.err("it is in force, but not on record yet: the ledger does not answer; it is written as soon as it does, and a restart before that forgets it");
    });
}

const whomText = (subject: string, name: string | undefined): string => (subject === "all" ? "everything" : `${subject} \`${printable(name ?? "")}\``);

/** Throws Fault `invalid_request`. */
function bodyOf(subject: string, name: string | undefined): JsonObject {
  if (subject !== "all" && name === undefined) throw new Fault("invalid_request", `which ${subject}? its name is missing`);
  return { subject, ...(name !== undefined && { name }) };
}

const reachAs = (context: Context, daemonOnly = true): Promise<Client> => {
  const token = context.variable("LANYARD_CREDENTIAL");
  return context.reach({ daemonOnly, ...(token !== undefined && { token }) });
};
