import type { Clock } from "../../base/clock.ts";

interface HolderOptions {
  readonly clock: Clock;
  /** How long a session goes on without one. */
  readonly graceMs: () => number;
  readonly end: (session: string) => void;
}

interface Held {
  lines: number;
  grace: { cancel(): void } | null;
}

/**
 * Who holds the sessions that live no longer than the process they were opened for. A process that is killed closes nothing itself; what tells of it is that
 * the last line it held is gone, and that no other has come.
 */
export class Holders {
  readonly #options: HolderOptions;
  readonly #held = new Map<string, Held>();

  constructor(options: HolderOptions) {
    this.#options = options;
  }

  /** From here on somebody must hold it, or have done so lately. */
  expect(session: string): void {
    const held: Held = { lines: 0, grace: null };
    this.#held.set(session, held);
    this.#wait(session, held);
  }

  /** Holds it until disposed of; nothing for a session that nobody need hold. */
  hold(session: string): Disposable {
    const held = this.#held.get(session);
    held?.grace?.cancel();
    if (held) held.lines++;
    let isOpen = true;
    return {
      [Symbol.dispose]: () => {
        if (isOpen && held && --held.lines === 0) this.#wait(session, held);
        isOpen = false;
      },
    };
  }

  /** It has ended. */
  forget(session: string): void {
    this.#held.get(session)?.grace?.cancel();
    this.#held.delete(session);
  }

  #wait(session: string, held: Held): void {
    if (this.#held.get(session) !== held) return; // It has ended.
    held.grace = this.#options.clock.after(this.#options.graceMs(), () => this.#options.end(session));
  }

  /** Ends nothing any more. */
  dispose(): void {
    for (const session of [...this.#held.keys()]) this.forget(session);
  }
}
