import { Fault, type EgressFault, type ErrorCode } from "@lanyard/contract";
import type { Clock } from "../../../base/clock.ts";
import type { Log } from "../../../base/log.ts";

/** Thrown for what cannot become an action. `fault` is what goes on record: a word of a closed set, nothing of the occupant's own text. */
export class TurnedAway extends Fault {
  readonly fault: EgressFault;

  constructor(fault: EgressFault, message: string, code: ErrorCode = "malformed_call") {
    super(code, message);
    this.fault = fault;
  }
}

export interface Whose {
  readonly session: string;
  readonly agent: string;
}

interface Bucket extends Whose {
  readonly fault: EgressFault;
  times: number;
}

const foldMs = 1000;

/** Records what was turned away at the egress door: the first of a kind at once, repeats within a second as one record with their number. */
export class TurnedAwayBook implements AsyncDisposable {
  readonly #write: (refusal: Bucket) => Promise<void>;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #buckets = new Map<string, Bucket>();
  readonly #writing = new Set<Promise<void>>();

  constructor({ write, clock, log }: { write(refusal: Bucket): Promise<void>; clock: Clock; log: Log }) {
    this.#write = write;
    this.#clock = clock;
    this.#log = log;
  }

  note({ session, agent }: Whose, { fault, message }: TurnedAway): void {
    this.#log.info("egress.refused", { session, fault, message });
    const key = `${session} ${fault}`;
    const bucket = this.#buckets.get(key);
    if (bucket) return void bucket.times++;
    this.#buckets.set(key, { session, agent, fault, times: 0 });
    this.#clock.after(foldMs, () => this.#fold(key));
    this.#put({ session, agent, fault, times: 1 });
  }

  /** The session is over: what was counted of it is recorded at once, beside its end. */
  ended(session: string): void {
    for (const [key, bucket] of [...this.#buckets]) if (bucket.session === session) this.#fold(key);
  }

  #fold(key: string): void {
    const bucket = this.#buckets.get(key);
    this.#buckets.delete(key);
    if (bucket && bucket.times > 0) this.#put(bucket);
  }

  #put(refusal: Bucket): void {
    const done = this.#write(refusal).catch((error: unknown) => this.#log.error("egress.unrecorded", { ...refusal, error }));
    this.#writing.add(done);
    void done.finally(() => this.#writing.delete(done));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const key of [...this.#buckets.keys()]) this.#fold(key);
    await Promise.all(this.#writing);
  }
}
