import type { Json, JsonObject } from "@lanyard/contract";
import fc from "fast-check";
import { expect, it } from "vitest";
import { DecimalValue, RecordValue, SetValue, type Value } from "../cedar/value.ts";
import type { RecordShape, Shape } from "../schema/shape.ts";
import { inputBounds, measure, typedInput, type CedarValue } from "./input.ts";
import { planOf, Walk } from "./plan.ts";

const names = ["a", "b", "__proto__", "constructor", "toString", "ü"];

const leaf = fc.constantFrom<Shape>({ kind: "string" }, { kind: "long" }, { kind: "decimal" }, { kind: "boolean" });
const record = (of: fc.Arbitrary<Shape>): fc.Arbitrary<RecordShape> =>
  fc.uniqueArray(fc.record({ name: fc.constantFrom(...names), shape: of, required: fc.boolean() }), { selector: ({ name }) => name, maxLength: 4 }).map((fields) => ({ kind: "record", fields }));
const { shape } = fc.letrec<{ shape: Shape }>((tie) => ({
  shape: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    leaf,
    tie("shape").map((of): Shape => ({ kind: "set", of })),
    record(tie("shape")),
    fc.uniqueArray(fc.oneof(leaf, record(leaf)), { selector: ({ kind }) => kind, minLength: 2, maxLength: 3 }).map((of): Shape => ({ kind: "tagged", of })),
  ),
}));

const number = fc.oneof(fc.integer({ min: -5, max: 5 }), fc.double(), fc.constantFrom(-0, 0.1, 1.12345, -0.5, 9e11, 900719925474.0992, 274877906943.9999, 2 ** 53, -(2 ** 53) + 1, 1e-7));
const { value } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(number, fc.string(), fc.constantFrom("\ud800", "a\udfffb", "ü"), fc.boolean(), fc.constant(null)) as fc.Arbitrary<Json>,
    fc.array(tie("value"), { maxLength: 3 }) as fc.Arbitrary<Json>,
    fc.dictionary(fc.constantFrom(...names, "\ud800", "x"), tie("value"), { maxKeys: 4 }) as fc.Arbitrary<Json>,
  ),
}));

/** A value that fits its shape mostly, so that what is deep in it is reached. */
const fitting = (given: Shape): fc.Arbitrary<Json> => {
  const fit = (): fc.Arbitrary<Json> => {
    switch (given.kind) {
      case "string":
        return fc.string();
      case "boolean":
        return fc.boolean();
      case "long":
      case "decimal":
        return number;
      case "set":
        return fc.array(fitting(given.of), { maxLength: 3 });
      case "tagged":
        return fc.oneof(...given.of.map(fitting));
      case "record": {
        const own = fc.record(Object.fromEntries(given.fields.map((field) => [field.name, fitting(field.shape)])), { requiredKeys: [], noNullPrototype: false });
        return fc.oneof({ weight: 4, arbitrary: own as fc.Arbitrary<Json> }, { weight: 1, arbitrary: fc.tuple(own, value).map(([fields, other]) => ({ ...fields, x: other }) as Json) });
      }
    }
  };
  return fc.oneof({ weight: 9, arbitrary: fit() }, { weight: 1, arbitrary: value });
};

/** What a converted value is in the form of the careful way. */
const asJson = (given: Value): unknown => {
  if (given instanceof SetValue) return given.items.map(asJson);
  if (given instanceof DecimalValue) return { units: Number(given.units) };
  if (given instanceof RecordValue) {
    expect([...given.names()].every((name) => given.has(name))).toBe(true);
    return Object.entries(Object.fromEntries(given.names().map((name) => [name, asJson(given.get(name) ?? false)]))).sort();
  }
  return given;
};
const careful = (given: CedarValue): unknown => {
  if (Array.isArray(given)) return given.map(careful);
  if (typeof given !== "object") return typeof given === "number" ? given + 0 : given;
  const extension = given["__extn"];
  if (typeof extension === "object" && "arg" in extension) return { units: Math.round(Number(extension.arg) * 10_000) };
  return Object.entries(given).map(([name, item]) => [name, careful(item)] as const).sort(([left], [right]) => (left < right ? -1 : 1));
};

