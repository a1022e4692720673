import type { HistoryEvent } from "./event.ts";
import { reachOf, type EventQuery, type FieldPath, type HistoryLeaf } from "./leaf.ts";
import { isMeant, onlyQuery, type Mark } from "./marks.ts";
import { keysOf, matcherOf, scopeKey, type Matcher } from "./match.ts";
import { Recent, type Current, type Listener, type Owner, type Table } from "./table.ts";

// Questions that stand alone: each has a table of its own.

abstract class AloneTable implements Table {
  readonly queries: readonly EventQuery[] | null = [];
  readonly leaf: HistoryLeaf;
  #number = -1;

  constructor(leaf: HistoryLeaf) {
    this.leaf = leaf;
  }

  join(_leaf: HistoryLeaf, number: number): void {
    this.#number = number;
  }

  add(_event: HistoryEvent, _number: number, _owner: Owner): void {}
  sweep(_nowMs: number): void {}

  tell(current: Current, listener: Listener): void {
    const holds = this.holds(current);
    if (holds === null) listener.lacks(this.#number);
    else if (holds) listener.holds(this.#number);
  }

  /** The answer; null where it cannot be said. */
  abstract holds(current: Current): boolean | null;

  keep(numbers: ReadonlySet<number>): boolean {
    return numbers.has(this.#number);
  }
}

/** `now`: nothing but the current call is looked at. */
export class NowTable extends AloneTable {
  readonly #matcher: Matcher;
  readonly #slot: number;

  constructor(leaf: HistoryLeaf, slot: number) {
    super(leaf);
    this.#matcher = matcherOf(onlyQuery(leaf));
    this.#slot = slot;
  }

  holds(current: Current): boolean | null {
    const key = current.key(this.#slot);
    return key === null ? null : isMeant(current, this.#matcher, scopeKey(current.event, this.leaf.across), key);
  }
}

/** `eventually`: a promise that holds until its time is over, which no decision lives to see. */
export class PromiseTable extends AloneTable {
  holds(): boolean {
    return true;
  }
}

/** `previous`: the event before the current call, of the same history. */
export class PreviousTable extends AloneTable {
  override readonly queries = null;
  readonly #matcher: Matcher;
  readonly #slot: number;
  readonly #windowMs: number;
  readonly #last = new Recent<Mark & { readonly keys: readonly string[] }>();

  constructor(leaf: HistoryLeaf, slot: number) {
    super(leaf);
    this.#matcher = matcherOf(onlyQuery(leaf));
    this.#slot = slot;
    this.#windowMs = reachOf(leaf);
  }

  override add(event: HistoryEvent, number: number, owner: Owner): void {
    const prefix = scopeKey(event, this.leaf.across);
    this.sweep(event.atMs);
    this.#last.put(prefix, { atMs: event.atMs, number, owner, keys: this.#matcher.matches(event) ? keysOf(event, this.#matcher.query.joins, prefix) : [] });
  }

  holds(current: Current): boolean | null {
    const key = current.key(this.#slot);
    if (key === null) return null;
    const last = this.#last.get(scopeKey(current.event, this.leaf.across));
    return last !== undefined && current.event.atMs - last.atMs <= this.#windowMs && last.keys.includes(key);
  }

  override sweep(nowMs: number): void {
    this.#last.sweep(nowMs - this.#windowMs);
  }
}

/** When each of several events happened last with the same values. */
interface Meeting {
  readonly atMs: number;
  readonly owner: Owner;
  readonly times: readonly (number | null)[];
}

/** `together`: several events that share values. The one moment until which some values satisfy all of them never moves back. */
export class TogetherTable extends AloneTable {
  override readonly queries: readonly EventQuery[];
  readonly #matchers: readonly Matcher[];
  readonly #windows: readonly number[];
  readonly #slot: number;
  readonly #reachMs: number;
  readonly #meetings = new Recent<Meeting>();
  /** Until when it holds for some values, by what the current call looks up. */
  readonly #until = new Recent<{ readonly atMs: number; readonly owner: Owner }>();

  constructor(leaf: HistoryLeaf, slot: number) {
    super(leaf);
    this.queries = leaf.queries;
    this.#matchers = leaf.queries.map(matcherOf);
    this.#windows = leaf.windows.map((window) => window ?? 0);
    this.#slot = slot;
    this.#reachMs = reachOf(leaf);
  }

  override add(event: HistoryEvent, _number: number, owner: Owner): void {
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

  holds(current: Current): boolean | null {
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

  override sweep(nowMs: number): void {
    this.#meetings.sweep(nowMs - this.#reachMs);
    this.#until.sweep(nowMs);
  }
}
