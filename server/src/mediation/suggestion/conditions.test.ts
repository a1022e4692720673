import type { JsonObject } from "@lanyard/contract";
import { compile, openSnapshot, type RecordShape } from "@lanyard/policy";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cedarComment, cedarField, cedarHas, cedarPart, cedarPrefix, cedarString } from "../../base/cedar-text.ts";
import { conditionsOf } from "./conditions.ts";

const tool = (properties: JsonObject, required: string[] = []) => ({ server: "s", tool: "t", definition: "d", inputSchema: { type: "object", properties, required }, contract: { effects: [], reversibility: "unknown" as const } });
const toolsOf = (properties: JsonObject, required?: string[]) => ({ servers: ["s"], tools: [tool(properties, required)] });

/** The shape, and a question: which of these arguments would the conditions made from `seen` let pass? */
const stand = (properties: JsonObject, required?: string[]) => {
  const ground = toolsOf(properties, required);
  const plain = compile({ ...ground, policies: [] });
  if (!plain.ok) throw new Error("the tool of this test is wrong");
  const shape = openSnapshot(plain.bytes).action("s/t")?.input as RecordShape;
  const passing = (seen: readonly JsonObject[]) => {
    const { terms } = conditionsOf(shape, seen);
    const when = terms.length > 0 ? ` when { ${terms.join(" && ")} }` : "";
    const compiled = compile({ ...ground, policies: [{ file: "a.cedar", text: `@id("a") permit (principal, action == Action::"s/t", resource)${when};` }] });
    if (!compiled.ok) throw new Error(compiled.errors.map(({ message }) => message).join("\n"));
    const snapshot = openSnapshot(compiled.bytes);
    return (args: JsonObject): boolean =>
      snapshot.decide({
        agent: { id: "a", team: "t", classes: [] }, user: { id: "u", groups: [] }, session: { id: "s", purpose: "", depth: 0, labels: [], isolation: "none" },
        action: "s/t", definition: "d", args, approvals: [], nowMs: 0,
      }).effect === "allow";
  };
  return { passing, terms: (...seen: JsonObject[]) => conditionsOf(shape, seen) };
};

