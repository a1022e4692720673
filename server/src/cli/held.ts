import type { JsonObject } from "@lanyard/contract";
import type { Command } from "commander";
import type { Client } from "./client.ts";
import type { Context } from "./context.ts";
import { brief, json, printable, table, time } from "./terminal.ts";

const about = "\nYou are the operator, or with LANYARD_CREDENTIAL (lyd_user_...) yourself.";

export function heldVerbs(program: Command, context: Context): void {
  program
    .command("held")
    .description("staged calls: allowed, and carried out when their time has come unless somebody withdraws them")
    .option("--json", "as one JSON object")
    .addHelpText("after", `${about}\n\nExample:\n  lanyard held`)
    .action(async (options: { json?: boolean }) => {
      const { held } = await (await reachAs(context, false)).call<{ held: JsonObject[] }>("held_list");
      if (options.json) return context.out(json({ held }));
      if (held.length === 0) return context.out("nothing is staged");
      const cells = held.map((card) => [String(card["id"]), time(Number(card["until_ms"])), printable(String(card["action"])), brief(card["args"], 60), String(card["agent"]), String(card["user"]), String(card["session"])]);
      for (const line of table(["staged", "until", "what", "arguments", "agent", "for", "session"], cells, context.colour)) context.out(line);
    });
  program
    .command("withdraw <staged>")
    .description("takes a staged call back before its time; it is not carried out")
    .option("--json", "as one JSON object")
    .addHelpText("after", `${about}\n\nExample:\n  lanyard withdraw hld_x7Qp0LrT2kVn8sWz`)
    .action(async (id: string, options: { json?: boolean }) => {
      const card = await (await reachAs(context, true)).call<JsonObject>("held_withdraw", { at: { id } });
      context.out(options.json ? json(card) : `withdrew ${id}: ${printable(String(card["action"]))} was not carried out`);
    });
}

const reachAs = (context: Context, daemonOnly: boolean): Promise<Client> => {
  const token = context.variable("LANYARD_CREDENTIAL");
  return context.reach({ daemonOnly, ...(token !== undefined && { token }) });
};
