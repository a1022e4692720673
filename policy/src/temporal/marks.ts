import type { HistoryEvent } from "./event.ts";
import { reachOf, type FieldPath, type HistoryLeaf } from "./leaf.ts";
import { keysOf, matcherOf, scopeKey, type Matcher } from "./match.ts";
import { Recent, type Current, type Owner, type Table } from "./table.ts";

// Questions that are answered by when something happened last.

interface Mark {
  readonly atMs: number;
  readonly number: number;
  readonly owner: Owner;
}

const only = (leaf: HistoryLeaf): Matcher => matcherOf(leaf.queries[0] ?? { actions: [], kind: null, tests: [], not: [], joins: [], project: [], value: null });

/** Whether the current call itself is one that is meant, with equal values. */
const isMeant = (current: Current, matcher: Matcher, prefix: string, key: string | null): boolean =>
  key !== null && matcher.matches(current.event) && keysOf(current.event, matcher.query.joins, prefix).includes(key);

/** `now`: nothing but the current call is looked at. */
export class NowTable implements Table {
  readonly leaf: HistoryLeaf;
  readonly #matcher: Matcher;
  readonly #slot: number;

  constructor(leaf: HistoryLeaf, slot: number) {
    this.leaf = leaf;
    this.#matcher = only(leaf);
    this.#slot = slot;
  }

  add(): void {}
  sweep(): void {}

