import type { Json, JsonObject } from "@lanyard/contract";
import { describe, expect, it } from "vitest";
import { Expressions } from "./compile.ts";
import { EvaluationFault, type EvaluationRequest } from "./request.ts";
import { EntityUid, FieldsValue, SetValue, type RecordValue, type Value } from "./value.ts";

// That it evaluates as Cedar does is shown by the fuzzer (test/fuzz); here is what Cedar has no say in.

const value = (json: Json): JsonObject => ({ Value: json });
const pair = (operator: string, left: JsonObject, right: JsonObject): JsonObject => ({ [operator]: { left, right } });
const context: JsonObject = { Var: "context" };
const read = (attr: string): JsonObject => ({ ".": { left: context, attr } });

const record = (fields: Readonly<Record<string, Value>>): RecordValue => new FieldsValue(new Map(Object.entries(fields)));
const requestOf = (fields: Readonly<Record<string, Value>>): EvaluationRequest => ({
  principal: new EntityUid("Agent", "bot"),
  action: new EntityUid("Action", "files/read"),
  resource: new EntityUid("Server", "files"),
  context: record(fields),
  find: () => undefined,
});

const refusal = (make: () => unknown): string => {
  try {
    make();
  } catch (error) {
    return (error as Error).message;
  }
  return "taken";
};

const nest = (depth: number): JsonObject => {
  let form = value(1);
  for (let level = 0; level < depth; level += 1) form = pair("+", form, value(1));
  return form;
};

