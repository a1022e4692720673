import type { JsonObject } from "@lanyard/contract";
import { Argument, type Command } from "commander";
import type { Context } from "./context.ts";
import { json, table, time } from "./terminal.ts";

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
