import type { HistoryEvent } from "./event.ts";
import type { EventQuery, HistoryLeaf } from "./leaf.ts";

/** Whose rows count together against the limit on what is kept. */
export interface Owner {
  rows: number;
}

/** The current call, with what of it is worked out once for all questions. */
export interface Current {
  readonly event: HistoryEvent;
  /** By slot: what it looks events up by; null where it has no such value. */
  key(slot: number): string | null;
}

/** Who is told the answers for one call, by the numbers of the questions. What nobody tells of is false, or 0. */
export interface Listener {
  holds(question: number): void;
  comesTo(question: number, amount: number): void;
  /** It cannot be said. */
  lacks(question: number): void;
}

/** What is kept of the past to answer questions of one family. Its cost does not depend on how much has happened; what has left the window is dropped. */
export interface Table {
  /** What events it may want; null: all there are. */
  readonly queries: readonly EventQuery[] | null;
  /** Another question of the family, before anything has been noted. */
  join(leaf: HistoryLeaf, number: number): void;
  /** Takes note of an event; `number` counts all events. */
  add(event: HistoryEvent, number: number, owner: Owner): void;
  /** The answers for a call that comes after all events noted so far, itself included. */
  tell(current: Current, listener: Listener): void;
  /** Forgets all questions but these, with what is kept for them alone; false when none is left. */
  keep(numbers: ReadonlySet<number>): boolean;
  /** Drops what no question from this moment on can ask for. */
  sweep(nowMs: number): void;
}

/** Rows by key, in order of when they were last put: what is old stands at the front. */
export class Recent<T extends { readonly atMs: number; readonly owner: Owner }> {
  readonly #rows = new Map<string, T>();
  readonly #gone: ((row: T) => void) | undefined;

  /** `gone` is told of what is dropped, not of what is put anew. */
  constructor(gone?: (row: T) => void) {
    this.#gone = gone;
  }

  get(key: string): T | undefined {
    return this.#rows.get(key);
  }

  put(key: string, row: T): void {
    const before = this.#rows.get(key);
    if (before !== undefined) {
      before.owner.rows -= 1;
      this.#rows.delete(key);
    }
    row.owner.rows += 1;
    this.#rows.set(key, row);
  }

  sweep(beforeMs: number): void {
    for (const [key, row] of this.#rows) {
      if (row.atMs >= beforeMs) return;
      this.#drop(key, row);
    }
  }

  keep(wanted: (row: T) => boolean): void {
    for (const [key, row] of this.#rows) if (!wanted(row)) this.#drop(key, row);
  }

  #drop(key: string, row: T): void {
    row.owner.rows -= 1;
    this.#rows.delete(key);
    this.#gone?.(row);
  }
}
