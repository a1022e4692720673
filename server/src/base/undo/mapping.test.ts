import type { Json, JsonObject } from "@lanyard/contract";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { UndoCondition } from "./contract.ts";
import { conditionProblem, evaluate, holds, MappingError, templateProblem } from "./mapping.ts";

const roots: JsonObject = { args: { path: "/w/a", n: 3, list: [{ id: 1 }, { id: 2 }], "odd/~key": "x", sql: "UPDATE t SET a = 1 WHERE id = 7" }, answer: { text: '{"rows":[1]}' } };

describe("templates", () => {
  it.each<[Json, Json]>([
    [{ $: "/args/path" }, "/w/a"],
    [{ a: [{ $: "/args/n" }, "constant"] }, { a: [3, "constant"] }],
    [{ $: "/args/odd~1~0key" }, "x"],
    [{ $: "/args/none", or: { $: "/args/n" } }, 3],
    [{ $text: ["p=", { $: "/args/path" }, { $: "/args/n" }] }, "p=/w/a3"],
    [{ $: "/args/list/1/id" }, 2],
    [{ $each: { $: "/args/list" }, as: { key: { $: "/item/id" } } }, [{ key: 1 }, { key: 2 }]],
    [{ $parse: { $: "/answer/text" } }, { rows: [1] }],
    [{ $print: { a: { $: "/args/n" } } }, '{"a":3}'],
    [{ $if: [{ at: "/args/n", is: 3 }], then: "yes", else: "no" }, "yes"],
    [{ $if: [{ at: "/args/n", is: 4 }], then: "yes", else: "no" }, "no"],
    [{ $merge: [{ a: 1, b: 1 }, { b: { $: "/args/n" } }] }, { a: 1, b: 3 }],
    [{ $join: { $each: { $: "/args/list" }, as: { $: "/item/id" } }, with: ";" }, "1;2"],
    [{ $keys: { b: 2, a: 1 } }, ["a", "b"]],
    [{ $keys: { b: 2, a: 1 }, values: true }, [1, 2]],
    [{ $sql: "it's" }, "'it''s'"],
    [{ $sql: null }, "NULL"],
    [{ $name: "a b" }, '"a b"'],
    [{ $statement: { $: "/args/sql" } }, { kind: "update", table: "t", where: "id = 7", columns: ["a"] }],
    [{ $between: "id: 42, x", after: "id: ", until: "," }, "42"],
    [{ $literal: { $: "/args/path" } }, { $: "/args/path" }],
  ])("%j", (template, value) => expect(evaluate(template, roots)).toEqual(value));

  it.each<[Json]>([[{ $: "/args/none" }], [{ $: "/args/path/length" }], [{ $: "/args/__proto__" }], [{ $: "/args/list/length" }], [{ $: "no" }], [{ $no: 1 }], [{ $parse: "{" }], [{ $sql: "\\" }], [{ $name: 'a"b' }], [{ $each: 1, as: 1 }], [{ $text: [{}] }]])("%j fails", (template) =>
    expect(() => evaluate(template, roots)).toThrow(MappingError),
  );

  it("never take what an agent or a server sent for a template", () => {
    const sent = { $: "/before/secret" };
    expect(evaluate({ $: "/args/x" }, { args: { x: sent }, before: { secret: "s" } })).toEqual(sent);
    expect(evaluate({ $each: { $: "/args/list" }, as: { $: "/item" } }, { args: { list: [sent] }, before: { secret: "s" } })).toEqual([sent]);
    expect(holds([{ at: "/args/x", is: { $literal: sent } }], { args: { x: sent }, before: { secret: sent } })).toBe(true);
  });

  it("are bounded in what they make (limits undo_mapping_steps, undo_preimage_bytes)", () => {
    const long = "x".repeat(1_000_000);
    expect(() => evaluate({ $text: Array.from({ length: 20 }, () => ({ $: "/args/long" })) }, { args: { long } })).toThrow("undo_preimage_bytes");
    const list = Array.from({ length: 1000 }, () => 0);
    expect(() => evaluate({ $each: { $: "/args/list" }, as: { $each: { $: "/args/list" }, as: 1 } }, { args: { list } })).toThrow("undo_mapping_steps");
    expect(() => holds([{ at: { $text: Array.from({ length: 20 }, () => ({ $: "/args/long" })) }, there: false }], { args: { long } })).toThrow(MappingError);
  });

  it("give a value or a MappingError for anything at all", () => {
    const part = fc.letrec<{ t: Json }>((tie) => ({
      t: fc.oneof(
        { maxDepth: 4 },
        fc.jsonValue({ maxDepth: 1 }) as fc.Arbitrary<Json>,
        fc.dictionary(fc.constantFrom("$", "$text", "$parse", "$print", "$each", "as", "$if", "then", "else", "$merge", "$join", "$keys", "$sql", "$name", "$statement", "$between", "after", "until", "or", "a"), tie("t"), { maxKeys: 3 }) as fc.Arbitrary<Json>,
        fc.constantFrom<Json>("/args/path", "/args/list", "/item", "/args/sql"),
        fc.array(tie("t"), { maxLength: 3 }) as fc.Arbitrary<Json>,
      ),
    })).t;
    fc.assert(
      fc.property(part, fc.jsonValue({ maxDepth: 3 }), (template, args) => {
        const problem = templateProblem(template, ["args", "answer"]);
        expect(problem === null || typeof problem.message === "string").toBe(true);
        try {
          JSON.stringify(evaluate(template, { ...roots, more: args as Json }));
          holds([template as unknown as UndoCondition], roots);
        } catch (error) {
          if (!(error instanceof MappingError)) throw error;
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe("conditions", () => {
  it.each<[UndoCondition, boolean]>([
    [{ at: "/args/n", is: 3 }, true],
    [{ at: "/args/n", is: "3" }, false],
    [{ at: "/args/n", in: [1, 3] }, true],
    [{ at: "/args/none", is: null }, false],
    [{ at: "/args/none", there: false }, true],
    [{ not: { at: "/args/none", there: true } }, true],
    [{ any: [{ at: "/args/n", is: 1 }, { at: "/args/n", is: 3 }] }, true],
    [{ at: "/args/path", like: "/w/*" }, true],
    [{ at: "/args/path", like: "/w" }, false],
    [{ at: "/args/path", like: "*a" }, true],
    [{ at: "/args/path", like: "/*/b" }, false],
    [{ at: "/args/sql", sql: ["update"] }, true],
    [{ at: "/args/sql", sql: ["select"] }, false],
    [{ at: { $statement: "drop table t" }, there: false }, true],
  ])("%j is %s", (condition, expected) => expect(holds([condition], roots)).toBe(expected));

  it("are found wrong where they are", () => {
    expect(conditionProblem({ any: [{ at: "/nope/x", is: 1 }] }, ["args"])).toEqual({ path: ["any", 0, "at"], message: "a pointer begins here with `/args`" });
    expect(templateProblem({ a: [{ $each: { $: "/args/x" }, as: { $: "/item/y", or: { $: "/bad" } } }] }, ["args"])).toEqual({ path: ["a", 0, "as", "or", "$"], message: "a pointer begins here with `/args`, `/item`" });
    expect(templateProblem({ $tetx: 1 }, ["args"])?.message).toContain("`$tetx` is no operator");
    expect(templateProblem({ $sql: 1, or: 2 }, ["args"])?.message).toBe("`or` does not go with `$sql`");
  });
});
