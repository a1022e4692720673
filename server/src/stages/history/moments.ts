import type { Clock } from "../../base/clock.ts";

/**
 * The time that history goes by: the clock on the wall, but never back. One that is set back makes nothing younger and keeps no window open: until it
 * has caught up, time goes on as it passes.
 */
export class Moments {
  readonly #clock: Clock;
  #lastMs = 0;
  #lastUs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds since the epoch, never less than before; `wallMs`: what the clock on the wall says. */
  now(wallMs = this.#clock.nowMs()): number {
    const us = this.#clock.monotonicUs();
    const passedMs = Math.floor(Math.max(0, us - this.#lastUs) / 1000);
    if (wallMs >= this.#lastMs) [this.#lastMs, this.#lastUs] = [wallMs, us];
    else [this.#lastMs, this.#lastUs] = [this.#lastMs + passedMs, this.#lastUs + passedMs * 1000];
    return this.#lastMs;
  }

  /** There are events up to this time. */
  reach(atMs: number): void {
    if (atMs > this.now()) [this.#lastMs, this.#lastUs] = [atMs, this.#clock.monotonicUs()];
  }
}
