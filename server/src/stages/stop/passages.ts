import type { Action, Fault, Principal } from "@lanyard/contract";
import type { Exchange } from "../../base/exchange.ts";
import type { Passage } from "../../base/path.ts";

/** A call under way. */
export class OpenPassage implements Passage {
  readonly action: Action;
  readonly principal: Principal;
  readonly exchange: Exchange;
  /** Whether its contract says that it reads and does nothing else; not until its contract is known. */
  reads = false;
  /** Whether it carries what may go nowhere. */
  tainted = false;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  cut: Fault | null = null;
  readonly #stop = new AbortController();
  readonly #release: () => void;

  constructor(action: Action, principal: Principal, exchange: Exchange, end: (passage: OpenPassage) => void) {
    this.action = action;
    this.principal = principal;
    const { signal } = exchange;
    this.exchange = { ...exchange, signal: this.#stop.signal };
    const gone = () => this.#stop.abort(signal.reason);
    if (signal.aborted) gone();
    else signal.addEventListener("abort", gone, { once: true });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#release = () => {
      signal.removeEventListener("abort", gone);
      end(this);
      resolve();
    };
  }

  /** Ends what is under way. Without effect the second time. */
  stop(why: Fault): void {
    if (this.cut) return;
    this.cut = why;
    this.#stop.abort(why);
  }

  [Symbol.dispose](): void {
    this.#release();
  }
}

/** All calls under way: as many as sessions have places for. */
export class Passages {
  readonly #open = new Set<OpenPassage>();

  enter(action: Action, principal: Principal, exchange: Exchange): OpenPassage {
    const passage = new OpenPassage(action, principal, exchange, (ended) => this.#open.delete(ended));
    this.#open.add(passage);
    return passage;
  }

  /** Ends those for which `why` says so; returns them. */
  stop(why: (passage: OpenPassage) => Fault | null): OpenPassage[] {
    return [...this.#open].filter((passage) => {
      const fault = passage.cut ? null : why(passage);
      if (fault) passage.stop(fault);
      return fault !== null;
    });
  }
}
