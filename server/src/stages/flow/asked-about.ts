import type { Effect } from "@lanyard/contract";

const mostCalls = 256;

/** Calls of a session about which people were asked and which have not gone through since, by digest, in the order in which they were first asked about. */
export class AskedAbout {
  readonly #calls = new Map<string, number>();

  /** What policy decided about a call; what it denies, nobody is asked about. `seq`: its entry, where it has one already. */
  decided(digest: string, effect: Effect, seq = 0): void {
    if (effect === "allow") this.#calls.delete(digest);
    else if (effect === "ask" && this.#calls.size < mostCalls && !this.#calls.has(digest)) this.#calls.set(digest, seq);
  }

  /** The first of them, if that was before this call: what comes after it does not change what people were asked about it. Null when there is none. */
  before(digest: string): number | null {
    const [first] = this.#calls;
    return first !== undefined && first[0] !== digest ? first[1] : null;
  }
}
