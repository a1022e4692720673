import { isObject, type JsonObject } from "@lanyard/contract";
import { Argument, type Command } from "commander";
import type { Context } from "./context.ts";
import { json, printable, table, time } from "./terminal.ts";

/** The credentials of lanyard.yaml, which are lent; `credential`, below, is about those that agents and people show to Lanyard. */
export function lendingVerbs(program: Command, context: Context): void {
  const credentials = program
    .command("credentials")
    .description("credentials of lanyard.yaml that are lent to agents and servers: what they serve, and who used them")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\nExample:\n  lanyard credentials\n  lanyard credentials revoke github\n  lanyard credentials restore github")
    .action(async (options: { json?: boolean }) => {
      const list = await (await context.reach()).call<{ credentials: JsonObject[] }>("lending_list");
      if (options.json) return context.out(json(list));
      for (const line of table(["name", "from", "serves", "state", "last used", "uses"], list.credentials.map(cellsOf), context.colour)) context.out(line);
      for (const { name, problem } of list.credentials) if (typeof problem === "string") context.err(`${String(name)}: ${printable(problem)}`);
    });

  credentials
    .command("revoke <name>")
    .description("lends it to nobody any more, at once; what is under way with it ends")
    .action(async (name: string) => {
      await (await context.reach()).call("lending_revoke", { body: { name } });
      context.out(`revoked ${name}; \`lanyard credentials restore ${name}\` takes it back`);
    });

  credentials
    .command("restore <name>")
    .description("lends a revoked credential again")
    .action(async (name: string) => {
      await (await context.reach()).call("lending_restore", { body: { name } });
      context.out(`restored ${name}`);
    });
}

const cellsOf = (row: JsonObject): string[] => {
  const lists = [row["hosts"], row["servers"]].flatMap((list) => (Array.isArray(list) ? list.map(String) : []));
  const uses = Object.entries(isObject(row["uses"]) ? row["uses"] : {}).map(([agent, times]) => `${agent} ${String(times)}`);
  const last = row["last_used_ms"];
  return [String(row["name"]), String(row["from"]), lists.join(", ") || "-", String(row["state"]), typeof last === "number" ? time(last) : "never", uses.sort().join(", ") || "-"];
};

const kind = (): Argument => new Argument("<kind>", "whose it is").choices(["agent", "user"]);

export function credentialVerbs(program: Command, context: Context): void {
  const credential = program
    .command("credential")
    .description("credentials of agents (to open sessions) and users (to approve)")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\nExample:\n  lanyard credential issue agent coder\n  lanyard credential revoke k_x7Qp0LrT2kVn8sWz")
    .action(async (options: { json?: boolean }) => {
      const list = await (await context.reach()).call<{ credentials: JsonObject[] }>("credential_list");
      if (options.json) return context.out(json(list));
      const cells = list.credentials.map((c) => [String(c["key"]), String(c["kind"]), String(c["name"]), time(Number(c["issued_at_ms"]))]);
      for (const line of table(["key", "kind", "name", "issued"], cells, context.colour)) context.out(line);
    });

  credential
    .command("issue")
    .description("makes a credential and prints it this once; only its hash is kept")
    .addArgument(kind())
    .argument("<name>", "an agent or user of lanyard.yaml")
    .option("--json", "as one JSON object")
    .action(async (of: string, name: string, options: { json?: boolean }) => {
      const issued = await (await context.reach()).call("credential_issue", { body: { kind: of, name } });
      if (options.json) return context.out(json(issued));
      context.err(`credential ${String(issued["key"])} of ${of} ${name}; it is shown this once:`);
      context.out(String(issued["secret"]));
    });

  credential
    .command("revoke <key>")
    .description("revokes a credential at once; sessions opened with it end")
    .action(async (key: string) => {
      await (await context.reach()).call("credential_revoke", { at: { id: key } });
      context.out(`revoked ${key}`);
    });
}
