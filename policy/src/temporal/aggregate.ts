import type { HistoryEvent } from "./event.ts";
import { constantOf, Constants, familyOf, isSpread, Seen, type Member } from "./family.ts";
import { reachOf, type EventQuery, type HistoryLeaf } from "./leaf.ts";
import { tellLacking } from "./marks.ts";
import { keysOf, matcherOf, scopeKey, type Matcher } from "./match.ts";
import { Fifo } from "./queue.ts";
import type { Current, Listener, Owner, Table } from "./table.ts";
import { BestTotal, DistinctTotal, RunningTotal, type Additions, type Row, type Total } from "./totals.ts";

/** All rows that are looked up by the same, of one constant. */
interface Group {
  readonly key: string;
  readonly constant: string;
  readonly total: Total;
  rows: number;
}

interface KeptRow extends Row {
  readonly group: Group;
  readonly owner: Owner;
}

/** `count`, `sum`, `min`, `max` over a window: rows come and go one by one, and what they come to is kept. */
export class AggregateTable implements Table {
  readonly queries: readonly EventQuery[];
  readonly #leaf: HistoryLeaf;
  readonly #matchers: readonly Matcher[];
  readonly #slot: number;
  /** Null where nothing but the current call counts. */
  #reachMs: number | null;
  readonly #constants: Constants<Member>;
  readonly #seen: Seen;
  #rows = new Fifo<KeptRow>();
  readonly #groups = new Map<string, Group>();
  /** Of no rows. */
  readonly #empty: Total;

  constructor(leaf: HistoryLeaf, slot: number) {
    const [first, ...more] = leaf.queries;
    const { query, paths } = first === undefined || more.length > 0 ? { query: null, paths: [] } : familyOf(first);
    this.queries = query === null ? leaf.queries : [query];
    this.#leaf = leaf;
    this.#matchers = this.queries.map(matcherOf);
    this.#slot = slot;
    this.#reachMs = leaf.windows[0] === null ? null : 0;
    this.#constants = new Constants(paths);
    this.#seen = new Seen(this.#constants);
    this.#empty = this.#total();
  }

  #total(): Total {
    const { op, queries } = this.#leaf;
    if (op === "min" || op === "max") return new BestTotal(op);
    const of = op === "count" ? op : "sum";
    return isSpread(op, queries) ? new RunningTotal(of) : new DistinctTotal(of);
  }

  join(leaf: HistoryLeaf, number: number): void {
    const [first, ...more] = leaf.queries;
    this.#constants.join(first === undefined || more.length > 0 ? [] : constantOf(first), { number, windowMs: reachOf(leaf) });
    if (this.#reachMs !== null) this.#reachMs = Math.max(this.#reachMs, reachOf(leaf));
  }

  add(event: HistoryEvent, _number: number, owner: Owner): void {
    if (this.#reachMs === null || !this.#matchers.some(({ matches }) => matches(event))) return;
    const constants = this.#constants.of(event);
    const found = constants.length === 0 ? none : this.#additions(event);
    if (found.size === 0) return;
    this.sweep(event.atMs);
    for (const [key, additions] of found) {
      for (const constant of constants) {
        const group = this.#groups.get(key + constant) ?? this.#begin(key, constant);
        for (const [tuple, amount] of additions) this.#put({ atMs: event.atMs, group, tuple, amount, before: 0, owner });
      }
    }
  }

  #begin(key: string, constant: string): Group {
    const group = { key, constant, total: this.#total(), rows: 0 };
    this.#groups.set(key + constant, group);
    this.#seen.add(key, constant);
    return group;
  }

  #put(row: KeptRow): void {
    row.owner.rows += 1;
    row.group.rows += 1;
    this.#rows.push(row);
    row.group.total.add(row);
  }

  sweep(nowMs: number): void {
    const beforeMs = nowMs - (this.#reachMs ?? 0);
    for (let row = this.#rows.first(); row !== undefined && row.atMs < beforeMs; row = this.#rows.first()) {
      this.#rows.shift();
      this.#drop(row);
    }
  }

  #drop(row: KeptRow): void {
    const { group, owner } = row;
    owner.rows -= 1;
    group.rows -= 1;
    group.total.drop(row);
    if (group.rows > 0) return;
    this.#groups.delete(group.key + group.constant);
    this.#seen.delete(group.key, group.constant);
  }

  tell(current: Current, listener: Listener): void {
    const key = current.key(this.#slot);
    if (key === null) return tellLacking(this.#constants.all(), listener);
    this.sweep(current.event.atMs);
    const mine = this.#matchers.some(({ matches }) => matches(current.event)) ? this.#additions(current.event).get(key) : undefined;
    const constants = mine === undefined ? nobody : this.#constants.of(current.event);
    for (const constant of this.#seen.under(key)) {
      const group = this.#groups.get(key + constant);
      if (group !== undefined) this.#tellOf(constant, group.total, constants.includes(constant) ? mine : undefined, current, listener);
    }
    for (const constant of constants) if (!this.#groups.has(key + constant)) this.#tellOf(constant, this.#empty, mine, current, listener);
  }

  #tellOf(constant: string, total: Total, mine: Additions | undefined, { event }: Current, listener: Listener): void {
    for (const { number, windowMs } of this.#constants.members(constant)) {
      const amount = total.value(event.atMs - windowMs, mine);
      if (amount !== 0) listener.comesTo(number, amount);
    }
  }

  keep(numbers: ReadonlySet<number>): boolean {
    this.#constants.keep(numbers);
    if (this.#reachMs !== null) this.#reachMs = this.#constants.reachMs;
    const rows = this.#rows;
    this.#rows = new Fifo();
    for (let row = rows.shift(); row !== undefined; row = rows.shift()) {
      if (this.#constants.has(row.group.constant)) this.#rows.push(row);
      else this.#drop(row);
    }
    return this.#constants.size > 0;
  }

  /** What an event adds, by what it is filed under. */
  #additions(event: HistoryEvent): Map<string, Additions> {
    const found = new Map<string, Map<string, number | null>>();
    for (const { matches, query } of this.#matchers) {
      if (!matches(event)) continue;
      const row = rowOf(event, query);
      if (row === null) continue;
      for (const key of keysOf(event, query.joins, scopeKey(event, this.#leaf.across))) {
        const additions = found.get(key) ?? new Map<string, number | null>();
        additions.set(row.tuple, row.amount);
        found.set(key, additions);
      }
    }
    return found;
  }
}

const none: ReadonlyMap<string, Additions> = new Map();
const nobody: readonly string[] = [];

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
