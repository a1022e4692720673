import { isObject, type Json, type JsonObject } from "@lanyard/contract";
import type { Command } from "commander";
import type { Context } from "./context.ts";
import { brief, json, printable, table } from "./terminal.ts";

const counted = (count: unknown, thing: string): string => (typeof count === "number" && count > 0 ? `, ${count} ${thing}${count === 1 ? "" : "s"}` : "");

/** What stands at a post, in words: the person who reads this at night looks for the number of a version. */
const standing = (name: string, value: JsonObject): string => {
  const { version = null, policies, warnings, hash, bundle = hash } = value;
  const number = typeof version === "number" ? `version ${version}` : "the folder of policies";
  return `${number}${counted(policies, "policy").replace("policys", "policies")}${counted(warnings, "warning")}, bundle ${String(bundle)}${name === "bundle" ? "" : `; see \`lanyard policy show ${name}\``}`;
};

const shown = (name: string, value: Json): string => {
  if (name === "bundle" && value === null) return "none: everything is denied";
  if (isObject(value) && ["bundle", "canary", "shadow"].includes(name)) return printable(standing(name, value));
  return typeof value === "string" ? value : brief(value, 400);
};

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
      for (const [name, value] of Object.entries(rest)) context.out(`${context.colour.dim(name.padEnd(14))}${shown(name, value)}`);
      const cells = servers.map((server) => [String(server["server"]), String(server["kind"]), server["version"] === null ? "never reached" : `speaks ${String(server["version"])}`, String(server["failures"]), String(server["connections"])]);
      for (const line of table(["server", "kind", "state", "failures", "connections"], cells, context.colour)) context.out(line);
    });
}
