import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { VerifyReport } from "../../base/store/verify.ts";
import type { LedgerVerdict } from "./sources.ts";

interface VerifierRooms {
  readonly clock: Clock;
  readonly log: Log;
  readonly verify: (signal: AbortSignal) => Promise<VerifyReport>;
}

/** Verifies the ledger again and again, as often as somebody wants to know. */
export class Verifier implements AsyncDisposable {
  readonly #rooms: VerifierRooms;
  readonly #ending = new AbortController();
  #verdict: LedgerVerdict | null = null;
  #lastUs: number | null = null;
  #running: Promise<void> | null = null;

  constructor(rooms: VerifierRooms) {
    this.#rooms = rooms;
  }

  /** What was found last; begins anew when that is older than `everyMs`. */
  verdict(everyMs: number): LedgerVerdict | null {
    const us = this.#rooms.clock.monotonicUs();
    if (!this.#running && (this.#lastUs === null || us - this.#lastUs >= everyMs * 1000)) {
      this.#lastUs = us;
      this.#running = this.#verify().finally(() => (this.#running = null));
    }
    return this.#verdict;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }

  async #verify(): Promise<void> {
    const { clock, log, verify } = this.#rooms;
    try {
      const { findings, more } = await verify(this.#ending.signal);
      const texts = findings.map(({ seq, what }) => `${seq === null ? "ledger" : `entry ${seq}`}: ${what}`);
      this.#verdict = { atMs: clock.nowMs(), findings: more > 0 ? [...texts, `${more} further findings`] : texts };
    } catch (error) {
      if (this.#ending.signal.aborted) return;
      log.error("ledger.unverified", { error });
      // Invariant: what cannot be read is not taken as good.
      this.#verdict = { atMs: clock.nowMs(), findings: ["the ledger could not be verified; the daemon's log says why"] };
    }
  }
}
