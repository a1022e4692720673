import type { ErrorCode } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Store } from "../../base/store/port.ts";

const foldMs = 1000;

/**
 * Records who was refused at the door, as `session.refused`. The first refusal of a kind is written at once; repeats within a second
 * fold into one record with their number. Codes and doors are closed sets, so a flood grows the ledger by two records a second
 * a kind, and memory not at all.
 */
export class Refusals {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #buckets = new Map<string, { readonly code: ErrorCode; readonly door: string; times: number }>();
  readonly #writing = new Set<Promise<void>>();
  #closed = false;

  constructor({ store, clock, log }: { store: Store; clock: Clock; log: Log }) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  /** `door` must come from a closed set, never from a request. */
  note(code: ErrorCode, door: string): void {
    const key = `${code} ${door}`;
    const bucket = this.#buckets.get(key);
    if (bucket) bucket.times++;
    else {
      this.#open(key, code, door, 0);
      this.#write(key, code, door, 1);
    }
  }

  #open(key: string, code: ErrorCode, door: string, times: number): void {
    this.#buckets.set(key, { code, door, times });
    this.#clock.after(foldMs, () => this.#fold(key));
  }

  #fold(key: string): void {
    const bucket = this.#buckets.get(key);
    this.#buckets.delete(key);
    if (bucket && bucket.times > 0) this.#write(key, bucket.code, bucket.door, bucket.times);
  }

  #write(key: string, code: ErrorCode, door: string, times: number): void {
    const done = this.#store.append({ type: "session.refused", code, door, times }).then(
      () => {},
      (error: unknown) => {
        this.#log.warn("refusal.unrecorded", { code, door, times, error });
        if (this.#closed) return;
        // Owed: goes into the record of the next second.
        const bucket = this.#buckets.get(key);
        if (bucket) bucket.times += times;
        else this.#open(key, code, door, times);
      },
    );
    this.#writing.add(done);
    void done.finally(() => this.#writing.delete(done));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const key of [...this.#buckets.keys()]) this.#fold(key);
    await Promise.all(this.#writing);
  }
}
