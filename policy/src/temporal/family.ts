import { keyOf, SetValue, type Value } from "../cedar/value.ts";
import type { HistoryEvent } from "./event.ts";
import type { EventQuery, FieldPath, FieldTest, HistoryLeaf } from "./leaf.ts";
import { literalValue } from "./match.ts";

// Questions that differ in windows, and in the values that fields are compared with, are one family: an event is noted once for all of them, and only
// those are told apart which have something to say.

/** A query without the values that fields must equal. */
export interface Family {
  readonly query: EventQuery;
  /** What these values are compared with, in order. */
  readonly paths: readonly FieldPath[];
}

/** A constant: what a field must equal, for each of {@link Family.paths}. */
export type Constant = readonly string[];

const isConstant = ({ op, value, negated }: FieldTest): boolean => op === "==" && !negated && value !== undefined;

export const familyOf = (query: EventQuery): Family => ({ query: { ...query, tests: query.tests.filter((test) => !isConstant(test)) }, paths: query.tests.filter(isConstant).map(({ path }) => path) });

export const constantOf = ({ tests }: EventQuery): Constant => tests.flatMap((test) => (isConstant(test) && test.value !== undefined ? [keyOf(literalValue(test.value))] : []));

const aggregates: readonly string[] = ["count", "sum", "min", "max"];

/** What questions of one family have in common; null for one that stands alone. */
export const familyKey = ({ op, across, current, queries, windows, left }: HistoryLeaf): string | null => {
  const [query, ...more] = queries;
  if (query === undefined) return null;
  const held = left === null ? null : [left.negated, left.current, left.negated ? familyOf(left.query) : left.query];
  if (op === "formerly" || op === "since") return JSON.stringify([op, across, current, familyOf(query), held]);
  if (!aggregates.includes(op)) return null;
  const window = isSpread(op, queries) && windows[0] !== null ? "any" : windows[0];
  return JSON.stringify([op, across, current, more.length === 0 ? familyOf(query) : queries, window]);
};

/** Whether one list of rows answers for windows of any length: not where equal rows count once, for which of them counts depends on the window. */
export const isSpread = (op: HistoryLeaf["op"], queries: readonly EventQuery[]): boolean => op === "min" || op === "max" || queries.some(({ project }) => project.includes(null));

/** One question of a family. */
export interface Member {
  readonly number: number;
  readonly windowMs: number;
}

interface Alike<M> {
  readonly constant: Constant;
  members: M[];
  /** Whether members stand by window, the shortest first. */
  isSorted: boolean;
}

/** The members of a family by their constants. */
export class Constants<M extends Member> {
  readonly #paths: readonly FieldPath[];
  readonly #alike = new Map<string, Alike<M>>();

  constructor(paths: readonly FieldPath[]) {
    this.#paths = paths;
  }

  join(constant: Constant, member: M): void {
    const key = constant.join("");
    const alike = this.#alike.get(key) ?? { constant, members: [], isSorted: true };
    this.#alike.set(key, alike);
    alike.members.push(member);
    alike.isSorted = alike.members.length === 1;
  }

  get size(): number {
    return this.#alike.size;
  }

  keys(): Iterable<string> {
    return this.#alike.keys();
  }

  has(key: string): boolean {
    return this.#alike.has(key);
  }

  /** By window, the shortest first. */
  members(key: string): readonly M[] {
    const alike = this.#alike.get(key);
    if (alike === undefined) return [];
    if (!alike.isSorted) alike.members.sort((left, right) => left.windowMs - right.windowMs);
    alike.isSorted = true;
    return alike.members;
  }

  /** The longest window, milliseconds. */
  get reachMs(): number {
    let reachMs = 0;
    for (const { windowMs } of this.all()) reachMs = Math.max(reachMs, windowMs);
    return reachMs;
  }

  *all(): Iterable<M> {
    for (const { members } of this.#alike.values()) yield* members;
  }

  /** Lets go of all members but these. */
  keep(numbers: ReadonlySet<number>): void {
    for (const [key, alike] of this.#alike) {
      alike.members = alike.members.filter(({ number }) => numbers.has(number));
      if (alike.members.length === 0) this.#alike.delete(key);
    }
  }

  /** Constants of members that an event has; exact also where a field is a set. */
  of(event: HistoryEvent): readonly string[] {
    let combinations = 1;
    const parts: (readonly string[])[] = [];
    for (const path of this.#paths) {
      const keys = partsOf(event.field(path));
      if (keys.length === 0) return nobody;
      combinations *= keys.length;
      parts.push(keys);
    }
    if (combinations > this.#alike.size) return [...this.#alike].filter(([, { constant }]) => constant.every((part, at) => parts[at]?.includes(part))).map(([key]) => key);
    let keys: string[] = [""];
    for (const more of parts) keys = more.length === 1 ? keys.map((key) => key + (more[0] as string)) : keys.flatMap((key) => more.map((part) => key + part));
    return keys.filter((key) => this.#alike.has(key));
  }
}

const nobody: readonly string[] = [];

/** What a value is equal to, each once: a set what it holds. */
const partsOf = (value: Value | undefined): readonly string[] => {
  if (value === undefined) return nobody;
  return value instanceof SetValue ? [...new Set(value.items.map(keyOf))] : [keyOf(value)];
};

/** Of which constants something is kept, by what it is looked up by. A family with one constant needs no list. */
export class Seen {
  readonly #constants: Constants<Member>;
  #under: Map<string, Set<string>> | null = null;

  constructor(constants: Constants<Member>) {
    this.#constants = constants;
  }

  add(key: string, constant: string): void {
    if (this.#under === null) {
      if (this.#constants.size < 2) return;
      this.#under = new Map();
    }
    const known = this.#under.get(key);
    if (known !== undefined) known.add(constant);
    else this.#under.set(key, new Set([constant]));
  }

  delete(key: string, constant: string): void {
    const known = this.#under?.get(key);
    if (known?.delete(constant) && known.size === 0) this.#under?.delete(key);
  }

  under(key: string): Iterable<string> {
    return this.#under === null ? this.#constants.keys() : (this.#under.get(key) ?? nobody);
  }
}
