import type { Duplex } from "node:stream";
import type { Clock } from "../../../base/clock.ts";

export interface PatienceOptions {
  readonly clock: Clock;
  /** What a head may take that has begun: at least this, and at most twice as long. */
  readonly headMs: number;
  /** How long a connection may say nothing between its requests. */
  readonly idleMs: number;
  /** Bytes that have come over the connection. */
  readonly read: () => number;
  /** Called once when a head has taken too long. */
  readonly late: () => void;
  /** Called once when nothing was said for too long. */
  readonly idle: () => void;
}

/**
 * How long a connection is waited for. While no answer is due on it, it is looked at once in `headMs`: whoever has begun to say something at one look must
 * have said a whole head by the next. So a byte costs nothing, and however slowly bytes trickle, none keeps a connection.
 */
export class Patience {
  readonly #options: PatienceOptions;
  #timer: { cancel(): void } | null = null;
  #due = 0;
  #isOver = false;

  constructor(options: PatienceOptions) {
    this.#options = options;
    this.#wait();
  }

  /** A head has come whole; what is returned is called when its answer has ended. */
  taken(): () => void {
    this.#timer?.cancel();
    this.#due++;
    return () => {
      if (--this.#due === 0 && !this.#isOver) this.#wait();
    };
  }

  /** The connection has ended, or speaks something else from here on. */
  end(): void {
    this.#isOver = true;
    this.#timer?.cancel();
  }

  #wait(): void {
    this.#look(this.#options.read(), false, 0);
  }

  #look(before: number, hadBegun: boolean, waitedMs: number): void {
    const { clock, headMs, idleMs, read, late, idle } = this.#options;
    this.#timer = clock.after(Math.min(headMs, idleMs), () => {
      const hasBegun = read() > before;
      const nowMs = waitedMs + Math.min(headMs, idleMs);
      const end = hasBegun && hadBegun ? late : !hasBegun && nowMs >= idleMs ? idle : null;
      if (end === null) return this.#look(before, hasBegun, nowMs);
      this.end();
      end();
    });
  }
}

/** Counts what comes over a connection. Node counts a socket's bytes itself, and reads them below the events that a listener would have to be told by. */
export function bytesRead(connection: Duplex & { readonly bytesRead?: number }): () => number {
  if (connection.bytesRead !== undefined) return () => connection.bytesRead ?? 0;
  let bytes = 0;
  connection.on("data", (chunk: Buffer) => (bytes += chunk.length));
  return () => bytes;
}
