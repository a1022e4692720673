import type { HistoryEvent } from "./event.ts";
import { reachOf, type EventQuery, type HistoryLeaf } from "./leaf.ts";
import { keysOf, matcherOf, scopeKey, type Matcher } from "./match.ts";
import { Fifo } from "./queue.ts";
import type { Current, Owner, Table } from "./table.ts";

/** One thing that is counted, added up or compared. */
interface Row {
  readonly atMs: number;
  readonly group: Group;
  /** What it is told apart by; empty where each event counts. */
  readonly tuple: string;
  readonly amount: number | null;
  readonly owner: Owner;
}

/** All rows that one question sees. */
interface Group {
  readonly key: string;
  rows: number;
  /** Of the last row of each tuple; null where each event counts. */
  readonly tuples: Map<string, Row> | null;
  count: number;
  sum: bigint;
  /** Rows that may yet be the least, or the most: each is better than those after it. */
  readonly best: Fifo<Row> | null;
}

/** What one event adds under one key: tuples with their amounts, each once. */
type Additions = ReadonlyMap<string, number | null>;

/** `count`, `sum`, `min`, `max` over a window: rows come and go one by one, and what they come to is kept. */
export class AggregateTable implements Table {
  readonly leaf: HistoryLeaf;
  readonly #matchers: readonly Matcher[];
  readonly #slot: number;
  readonly #windowMs: number | null;
  /** Equal tuples count once. */
  readonly #distinct: boolean;
  readonly #rows = new Fifo<Row>();
  readonly #groups = new Map<string, Group>();

  constructor(leaf: HistoryLeaf, slot: number) {
    this.leaf = leaf;
    this.#matchers = leaf.queries.map(matcherOf);
    this.#slot = slot;
    this.#windowMs = leaf.windows[0] === null ? null : reachOf(leaf);
    this.#distinct = leaf.queries.every(({ project }) => !project.includes(null));
  }

  add(event: HistoryEvent, _number: number, owner: Owner): void {
    if (this.#windowMs === null) return;
    const found = this.#additions(event);
    if (found.size === 0) return;
    this.sweep(event.atMs);
    for (const [key, additions] of found) {
      const group = this.#groups.get(key) ?? { key, rows: 0, tuples: this.#distinct ? new Map<string, Row>() : null, count: 0, sum: 0n, best: this.leaf.op === "min" || this.leaf.op === "max" ? new Fifo<Row>() : null };
      this.#groups.set(key, group);
      for (const [tuple, amount] of additions) this.#put(group, { atMs: event.atMs, group, tuple, amount, owner });
    }
  }

  #put(group: Group, row: Row): void {
    row.owner.rows += 1;
    group.rows += 1;
    this.#rows.push(row);
    const isNew = !(group.tuples?.has(row.tuple) ?? false);
    group.tuples?.set(row.tuple, row);
    if (isNew) {
      group.count += 1;
      if (row.amount !== null) group.sum += BigInt(row.amount);
    }
    const { amount } = row;
    if (group.best === null || amount === null) return;
    for (let last = group.best.last(); last !== undefined && !this.#better(last.amount ?? 0, amount); last = group.best.last()) group.best.pop();
    group.best.push(row);
  }

  #better(left: number, right: number): boolean {
    return this.leaf.op === "min" ? left < right : left > right;
  }

  sweep(nowMs: number): void {
    const beforeMs = nowMs - (this.#windowMs ?? 0);
    for (let row = this.#rows.first(); row !== undefined && row.atMs < beforeMs; row = this.#rows.first()) {
      this.#rows.shift();
      const { group, owner } = row;
      owner.rows -= 1;
      group.rows -= 1;
      if (group.best?.first() === row) group.best.shift();
      if (group.rows === 0) this.#groups.delete(group.key);
      if (group.tuples !== null && group.tuples.get(row.tuple) !== row) continue; // seen again since
      group.tuples?.delete(row.tuple);
      group.count -= 1;
      if (row.amount !== null) group.sum -= BigInt(row.amount);
    }
  }

  value(current: Current): number | null {
    const key = current.key(this.#slot);
    if (key === null) return null;
    this.sweep(current.event.atMs);
    const group = this.#groups.get(key);
    const mine = this.#matchers.some(({ matches }) => matches(current.event)) ? (this.#additions(current.event).get(key) ?? nothing) : nothing;
    if (mine === nothing && this.leaf.op === "count") return group?.count ?? 0;
    const fresh = mine === nothing ? none : [...mine].filter(([tuple]) => !(group?.tuples?.has(tuple) ?? false));
    if (this.leaf.op === "count") return (group?.count ?? 0) + fresh.length;
    if (this.leaf.op === "sum") return safe(fresh.reduce((sum, [, amount]) => sum + BigInt(amount ?? 0), group?.sum ?? 0n));
    const amounts = [group?.best?.first()?.amount, ...mine.values()].filter((amount) => typeof amount === "number");
    return amounts.length === 0 ? 0 : this.leaf.op === "min" ? Math.min(...amounts) : Math.max(...amounts);
  }

  /** By what it is filed under. */
  #additions(event: HistoryEvent): Map<string, Additions> {
    const found = new Map<string, Map<string, number | null>>();
    for (const { matches, query } of this.#matchers) {
      if (!matches(event)) continue;
      const row = rowOf(event, query);
      if (row === null) continue;
      for (const key of keysOf(event, query.joins, scopeKey(event, this.leaf.across))) {
        const additions = found.get(key) ?? new Map<string, number | null>();
        additions.set(row.tuple, row.amount);
        found.set(key, additions);
      }
    }
    return found;
  }
}

const nothing: Additions = new Map();
const none: readonly (readonly [string, number | null])[] = [];

const rowOf = (event: HistoryEvent, { project, value }: EventQuery): { tuple: string; amount: number | null } | null => {
  let tuple = "";
  for (const path of project) {
    if (path === null) continue;
    const [key, more] = keysOf(event, [path], "");
    if (key === undefined || more !== undefined) return null;
    tuple += key;
  }
  const amount = value === null ? null : event.field(value);
  return { tuple, amount: typeof amount === "number" ? amount : null };
};

/** Within the integers that JSON carries exactly; what is beyond stays beyond every bound that a policy can name. */
const safe = (sum: bigint): number => (sum > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : sum < BigInt(Number.MIN_SAFE_INTEGER) ? Number.MIN_SAFE_INTEGER : Number(sum));
