import { equal, keyOf, type Value } from "../cedar/value.ts";
import type { HistoryEvent } from "./event.ts";
import { hoistTemporal } from "./hoist.ts";
import { compares, literalValue, scopeKey } from "./match.ts";
import type { Aggregate, HistoryScope, TemporalCondition, TemporalTerm } from "./syntax.ts";

/** Values of variables: a timepoint is the number of its event. */
type Bindings = ReadonlyMap<string, Value>;

/**
 * What a temporal condition means, word by word: the whole history is looked through again for each answer. `history` ends with the call that is being decided.
 * It is what the monitor is held against, in tests and by `npm run bench -- sequences`; nothing decides by it.
 */
export const naiveAnswer = (condition: TemporalCondition, across: HistoryScope, history: readonly HistoryEvent[]): boolean => {
  const current = history.at(-1);
  if (current === undefined) return false;
  const own = history.filter((event) => scopeKey(event, across) === scopeKey(current, across));
  return new Naive(own, current).rows(condition, own.length - 1, new Map()).length > 0;
};

/** What each temporal clause of a policy's text comes to, in order; the text need not be a whole policy. */
export const naiveAnswers = (text: string, history: readonly HistoryEvent[]): boolean[] => hoistTemporal(text).clauses.map(({ condition, across }) => naiveAnswer(condition, across, history));

class Naive {
  readonly #events: readonly HistoryEvent[];
  readonly #current: HistoryEvent;

  constructor(events: readonly HistoryEvent[], current: HistoryEvent) {
    this.#events = events;
    this.#current = current;
  }

  /** Every way in which a condition holds at an event. */
  rows(condition: TemporalCondition, at: number, known: Bindings): Bindings[] {
    const event = this.#events[at];
    if (event === undefined) return [];
    switch (condition.is) {
      case "and":
        return ordered(condition.of).reduce<Bindings[]>((rows, part) => rows.flatMap((row) => this.rows(part, at, row)), [known]);
      case "or":
        return condition.of.flatMap((part) => this.rows(part, at, known));
      case "not":
        return this.rows(condition.of, at, known).length === 0 ? [known] : [];
      case "event":
        return this.#ofEvent(condition, event, known);
      case "compare":
        return this.#compare(condition, at, known);
      case "timepoint":
        return bind(known, condition.name, at);
      case "exists":
        return this.rows(condition.of, at, without(known, condition.binder.name)).slice(0, 1).map(() => known);
      case "formerly":
        return this.#within(at, condition.windowMs).flatMap((j) => this.rows(condition.of, j, known));
      case "previous":
        return this.#within(at, condition.windowMs).includes(at - 1) ? this.rows(condition.of, at - 1, known) : [];
      case "since":
        return this.#within(at, condition.windowMs).flatMap((j) => this.rows(condition.right, j, known).filter((row) => range(j + 1, at).every((k) => this.rows(condition.left, k, row).length > 0)));
      case "eventually":
        return [known];
    }
  }

  #within(at: number, windowMs: number): number[] {
    const nowMs = this.#events[at]?.atMs ?? 0;
    return range(0, at).filter((j) => nowMs - (this.#events[j]?.atMs ?? 0) <= windowMs);
  }

  #ofEvent({ action, kind, fields }: TemporalCondition & { readonly is: "event" }, event: HistoryEvent, known: Bindings): Bindings[] {
    if (event.kind !== kind || (event.action !== action && !event.groups.includes(action))) return [];
    let rows: Bindings[] = [known];
    for (const { path, term } of fields) {
      if (term.term === "any") continue;
      const value = event.field(path);
      if (value === undefined) return [];
      rows = rows.flatMap((row) => (term.term === "variable" ? bind(row, term.name, value) : compares("==", value, this.#value(term, 0, row)) ? [row] : []));
    }
    return rows;
  }

  #compare({ op, left, right }: TemporalCondition & { readonly is: "compare" }, at: number, known: Bindings): Bindings[] {
    const [one, other] = [this.#value(left, at, known), this.#value(right, at, known)];
    if (op === "==" && left.term === "variable" && !known.has(left.name) && other !== undefined) return bind(known, left.name, other);
    if (op === "==" && right.term === "variable" && !known.has(right.name) && one !== undefined) return bind(known, right.name, one);
    // The least of nothing is no number: whatever it is compared with and however, that is false.
    if ((one === undefined && left.term !== "variable") || (other === undefined && right.term !== "variable")) return [];
    return compares(op, one, other) ? [known] : [];
  }

  #value(term: TemporalTerm, at: number, known: Bindings): Value | undefined {
    switch (term.term) {
      case "any":
        return undefined;
      case "variable":
        return known.get(term.name);
      case "current":
        return this.#current.field(term.root === "principal" ? ["callerPrincipal"] : term.path);
      case "aggregate":
        return this.#aggregate(term, at, known);
      case "sum": {
        const [left, right] = [this.#value(term.left, at, known), this.#value(term.right, at, known)];
        if (typeof left !== "number" || typeof right !== "number") return undefined;
        return term.op === "+" ? left + right : term.op === "-" ? left - right : left * right;
      }
      default:
        return literalValue(term);
    }
  }

  #aggregate({ of, value, binders, where }: Aggregate, at: number, known: Bindings): Value | undefined {
    const names = binders.map(({ name }) => name);
    const distinct = new Map<string, Bindings>();
    for (const row of this.rows(where, at, names.reduce(without, known))) distinct.set(names.map((name) => keyOf(row.get(name) ?? "")).join(), row);
    if (of === "count") return distinct.size;
    const amounts = [...distinct.values()].map((row) => row.get(value)).filter((amount) => typeof amount === "number");
    if (of === "sum") return amounts.reduce((sum, amount) => sum + amount, 0);
    if (amounts.length === 0) return undefined;
    return of === "min" ? Math.min(...amounts) : Math.max(...amounts);
  }
}

/** Comparisons last: what they compare is bound by then. Those that bind, such as `(count ...) == n`, come first among them. */
const ordered = (parts: readonly TemporalCondition[]): TemporalCondition[] => {
  const rank = (part: TemporalCondition): number => (part.is === "compare" ? (part.op === "==" && (part.left.term === "aggregate" || part.right.term === "aggregate") ? 0 : 2) : part.is === "not" ? 3 : 1);
  return parts.toSorted((left, right) => rank(left) - rank(right));
};

const bind = (known: Bindings, name: string, value: Value): Bindings[] => {
  const before = known.get(name);
  if (before !== undefined) return equal(before, value) ? [known] : [];
  return [new Map(known).set(name, value)];
};

const without = (known: Bindings, name: string): Bindings => new Map([...known].filter(([other]) => other !== name));

const range = (from: number, to: number): number[] => Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
