import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { compile } from "../author/compile.ts";

const page = readFileSync(join(import.meta.dirname, "../../../docs/sequences.md"), "utf8");
const rules = [...page.matchAll(/^```cedar\n([\s\S]*?)^```/gm)].map(([, text = ""]) => text);

const tool = (server: string, name: string, effects: readonly ("read" | "egress" | "money")[], properties: Readonly<Record<string, string>>) => ({
  server, tool: name, definition: "d", inputSchema: { type: "object", properties: Object.fromEntries(Object.entries(properties).map(([key, type]) => [key, { type }])), required: Object.keys(properties) } as never, contract: { effects, reversibility: "unknown" as const },
});
const tools = [
  tool("notes", "read_note", ["read"], { name: "string" }), tool("notes", "write_note", [], { name: "string", text: "string" }), tool("inbox", "read", ["read"], {}), tool("mail", "send", ["egress"], { to: "string" }),
  tool("bank", "pay", ["money"], { amount: "integer" }), tool("shop", "refund", ["money"], { order: "string" }), tool("shop", "read", ["read"], { order: "string" }),
];

it.each(rules)("a rule of docs/sequences.md compiles without a warning: %s", (text) => {
  const made = compile({ servers: [...new Set(tools.map(({ server }) => server))], tools, policies: [{ file: "page.cedar", text }] });
  expect([...(made.ok ? [] : made.errors), ...made.warnings].map(({ message, help }) => `${message} ${help}`)).toEqual([]);
});

it("the page has rules", () => expect(rules.length).toBeGreaterThan(4));
