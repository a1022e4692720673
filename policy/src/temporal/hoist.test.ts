import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compile } from "../author/compile.ts";
import { openSnapshot } from "../decide/snapshot.ts";
import { hoistTemporal } from "./hoist.ts";

const tool = (name: string, properties: object) => ({ server: "shop", tool: name, definition: "d", inputSchema: { type: "object", properties, required: Object.keys(properties) } as never, contract: { effects: [], reversibility: "unknown" as const } });
const ground = { servers: ["shop"], tools: [tool("refund", { order: { type: "string" }, amount: { type: "integer" } }), tool("read", { order: { type: "string" } })] };
const compiled = (text: string) => compile({ ...ground, policies: [{ file: "a.cedar", text }] });
const problems = (text: string): string[] => {
  const made = compiled(text);
  return made.ok ? [] : made.errors.map(({ place, message, help }) => `${place.line}:${place.column}: ${message}${help ? ` (${help})` : ""}`);
};
const rule = (clause: string): string => `@id("a")\nforbid (principal, action == Action::"shop/refund", resource)\n${clause};`;

describe("temporal conditions", () => {
  it("become conditions on context.history before Cedar reads them, and their questions lie in the bundle", () => {
    const made = compiled(`@id("p") permit (principal, action, resource);\n${rule('unless temporal { formerly within 1h Action::"shop/read"::response{ input.order: context.input.order } }')}`);
    if (!made.ok) throw new Error(JSON.stringify(made.errors));
    const snapshot = openSnapshot(made.bytes);
    const { leaves: [leaf] = [], text } = snapshot.policy("a") ?? { text: "" };
    expect(text).toContain("when temporal".replace("when", "unless"));
    expect(leaf).toMatchObject({ type: "Bool", op: "formerly", windows: [3_600_000] });
    const input = { agent: { id: "a", team: "t", classes: [] }, user: { id: "u", groups: [] }, session: { id: "s", purpose: "", depth: 0, labels: [], isolation: "none" as const }, action: "shop/refund", args: { order: "o1", amount: 5 }, approvals: [], nowMs: 0 };
    expect(snapshot.decide({ ...input, history: { [leaf?.id ?? ""]: true } }).effect).toBe("allow");
    expect(snapshot.decide({ ...input, history: { [leaf?.id ?? ""]: false } }).effect).toBe("deny");
    expect(snapshot.decide(input)).toMatchObject({ effect: "deny", errors: [{ policy: "a" }] }); // what is not known is an error, and an error denies
  });

  it("with one meaning have one name, however they are written", () => {
    const leaves = (body: string) => hoistTemporal(rule(`when temporal { ${body} }`)).leaves.map(({ id }) => id);
    const [one] = leaves('formerly within 60m Action::"shop/read"::request{ input.order: "o", decision: "allow" }');
    expect(leaves(`formerly within 1h ( Action::"shop/read"::request{ decision: "allow" }{ input.order: "o" } ) // the same\n`)).toEqual([one]);
    expect(leaves('formerly within 2h Action::"shop/read"::request{ input.order: "o", decision: "allow" }')).not.toEqual([one]);
  });

  it.each([
    ['when temporal { formrly within 1h Action::"shop/read"::request{} }', "3:17: `formrly` is no operator (did you mean `formerly`?)"],
    ['when temporal { formerly within 1h Action::"shop/read"::reqest{} }', "3:57: `reqest` is no kind of events (did you mean `request`?)"],
    ['when temporal { formerly within 1w Action::"shop/read"::request{} }', "3:33: a window is a number with `s`, `m`, `h` or `d`, as in `within 10m`"],
    ['when temporal across agnt { formerly within 1h Action::"shop/read"::request{} }', "3:22: `agnt` is nothing that history is kept of (did you mean `agent`?)"],
    ['when temporal { formerly within 1h Action::"shop/read"::request{ input.ordr: context.input.order } }', "3:66: an event of `shop/read` has no field `input.ordr` (did you mean `input.order`?)"],
    ['when temporal { formerly within 1h Action::"shop/read"::request{ input.order: context.input.ordr } }', "3:79: `shop/refund` has no `context.input.ordr` (did you mean `context.input.order`?)"],
    ['when temporal { formerly within 1h Action::"shop/read"::request{ input.order: context.input.amount } }', "3:66: a String is never a Long"],
    ['when temporal { formerly within 1h Action::"shop/read"::response{ decision: "allow" } }', "3:67: a response has no `decision` (it belongs to request)"],
    ['when temporal { formerly within 1h Action::"shop/read"::request{ decision: "alow" } }', '3:76: `decision` is never "alow" (it is "allow" or "deny")'],
    ['when temporal { formerly within 1h Action::"shop/read"::request{ input.order: o } }', "3:79: the variable `o` is bound nowhere (write `*` for any value, or `exists (o: String). (...)` around it)"],
    ['when temporal { context.input.amount > 5 }', "3:17: nothing here depends on what has happened (conditions on the current call alone stand in a `when { ... }` of their own)"],
    ['when temporal { eventually within 1h Action::"shop/read"::request{} }', "3:17: `eventually` belongs in the `unless` of a `forbid` (what must follow a call is written `forbid (...) unless temporal { eventually within 10m ... }`)"],
    ['when temporal { formerly within 1h (formerly within 1h Action::"shop/read"::request{}) }', "3:37: `formerly` cannot stand within another temporal operator (what is asked of the past is asked of single events: take it out and join the two with `&&` or `||`)"],
    ['when temporal { formerly within 1h Action::"shop/read"::request{}', "3:15: the clause has no end (close it with `}`)"],
  ])("that are wrong are told with their place: %s", (clause, wanted) => {
    expect(problems(rule(clause))).toContain(wanted);
  });

  it("leave the places of all other errors right", () => {
    const long = 'when temporal {\n  formerly within 1h\n    Action::"shop/read"::request{ input.order: "ö" } }';
    expect(problems(rule(`${long}\nwhen { context.input.amunt > 5 }`))[0]).toMatch(/^6:8: attribute `input.amunt`/);
    expect(problems(rule(`when { true && temporal { formerly within 1h Action::"shop/read"::request{} } && }`))[0]).toMatch(/^3:82: /);
  });

  it("that are any text at all break nothing", () => {
    const word = fc.constantFrom("temporal", "{", "}", "(", ")", "formerly", "previous", "since", "within", "1h", "exists", "(n: Long)", ".", "count", "sum a", "for", "(t: Timepoint).", "where", 'Action::"shop/read"::request', "{}", "{ input.order: * }", "&&", "||", "!", "==", "n", "5", "tp(t)", '"', "\\", "//", "\n", "context.input.order", "across agent", "eventually");
    fc.assert(fc.property(fc.array(fc.oneof({ weight: 9, arbitrary: word }, fc.string()), { maxLength: 40 }), (words) => {
      const text = rule(`when temporal { ${words.join(" ")} }`);
      const { flaws, text: cedar, place, leaves } = hoistTemporal(text);
      for (const { at, length } of flaws) expect(at >= 0 && length > 0 && at <= text.length).toBe(true);
      if (flaws.length === 0 && leaves.length > 0) expect(place(cedar.length)).toBe(text.length);
    }), { numRuns: 500 });
  });
});
