import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EntityUid, type Value } from "../cedar/value.ts";
import type { HistoryEvent } from "./event.ts";
import type { HistoryLeaf } from "./leaf.ts";
import { leavesOf, lowerCondition, type Formula, type HistoryAmount } from "./lower.ts";
import { compares } from "./match.ts";
import { HistoryMonitor } from "./monitor.ts";
import { naiveAnswer } from "./naive.ts";
import { parseTemporal } from "./parse.ts";
import { eventKinds, scopes, type EventKind, type HistoryScope } from "./syntax.ts";

interface Happening {
  readonly kind: EventKind;
  readonly action: string;
  readonly u: string | null;
  readonly n: number;
  readonly session: string;
  readonly agent: string;
  readonly wait: number;
  readonly decision: string;
}

const eventOf = (one: Happening, atMs: number, decided: boolean): HistoryEvent => {
  const fields: Record<string, Value | undefined> = { "input.u": one.u ?? undefined, "input.n": one.n, decision: decided && one.kind === "request" ? one.decision : undefined, callerPrincipal: new EntityUid("Agent", one.agent) };
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

/** Asks both at each request, and notes each event. */
const differences = (text: string, across: HistoryScope, happenings: readonly Happening[]): string[] => {
  const condition = parseTemporal(text, 0, text.length);
  const formula = lowerCondition(condition, text, across);
  const leaves: HistoryLeaf[] = leavesOf(formula);
  const monitor = new HistoryMonitor();
  for (const leaf of leaves) monitor.add(leaf, Number.NEGATIVE_INFINITY);
  const [history, found, owner]: [HistoryEvent[], string[], { rows: number }] = [[], [], { rows: 0 }];
  let nowMs = 0;
  for (const one of happenings) {
    nowMs += one.wait * 500;
    const current = eventOf(one, nowMs, false);
    if (one.kind === "request" && one.u !== null) {
      const [fast, slow] = [holds(formula, monitor.answers(leaves, current), text, current), naiveAnswer(condition, across, [...history, current])];
      if (fast !== slow) found.push(`${text} at ${history.length}: ${fast}, by its meaning ${slow}`);
    }
    const event = eventOf(one, nowMs, true);
    history.push(event);
    monitor.note(event, owner);
  }
  monitor.sweep(nowMs + 10 * 3_600_000);
  if (owner.rows !== 0) found.push(`${owner.rows} rows are left`);
  return found;
};

const pick = <T>(...items: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...items);
const happening = fc.record<Happening>({ kind: pick(...eventKinds, "request", "request"), action: pick("a/x", "a/y", "a/z"), u: pick("p", "q", "r", null), n: fc.integer({ min: -2, max: 5 }), session: pick("s1", "s2"), agent: pick("a1", "a2"), wait: pick(0, 0, 1, 2, 5), decision: pick("allow", "deny") });

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

describe("what is kept of the past answers as the past itself does", () => {
  it("for any condition, any history and any scope", { timeout: 60_000 }, () => {
    const runs = Number(process.env["LANYARD_FUZZ_RUNS"] ?? 1500);
    fc.assert(fc.property(whole, pick(...scopes), fc.array(happening, { maxLength: 30 }), (text, across, happenings) => void expect(differences(text, across, happenings)).toEqual([])), { numRuns: runs });
  });
});
