import type { Effect } from "@lanyard/contract";

const mostHeld = 256;

/** Calls of a session about which people were asked and which have not gone through since, by digest, in the order in which they were first asked about. */
export class AskedAbout {
  readonly #calls = new Set<string>();

  /** What policy decided about a call; what it denies, nobody is asked about. */
  decided(digest: string, effect: Effect): void {
    if (effect === "allow") this.#calls.delete(digest);
    else if (effect === "ask" && this.#calls.size < mostHeld) this.#calls.add(digest);
  }

  /** Whether there was one before this call: what comes after it does not change what people were asked about it. */
  isBefore(digest: string): boolean {
    const [first] = this.#calls;
    return first !== undefined && first !== digest;
  }
}
