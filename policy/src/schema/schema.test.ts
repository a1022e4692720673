import { checkParseContext, checkParseSchema } from "@cedar-policy/cedar-wasm/nodejs";
import { Fault, isObject, type Json, type JsonObject } from "@lanyard/contract";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sortedJson } from "../bundle.ts";
import { measure, requestArguments, typedInput } from "../decide/input.ts";
import { knownContext } from "../oracle/known-context.ts";
import { actionsOf, schemaFromTools, type ApprovedTool } from "./schema.ts";
import { shapeOfInput, type RecordShape } from "./shape.ts";

const tool = (inputSchema: JsonObject, name = "do"): ApprovedTool => ({
  server: "s",
  tool: name,
  definition: "d",
  inputSchema,
  contract: { effects: [], reversibility: "unknown" },
});
const shapeOf = (schema: Json): { shape: unknown; notes: string[] } => {
  const notes: string[] = [];
  return { shape: shapeOfInput(schema, (at, text) => notes.push(`${at}: ${text}`)), notes };
};
const fieldsOf = (schema: Json): string[] => shapeOfInput(schema, () => {}).fields.map(({ name, shape, required }) => `${name}${required ? "" : "?"}: ${JSON.stringify(shape)}`);
const properties = (given: JsonObject, required: string[] = []): JsonObject => ({ type: "object", properties: given, required });

