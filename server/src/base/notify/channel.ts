import type { Notice } from "./notice.ts";

/** One attempt to deliver. */
export interface Attempt {
  readonly notice: Notice;
  /** What the channel returned for an earlier notice about the same thing; null when there was none. */
  readonly earlier: string | null;
  /** Aborted when the attempt has taken too long, or the daemon ends. */
  readonly signal: AbortSignal;
}

/** A way to reach people. Returns a reference for later notices about the same thing, or null. Throws {@link Undelivered}. */
export type Deliver = (attempt: Attempt) => Promise<string | null>;

/** An attempt that failed. Says nothing of what was sent or answered: it goes into the ledger and the log. */
export class Undelivered extends Error {
  /** Short and from a closed set: `status_503`, `timeout`, `unreachable`, `refused`. */
  readonly code: string;
  /** Whether the same may succeed later. */
  readonly passing: boolean;
  /** Not before this many milliseconds, when the receiver said so. */
  readonly afterMs: number;

  constructor(code: string, { passing, afterMs = 0, cause }: { passing: boolean; afterMs?: number; cause?: unknown }) {
    super(`not delivered: ${code}`, { cause });
    this.name = "Undelivered";
    this.code = code;
    this.passing = passing;
    this.afterMs = afterMs;
  }
}
