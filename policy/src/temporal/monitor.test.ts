import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EntityUid, SetValue, type Value } from "../cedar/value.ts";
import { questionsOf, ReadAnswers } from "./answers.ts";
import type { HistoryEvent } from "./event.ts";
import type { HistoryLeaf } from "./leaf.ts";
import { leavesOf, lowerCondition, type Formula, type HistoryAmount } from "./lower.ts";
import { compares } from "./match.ts";
import { HistoryMonitor } from "./monitor.ts";
import { naiveAnswer } from "./naive.ts";
import { parseTemporal } from "./parse.ts";
import { eventKinds, scopes, type EventKind, type HistoryScope, type TemporalCondition } from "./syntax.ts";

interface Happening {
  readonly kind: EventKind;
  readonly action: string;
  readonly u: string | null;
  readonly n: number;
  readonly labels: readonly string[];
  readonly session: string;
  readonly agent: string;
  readonly wait: number;
  readonly decision: string;
}

const eventOf = (one: Happening, atMs: number, decided: boolean): HistoryEvent => {
  const fields: Record<string, Value | undefined> = { "input.u": one.u ?? undefined, "input.n": one.n, "input.labels": new SetValue(one.labels), decision: decided && one.kind === "request" ? one.decision : undefined, callerPrincipal: new EntityUid("Agent", one.agent) };
  return { atMs, kind: one.kind, action: one.action, groups: one.action === "a/z" ? [] : ["g"], scope: { session: one.session, agent: one.agent, user: "u", team: "t" }, field: (path) => fields[path.join(".")] };
};

const amountIn = (amount: HistoryAmount, answers: Readonly<Record<string, boolean | number>>, text: string, current: HistoryEvent): Value | undefined => {
  if (amount.is === "leaf") return answers[amount.leaf.id];
  if (amount.is === "sum") {
    const [left, right] = [amountIn(amount.left, answers, text, current), amountIn(amount.right, answers, text, current)].map(Number) as [number, number];
    return amount.op === "+" ? left + right : amount.op === "-" ? left - right : left * right;
  }
  const written = amount.span.at < 0 ? "0" : text.slice(amount.span.at, amount.span.end);
  return written.startsWith("context.") ? current.field(written.split(".").slice(1)) : Number(written);
};

const holds = (formula: Formula, answers: Readonly<Record<string, boolean | number>>, text: string, current: HistoryEvent): boolean => {
  switch (formula.is) {
    case "leaf":
      if (answers[formula.leaf.id] === undefined) throw new Error("no answer");
      return answers[formula.leaf.id] === true;
    case "and":
      return formula.of.every((part) => holds(part, answers, text, current));
    case "or":
      return formula.of.some((part) => holds(part, answers, text, current));
    case "not":
      return !holds(formula.of, answers, text, current);
    case "compare":
      return compares(formula.op, amountIn(formula.left, answers, text, current), amountIn(formula.right, answers, text, current));
  }
};

interface Asked {
  readonly text: string;
  readonly condition: TemporalCondition;
  readonly formula: Formula;
  readonly leaves: readonly HistoryLeaf[];
}

const askedBy = (text: string, across: HistoryScope): Asked => {
  const condition = parseTemporal(text, 0, text.length);
  const formula = lowerCondition(condition, text, across);
  return { text, condition, formula, leaves: leavesOf(formula) };
};

/** What happens while all of these conditions are asked of one monitor: from some event on others join, or only some are left. */
interface Course {
  readonly texts: readonly string[];
  /** Of them, those that are asked from the beginning; the others join at `turn`. */
  readonly early: number;
  readonly turn: number;
  /** At `turn`, only every so many-th is kept. */
  readonly keep: number;
}

/** Asks both at each request, and notes each event. */
const differences = ({ texts, early, turn, keep }: Course, across: HistoryScope, happenings: readonly Happening[]): string[] => {
  const all = texts.map((text) => askedBy(text, across));
  const monitor = new HistoryMonitor();
  const [history, found, owner]: [HistoryEvent[], string[], { rows: number }] = [[], [], { rows: 0 }];
  const begin = (asking: HistoryMonitor, some: readonly Asked[]): void => {
    for (const { leaves } of some) for (const leaf of leaves) asking.add(leaf, Number.NEGATIVE_INFINITY);
  };
  let now = all.slice(0, early);
  begin(monitor, now);
  let nowMs = 0;
  for (const [at, one] of happenings.entries()) {
    nowMs += one.wait * 500;
    if (at === turn) {
      const kept = [...now.filter((_, index) => index % keep === 0), ...all.slice(early)];
      const late = history.length === 0 ? monitor : monitor.sibling();
      monitor.keep(new Set(kept.flatMap(({ leaves }) => leaves.map(({ id }) => id))));
      begin(late, all.slice(early).map((asked) => ({ ...asked, leaves: asked.leaves.filter(({ id }) => !monitor.has(id)) })));
      for (const event of history) late.note(event, owner);
      if (late !== monitor) monitor.adopt(late);
      now = kept;
    }
    const current = eventOf(one, nowMs, false);
    if (one.kind === "request" && one.u !== null) found.push(...wrongAnswers(monitor, now, across, current, history));
    const event = eventOf(one, nowMs, true);
    history.push(event);
    monitor.note(event, owner);
  }
  monitor.sweep(nowMs + 10 * 3_600_000);
  if (owner.rows !== 0) found.push(`${owner.rows} rows are left`);
  return found;
};

