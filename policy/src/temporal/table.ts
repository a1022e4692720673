import type { HistoryEvent } from "./event.ts";
import type { HistoryLeaf } from "./leaf.ts";

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

/** What is kept of the past to answer one question. Its cost does not depend on how much has happened; what has left the window is dropped. */
export interface Table {
  readonly leaf: HistoryLeaf;
  /** Takes note of an event; `number` counts all events. */
  add(event: HistoryEvent, number: number, owner: Owner): void;
  /** The answer for a call that comes after all events noted so far, itself included; null where it cannot be said. */
  value(current: Current): boolean | number | null;
  /** Drops what no question from this moment on can ask for. */
  sweep(nowMs: number): void;
}

/** Rows by key, in order of when they were last put: what is old stands at the front. */
export class Recent<T extends { readonly atMs: number; readonly owner: Owner }> {
  readonly #rows = new Map<string, T>();

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
      row.owner.rows -= 1;
      this.#rows.delete(key);
    }
  }
}
