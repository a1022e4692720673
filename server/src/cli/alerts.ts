import { Fault, type JsonObject } from "@lanyard/contract";
import type { Command } from "commander";
import type { Context } from "./context.ts";
import { json, printable, time, type Colour } from "./terminal.ts";

export function alertVerbs(program: Command, context: Context): void {
  const alerts = program
    .command("alerts")
    .description("what people were paged about, and who has it")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\nExample:\n  lanyard alerts\n  lanyard alerts ack al_x7Qp0LrT2kVn8sWz")
    .action(async (options: { json?: boolean }) => {
      const { alerts: open } = await (await context.reach()).call<{ alerts: JsonObject[] }>("alert_list");
      if (options.json) return context.out(json({ alerts: open }));
      if (open.length === 0) context.out("no alert is open");
      for (const card of open) for (const line of alertLines(card, context.colour)) context.out(line);
    });
  alerts
    .command("ack <alert>")
    .description("acknowledges an alert, as yourself: nobody else is paged about it")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\nYour credential (lyd_user_...) is read from LANYARD_CREDENTIAL, never from the command line.\n\nExample:\n  lanyard alerts ack al_x7Qp0LrT2kVn8sWz")
    .action(async (id: string, _: unknown, command: Command) => {
      const token = context.variable("LANYARD_CREDENTIAL");
      if (!token) throw new Fault("unauthenticated", "to acknowledge, set LANYARD_CREDENTIAL to your own credential (`lanyard credential issue user <name>` makes one)");
      const card = await (await context.reach({ daemonOnly: true, token })).call("alert_acknowledge", { at: { id } });
      context.out(command.optsWithGlobals<{ json?: boolean }>().json ? json(card) : `acknowledged ${id}`);
    });
}

/** What happened, since when, who has it, and what to type. */
function alertLines(card: JsonObject, colour: Colour): string[] {
  const field = (name: string): string => printable(String(card[name] ?? ""));
  const list = (name: string): string[] => (Array.isArray(card[name]) ? card[name].map((text) => printable(String(text))) : []);
  const severity = { info: colour.dim, warning: colour.yellow, critical: colour.red }[field("severity")] ?? colour.dim;
  const times = Number(card["times"]) > 1 ? `, ${field("times")} times` : "";
  const by = field("acknowledged_by");
  return [
    `${field("id")}  ${severity(field("severity"))}  ${by === "" ? field("state") : `acknowledged by ${by}`}`,
    `  what    ${field("title")}`,
    `  since   ${time(Number(card["since_ms"]))}${times}`,
    ...list("lines").map((line) => `          ${line}`),
    `  paged   ${list("channels").join(", ") || (field("state") === "held" ? "nobody: held until quiet hours end" : "nobody")}`,
    ...list("commands").map((command, index) => `  ${index === 0 ? "next" : "    "}    ${command}`),
  ];
}