  value(current: Current): boolean | null {
    const key = current.key(this.#slot);
    return key === null ? null : isMeant(current, this.#matcher, scopeKey(current.event, this.leaf.across), key);
  }
}

/** `eventually`: a promise that holds until its time is over, which no decision lives to see. */
export class PromiseTable implements Table {
  readonly leaf: HistoryLeaf;
  constructor(leaf: HistoryLeaf) {
    this.leaf = leaf;
  }
  add(): void {}
  sweep(): void {}
  value(): boolean {
    return true;
  }
}

/** When events of one kind happened last, by what they are looked up by. */
export class Marks {
  readonly matcher: Matcher;
  readonly #leaf: HistoryLeaf;
  readonly #marks = new Recent<Mark>();
  #reachMs = 0;
  #last = 0;

  constructor(leaf: HistoryLeaf) {
    this.matcher = only(leaf);
    this.#leaf = leaf;
  }

  /** Keeps what has happened for so long at least. */
  reach(ms: number): void {
    this.#reachMs = Math.max(this.#reachMs, ms);
  }

  add(event: HistoryEvent, number: number, owner: Owner): void {
    if (number === this.#last) return; // by another question
    this.#last = number;
    if (!this.matcher.matches(event)) return;
    this.sweep(event.atMs);
    for (const key of keysOf(event, this.matcher.query.joins, scopeKey(event, this.#leaf.across))) this.#marks.put(key, { atMs: event.atMs, number, owner });
  }

  get(key: string): Mark | undefined {
    return this.#marks.get(key);
  }

  sweep(nowMs: number): void {
    this.#marks.sweep(nowMs - this.#reachMs);
  }
}

export class FormerlyTable implements Table {
  readonly leaf: HistoryLeaf;
  readonly #marks: Marks;
  readonly #slot: number;
  readonly #windowMs: number;

  constructor(leaf: HistoryLeaf, slot: number, marks: Marks) {
    this.leaf = leaf;
    this.#marks = marks;
    this.#slot = slot;
    this.#windowMs = reachOf(leaf);
  }

  add(event: HistoryEvent, number: number, owner: Owner): void {
    this.#marks.add(event, number, owner);
  }

  value(current: Current): boolean | null {
    const key = current.key(this.#slot);
    if (key === null) return null;
    const mark = this.#marks.get(key);
    if (mark !== undefined && current.event.atMs - mark.atMs <= this.#windowMs) return true;
    return isMeant(current, this.#marks.matcher, scopeKey(current.event, this.leaf.across), key);
  }

  sweep(nowMs: number): void {
    this.#marks.sweep(nowMs);
  }
}

/** `previous`: the event before the current call, of the same history. */
export class PreviousTable implements Table {
  readonly leaf: HistoryLeaf;
  readonly #matcher: Matcher;
  readonly #slot: number;
  readonly #windowMs: number;
  readonly #last = new Recent<Mark & { readonly keys: readonly string[] }>();

  constructor(leaf: HistoryLeaf, slot: number) {
    this.leaf = leaf;
    this.#matcher = only(leaf);
    this.#slot = slot;
    this.#windowMs = reachOf(leaf);
  }

  add(event: HistoryEvent, number: number, owner: Owner): void {
    const prefix = scopeKey(event, this.leaf.across);
    this.sweep(event.atMs);
    this.#last.put(prefix, { atMs: event.atMs, number, owner, keys: this.#matcher.matches(event) ? keysOf(event, this.#matcher.query.joins, prefix) : [] });
  }

  value(current: Current): boolean | null {
    const key = current.key(this.#slot);
    if (key === null) return null;
    const last = this.#last.get(scopeKey(current.event, this.leaf.across));
    return last !== undefined && current.event.atMs - last.atMs <= this.#windowMs && last.keys.includes(key);
  }

  sweep(nowMs: number): void {
    this.#last.sweep(nowMs - this.#windowMs);
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

/** `since`: the last anchor counts, for what has held ever since an earlier one has held since it too. */
export class SinceTable implements Table {
  readonly leaf: HistoryLeaf;
  readonly #anchor: Matcher;
  readonly #left: Matcher;
  readonly #negated: boolean;
  readonly #slot: number;
  readonly #leftSlot: number;
  readonly #windowMs: number;
  readonly #anchors = new Recent<Mark>();
  /** Of a negated left: when that which must not happen happened last. */
  readonly #breaks = new Recent<Mark>();
  /** Of a left that must hold each time. */
  readonly #runs = new Recent<Run>();

  constructor(leaf: HistoryLeaf, slot: number, leftSlot: number) {
    this.leaf = leaf;
    this.#anchor = only(leaf);
    this.#left = matcherOf(leaf.left?.query ?? this.#anchor.query);
    this.#negated = leaf.left?.negated ?? false;
    this.#slot = slot;
    this.#leftSlot = leftSlot;
    this.#windowMs = reachOf(leaf);
  }

  add(event: HistoryEvent, number: number, owner: Owner): void {
    this.sweep(event.atMs);
    const prefix = scopeKey(event, this.leaf.across);
    const mark = { atMs: event.atMs, number, owner };
    if (this.#anchor.matches(event)) for (const key of keysOf(event, this.#anchor.query.joins, prefix)) this.#anchors.put(key, mark);
    const keys = this.#left.matches(event) ? keysOf(event, this.#left.query.joins, prefix) : [];
    if (this.#negated) for (const key of keys) this.#breaks.put(key, mark);
    else this.#runs.put(prefix, this.#longer(prefix, mark, keys));
  }

  #longer(prefix: string, mark: Mark, keys: readonly string[]): Run {
    const run = this.#runs.get(prefix);
    if (keys.length === 0) return { other: mark.number, keys: run?.keys ?? [], last: run?.last ?? -1, before: run?.before ?? -1, ...mark };
    const same = run !== undefined && run.keys.length === keys.length && run.keys.every((key) => keys.includes(key));
    return { ...mark, other: run?.other ?? -1, keys, last: mark.number, before: same ? run.before : (run?.last ?? -1) };
  }

  value(current: Current): boolean | null {
    const [key, leftKey] = [current.key(this.#slot), current.key(this.#leftSlot)];
    if (key === null || leftKey === null) return null;
    const prefix = scopeKey(current.event, this.leaf.across);
    if (isMeant(current, this.#anchor, prefix, key)) return true;
    const anchor = this.#anchors.get(key);
    if (anchor === undefined || current.event.atMs - anchor.atMs > this.#windowMs) return false;
    if (isMeant(current, this.#left, prefix, leftKey) === this.#negated) return false;
    if (this.#negated) return (this.#breaks.get(leftKey)?.number ?? -1) <= anchor.number;
    const run = this.#runs.get(prefix);
    if (run === undefined) return true;
    const broken = Math.max(run.other, run.keys.includes(leftKey) ? run.before : run.last);
    return broken <= anchor.number;
  }

  sweep(nowMs: number): void {
    this.#anchors.sweep(nowMs - this.#windowMs);
    this.#breaks.sweep(nowMs - this.#windowMs);
    this.#runs.sweep(nowMs - this.#windowMs);
  }
}

/** When each of several events happened last with the same values. */
interface Meeting {
  readonly atMs: number;
  readonly owner: Owner;
  readonly times: readonly (number | null)[];
}

/** `together`: several events that share values. The one moment until which some values satisfy all of them never moves back. */
export class TogetherTable implements Table {
  readonly leaf: HistoryLeaf;
  readonly #matchers: readonly Matcher[];
  readonly #windows: readonly number[];
  readonly #slot: number;
  readonly #reachMs: number;
  readonly #meetings = new Recent<Meeting>();
  /** Until when it holds for some values, by what the current call looks up. */
  readonly #until = new Recent<{ readonly atMs: number; readonly owner: Owner }>();

  constructor(leaf: HistoryLeaf, slot: number) {
    this.leaf = leaf;
    this.#matchers = leaf.queries.map(matcherOf);
    this.#windows = leaf.windows.map((window) => window ?? 0);
    this.#slot = slot;
    this.#reachMs = reachOf(leaf);
  }

  add(event: HistoryEvent, _number: number, owner: Owner): void {
    this.sweep(event.atMs);
    const prefix = scopeKey(event, this.leaf.across);
    for (const [arm, { matches, query }] of this.#matchers.entries()) {
      if (!matches(event)) continue;
      for (const group of keysOf(event, query.joins, prefix)) {
        for (const key of this.#rowsOf(event, arm, group)) {
          const times = this.#timesWith(key, arm, event.atMs);
          this.#meetings.put(key, { atMs: event.atMs, owner, times });
          const until = this.#untilOf(times);
          const before = this.#until.get(group)?.atMs ?? Number.NEGATIVE_INFINITY;
          if (until !== null && until > before) this.#until.put(group, { atMs: until, owner });
        }
      }
    }
  }

  value(current: Current): boolean | null {
    const key = current.key(this.#slot);
    if (key === null) return null;
    const nowMs = current.event.atMs;
    if ((this.#until.get(key)?.atMs ?? Number.NEGATIVE_INFINITY) >= nowMs) return true;
    const prefix = scopeKey(current.event, this.leaf.across);
    const mine = new Map<string, (number | null)[]>();
    for (const [arm, matcher] of this.#matchers.entries()) {
      if (!isMeant(current, matcher, prefix, key)) continue;
      for (const row of this.#rowsOf(current.event, arm, key)) {
        const times = mine.get(row) ?? [...(this.#meetings.get(row)?.times ?? this.#windows.map(() => null))];
        times[arm] = nowMs;
        mine.set(row, times);
      }
    }
    return [...mine.values()].some((times) => (this.#untilOf(times) ?? Number.NEGATIVE_INFINITY) >= nowMs);
  }

  #rowsOf(event: HistoryEvent, arm: number, group: string): string[] {
    const paths = (this.#matchers[arm]?.query.project ?? []).filter((path): path is FieldPath => path !== null);
    return keysOf(event, paths, group);
  }

  #timesWith(key: string, arm: number, atMs: number): (number | null)[] {
    const times = [...(this.#meetings.get(key)?.times ?? this.#windows.map(() => null))];
    times[arm] = atMs;
    return times;
  }

  #untilOf(times: readonly (number | null)[]): number | null {
    let until = Number.POSITIVE_INFINITY;
    for (const [arm, time] of times.entries()) {
      if (time === null) return null;
      until = Math.min(until, time + (this.#windows[arm] ?? 0));
    }
    return until;
  }

  sweep(nowMs: number): void {
    this.#meetings.sweep(nowMs - this.#reachMs);
    this.#until.sweep(nowMs);
  }
}
