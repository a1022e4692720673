import type { JsonObject } from "@lanyard/contract";
import { expect, it } from "vitest";
import { compile } from "./compile.ts";

const warnings = (when: string, { action = 'action == Action::"shop/update"', changes = { type: "object" } }: { action?: string; changes?: JsonObject } = {}): string[] =>
  compile({
    servers: ["shop"],
    tools: [{ server: "shop", tool: "update", definition: "d", inputSchema: { type: "object", properties: { id: { type: "string" }, changes } }, contract: { effects: ["write"], reversibility: "unknown" } }],
    policies: [{ file: "p.cedar", text: `@id("a") forbid (principal, ${action}, resource) when { ${when} };` }],
  }).warnings.map(({ message }) => message);

const hidden = "policy is not shown what is in the argument `changes` of `shop/update`, so calls that carry it are denied";

it("of an argument that a policy is not shown its author is warned, for calls that carry it are denied", () => {
  expect(warnings('(context.input has changes && context.input.changes has address) || context.input has id && context.input.id == "x"')).toEqual([hidden]);
  expect(warnings("context.input has changes || context.session.depth > 3")).toEqual([hidden]);
});

it("not of what it is shown, nor of an argument that other tools have", () => {
  expect(warnings('context.input has id && context.input.id == "x"')).toEqual([]);
  expect(warnings('context.input has changes && context.input.changes has address && context.input.changes.address == "x"', { changes: { type: "object", properties: { address: { type: "string" } } } })).toEqual([]);
  expect(warnings('(context.input has changes && context.input.changes has address) || context.session.depth > 3', { action: "action" })).toEqual([]);
});
