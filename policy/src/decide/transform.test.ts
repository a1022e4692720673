import type { JsonObject } from "@lanyard/contract";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RecordShape, Shape } from "../schema/shape.ts";
import { misfit, parseTransform, transformArguments, transformBounds } from "./transform.ts";

const changed = (args: JsonObject, ...changes: string[]): unknown => transformArguments(args, changes, null);

describe("a change of arguments", () => {
  it.each([
    ["drop(bcc)", { to: "a", bcc: "b" }, { to: "a" }],
    ["drop(bcc)", { to: "a" }, { to: "a" }],
    ["drop(a.b)", { a: { b: 1, c: 2 } }, { a: { c: 2 } }],
    ["drop(a.b)", { a: [{ b: 1 }, { c: 2 }] }, { a: [{}, { c: 2 }] }],
    ["mask(body)", { body: "the card is 4111" }, { body: "[masked]" }],
    ["mask(to)", { to: ["a", "b"] }, { to: ["[masked]", "[masked]"] }],
    ["mask(body)", { body: null }, { body: null }],
    ["mask(deep)", { deep: [["a"], []] }, { deep: [["[masked]"], []] }],
    ["drop(rows.n)", { rows: [] }, { rows: [] }],
    ["set(limit, 100)", { limit: 5000 }, { limit: 100 }],
    ["set(dry_run, true)", {}, { dry_run: true }],
    ['set(a.region, "eu")', {}, { a: { region: "eu" } }],
    ["set(a.depth, -1.5)", { a: { depth: null, x: 1 } }, { a: { depth: -1.5, x: 1 } }],
    ["drop(größe)", { größe: 1 }, {}],
    ["redact(body, secret)", { body: "a key", to: "x" }, { body: "[masked]", to: "x" }],
    ["tokenise(rows, personal.email)", { rows: [{ mail: "a", n: 1 }, "b"] }, { rows: [{ mail: "[masked]", n: 1 }, "[masked]"] }],
    ["redact(body, secret)", { to: "x" }, { to: "x" }],
    ["result.redact(secret)", { body: "x" }, { body: "x" }],
    ["result.tokenise(personal.email)", { body: "x" }, { body: "x" }],
    ["result.mask(account.iban)", { account: "x" }, { account: "x" }],
    ["set(__proto__, 1)", {}, JSON.parse('{"__proto__": 1}') as JsonObject],
  ])("%s", (change, args, expected) => expect(changed(args as JsonObject, change)).toEqual(expected));

  it.each([
    ["mask(n)", { n: 7 }, "does not fit"],
    ["mask(to)", { to: ["a", 7] }, "does not fit"],
    ["drop(a.b)", { a: "text" }, "does not fit"],
    ["set(a.b, 1)", { a: ["text"] }, "does not fit"],
    ["set(rows.n, 1)", { rows: [] }, "does not fit"],
    ["set(rows.cells.n, 1)", { rows: [{ cells: [] }] }, "does not fit"],
    ["redact(body)", { body: "x" }, "no change that is known"],
    ["redact(body.text, secret)", { body: { text: "x" } }, "no change that is known"],
    ["redact(body, a label)", { body: "x" }, "no change that is known"],
    ["redact(body,secret)", { body: "x" }, "no change that is known"],
    ["result.drop(body)", { body: "x" }, "no change that is known"],
    ["result.redact(body, secret)", { body: "x" }, "no change that is known"],
    ["set(limit,100)", {}, "no change that is known"],
    ["set(limit, 1e2)", {}, "no change that is known"],
    ["set(limit, 9007199254740993)", {}, "no change that is known"],
    ["set(limit, [1])", {}, "no change that is known"],
    ["drop(a, 1)", {}, "no change that is known"],
    ["drop()", {}, "no change that is known"],
    ["drop(a.)", {}, "no change that is known"],
    [`drop(${"a".repeat(transformBounds.chars)})`, {}, "no change that is known"],
  ])("%s of %j cannot be made: %s", (change, args, why) => expect(changed(args as JsonObject, change)).toContain(why));

  it("never meets another of the same place", () => {
    expect(changed({ a: { b: "x" } }, "drop(a)", "mask(a.b)")).toContain("change the same argument");
    expect(changed({ limit: 9 }, "set(limit, 10)", "set(limit, 100)")).toContain("change the same argument");
    expect(changed({ a: "x", ab: "y" }, "mask(a)", "mask(ab)")).toEqual({ a: "[masked]", ab: "[masked]" });
  });

  it("never touches what the call's resource is named by", () => {
    const input = { kind: "record", fields: [{ name: "target", required: true, shape: { kind: "record", fields: [{ name: "note", required: false, shape: { kind: "string" } }, { name: "repo", required: true, shape: { kind: "string" } }] } }] } as const;
    const of = { input, fixed: ["target", "repo"] };
    for (const change of ["drop(target)", "mask(target.repo)", 'set(target.repo.x, "y")']) expect(transformArguments({ target: { repo: "a" } }, [change], of)).toContain("would change what the call touches");
    expect(transformArguments({ target: { repo: "a", note: "n" } }, ["mask(target.note)"], of)).toEqual({ target: { repo: "a", note: "[masked]" } });
  });

  it("names an argument that policy sees, of a type it goes with: a misspelt name lifts nothing", () => {
    const field = (name: string, shape: Shape) => ({ name, shape, required: false });
    const text = { kind: "string" } as const;
    const input: RecordShape = { kind: "record", fields: [field("both", { kind: "tagged", of: [text, { kind: "long" }] }), field("flag", { kind: "boolean" }), field("n", { kind: "long" }), field("rows", { kind: "set", of: { kind: "record", fields: [field("cell", text)] } }), field("text", text), field("texts", { kind: "set", of: text })] };
    const why = (change: string): string | null => misfit(change, { input, fixed: null });
    for (const change of ["mask(text)", "mask(texts)", "mask(rows.cell)", "mask(both)", "drop(rows)", "set(n, 3)", "set(flag, true)", 'set(both, "x")', 'set(rows.cell, "x")']) expect(why(change), change).toBeNull();
    for (const change of ["mask(txt)", "mask(Text)", "drop(rows.cel)", "set(dry_run, true)", "mask(text.more)"]) expect(why(change), change).toContain("does not let policy see");
    for (const change of ["mask(n)", "mask(rows)", "set(n, 1.5)", 'set(n, "x")', "set(text, 1)", "set(rows, 1)"]) expect(why(change), change).toContain("does not go with the type");
  });

  it(`is one of ${transformBounds.ofOneCall} at most`, () => {
    const many = Array.from({ length: transformBounds.ofOneCall + 1 }, (_, at) => `drop(a${at})`);
    expect(changed({}, ...many)).toContain("more than");
    expect(changed({}, ...many.slice(1))).toEqual({});
  });

  it("leaves the arguments as they were, and is made once: made again it changes nothing", () => {
    const name = fc.constantFrom("a", "b", "c", "__proto__");
    const change = fc.oneof(fc.array(name, { minLength: 1, maxLength: 3 }).map((path) => `drop(${path.join(".")})`), fc.array(name, { minLength: 1, maxLength: 3 }).map((path) => `mask(${path.join(".")})`), fc.array(name, { minLength: 1, maxLength: 2 }).map((path) => `set(${path.join(".")}, 1)`));
    const leaf = fc.oneof(fc.string(), fc.integer(), fc.constant(null), fc.array(fc.string(), { maxLength: 2 }));
    const args = fc.dictionary(name, fc.oneof(leaf, fc.dictionary(name, fc.oneof(leaf, fc.array(fc.dictionary(name, leaf), { maxLength: 2 })))));
    fc.assert(
      fc.property(args, fc.uniqueArray(change, { maxLength: 3 }), (given, changes) => {
        const before = JSON.stringify(given);
        const once = transformArguments(given as JsonObject, changes, null);
        expect(JSON.stringify(given)).toBe(before);
        if (typeof once !== "string") expect(transformArguments(once, changes, null)).toEqual(once);
      }),
      { numRuns: 500 },
    );
  });

  it("is read from any text without a crash", () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.string().map((text) => `set(${text}, ${text})`), fc.string().map((text) => `drop(${text})`)), (text) => void parseTransform(text)));
  });
});

