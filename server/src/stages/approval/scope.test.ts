import type { DecisionInput, JsonObject } from "@lanyard/contract";
import { compile, openSnapshot } from "@lanyard/policy";
import fc from "fast-check";
import { expect, test } from "vitest";
import { grantText, likePieces, scopeCovers, scopeOf, type GrantTerms } from "./scope.ts";

const properties = { path: { type: "string" }, note: { type: "string" }, n: { type: "integer" }, deep: { type: "boolean" } };
const rule = `@id("review") @remedy("approval:leads") forbid (principal, action == Action::"files/write", resource) unless { context.approvals.contains(Group::"leads") }`;
const untilMs = Date.parse("2026-11-27T18:00:00Z");
const terms = (scope: GrantTerms["scope"]): GrantTerms => ({
  agent: "bot", user: "ana", action: "files/write", scope, reversibility: "reversible", reasons: [{ policy: "review", text: "", remedy: "approval:leads" }], groups: ["leads"], times: 3, untilMs,
});

/** The rule with the text of a grant as a clause of its own, decided. */
const decider = (scope: GrantTerms["scope"]) => {
  const text = `@id("all") permit (principal, action, resource);\n${rule}\n${grantText(terms(scope))}`;
  const compiled = compile({
    servers: ["files"],
    tools: ["write", "read"].map((tool) => ({ server: "files", tool, definition: "d", inputSchema: { type: "object", properties }, contract: { effects: ["write"], reversibility: "unknown" } })),
    policies: [{ file: "p.cedar", text }],
  });
  if (!compiled.ok) throw new Error(compiled.errors.map(({ message }) => message).join("; "));
  const snapshot = openSnapshot(compiled.bytes);
  return (args: JsonObject, over: Partial<DecisionInput> = {}) =>
    snapshot.decide({ agent: { id: "bot", team: "t", classes: [] }, user: { id: "ana", groups: [] }, session: { id: "s", purpose: "", depth: 0, labels: [], isolation: "none" }, action: "files/write", reversibility: "reversible", args, approvals: [], nowMs: untilMs - 1, ...over }).effect;
};

test("the text says who, what, until when, how often, and what is free", () => {
  expect(grantText(terms(scopeOf({ path: "docs/a*.md", note: "x\"\u202e", n: 3, deep: true }, { like: { path: "docs/*" }, any: ["deep"] })))).toBe(
    [
      "// Stands for the approval of leads that review asks for, 3 times; it permits nothing.",
      "// For calls with no other arguments than path, note, n, deep; deep may be anything.",
      "unless {",
      '  principal == Agent::"bot" &&',
      '  action == Action::"files/write" &&',
      '  context.user == User::"ana" &&',
      '  context.reversibility == "reversible" &&',
      "  context.input has path &&",
      '  context.input.path like "docs/*" &&',
      "  context.input has note &&",
      '  context.input.note == "x\\"\\u{202e}" &&',
      "  context.input has n &&",
      "  context.input.n == 3 &&",
      '  context.now < datetime("2026-11-27T18:00:00.000Z")',
      "};",
    ].join("\n"),
  );
});

test("what is shown is what is covered: the text as policy and the scope agree on every call with the arguments it names", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "b", "*", "\\", "/", '"', "é", "\n"), maxLength: 6 });
  const args = fc.record({ path: word, note: word, n: fc.integer({ min: -2, max: 2 }), deep: fc.boolean() }, { requiredKeys: ["path"] });
  const sample = fc.record({ args, like: fc.boolean(), any: fc.boolean(), cut: fc.nat(6), calls: fc.array(args, { minLength: 1, maxLength: 8 }) });
  fc.assert(
    fc.property(sample, ({ args: asked, like, any, cut, calls }) => {
      const text = String(asked.path);
      const pattern = `${text.slice(0, cut).replace(/[\\*]/g, "\\$&")}*`;
      const scope = scopeOf(asked as JsonObject, { like: like ? { path: pattern } : {}, any: any && asked.n !== undefined ? ["n"] : [] });
      const decide = decider(scope);
      expect(scopeCovers(scope, asked as JsonObject)).toBe(true);
      for (const call of [asked, ...calls]) {
        if (Object.keys(call).some((name) => !Object.hasOwn(scope, name))) expect(scopeCovers(scope, call as JsonObject)).toBe(false); // said by the comment
        else expect(decide(call as JsonObject)).toBe(scopeCovers(scope, call as JsonObject) ? "allow" : "ask");
      }
    }),
    { numRuns: 60 },
  );
});

test("the text lets nobody else, nothing else and no later time through", () => {
  const decide = decider(scopeOf({ path: "a" }, { like: {}, any: [] }));
  expect(decide({ path: "a" })).toBe("allow");
  expect(decide({ path: "a" }, { agent: { id: "other", team: "t", classes: [] } })).toBe("ask");
  expect(decide({ path: "a" }, { user: { id: "ben", groups: [] } })).toBe("ask");
  expect(decide({ path: "a" }, { nowMs: untilMs })).toBe("ask");
});

test("a widening that names nothing, misses the call itself, or cannot be written down is refused", () => {
  const refused = (args: JsonObject, like: Record<string, string>, any: string[]) => expect(() => scopeOf(args, { like, any })).toThrow(expect.objectContaining({ code: "invalid_request" }));
  refused({ path: "a" }, { name: "*" }, []);
  refused({ path: "a" }, { path: "b*" }, []);
  refused({ n: 1 }, { n: "*" }, []);
  refused({ path: "a" }, { path: "\\a*" }, []);
  refused({ path: "a" }, { path: "x".repeat(1025) }, []);
  refused({ path: "a" }, {}, ["toString"]);
  refused({ path: 0.5 }, {}, []);
  refused({ path: null }, {}, []);
  refused({ path: ["b", "a"] }, {}, []);
  expect(scopeOf({ path: 0.5 }, { like: {}, any: ["path"] })).toEqual({ path: { any: true } });
  expect(scopeCovers(scopeOf({}, { like: {}, any: [] }), { extra: 1 })).toBe(false);
  expect(scopeCovers(scopeOf({ a: { b: 1 } }, { like: {}, any: [] }), { a: { b: 1, c: 2 } })).toBe(false);
  expect(scopeCovers(scopeOf({ a: "x" }, { like: { a: "*" }, any: [] }), {})).toBe(false);
});

test("any text is read as a pattern or refused, and what it reads as matches the text it was made of", () => {
  fc.assert(fc.property(fc.string(), (text) => {
    try {
      likePieces(text);
    } catch (error) {
      expect(error).toMatchObject({ code: "invalid_request" });
    }
    if (text.isWellFormed() && text.length < 500) expect(likePieces(text.replace(/[\\*]/g, "\\$&"))).toEqual([text]);
  }));
});
