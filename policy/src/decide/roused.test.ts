import type { AnswerSet, DecisionInput, JsonObject } from "@lanyard/contract";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compile } from "../author/compile.ts";
import { encodeBundle } from "../bundle.ts";
import { guardsOf } from "./guards.ts";
import { openSnapshot, prepareSnapshot, type Snapshot } from "./snapshot.ts";

const tool = (name: string): { server: string; tool: string; definition: string; inputSchema: JsonObject; contract: { effects: []; reversibility: "unknown" } } => ({
  server: "shop", tool: name, definition: `d-${name}`, contract: { effects: [], reversibility: "unknown" },
  inputSchema: { type: "object", properties: { order: { type: "string" }, amount: { type: "integer" }, note: { type: "string" } }, required: ["order", "amount"] },
});
const bytesOf = (policies: readonly string[]): Uint8Array => {
  const text = ['@id("p") permit (principal, action, resource);', ...policies.map((policy, at) => `@id("f${at}") forbid (principal, action in [Action::"shop/read", Action::"shop/refund"], resource) ${policy};`)].join("\n");
  const made = compile({ servers: ["shop"], tools: [tool("read"), tool("refund")], policies: [{ file: "a.cedar", text }] });
  if (!made.ok) throw new Error(made.errors.map(({ message, help }) => `${message} ${help}`).join("\n"));
  return made.bytes;
};
const inputOf = (args: JsonObject, history: DecisionInput["history"]): DecisionInput => ({
  agent: { id: "clerk", team: "support", classes: [] }, user: { id: "ana", groups: [] }, session: { id: "s1", purpose: "", depth: 0, labels: [], isolation: "none" },
  action: "shop/refund", definition: "d-refund", args, approvals: [], nowMs: 1_800_000_000_000, ...(history && { history }),
});

const bitsOf = (places: readonly number[]): string => {
  const bytes = Buffer.alloc(64);
  for (const place of places) bytes[place >> 3] = (bytes[place >> 3] ?? 0) | (1 << (place & 7));
  return Buffer.from(bytes.toString("hex").replace(/(00)+$/, ""), "hex").toString("base64url");
};

/** The same answers twice: as they are recorded, and each by its name; `none` are left out. */
const bothForms = ({ leaves, questions }: Snapshot, given: readonly number[]): [NonNullable<DecisionInput["history"]>, NonNullable<DecisionInput["history"]>] => {
  const answers = leaves.map(({ type }, at) => {
    const one = given[at % given.length] ?? 0;
    return one < 0 ? null : type === "Bool" ? one % 2 === 1 : one;
  });
  const places = (wanted: (answer: boolean | number | null) => boolean): number[] => answers.flatMap((answer, place) => (wanted(answer) ? [place] : []));
  const none = places((answer) => answer === null);
  const set: AnswerSet = { yes: bitsOf(places((answer) => answer === true)), ...(none.length > 0 && { none: bitsOf(none) }), amounts: answers.flatMap((answer, place) => (typeof answer === "number" && answer > 0 ? [place, answer] : [])) };
  return [{ [questions.name]: set }, Object.fromEntries(leaves.flatMap(({ id }, place) => (answers[place] === null ? [] : [[id, answers[place] as boolean | number]])))];
};

const pick = <T>(...items: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...items);
const event = fc.tuple(pick("read", "refund"), pick("request", "response"), fc.integer({ min: 0, max: 3 })).map(([name, kind, order]) => `Action::"shop/${name}"::${kind}{ input.order: "o${order}" }`);
const asked = fc.oneof(
  fc.tuple(fc.integer({ min: 1, max: 3 }), event).map(([hours, one]) => `formerly within ${hours}h ${one}`),
  fc.tuple(event, event).map(([left, right]) => `(!${left} since within 1h ${right})`),
  fc.tuple(event, pick(">", ">=", "==", "!=", "<"), fc.integer({ min: 0, max: 2 })).map(([one, op, bound]) => `(count for (t: Timepoint). where formerly within 1h (${one} && tp(t))) ${op} ${bound}`),
  fc.tuple(event, pick(">", "<")).map(([one, op]) => `(count for (t: Timepoint). where formerly within 1h (${one} && tp(t))) + context.input.amount * 9007199254740991 ${op} 4`),
  event.map((one) => `(count for (t: Timepoint). where formerly within 1h (${one} && tp(t))) * 9007199254740991 * 9007199254740991 > 4`),
);
const formula = fc.oneof(asked, fc.tuple(pick("", "!"), asked, pick("&&", "||"), pick("", "!"), asked).map(([n, left, op, m, right]) => `${n}(${left}) ${op} ${m}(${right})`));
const plain = pick("context.input.amount > 3", "context.input.amount * 9007199254740991 > 3", "context.input has note", 'context.input has note && context.input.note == "x"', 'principal == Agent::"clerk"', 'context.session.purpose == ""', "false", "true", 'if context.input has note then context.input.note == "y" else false');
const clause = fc.tuple(pick("when", "unless"), fc.oneof({ weight: 2, arbitrary: formula.map((text) => `temporal { ${text} }`) }, { weight: 1, arbitrary: plain.map((text) => `{ ${text} }`) })).map(([word, body]) => `${word} ${body}`);
const policy = fc.array(clause, { minLength: 1, maxLength: 3 }).map((clauses) => clauses.join(" "));