const wrongAnswers = (monitor: HistoryMonitor, asked: readonly Asked[], across: HistoryScope, current: HistoryEvent, history: readonly HistoryEvent[]): string[] => {
  const leaves = [...new Map(asked.flatMap((one) => one.leaves.map((leaf) => [leaf.id, leaf] as const))).values()];
  const named = monitor.named(leaves, current);
  const questions = questionsOf(leaves);
  const recorded = new ReadAnswers(JSON.parse(JSON.stringify(monitor.answers([{ questions, leaves }], current))), questions);
  const wrong = leaves.filter(({ id }) => recorded.get(id) !== named[id]).map(({ text, id }) => `${text} is recorded as ${recorded.get(id)}, and is ${named[id]}`);
  for (const { text, condition, formula } of asked) {
    const [fast, slow] = [holds(formula, named, text, current), naiveAnswer(condition, across, [...history, current])];
    if (fast !== slow) wrong.push(`${text} at ${history.length}: ${fast}, by its meaning ${slow}`);
  }
  return wrong;
};

const pick = <T>(...items: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...items);
const happening = fc.record<Happening>({ kind: pick(...eventKinds, "request", "request"), action: pick("a/x", "a/y", "a/z"), u: pick("p", "q", "r", null), n: fc.integer({ min: -2, max: 5 }), labels: fc.array(pick("a", "b", "c"), { maxLength: 3 }), session: pick("s1", "s2"), agent: pick("a1", "a2"), wait: pick(0, 0, 1, 2, 5), decision: pick("allow", "deny") });

const kind = pick(...eventKinds);
const head = fc.tuple(pick("a/x", "a/y", "a/z", "g"), kind).map(([action, of]) => `Action::"${action}"::${of}`);
const condition = (name: string): fc.Arbitrary<string> => pick("", "", name);
const fields = fc.tuple(pick("", 'input.u: "p"', "input.u: context.input.u", "input.u: *"), pick("", "input.n: 2", "input.n: context.input.n"), condition("callerPrincipal: principal")).map((parts) => parts.filter(Boolean).join(", "));
const event = fc.tuple(head, fields).map(([of, body]) => `${of}{ ${body} }`);
const plain = fc.tuple(head, pick("", 'input.u: "p"')).map(([of, body]) => `${of}{ ${body} }`);
const withField = (field: string): fc.Arbitrary<string> => fc.tuple(head, pick("", 'input.u: "q"', "input.u: context.input.u")).map(([of, body]) => `${of}{ ${[body, field].filter(Boolean).join(", ")} }`);
const joining = (field: string): fc.Arbitrary<string> => head.map((of) => `${of}{ ${field} }`);
const window = fc.integer({ min: 1, max: 6 }).map((seconds) => `within ${seconds}s`);
const op = pick("<", "<=", ">", ">=", "==", "!=");
const bound = pick("0", "1", "2", "3", "context.input.n", "context.input.n + 1", "2 * context.input.n - 1");

const atom = fc.oneof(
  fc.tuple(window, event).map(([w, e]) => `formerly ${w} ${e}`),
  fc.tuple(window, event, plain).map(([w, e, f]) => `formerly ${w} (${e} && !${f})`),
  fc.tuple(window, event, event).map(([w, e, f]) => `formerly ${w} (${e} || ${f})`),
  fc.tuple(window, plain).map(([w, e]) => `formerly ${w} (!${e})`),
  fc.tuple(window, event).map(([w, e]) => `previous ${w} ${e}`),
  fc.tuple(event, window, event).map(([l, w, r]) => `(${l} since ${w} ${r})`),
  fc.tuple(event, window, event).map(([l, w, r]) => `(!${l} since ${w} ${r})`),
  event,
  fc.tuple(window, event, op, bound).map(([w, e, o, b]) => `exists (n: Long). ((count for (t: Timepoint). where (formerly ${w} (${e} && tp(t)))) == n && n ${o} ${b})`).map((text) => `(${text})`),
  fc.tuple(event, op, bound).map(([e, o, b]) => `(count for (t: Timepoint). where (${e} && tp(t))) ${o} ${b}`),
  fc.tuple(window, joining("input.u: u"), joining("input.u: u"), op, bound).map(([w, e, f, o, b]) => `(count for (u: String). where formerly ${w} (${e} || ${f})) ${o} ${b}`),
  fc.tuple(pick("sum", "min", "max"), pick("", ", (t: Timepoint)"), window, withField("input.n: a"), op, bound).map(([agg, t, w, e, o, b]) => `(${agg} a for (a: Long)${t}. where formerly ${w} (${e}${t && " && tp(t)"} && a != 1)) ${o} ${b}`),
  fc.tuple(window, withField("input.n: a"), op).map(([w, e, o]) => `(exists (a: Long). (formerly ${w} ${e} && a ${o} 2))`),
  fc.tuple(window, joining("input.u: u"), window, joining("input.u: u, input.n: a"), op).map(([w, e, v, f, o]) => `(exists (u: String). (formerly ${w} ${e} && exists (a: Long). (formerly ${v} ${f} && a ${o} 2)))`),
  fc.tuple(window, joining("input.u: u"), window, joining("input.u: u")).map(([w, e, v, f]) => `(exists (u: String). (formerly ${w} ${e} && formerly ${v} ${f}))`),
);
const whole = fc.oneof(atom, fc.tuple(pick("", "!"), atom, pick("&&", "||"), pick("", "!"), atom).map(([n, left, o, m, right]) => `${n}(${left}) ${o} ${m}(${right})`));

