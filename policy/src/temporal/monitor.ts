import type { HistoryFacts } from "@lanyard/contract";
import { keyOf, SetValue, type Value } from "../cedar/value.ts";
import { AggregateTable } from "./aggregate.ts";
import type { HistoryEvent } from "./event.ts";
import { reachOf, type EventQuery, type FieldPath, type HistoryLeaf } from "./leaf.ts";
import { FormerlyTable, Marks, NowTable, PreviousTable, PromiseTable, SinceTable, TogetherTable } from "./marks.ts";
import { currentKey, literalValue, scopeKey } from "./match.ts";
import type { HistoryScope } from "./syntax.ts";
import type { Current, Owner, Table } from "./table.ts";

/** Tables that one value of a field leads to: a thousand questions that each name another one cost as much as one. */
interface Sieve {
  readonly path: FieldPath;
  readonly byValue: Map<string, Table[]>;
}

/** Tables that may want events of one action or group. */
interface Bucket {
  readonly all: Table[];
  readonly sieves: Map<string, Sieve>;
}

/** A question being answered: its table, and from when on all events are known to it. */
interface Asked {
  readonly table: Table;
  readonly knownFromMs: number;
  readonly reachMs: number;
}

/** What siblings share, so that tables can go from one to another. */
interface Common {
  /** What of the current call events are looked up by, each once; its place in `places`. */
  readonly slots: Map<string, number>;
  readonly places: { readonly across: HistoryScope; readonly paths: readonly FieldPath[] }[];
  /** How many events have been noted. */
  number: number;
}

/** What every event goes to. */
const everything = "";

/**
 * Answers questions to history as it happens: each event is noted by those tables alone that may want it, each answer is looked up. Pure but for what
 * it keeps; time comes with the events and never goes back.
 */
export class HistoryMonitor {
  readonly #asked = new Map<string, Asked>();
  #buckets = new Map<string, Bucket>();
  readonly #shared = new Map<string, Marks>();
  /** By list of questions: a call of one kind asks the same each time. */
  #known = new WeakMap<readonly HistoryLeaf[], readonly (Asked | undefined)[]>();
  readonly #common: Common;

  constructor(common: Common = { slots: new Map(), places: [], number: 0 }) {
    this.#common = common;
  }

