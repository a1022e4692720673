import type { JsonObject } from "@lanyard/contract";
import type { Command } from "commander";
import type { Context } from "./context.ts";
import { brief, json, table } from "./terminal.ts";

export function statusVerb(program: Command, context: Context): void {
  program
    .command("status")
    .description("what runs: servers, policy bundle, ledger, sessions")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\nExample:\n  lanyard status --json")
    .action(async (options: { json?: boolean }) => {
      const status = await (await context.reach()).call("status");
      if (options.json) return context.out(json(status));
      const { servers, ...rest } = status as { servers: JsonObject[] } & JsonObject;
      for (const [name, value] of Object.entries(rest)) context.out(`${context.colour.dim(name.padEnd(12))}${typeof value === "string" ? value : brief(value, 400)}`);
      const cells = servers.map((server) => [String(server["server"]), String(server["kind"]), server["version"] === null ? "never reached" : `speaks ${String(server["version"])}`, String(server["failures"]), String(server["connections"])]);
      for (const line of table(["server", "kind", "state", "failures", "connections"], cells, context.colour)) context.out(line);
    });
}