describe("the shape of a tool's arguments", () => {
  it("follows references and keeps nullable fields optional", () => {
    const schema = { ...properties({ a: { $ref: "#/$defs/x~1y" }, b: { type: ["integer", "null"] }, c: { allOf: [{ type: "string" }, { minLength: 1 }] } }, ["a", "b"]), $defs: { "x/y": { enum: ["p", "q"] } } };
    expect(fieldsOf(schema)).toEqual(['a: {"kind":"string"}', 'b?: {"kind":"long"}', 'c?: {"kind":"string"}']);
  });

  it("takes an alternative that is null for an argument that may be left out", () => {
    const schema = properties({ a: { anyOf: [{ type: "string", enum: ["x"] }, { type: "null" }] }, b: { oneOf: [{ const: null }, { type: ["integer", "null"] }] }, c: { type: "null" }, d: { type: "string", nullable: true } }, ["a", "b", "c", "d"]);
    expect(fieldsOf(schema)).toEqual(['a?: {"kind":"string"}', 'b?: {"kind":"long"}', 'd?: {"kind":"string"}']);
  });

  it("says of conditional parts, and of schemas past reading, that policy does not see them", () => {
    expect(shapeOf({ ...properties({ a: { type: "string" } }), if: {} }).notes).toEqual(["/if: a conditional part of the schema is not read; policy cannot see what only it declares"]);
    const many = (count: number): JsonObject => properties(Object.fromEntries(Array.from({ length: count }, (_, n) => [`p${n}`, { type: "string" }])));
    expect(shapeOfInput(many(3999), () => {}).fields).toHaveLength(3999);
    expect(shapeOf(many(4000))).toEqual({ shape: { kind: "record", fields: [] }, notes: expect.arrayContaining([": the schema has more than 4000 parts; policy sees none of the arguments"]) });
  });

  it("gives up on recursion, and says where", () => {
    const { shape, notes } = shapeOf({ ...properties({ next: { $ref: "#" }, name: { type: "string" } }), additionalProperties: false });
    expect(JSON.stringify(shape)).toBe('{"kind":"record","fields":[{"name":"name","shape":{"kind":"string"},"required":false},{"name":"next","shape":{"kind":"record","fields":[{"name":"name","shape":{"kind":"string"},"required":false}]},"required":false}]}');
    expect(notes).toContainEqual(expect.stringContaining("recursive; policy cannot see it from here on"));
  });

  it("does not follow a reference that is none of a path in the schema", () => {
    expect(fieldsOf(properties({ a: { $ref: "#anchor" }, b: { $ref: "https://example.org/x" }, c: { $ref: "#/$defs/none" }, d: { $ref: "#/constructor" } }))).toEqual([]);
  });

  it("merges alternatives into optional fields", () => {
    const one = properties({ kind: { const: "a" }, n: { type: "integer" }, only: { type: "string" } }, ["kind", "n", "only"]);
    const two = properties({ kind: { const: "b" }, n: { type: "number" } }, ["kind"]);
    expect(fieldsOf({ oneOf: [one, two] })).toEqual(['kind: {"kind":"string"}', 'n?: {"kind":"decimal"}', 'only?: {"kind":"string"}']);
  });

  it("keeps its own fields beside alternatives that only say what is required", () => {
    expect(fieldsOf({ ...properties({ a: { type: "string" } }), anyOf: [{ required: ["a"] }, { required: ["b"] }] })).toEqual(['a?: {"kind":"string"}']);
  });

  it("tags a value of several types by its kind", () => {
    expect(fieldsOf(properties({ id: { type: ["string", "integer", "null"] } }))).toEqual(['id?: {"kind":"tagged","of":[{"kind":"long"},{"kind":"string"}]}']);
  });

  it.each(["__entity", "__extn", "__expr"])("leaves out a field by which Cedar would take the arguments for something else: %s", (name) => {
    const schema = properties({ [name]: properties({ type: { type: "string" }, id: { type: "string" } }), ok: { type: "string" } });
    expect(fieldsOf(schema)).toEqual(['ok?: {"kind":"string"}']);
    expect(shapeOf(schema).notes).toEqual([`/properties/${name}: has a name that Cedar keeps for itself; policy cannot see it`]);
  });

  it.each<[string, Json]>([
    ["true", true], ["false", false], ["no type", {}], ["an open object", { type: "object" }], ["a tuple", { type: "array", prefixItems: [{ type: "string" }] }],
    ["items of any type", { type: "array" }], ["items that may be null", { type: "array", items: { type: ["string", "null"] } }], ["an unknown type", { type: "file" }],
    ["a contradiction", { allOf: [{ type: "string" }, { type: "integer" }] }], ["no schema", 7],
  ])("leaves out what Cedar cannot express, with a note: %s", (_, schema) => {
    expect(fieldsOf(properties({ a: schema }))).toEqual([]);
    expect(shapeOf(properties({ a: schema })).notes).toContainEqual(expect.stringContaining("/properties/a: "));
  });

  it("is the same whatever the order of the schema", () => {
    const one = schemaFromTools({ servers: ["s", "t"], tools: [tool(properties({ a: { type: "string" }, b: { type: ["integer", "string"] } }, ["b", "a"])), tool({}, "x")] });
    const two = schemaFromTools({ servers: ["t", "s"], tools: [tool({}, "x"), tool({ required: ["a", "b"], properties: { b: { type: ["string", "integer"] }, a: { type: "string" } }, type: "object" })] });
    expect(actionsOf({ servers: ["s"], tools: [] }).actions.map(({ name }) => name)).toContain("s/mcp:resources/read");
    const sorted = (value: unknown): string => JSON.stringify(value, (_, item) => (isObject(item) ? Object.fromEntries(Object.entries(item).sort()) : item));
    expect(sorted(one)).toBe(sorted(two));
  });

  it.each<[string, JsonObject | undefined, string[]]>([
    ["nothing", undefined, []],
    ["that it only reads", { readOnlyHint: true, idempotentHint: true }, []],
    ["that it is harmless", { destructiveHint: false, openWorldHint: false }, []],
    ["what is no answer", { readOnlyHint: "false", destructiveHint: 1, openWorldHint: null }, []],
    ["that it writes", { readOnlyHint: false }, ["hint:write"]],
    ["that it destroys", { destructiveHint: true, readOnlyHint: true }, ["hint:destructive", "hint:write"]],
    ["that it reaches out", { openWorldHint: true }, ["hint:egress"]],
  ])("I12: takes a server's hint for caution only: it says %s", (_, annotations, hints) => {
    const { actions } = actionsOf({ servers: ["s"], tools: [{ ...tool({}), ...(annotations && { annotations }) }] });
    expect(actions.find(({ name }) => name === "s/do")?.groups).toEqual([...hints, "reversibility:unknown", "server:s"].sort());
  });

  it("gives a tool's action the type of what its contract says it touches", () => {
    const contract = { effects: [], reversibility: "unknown", resource: { type: "Repo", argument: ["repo"] } } as const;
    const { schema } = schemaFromTools({ servers: ["s"], tools: [{ ...tool({}), contract }] });
    expect(schema).toMatchObject({ "": { entityTypes: { Repo: { memberOfTypes: ["Server"] } }, actions: { "s/do": { appliesTo: { resourceTypes: ["Repo"] } }, "s/mcp:tasks/get": { appliesTo: { resourceTypes: ["Server"] } } } } });
    for (const type of ["Agent", "Server", "Action", "String", "repo", "__cedar"]) {
      expect(() => actionsOf({ servers: [], tools: [{ ...tool({}), contract: { ...contract, resource: { type, argument: [] } } }] })).toThrow("which cannot be one");
    }
  });

  it("knows no tool that borrows the name of a request", () => {
    const { actions, notes } = actionsOf({ servers: [], tools: ["mcp:resources/read", "mcp:vendor/new"].map((name) => tool({}, name)) });
    expect(actions.filter(({ definition }) => definition !== null)).toEqual([]);
    expect(notes.map(({ action }) => action)).toEqual(["s/mcp:resources/read", "s/mcp:vendor/new"]);
  });

  it("refuses a server whose name could be mistaken for a part of another action", () => {
    expect(() => actionsOf({ servers: ["a/b"], tools: [] })).toThrow("cannot name an action after the server `a/b`");
  });
});