  /** Another one whose questions can be taken over when it has caught up. */
  sibling(): HistoryMonitor {
    return new HistoryMonitor(this.#common);
  }

  /** Takes over all questions of a sibling that has noted the same events. */
  adopt(sibling: HistoryMonitor): void {
    this.#known = new WeakMap();
    for (const [id, asked] of sibling.#asked) {
      if (this.#asked.has(id)) continue;
      this.#asked.set(id, asked);
      this.#fileAll(asked.table);
    }
  }

  /** Forgets every question but these, with all that is kept for them. */
  keep(ids: ReadonlySet<string>): void {
    const gone = [...this.#asked].filter(([id]) => !ids.has(id));
    if (gone.length === 0) return;
    this.#known = new WeakMap();
    for (const [id, { table }] of gone) {
      table.sweep(Number.POSITIVE_INFINITY);
      this.#asked.delete(id);
    }
    this.#buckets = new Map();
    for (const { table } of this.#asked.values()) this.#fileAll(table);
  }

  /** Whether some question may want events of an action. */
  wants(action: string, groups: readonly string[]): boolean {
    return [everything, action, ...groups].some((name) => this.#buckets.has(name));
  }

  /** Whether nothing is asked. */
  get idle(): boolean {
    return this.#asked.size === 0;
  }

  /** Begins to answer a question; events before `knownFromMs` are not known to it: until its window has passed, it has no answer. */
  add(leaf: HistoryLeaf, knownFromMs: number): void {
    if (this.#asked.has(leaf.id)) return;
    const table = this.#tableOf(leaf);
    this.#asked.set(leaf.id, { table, knownFromMs, reachMs: reachOf(leaf) });
    this.#known = new WeakMap();
    this.#fileAll(table);
  }

  #fileAll(table: Table): void {
    const { leaf } = table;
    const isOfAll = leaf.op === "previous" || leaf.left?.negated === false;
    const queries = [...leaf.queries, ...(leaf.left ? [leaf.left.query] : [])];
    if (isOfAll) this.#bucket(everything).all.push(table);
    else if (leaf.op !== "now" && leaf.op !== "eventually") for (const query of queries) this.#file(table, query);
  }

  has(id: string): boolean {
    return this.#asked.has(id);
  }

  /** Notes an event. `owner` is charged with what is kept of it. */
  note(event: HistoryEvent, owner: Owner): void {
    if (this.#shared.size > 0) this.#shared.clear();
    const number = (this.#common.number += 1);
    const done = new Set<Table>();
    for (const name of [everything, event.action, ...event.groups]) {
      const bucket = this.#buckets.get(name);
      if (bucket === undefined) continue;
      for (const table of bucket.all) addOnce(done, table, event, number, owner);
      for (const { path, byValue } of bucket.sieves.values()) {
        for (const key of valueKeys(event.field(path))) for (const table of byValue.get(key) ?? []) addOnce(done, table, event, number, owner);
      }
    }
  }

  /**
   * Answers for a call that comes now, itself included. What has no answer is left out: an argument that is compared with events is missing, or not all
   * of the window is known. Where all have one, those that are false or 0 are left out, and `sets` stand for them.
   */
  answers(leaves: readonly HistoryLeaf[], event: HistoryEvent, sets: readonly string[] = []): HistoryFacts {
    const asked = this.#known.get(leaves) ?? leaves.map(({ id }) => this.#asked.get(id));
    this.#known.set(leaves, asked);
    const current = this.#currentOf(event);
    const found: Record<string, boolean | number> = {};
    let isWhole = sets.length > 0;
    const values = asked.map((one): boolean | number | null => (one === undefined || one.knownFromMs > event.atMs - one.reachMs ? null : one.table.value(current)));
    for (let at = 0; at < values.length; at += 1) {
      const value = values[at] ?? null;
      if (value === null) isWhole = false;
      else if (value !== false && value !== 0) found[(leaves[at] as HistoryLeaf).id] = value;
    }
    if (isWhole) for (const name of sets) found[name] = true;
    else for (const [at, value] of values.entries()) if (value === false || value === 0) found[(leaves[at] as HistoryLeaf).id] = value;
    return found;
  }

  #currentOf(event: HistoryEvent): Current {
    const keys = new Array<string | null | undefined>(this.#common.places.length).fill(undefined);
    return {
      event,
      key: (slot) => {
        const known = keys[slot];
        if (known !== undefined) return known;
        const { across, paths } = this.#common.places[slot] ?? { across: "all", paths: [] };
        return (keys[slot] = currentKey(event, paths, scopeKey(event, across)));
      },
    };
  }

  /** Drops what no question can ask for any more. */
  sweep(nowMs: number): void {
    for (const { table } of this.#asked.values()) table.sweep(nowMs);
  }

  #tableOf(leaf: HistoryLeaf): Table {
    const slot = this.#slot(leaf.across, leaf.current);
    switch (leaf.op) {
      case "now":
        return new NowTable(leaf, slot);
      case "formerly":
        return new FormerlyTable(leaf, slot, this.#marksOf(leaf));
      case "previous":
        return new PreviousTable(leaf, slot);
      case "since":
        return new SinceTable(leaf, slot, this.#slot(leaf.across, leaf.left?.current ?? []));
      case "together":
        return new TogetherTable(leaf, slot);
      case "eventually":
        return new PromiseTable(leaf);
      default:
        return new AggregateTable(leaf, slot);
    }
  }

  /** Questions that differ in nothing but their window look at the same marks, as long as nothing has been noted. */
  #marksOf(leaf: HistoryLeaf): Marks {
    const key = JSON.stringify([leaf.across, leaf.queries]);
    const marks = this.#shared.get(key) ?? new Marks(leaf);
    this.#shared.set(key, marks);
    marks.reach(reachOf(leaf));
    return marks;
  }

  #slot(across: HistoryScope, paths: readonly FieldPath[]): number {
    const key = JSON.stringify([across, paths]);
    const { slots, places } = this.#common;
    const slot = slots.get(key) ?? places.length;
    if (slot < places.length) return slot;
    slots.set(key, slot);
    places.push({ across, paths });
    return slot;
  }

  #bucket(name: string): Bucket {
    const known = this.#buckets.get(name);
    if (known !== undefined) return known;
    const made: Bucket = { all: [], sieves: new Map() };
    this.#buckets.set(name, made);
    return made;
  }

  #file(table: Table, { actions: [action = everything], tests }: EventQuery): void {
    const bucket = this.#bucket(action);
    const test = tests.find(({ path, op, value, negated }) => op === "==" && !negated && value !== undefined && path[0] === "input");
    if (test?.value === undefined) {
      if (!bucket.all.includes(table)) bucket.all.push(table);
      return;
    }
    const name = JSON.stringify(test.path);
    const sieve = bucket.sieves.get(name) ?? { path: test.path, byValue: new Map<string, Table[]>() };
    bucket.sieves.set(name, sieve);
    const key = keyOf(literalValue(test.value));
    sieve.byValue.set(key, [...(sieve.byValue.get(key) ?? []), table]);
  }
}

const addOnce = (done: Set<Table>, table: Table, event: HistoryEvent, number: number, owner: Owner): void => {
  if (done.has(table)) return;
  done.add(table);
  table.add(event, number, owner);
};

const valueKeys = (value: Value | undefined): string[] => {
  if (value === undefined) return [];
  return value instanceof SetValue ? value.items.map(keyOf) : [keyOf(value)];
};
