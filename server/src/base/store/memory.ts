import { parseJson, type LedgerRecord } from "@lanyard/contract";
import { newSigner } from "@lanyard/ledger";
import { systemClock, type Clock } from "../clock.ts";
import { Book, type Alarm } from "./book.ts";
import { matches } from "./filter.ts";
import type { Batch, Head, Medium, StateRow } from "./medium.ts";
import type { LogFilter, Store } from "./port.ts";

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

/** A book in memory: a peer of the database without its disk. It outlives the book that writes on it, so that a test can open it again. */
export class MemoryMedium implements Medium {
  #head: Head = { size: 0, atMs: 0, checkpoint: "", openFrom: 0 };
  readonly #texts: string[] = [];
  readonly #nodes = new Map<string, Uint8Array>();
  readonly #outcomes = new Map<number, number>();
  readonly #leftOpen = new Set<number>();
  readonly #state = new Map<string, StateRow>();
  readonly #subjects = new Map<string, Uint8Array>();
  readonly #payloads = new Map<number, { tag: Uint8Array; box: Uint8Array | null }>();
  readonly #objects = new Map<string, Uint8Array>();
  /** While set, commits fail with it: the disk as a test wants it. */
  failure: Error | null = null;

  commit({ leaves, nodes, state, head, leftOpen, ended, erase }: Batch): void {
    if (this.failure) throw this.failure;
    if (erase) {
      this.#subjects.delete(text(erase));
      for (const payload of this.#payloads.values()) if (text(payload.tag) === text(erase)) payload.box = null;
    }
    for (const { record, text: line, box } of leaves) {
      this.#texts.push(line);
      if (record.type === "outcome") this.#outcomes.set(record.of, record.seq);
      if (!box) continue;
      this.#subjects.set(text(box.subject.tag), box.subject.wrapped);
      this.#payloads.set(box.number, { tag: box.subject.tag, box: box.bytes });
    }
    for (const { level, index, hash } of nodes) this.#nodes.set(`${level}/${index}`, hash);
    for (const row of state) {
      if (row.text === null) this.#state.delete(`${row.kind}/${row.key}`);
      else this.#state.set(`${row.kind}/${row.key}`, row);
    }
    for (const seq of leftOpen) this.#leftOpen.add(seq);
    for (const seq of ended) this.#leftOpen.delete(seq);
    this.#head = head;
  }

  async sync(): Promise<void> {
    if (this.failure) throw this.failure;
  }

  recover(): void {
    if (this.failure) throw this.failure;
  }

  head(): Head {
    return this.#head;
  }

  leftOpen(): number[] {
    return [...this.#leftOpen].sort((a, b) => a - b);
  }

  texts(from: number, to: number): string[] {
    return this.#texts.slice(from, to);
  }

  node(level: number, index: number): Uint8Array {
    const node = this.#nodes.get(`${level}/${index}`);
    if (!node) throw new RangeError(`tree node ${index} of level ${level} is missing`);
    return node;
  }

  outcomeOf(seq: number): number | null {
    return this.#outcomes.get(seq) ?? null;
  }

  *candidates(filter: LogFilter): Iterable<number> {
    const last = this.#texts.length - 1;
    for (let step = 0; step <= last; step++) {
      const seq = filter.newest ? last - step : step;
      if (matches(filter, parseJson(this.#texts[seq] as string) as LedgerRecord)) yield seq;
    }
  }

  state(): Iterable<StateRow> {
    return this.#state.values();
  }

  nextPayload(): number {
    return this.#payloads.keys().reduce((next, number) => Math.max(next, number + 1), 0);
  }

  payloadsOf(tag: Uint8Array): number {
    return this.#subjects.has(text(tag)) ? this.#payloads.values().filter((payload) => text(payload.tag) === text(tag) && payload.box !== null).toArray().length : 0;
  }

  subject(tag: Uint8Array): Uint8Array | null {
    return this.#subjects.get(text(tag)) ?? null;
  }

  payload(number: number): { box: Uint8Array; tag: Uint8Array; wrapped: Uint8Array } | null {
    const found = this.#payloads.get(number);
    const wrapped = found && this.#subjects.get(text(found.tag));
    return found?.box && wrapped ? { box: found.box, tag: found.tag, wrapped } : null;
  }

  payloads(numbers: readonly number[]): { id: number; box: Uint8Array; tag: Uint8Array; wrapped: Uint8Array }[] {
    return numbers.flatMap((id) => {
      const found = this.payload(id);
      return found ? [{ id, ...found }] : [];
    });
  }

  putObject(hash: Uint8Array, bytes: Uint8Array): void {
    if (this.failure) throw this.failure;
    this.#objects.set(text(hash), Uint8Array.from(bytes));
  }

  object(hash: Uint8Array): Uint8Array | null {
    return this.#objects.get(text(hash)) ?? null;
  }

  [Symbol.dispose](): void {}
}

export interface MemoryOptions {
  readonly clock?: Clock;
  readonly version?: string;
  readonly medium?: MemoryMedium;
  readonly signer?: ReturnType<typeof newSigner>;
  readonly tenant?: Buffer;
  readonly alarm?: Alarm;
}

/** Opens a store in memory. Give `medium`, `signer` and `tenant` again to open what an earlier one left. */
export const openMemory = (options: MemoryOptions = {}): Promise<Store> => {
  const clock = options.clock ?? systemClock;
  const filled = { version: "test", medium: new MemoryMedium(), signer: newSigner("lanyard.local/memory"), tenant: clock.random(32), ...options, clock };
  return Book.open(filled);
};