describe("policies that wait for something in history", () => {
  it("decide as if all were asked each time, whatever the answers, with errors and without", { timeout: 60_000 }, async () => {
    const runs = Number(process.env["LANYARD_FUZZ_RUNS"] ?? 40);
    const call = fc.record({ amount: pick(1, 5, 9_007_199_254_740_991), note: pick("x", "y", null), answers: fc.array(fc.integer({ min: -1, max: 3 }), { minLength: 1, maxLength: 7 }).map((some) => (some.some((one) => one < 0) && some.length > 3 ? some.map(Math.abs) : some)) });
    let asleep = 0;
    await fc.assert(fc.asyncProperty(fc.array(policy, { minLength: 1, maxLength: 8 }), fc.array(call, { minLength: 4, maxLength: 10 }), async (policies, calls) => {
      const bytes = bytesOf(policies);
      for (const snapshot of [openSnapshot(bytes), await prepareSnapshot(bytes, { breathe: async () => {} })]) {
        asleep += snapshot.bundle.policies.filter(({ conditions, leaves = [] }) => guardsOf(conditions, leaves) !== null).length;
        for (const { amount, note, answers } of calls) {
          const args = { order: "o1", amount, ...(note !== null && { note }) };
          const [recorded, named] = bothForms(snapshot, answers).map((history) => inputOf(args, history)) as [DecisionInput, DecisionInput];
          expect(snapshot.decide(recorded)).toEqual(snapshot.decide(named));
          expect(snapshot.judge(recorded)).toEqual(snapshot.judge(named));
          expect(snapshot.answered(recorded)).toEqual(snapshot.answered(named));
        }
      }
    }), { numRuns: runs });
    expect(asleep).toBeGreaterThan(runs);
  });

  it("read what was recorded before there were sets: those left out are false or 0 where the name of all questions stands", () => {
    const snapshot = openSnapshot(bytesOf(['when temporal { formerly within 1h Action::"shop/read"::request{} }', 'unless temporal { (count for (t: Timepoint). where formerly within 1h (Action::"shop/read"::request{} && tp(t))) < 3 }']));
    const [bool, long] = ["Bool", "Long"].map((type) => snapshot.leaves.find((leaf) => leaf.type === type)?.id ?? "") as [string, string];
    const decided = (history: DecisionInput["history"]): string[] => [snapshot.decide(inputOf({ order: "o", amount: 1 }, history)).effect, ...snapshot.decide(inputOf({ order: "o", amount: 1 }, history)).reasons.map(({ policy: id }) => id)];
    expect(decided({ [snapshot.questions.name]: true })).toEqual(["allow", "p"]);
    expect(decided({ [snapshot.questions.name]: true, [bool]: true })).toEqual(["deny", "f0"]);
    expect(decided({ [snapshot.questions.name]: true, [long]: 3 })).toEqual(["deny", "f1"]);
    expect(decided({ [bool]: false, [long]: 0 })).toEqual(["allow", "p"]);
    expect(decided({ [bool]: false })).toEqual(["deny"]); // the other one has no answer
    expect(decided({ anything: true })).toEqual(["deny"]);
    expect(decided({ [snapshot.questions.name]: { yes: "" } })).toEqual(["allow", "p"]);
    expect(decided({ [snapshot.questions.name]: { yes: "" }, [bool]: true })).toEqual(["deny", "f0"]); // a name of its own is stronger
    expect(decided({ [snapshot.questions.name]: { yes: "", amounts: [0.5, 1.5] } })).toEqual(["deny"]);
  });

  it("that cannot be evaluated err at each call, and do not wait", () => {
    const bundle = openSnapshot(bytesOf(['when temporal { formerly within 1h Action::"shop/read"::request{} } when { context.input.amount > 3 }'])).bundle;
    const strange = bundle.policies.map((one) => (one.id === "p" ? one : { ...one, conditions: one.conditions.map((condition, at) => (at === 0 ? condition : { ...condition, body: { Slot: "?principal" } })) }));
    const snapshot = openSnapshot(encodeBundle({ ...bundle, policies: strange }).bytes);
    for (let call = 0; call < 3; call += 1) expect(snapshot.decide(inputOf({ order: "o", amount: 1 }, { [snapshot.questions.name]: { yes: "" } }))).toMatchObject({ effect: "deny", errors: [{ policy: "f0" }] });
  });

  it("wait for as little as need be", () => {
    const guardsIn = (text: string): number | null => {
      const [policyOf] = openSnapshot(bytesOf([text])).bundle.policies;
      return guardsOf(policyOf?.conditions ?? [], policyOf?.leaves ?? [])?.length ?? null;
    };
    const [one, other] = ['formerly within 1h Action::"shop/read"::request{}', 'formerly within 1h Action::"shop/read"::response{}'];
    expect(guardsIn(`when temporal { ${one} && ${other} }`)).toBe(1);
    expect(guardsIn(`when temporal { ${one} || ${other} }`)).toBe(2);
    expect(guardsIn(`unless temporal { ${one} || !(${other}) }`)).toBe(1);
    expect(guardsIn(`unless temporal { ${one} }`)).toBeNull();
    expect(guardsIn(`when { context.input.amount > 3 } when temporal { ${one} }`)).toBeNull(); // it may err
    const many = '(count for (t: Timepoint). where formerly within 1h (Action::"shop/read"::request{} && tp(t)))';
    expect(guardsIn(`when temporal { ${many} > 2 } when temporal { ${one} }`)).toBe(1);
    expect(guardsIn(`when temporal { ${many} * 9007199254740991 * 9007199254740991 > 2 } when temporal { ${one} }`)).toBeNull(); // so may this
    expect(guardsIn(`when { context.input has note } when temporal { ${one} }`)).toBe(1);
    expect(guardsIn(`when temporal { ${one} } when { context.input.amount > 3 }`)).toBe(1);
  });
});
