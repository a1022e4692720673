import type { HistoryEvent } from "./event.ts";
import { constantOf, familyOf, type Constant, type Member } from "./family.ts";
import { reachOf, type EventQuery, type HistoryLeaf } from "./leaf.ts";
import { keysOf, matcherOf, scopeKey, type Matcher } from "./match.ts";
import { isMeant, Marks, onlyQuery, tellLacking, type Mark } from "./marks.ts";
import type { HistoryScope } from "./syntax.ts";
import { Recent, type Current, type Listener, type Owner, type Table } from "./table.ts";

/** What has held since: it says which members' left side has not held ever since an event, this call included. */
interface Left<M extends Member> {
  readonly query: EventQuery;
  join(constant: Constant, member: M): void;
  add(event: HistoryEvent, number: number, owner: Owner): void;
  /** `isBroken` may be asked of any member, with the number of the event that it counts from. */
  at(current: Current, key: string): { isBroken(member: M, since: number): boolean };
  keep(numbers: ReadonlySet<number>): void;
  sweep(nowMs: number): void;
}

interface SinceMember extends Member {
  /** The constant of its left side, in one. */
  readonly left: string;
}

/** `!L since R`: L must not have happened. */
class Absence implements Left<SinceMember> {
  readonly query: EventQuery;
  readonly #breaks: Marks<SinceMember>;

  constructor(across: HistoryScope, query: EventQuery) {
    this.query = familyOf(query).query;
    this.#breaks = new Marks(across, query);
  }

  join(constant: Constant, member: SinceMember): void {
    this.#breaks.join(constant, member);
  }

  add(event: HistoryEvent, number: number, owner: Owner): void {
    this.#breaks.add(event, number, owner);
  }

  at(current: Current, key: string): { isBroken(member: SinceMember, since: number): boolean } {
    const last = new Map<string, number>();
    for (const constant of this.#breaks.under(key)) last.set(constant, this.#breaks.get(key, constant)?.number ?? -1);
    for (const constant of this.#breaks.meant(current, key)) last.set(constant, Number.POSITIVE_INFINITY);
    return { isBroken: ({ left }, since) => last.size > 0 && (last.get(left) ?? -1) > since };
  }

  keep(numbers: ReadonlySet<number>): void {
    this.#breaks.keep(numbers);
  }

  sweep(nowMs: number): void {
    this.#breaks.sweep(nowMs);
  }
}

/** Of one history: the number of the last event that was not as wanted, whatever it is wanted to equal, and of the last two that were, with different keys. */
interface Run extends Mark {
  readonly other: number;
  readonly keys: readonly string[];
  readonly last: number;
  /** The last event as wanted that was not filed under all of `keys`. */
  readonly before: number;
}

/** `L since R`: every event must have been L. */
class Presence implements Left<SinceMember> {
  readonly query: EventQuery;
  readonly #across: HistoryScope;
  readonly #matcher: Matcher;
  readonly #runs = new Recent<Run>();
  readonly #members = new Map<number, number>();
  #reachMs = 0;

  constructor(across: HistoryScope, query: EventQuery) {
    this.query = query;
    this.#across = across;
    this.#matcher = matcherOf(query);
  }

  join(_constant: Constant, { number, windowMs }: SinceMember): void {
    this.#members.set(number, windowMs);
    this.#reachMs = Math.max(this.#reachMs, windowMs);
  }

  add(event: HistoryEvent, number: number, owner: Owner): void {
    this.sweep(event.atMs);
    const prefix = scopeKey(event, this.#across);
    this.#runs.put(prefix, this.#longer(prefix, { atMs: event.atMs, number, owner }, this.#matcher.matches(event) ? keysOf(event, this.query.joins, prefix) : []));
  }

  #longer(prefix: string, mark: Mark, keys: readonly string[]): Run {
    const run = this.#runs.get(prefix);
    if (keys.length === 0) return { other: mark.number, keys: run?.keys ?? [], last: run?.last ?? -1, before: run?.before ?? -1, ...mark };
    const same = run !== undefined && run.keys.length === keys.length && run.keys.every((key) => keys.includes(key));
    return { ...mark, other: run?.other ?? -1, keys, last: mark.number, before: same ? run.before : (run?.last ?? -1) };
  }

  at(current: Current, key: string): { isBroken(member: SinceMember, since: number): boolean } {
    const prefix = scopeKey(current.event, this.#across);
    const run = this.#runs.get(prefix);
    const broken = !isMeant(current, this.#matcher, prefix, key) ? Number.POSITIVE_INFINITY : run === undefined ? -1 : Math.max(run.other, run.keys.includes(key) ? run.before : run.last);
    return { isBroken: (_member, since) => broken > since };
  }

  keep(numbers: ReadonlySet<number>): void {
    for (const number of this.#members.keys()) if (!numbers.has(number)) this.#members.delete(number);
    this.#reachMs = 0;
    for (const windowMs of this.#members.values()) this.#reachMs = Math.max(this.#reachMs, windowMs);
  }

  sweep(nowMs: number): void {
    this.#runs.sweep(nowMs - this.#reachMs);
  }
}

/** `since`: the last anchor counts, for what has held ever since an earlier one has held since it too. */
export class SinceTable implements Table {
  readonly queries: readonly EventQuery[] | null;
  readonly #anchors: Marks<SinceMember>;
  readonly #left: Left<SinceMember>;
  readonly #slot: number;
  readonly #leftSlot: number;

  constructor(leaf: HistoryLeaf, slot: number, leftSlot: number) {
    const { negated, query } = leaf.left ?? { negated: false, query: onlyQuery(leaf) };
    this.#anchors = new Marks(leaf.across, onlyQuery(leaf));
    this.#left = negated ? new Absence(leaf.across, query) : new Presence(leaf.across, query);
    this.#slot = slot;
    this.#leftSlot = leftSlot;
    this.queries = negated ? [familyOf(onlyQuery(leaf)).query, this.#left.query] : null;
  }

  join(leaf: HistoryLeaf, number: number): void {
    const constant = leaf.left === null ? [] : constantOf(leaf.left.query);
    const member: SinceMember = { number, windowMs: reachOf(leaf), left: constant.join("") };
    this.#anchors.join(constantOf(onlyQuery(leaf)), member);
    this.#left.join(constant, member);
  }

  add(event: HistoryEvent, number: number, owner: Owner): void {
    this.#anchors.add(event, number, owner);
    this.#left.add(event, number, owner);
  }

  tell(current: Current, listener: Listener): void {
    const { constants } = this.#anchors;
    const [key, leftKey] = [current.key(this.#slot), current.key(this.#leftSlot)];
    if (key === null || leftKey === null) return tellLacking(constants.all(), listener);
    let left: ReturnType<Left<SinceMember>["at"]> | null = null;
    for (const constant of this.#anchors.under(key)) {
      const anchor = this.#anchors.get(key, constant);
      if (anchor === undefined) continue;
      left ??= this.#left.at(current, leftKey);
      const ageMs = current.event.atMs - anchor.atMs;
      for (const member of constants.members(constant)) if (member.windowMs >= ageMs && !left.isBroken(member, anchor.number)) listener.holds(member.number);
    }
    for (const constant of this.#anchors.meant(current, key)) for (const { number } of constants.members(constant)) listener.holds(number);
  }

  keep(numbers: ReadonlySet<number>): boolean {
    this.#left.keep(numbers);
    return this.#anchors.keep(numbers);
  }

  sweep(nowMs: number): void {
    this.#anchors.sweep(nowMs);
    this.#left.sweep(nowMs);
  }
}