// Nothing is required here: an argument that is missing is left to the policies that read it.
const anySchema = fc.letrec<{ schema: Json; object: Json }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom<Json>(true, false, {}, { type: "string" }, { type: "integer" }, { type: "number" }, { type: "boolean" }, { type: "null" }, { enum: ["a", 1, null] }, { const: 3 }, { $ref: "#/$defs/d" }, { $ref: "#" }),
    fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>,
    tie("object"),
    fc.record({ type: fc.constant("array"), items: tie("schema") }) as fc.Arbitrary<Json>,
    fc.record({ type: fc.uniqueArray(fc.constantFrom("string", "integer", "number", "boolean", "null", "array", "object"), { maxLength: 3 }) }) as fc.Arbitrary<Json>,
    fc.dictionary(fc.constantFrom("anyOf", "oneOf", "allOf"), fc.array(tie("schema"), { maxLength: 3 }), { maxKeys: 2 }) as fc.Arbitrary<Json>,
  ),
  object: fc.record({
    type: fc.constant("object"),
    properties: fc.dictionary(fc.oneof(fc.constantFrom("a", "b", "odd-name", "__proto__", "__entity", "if", ""), fc.string({ maxLength: 6 })), tie("schema"), { maxKeys: 4 }),
    $defs: fc.record({ d: tie("schema") }),
  }) as fc.Arbitrary<Json>,
}));

/** Values that a schema like the above may meet. */
const anyArgs = fc.dictionary(
  fc.constantFrom("a", "b", "odd-name", "__proto__", "__entity", "if", ""),
  fc.oneof(
    fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>,
    fc.constantFrom<Json>(0, -0, 1.5, 2 ** 53, 1e300, 0.00001, "", "\ud800", null, true, [], ["a"], [1, "a"], {}, { a: 1 }, { __entity: { type: "User", id: "x" } }, { __extn: { fn: "ip", arg: "x" } }),
  ),
  { maxKeys: 5 },
) as fc.Arbitrary<JsonObject>;

const typedOrRefused = (shape: RecordShape, args: JsonObject): unknown => {
  try {
    measure(args);
    return typedInput(shape, args);
  } catch (error) {
    if (error instanceof Fault && error.code === "malformed_call") return error.code;
    throw error;
  }
};