describe("expressions", () => {
  it("make equal expressions one closure, wherever they stand", () => {
    const expressions = new Expressions();
    const form = pair("==", read("n"), pair("+", value(1), read("m")));
    const first = expressions.expression(form);
    const { size } = expressions;
    expect(expressions.expression(structuredClone(form))).toBe(first);
    expect(expressions.conditions([{ kind: "when", body: structuredClone(form) }])).toBe(first);
    expect(expressions.size).toBe(size);
    expressions.expression({ "!": { arg: form } });
    expect(expressions.size).toBe(size + 1);
    expect(expressions.expression(pair("==", read("n"), pair("+", value(1), read("n"))))).not.toBe(first);
  });

  it("refuse what they do not know, before anything is decided by it", () => {
    const forms: Json[] = [
      { Slot: "?principal" },
      { Unknown: { name: "x" } },
      { Var: "subject" },
      { Var: "toString" },
      { "": {} },
      {},
      { "==": { left: value(1), right: value(1) }, "!=": { left: value(1), right: value(1) } },
      { "==": { left: value(1) } },
      { error: [value("x")] },
      { decimals: [value("1.0")] },
      { has: { left: context, attr: [] } },
      { has: { left: context, attr: ["a", 1] } },
      { like: { left: value("a"), pattern: [{ Text: "a" }] } },
      { is: { left: context } },
      { "if-then-else": { if: value(true), then: value(1) } },
      value(null),
      value(1.5),
      value({ __expr: "1" }),
      value({ __entity: { type: "A" } }),
      value({ __extn: { fn: "exec", arg: "x" } }),
      value({ __extn: { fn: "decimal", arg: "1.0" }, more: 1 }),
    ];
    expect(forms.map((form) => refusal(() => new Expressions().expression(form)))).toMatchInlineSnapshot(`
      [
        "cannot evaluate a policy: there is no expression \`Slot\` of this form",
        "cannot evaluate a policy: there is no expression \`Unknown\` of this form",
        "cannot evaluate a policy: there is no expression \`Var\` of this form",
        "cannot evaluate a policy: there is no expression \`Var\` of this form",
        "cannot evaluate a policy: there is no expression \`\` of this form",
        "cannot evaluate a policy: an expression has no operator, or several",
        "cannot evaluate a policy: an expression has no operator, or several",
        "cannot evaluate a policy: an expression is no object",
        "cannot evaluate a policy: there is no function \`error\`",
        "cannot evaluate a policy: there is no function \`decimals\`",
        "cannot evaluate a policy: a \`has\` names no attribute",
        "cannot evaluate a policy: a \`has\` names no attribute",
        "cannot evaluate a policy: a pattern holds something else than text and wildcards",
        "cannot evaluate a policy: there is no expression \`is\` of this form",
        "cannot evaluate a policy: an expression is no object",
        "cannot evaluate a policy: a literal is null",
        "cannot evaluate a policy: \`1.5\` is no integer",
        "cannot evaluate a policy: a literal has a field \`__expr\`",
        "cannot evaluate a policy: an entity has no type or no id",
        "cannot evaluate a policy: there is no function \`exec\`",
        "cannot evaluate a policy: a literal has a field \`__extn\`",
      ]
    `);
  });

  it("refuse integers past 64 bits and take those at their ends", () => {
    const evaluated = (json: Json): Value => new Expressions().expression(value(json))(requestOf({}));
    expect(evaluated(-(2 ** 63))).toBe(-(2n ** 63n));
    expect(evaluated(2 ** 62)).toBe(2n ** 62n);
    expect(evaluated(2 ** 53 - 1)).toBe(2 ** 53 - 1);
    expect(refusal(() => evaluated(2 ** 63))).toContain("has more than 64 bits");
    expect(refusal(() => evaluated(-(2 ** 63) - 2048))).toContain("has more than 64 bits");
  });

  it("refuse to nest deeper than 256 levels and take as many", () => {
    expect(new Expressions().expression(nest(256))(requestOf({}))).toBe(257);
    expect(refusal(() => new Expressions().expression(nest(257)))).toContain("nested deeper than 256 levels");
    let literal: Json = 1;
    for (let level = 0; level < 257; level += 1) literal = [literal];
    expect(refusal(() => new Expressions().expression(value(literal)))).toContain("nested deeper");
  });

  it("take chains of any length, which are not deep", () => {
    const links = Array.from({ length: 3000 }, (_, index) => pair("!=", read("n"), value(index)));
    const chain = links.reduce((left, right) => pair("&&", left, right));
    expect(new Expressions().expression(chain)(requestOf({ n: -1 }))).toBe(true);
    expect(new Expressions().expression(chain)(requestOf({ n: 2999 }))).toBe(false);
  });

  it("tell an observer what was evaluated, in order, and nothing of what was not", () => {
    const seen: [string, Value][] = [];
    const observed = new Expressions({ observe: (form, result) => seen.push([JSON.stringify(form), result]) });
    const guard = { has: { left: context, attr: "n" } };
    const test = observed.conditions([{ kind: "when", body: pair("&&", guard, pair(">", read("n"), value(1))) }, { kind: "unless", body: read("approved") }]);
    expect(test(requestOf({ n: 1 }))).toBe(false);
    expect(seen.map(([form, result]) => (typeof result === "object" ? form : `${form} = ${String(result)}`))).toMatchInlineSnapshot(`
      [
        "{"Var":"context"}",
        "{"has":{"left":{"Var":"context"},"attr":"n"}} = true",
        "{"Var":"context"}",
        "{".":{"left":{"Var":"context"},"attr":"n"}} = 1",
        "{">":{"left":{".":{"left":{"Var":"context"},"attr":"n"}},"right":{"Value":1}}} = false",
        "{"&&":{"left":{"has":{"left":{"Var":"context"},"attr":"n"}},"right":{">":{"left":{".":{"left":{"Var":"context"},"attr":"n"}},"right":{"Value":1}}}}} = false",
      ]
    `);
    seen.length = 0;
    expect(() => test(requestOf({ n: 2 }))).toThrow(EvaluationFault);
    expect(seen.some(([form]) => form.includes("approved"))).toBe(false);
  });

  it("evaluate on values nobody could type, of any size, without losing the stack", () => {
    let deep: Value = 1;
    for (let level = 0; level < 1000; level += 1) deep = level % 2 === 0 ? new SetValue([deep]) : record({ deep });
    const same = pair("==", read("left"), read("right"));
    expect(new Expressions().expression(same)(requestOf({ left: deep, right: record({ deep: 1 }) }))).toBe(false);
    expect(new Expressions().expression(same)(requestOf({ left: record({ deep }), right: record({ deep }) }))).toBe(true);
  });
});