/** Conditions of one or two shapes, with `@U`, `@N`, `@W` and the like in the place of values and windows. */
const shapes = [
  'formerly within @Ws @E{ input.u: @U }',
  'formerly within @Ws @E{ input.u: @U, input.n: @N }',
  'formerly within @Ws @E{ input.labels: @L, input.u: context.input.u }',
  'formerly within @Ws @E{ input.labels: @L, input.u: @U }',
  'formerly within @Ws (@E{ input.n: @N } && !@E{ input.u: "q" })',
  'formerly within @Ws @E{ input.u: context.input.u }',
  '!@E{ input.u: @U } since within @Ws @E{ input.n: @N }',
  '!@E{ input.u: @U } since within @Ws @E{ input.u: context.input.u }',
  '!@E{ input.u: context.input.u } since within @Ws @E{ input.n: @N }',
  '@E{ input.u: "p" } since within @Ws @E{ input.n: @N }',
  '(count for (t: Timepoint). where (formerly within @Ws (@E{ input.u: @U } && tp(t)))) >= @N',
  '(count for (t: Timepoint). where (formerly within @Ws (@E{ input.labels: @L } && tp(t)))) != @N',
  '(count for (t: Timepoint). where (@E{ input.u: @U } && tp(t))) == @N',
  '(count for (u: String). where (formerly within @Ws @E{ input.n: @N, input.u: u })) > 1',
  '(sum a for (a: Long), (t: Timepoint). where (formerly within @Ws (@E{ input.u: @U, input.n: a } && tp(t)))) > @N',
  '(sum a for (a: Long). where (formerly within @Ws @E{ input.u: @U, input.n: a })) > @N',
  '(sum a for (a: Long). where (formerly within @Ws (@E{ input.u: @U, input.n: a } || @E{ input.n: a }))) <= @N',
  '(min a for (a: Long). where (formerly within @Ws @E{ input.u: @U, input.n: a })) < @N',
  '(max a for (a: Long), (t: Timepoint). where (formerly within @Ws (@E{ input.labels: @L, input.n: a } && tp(t)))) == @N',
  'previous within @Ws @E{ input.u: @U }',
  '@E{ input.u: @U }',
];
const values = fc.record({ U: pick("p", "q", "r", "nobody").map((text) => `"${text}"`), L: pick("a", "b", "c", "d").map((text) => `"${text}"`), N: fc.integer({ min: 0, max: 5 }).map(String), W: fc.integer({ min: 1, max: 9 }).map(String) });
const family = fc.tuple(fc.array(pick(...shapes), { minLength: 1, maxLength: 2 }), fc.array(head, { minLength: 1, maxLength: 2 }), fc.array(values, { minLength: 2, maxLength: 12 })).map(([templates, heads, filled]) =>
  filled.map((one, at) => {
    let event = 0;
    return (templates[at % templates.length] as string).replaceAll(/@([ULNWE])/g, (_, name: keyof typeof one | "E") => (name === "E" ? (heads[event++ % heads.length] as string) : one[name]));
  }),
);

describe("what is kept of the past answers as the past itself does", () => {
  it("for any condition, any history and any scope", { timeout: 60_000 }, () => {
    const runs = Number(process.env["LANYARD_FUZZ_RUNS"] ?? 1500);
    fc.assert(fc.property(whole, pick(...scopes), fc.array(happening, { maxLength: 30 }), (text, across, happenings) => void expect(differences({ texts: [text], early: 1, turn: -1, keep: 1 }, across, happenings)).toEqual([])), { numRuns: runs });
  });

  it("for many conditions that differ in windows and values alone, asked together, while some go and others come", { timeout: 60_000 }, () => {
    const runs = Number(process.env["LANYARD_FUZZ_RUNS"] ?? 300);
    fc.assert(fc.property(family, fc.integer({ min: 0, max: 12 }), fc.integer({ min: -1, max: 25 }), fc.integer({ min: 1, max: 3 }), pick(...scopes), fc.array(happening, { minLength: 10, maxLength: 40 }), (texts, early, turn, keep, across, happenings) =>
      void expect(differences({ texts, early: turn < 0 ? texts.length : early, turn, keep }, across, happenings)).toEqual([])), { numRuns: runs });
  });
});