/** The same schema with everything in another order whose order means nothing. */
const shuffled = (value: Json, turn: (count: number) => number): Json => {
  const reorder = <T>(items: readonly T[]): T[] => {
    const left = [...items];
    return items.map(() => left.splice(turn(left.length), 1)[0] as T);
  };
  if (Array.isArray(value)) return reorder(value.map((item) => shuffled(item, turn)));
  if (!isObject(value)) return value;
  return Object.fromEntries(reorder(Object.entries(value)).map(([key, item]) => [key, key === "prefixItems" || key === "default" ? item : shuffled(item, turn)]));
};

describe("any tool at all", () => {
  it("has the same schema, byte for byte, in whatever order its own is written", () => {
    fc.assert(
      fc.property(anySchema.object, fc.infiniteStream(fc.nat()), (schema, numbers) => {
        const turn = (count: number): number => (numbers.next().value ?? 0) % count;
        const [one, two] = [schema, shuffled(schema, turn)].map((each) => sortedJson(schemaFromTools({ servers: ["s"], tools: [tool(each as JsonObject)] }).schema));
        expect(two).toBe(one);
      }),
      { numRuns: 300 },
    );
  });

  it("has a schema that Cedar takes, and arguments that fit it or are refused", () => {
    fc.assert(
      fc.property(anySchema.object, fc.array(anyArgs, { minLength: 1, maxLength: 4 }), (schema, several) => {
        const catalog = { servers: ["s"], tools: [tool(schema as JsonObject)] };
        const cedar = schemaFromTools(catalog).schema;
        expect(checkParseSchema(cedar as never)).toEqual({ type: "success" });
        const action = actionsOf(catalog).actions.find(({ name }) => name === "s/do");
        for (const args of several) {
          const input = typedOrRefused(action?.input ?? { kind: "record", fields: [] }, args);
          if (input === "malformed_call") continue;
          const context = { input, user: { __entity: { type: "User", id: "u" } }, session: { id: "", purpose: "", depth: 0, labels: [], isolation: "" }, approvals: [], remedies: [], reversibility: "", ...knownContext(action ?? { input: { kind: "record", fields: [] } }, {}), now: { __extn: { fn: "datetime", arg: "2026-01-01" } } };
          const answer = checkParseContext({ context: context as never, schema: cedar as never, action: { type: "Action", id: "s/do" } });
          expect(answer).toEqual({ type: "success" });
        }
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});

describe("arguments", () => {
  it("have no fields but their own, whatever a tool names them", () => {
    const names = ["constructor", "toString", "__proto__", "hasOwnProperty"];
    const shape = shapeOfInput(JSON.parse(`{"type":"object","properties":{${names.map((name) => `"${name}":{"type":"string"}`).join(",")}}}`), () => {});
    expect(shape.fields).toHaveLength(4);
    expect(JSON.stringify(typedInput(shape, {}))).toBe("{}");
    expect(JSON.stringify(typedInput(shape, JSON.parse('{"__proto__":"x"}')))).toBe('{"__proto__":"x"}');
  });
});

describe("the bounds of arguments", () => {
  const nested = (levels: number): Json => (levels === 0 ? 0 : [nested(levels - 1)]);
  it("are depth", () => {
    expect(() => measure(nested(64))).not.toThrow();
    expect(() => measure(nested(65))).toThrow("nested deeper than 64 levels");
  });
  it("are size", () => {
    expect(() => measure(Array.from({ length: 99_999 }, () => 0))).not.toThrow();
    expect(() => measure(Array.from({ length: 100_000 }, () => 0))).toThrow("more than 100000 values");
  });
  it("hold for keys too", () => expect(() => measure({ "\ud800": 1 })).toThrow("lone surrogate"));
  it("let a request that is no tool call show its uri and name", () => {
    expect(requestArguments({ uri: "a", other: 1, ref: { type: "ref/prompt", name: "b" } })).toEqual({ uri: "a", name: "b" });
  });
});