describe("labels taken out", () => {
  it("go beside each other, but one label only one way", () => {
    expect(changed({ body: "x" }, "redact(body, secret)", "tokenise(body, personal)")).toEqual({ body: "[masked]" });
    expect(changed({ body: "x" }, "redact(body, personal)", "redact(body, personal.email)")).toEqual({ body: "[masked]" });
    expect(changed({ body: "x" }, "redact(body, personal)", "tokenise(body, personal.email)")).toContain("change the same argument");
    expect(changed({ body: "x", to: "y" }, "redact(body, personal)", "tokenise(to, personal)")).toEqual({ body: "[masked]", to: "[masked]" });
    expect(changed({ body: "x" }, "mask(body)", "redact(body, secret)")).toContain("change the same argument");
    expect(changed({}, "result.redact(secret)", "result.tokenise(secret)")).toContain("change the same part of the result");
  });

  it("are taken out by whoever carries the call out, or it is not", () => {
    const seen: unknown[] = [];
    const args = { body: "key and more", to: "x" };
    expect(transformArguments(args, ["redact(body, secret)"], null, (value, change) => (seen.push([value, change]), "*** and more"))).toEqual({ body: "*** and more", to: "x" });
    expect(seen).toEqual([["key and more", { kind: "redact", argument: "body", label: "secret" }]]);
    expect(transformArguments(args, ["redact(body, secret)"], null, () => undefined)).toContain("does not fit");
  });
});
