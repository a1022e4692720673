import type { DecisionInput, JsonObject } from "@lanyard/contract";
import { compile, openSnapshot } from "@lanyard/policy";
import { expect, test } from "vitest";

// A server's schema says little or lies; the agent sends more than it says. `context.input has path` is false of what policy is not shown,
// so a forbid guarded by it would silently not hold. What stays refused: any call that carries what a policy speaks about, unseen.

const schemas: Record<string, JsonObject> = {
  declared: { type: "object", properties: { path: { type: "string" } } },
  undeclared: { type: "object", properties: { command: { type: "string" } } },
  untyped: { type: "object", properties: { path: { description: "where" } } },
  mixed: { type: "object", properties: { path: { type: ["string", "array"] } } },
  tuple: { type: "object", properties: { path: { type: "array" } } },
  nested: { type: "object", properties: { options: { type: "object", properties: { depth: { type: "integer" } } } } },
  either: { type: "object", properties: { options: { anyOf: [{ type: "string" }, { type: "object", properties: { depth: { type: "integer" } } }] } } },
  list: { type: "object", properties: { edits: { type: "array", items: { type: "object", properties: { line: { type: "integer" } }, required: ["line"] } } } },
  lists: { type: "object", properties: { edits: { anyOf: [{ type: "string" }, { type: "array", items: { type: "object", properties: { line: { type: "integer" } }, required: ["line"] } }] } } },
  empty: { type: "object" },
};
const compiled = compile({
  servers: ["fs"],
  tools: Object.entries(schemas).map(([tool, inputSchema]) => ({ server: "fs", tool, definition: tool, inputSchema, contract: { effects: [], reversibility: "unknown" as const } })),
  policies: [{ file: "p.cedar", text: `
    @id("all") permit (principal, action, resource) unless { context.input has force };
    @id("no.etc") forbid (principal, action, resource)
      when { context.input has path && context.input.path like "/etc/*" }
      unless { action == Action::"fs/mixed" };
    @id("one.line") forbid (principal, action == Action::"fs/list", resource) unless { context.input has edits && context.input.edits == [{ line: 1 }] };
    @id("one.line.too") forbid (principal, action == Action::"fs/lists", resource) unless { context.input has edits && context.input.edits has set && context.input.edits.set == [{ line: 1 }] };
    @id("no.path") forbid (principal, action == Action::"fs/mixed", resource) when { context.input has path };
    @id("no.follow") forbid (principal, action == Action::"fs/nested", resource) when { context.input has options && context.input.options has follow };
    @id("no.follow.either") forbid (principal, action == Action::"fs/either", resource)
      when { context.input has options && context.input.options has record && context.input.options.record has follow };` }],
});
const decide = (action: string, args: JsonObject, more: Partial<DecisionInput> = {}) => {
  if (!compiled.ok) throw new Error(compiled.errors.map(({ message }) => message).join("; "));
  return openSnapshot(compiled.bytes).decide({
    agent: { id: "bot", team: "t", classes: [] },
    user: { id: "ana", groups: [] },
    session: { id: "s", purpose: "", depth: 0, labels: [], isolation: "none" },
    action,
    args,
    approvals: [],
    nowMs: 0,
    ...more,
  });
};

test.each<[string, string, JsonObject]>([
  ["the rule itself holds", "declared", { path: "/etc/shadow" }],
  ["an argument that the schema does not declare", "undeclared", { command: "cat", path: "/etc/shadow" }],
  ["one that it declares without a type", "untyped", { path: "/etc/shadow" }],
  ["text where a list may be too", "mixed", { path: "/etc/shadow" }],
  ["a list without a type for its items", "tuple", { path: ["/etc/shadow"] }],
  ["a schema that declares nothing", "empty", { path: "/etc/shadow" }],
  ["a key below one that is declared", "nested", { options: { depth: 1, follow: true } }],
  ["the same below one of several types", "either", { options: { depth: 1, follow: true } }],
  ["a key in an element of a list", "list", { edits: [{ line: 1 }, { line: 1, path: "/etc/shadow" }] }],
  ["the same where a list is one of several types", "lists", { edits: [{ line: 1, path: "/etc/shadow" }] }],
  ["what a permit makes an exception of", "declared", { path: "/tmp/a", force: true }],
  ["another type than the declared one", "declared", { path: ["/etc/shadow"] }],
  ["a key of the prototype", "declared", { constructor: { path: "/etc/shadow" }, path: { __proto__: "/etc/shadow" } }],
])("refused: %s", async (_what, tool, args) => {
  expect((await decide(`fs/${tool}`, args)).effect).toBe("deny");
});

test.each<[string, string, JsonObject]>([
  ["arguments that no policy speaks about", "declared", { path: "/tmp/a", other: { path: "/etc/shadow" } }],
  ["null, which counts as absent", "undeclared", { path: null }],
  ["keys below a declared one that no policy speaks about", "nested", { options: { depth: 1, colour: "red" } }],
  ["elements with nothing else in them", "list", { edits: [{ line: 1 }, { line: 1 }] }],
  ["nothing at all", "empty", {}],
])("allowed still: %s", async (_what, tool, args) => {
  expect(await decide(`fs/${tool}`, args)).toMatchObject({ effect: "allow", errors: [] });
});

test("refused: a request that is no tool call, with what policy speaks about beside its `uri`", async () => {
  expect((await decide("fs/mcp:files/copy", { uri: "file:///tmp/a", path: "/etc/shadow" })).effect).toBe("deny");
});

test("refused: a tool whose approved definition is not the one that the policies in force were compiled against", async () => {
  expect((await decide("fs/declared", { path: "/tmp/a" }, { definition: "declared" })).effect).toBe("allow");
  expect((await decide("fs/declared", { path: "/tmp/a" }, { definition: "newer" })).effect).toBe("deny");
  // A tool that calls itself like an MCP request would be decided as that request.
  expect((await decide("fs/mcp:resources/read", {}, { definition: "of a tool" })).effect).toBe("deny");
  expect((await decide("fs/mcp:resources/read", {}, { definition: null })).effect).toBe("allow");
});