describe("conditions from arguments", () => {
  it("are equality for few values, and say which arguments nobody sent", () => {
    const { terms, passing } = stand({ name: { type: "string" }, force: { type: "boolean" }, note: { type: "string" } }, ["name"]);
    expect(terms({ name: "plan", force: false }, { name: "todo", force: false })).toEqual({
      terms: ["context.input has force", "context.input.force == false", '["plan", "todo"].contains(context.input.name)', "!(context.input has note)"],
      notes: [],
    });
    const passes = passing([{ name: "plan" }, { name: "plan", force: true }]);
    expect([{ name: "plan" }, { name: "plan", force: true }, { name: "plan", force: false }, { name: "other" }, { name: "plan", note: "x" }, {}].map(passes)).toEqual([true, true, false, false, false, false]);
  });

  const paths = (prefix: string) => Array.from({ length: 40 }, (_, at) => ({ path: `${prefix}${at}/file-${at}.txt` }));
  it("are a folder for many paths, from which nothing leads out", () => {
    const { terms, passing } = stand({ path: { type: "string" } }, ["path"]);
    expect(terms(...paths("/srv/app/")).terms).toMatchInlineSnapshot(`
      [
        "context.input.path like "/srv/app/*"",
        "!(context.input.path like "*..*")",
        "!(context.input.path like "*\\\\*")",
        "!(context.input.path like "*%*")",
        "!(context.input.path like "*//*")",
      ]
    `);
    const passes = passing(paths("/srv/app/"));
    expect(["/srv/app/new", "/srv/app/../../etc/passwd", "/srv/app/%2e%2e/x", "/srv/app/a\\..", "/srv/apples", "/etc/passwd"].map((path) => passes({ path }))).toEqual([true, false, false, false, false, false]);
  });

  it("are a host for many URLs, which must be whole", () => {
    const { passing, terms } = stand({ path: { type: "string" } }, ["path"]);
    const passes = passing(paths("https://good.com/a"));
    expect(["https://good.com/b", "https://good.com.evil/b", "https://good.com@evil/", "http://good.com/b"].map((path) => passes({ path }))).toEqual([true, false, false, false]);
    for (const prefix of ["https://good.com.", "https://me@good.com/", "https://", "/"]) expect(terms(...paths(prefix))).toMatchObject({ terms: [], notes: [expect.stringContaining("any text")] });
  });

  it("do not take a folder from paths that climb out of it", () => {
    const { terms } = stand({ path: { type: "string" } }, ["path"]);
    expect(terms(...paths("/srv/app/"), { path: "/srv/app/../x" }).terms).toEqual([]);
  });

  it("list names that nothing shorter says, up to 32, and no more", () => {
    const { terms } = stand({ path: { type: "string" } }, ["path"]);
    const names = Array.from({ length: 33 }, (_, at) => ({ path: `name-${at}` }));
    expect(terms(...names.slice(1)).terms).toEqual([expect.stringMatching(/^\["name-1", .*"\]\.contains\(context\.input\.path\)$/)]);
    expect(terms(...names)).toEqual({ terms: [], notes: ["`path` may be any text; seen: 33 different"] });
    expect(terms(...paths("/srv/app/").slice(0, 9)).terms[0]).toBe('context.input.path like "/srv/app/*"');
  });

  it("are bounds for numbers, and a list for sets", () => {
    const { terms, passing } = stand({ n: { type: "integer" }, x: { type: "number" }, tags: { type: "array", items: { type: "string" } }, none: { type: "array", items: { type: "string" } } }, ["n", "x", "tags", "none"]);
    const seen = [5, -3, 12, 7, 9].map((n) => ({ n, x: n / 4, tags: ["a", n > 6 ? "b" : "c"], none: [] }));
    expect(terms(...seen)).toEqual({
      terms: ["context.input.n >= -3", "context.input.n <= 12", "context.input.none.isEmpty()", '["a", "b", "c"].containsAll(context.input.tags)', 'context.input.x.greaterThanOrEqual(decimal("-0.75"))', 'context.input.x.lessThanOrEqual(decimal("3.0"))'],
      notes: [],
    });
    const passes = passing(seen);
    const given = { n: 0, x: 1, tags: ["a"], none: [] };
    expect([given, { ...given, n: 13 }, { ...given, x: 3.5 }, { ...given, tags: ["d"] }, { ...given, none: ["a"] }].map(passes)).toEqual([true, false, false, false, false]);
  });

  it("go into objects, and into values of several types", () => {
    const { passing } = stand({ to: { type: "object", properties: { mail: { type: "string" }, "re-ply": { type: "string" } } }, ref: { anyOf: [{ type: "string" }, { type: "integer" }] } });
    const passes = passing([{ to: { mail: "a@b", "re-ply": "x" }, ref: "r" }, { to: { mail: "a@b" }, ref: 7 }]);
    expect([{ to: { mail: "a@b" }, ref: "r" }, { to: { mail: "a@b" }, ref: 8 }, { to: { mail: "c" }, ref: "r" }, { to: { mail: "a@b", "re-ply": "y" }, ref: 7 }, { ref: 7 }].map(passes)).toEqual([true, false, false, false, false]);
  });

  const values = fc.record({
    text: fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom('"', '\\"', "*", "a\nb", "\0", "\u202e", '" }; permit (principal, action, resource); //')),
    n: fc.integer(), x: fc.integer({ min: -1e8, max: 1e8 }).map((n) => n / 1e4), flag: fc.boolean(),
    set: fc.array(fc.string({ unit: "binary" }), { maxLength: 4 }),
  }, { requiredKeys: [] });
  it("hold for everything they were made from, whatever it is", () => {
    const { passing } = stand({ text: { type: "string" }, n: { type: "integer" }, x: { type: "number" }, flag: { type: "boolean" }, set: { type: "array", items: { type: "string" } } });
    fc.assert(fc.property(fc.array(values, { minLength: 1, maxLength: 12 }), (seen) => {
      const passes = passing(seen as JsonObject[]);
      for (const args of seen) expect(passes(args as JsonObject)).toBe(true);
    }), { numRuns: 30 });
  });
});

describe("Cedar text", () => {
  it("cannot be left by what is quoted in it, nor hide it", () => {
    expect(cedarString('a"b\\c\nd\u202e*')).toBe('"a\\"b\\\\c\\u{a}d\\u{202e}*"');
    expect([cedarPrefix('/a*"/'), cedarPart("*")]).toEqual(['"/a\\*\\"/*"', '"*\\**"']);
    expect([cedarField("r", "name"), cedarField("r", "in"), cedarField("r", 'a"b'), cedarHas("r", "a-b")]).toEqual(["r.name", 'r["in"]', 'r["a\\"b"]', 'r has "a-b"']);
    expect(cedarComment("a\npermit (principal, action, resource);\u2028x")).toBe("// a\\u{a}permit (principal, action, resource);\\u{2028}x");
  });
});