const carefully = (given: RecordShape, args: JsonObject): unknown => {
  try {
    measure(args);
    return careful(typedInput(given, args));
  } catch {
    return "refused";
  }
};

it("reads what the careful way reads, and refuses what it refuses", () => {
  const both = record(shape).chain((given) => fc.tuple(fc.constant(given), fitting(given)));
  let refused = 0;
  fc.assert(
    fc.property(both, ([given, args]) => {
      fc.pre(typeof args === "object" && args !== null && !Array.isArray(args));
      const read = planOf(given).read(args as JsonObject, new Walk());
      if (read === undefined) refused += 1;
      expect(read === undefined ? "refused" : asJson(read)).toEqual(carefully(given, args as JsonObject));
    }),
    { numRuns: 2000 },
  );
  expect(refused).toBeGreaterThan(50);
});

it("holds the same bounds, at the edge and one past it", () => {
  const nested = (levels: number, end: Json): JsonObject => {
    let built: Json = end;
    for (let level = 0; level < levels; level += 1) built = level % 2 === 0 ? { x: built } : [built];
    return { x: built };
  };
  const open: RecordShape = { kind: "record", fields: [] };
  const texts: RecordShape = { kind: "record", fields: [{ name: "a", shape: { kind: "set", of: { kind: "string" } }, required: false }] };
  const long = (count: number): string[] => Array.from({ length: count }, () => "a");
  const given: [RecordShape, JsonObject, boolean][] = [
    [open, nested(inputBounds.depth - 1, 1), true],
    [open, nested(inputBounds.depth, 1), false],
    [open, nested(inputBounds.depth - 1, {}), true],
    [open, nested(inputBounds.depth - 1, []), true],
    [open, nested(inputBounds.depth - 1, [1]), false],
    [open, { x: long(inputBounds.values - 2) }, true],
    [open, { x: long(inputBounds.values - 1) }, false],
    [texts, { a: long(inputBounds.values - 2) }, true],
    [texts, { a: long(inputBounds.values - 1) }, false],
  ];
  for (const [of, args, fits] of given) {
    expect(planOf(of).read(args, new Walk()) !== undefined).toBe(fits);
    expect(carefully(of, args) !== "refused").toBe(fits);
  }
});

it("reads own keys only, whatever else an object has", () => {
  const texts: RecordShape = { kind: "record", fields: [{ name: "a", shape: { kind: "string" }, required: false }, { name: "__proto__", shape: { kind: "string" }, required: false }] };
  const walk = new Walk();
  expect(planOf(texts).read(Object.create({ a: "inherited", other: 1 }) as JsonObject, walk)?.names()).toEqual([]);
  expect(walk.undeclared).toBe(false);
  expect(planOf(texts).read(JSON.parse('{"__proto__":"own"}') as JsonObject, new Walk())?.get("__proto__")).toBe("own");
  try {
    Object.assign(Object.prototype, { a: "polluted" });
    expect(planOf(texts).read({}, new Walk())?.has("a")).toBe(false);
  } finally {
    Reflect.deleteProperty(Object.prototype, "a");
  }
});

it("tells when arguments carry what the shape does not declare, anywhere policy looks", () => {
  const walked = (args: JsonObject): boolean => {
    const walk = new Walk();
    planOf({ kind: "record", fields: [{ name: "a", shape: { kind: "record", fields: [{ name: "b", shape: { kind: "long" }, required: false }] }, required: false }] }).read(args, walk);
    return walk.undeclared;
  };
  expect([walked({ a: { b: 1 } }), walked({ a: { c: 1 } }), walked({ d: 1 }), walked({ d: null })]).toEqual([false, true, true, false]);
});
