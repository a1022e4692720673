import { formsOf } from "./encodings.ts";
import { Automaton } from "./scrubber.ts";

/** Finds which of several values lies in bytes, in any of the forms that a scrubber knows. One pass, whatever their number. */
export class Detector {
  readonly #names: readonly string[];
  readonly #automaton: Automaton;

  constructor(values: ReadonlyMap<string, string>) {
    const patterns = [...values].flatMap(([name, value]) => formsOf(value).map((bytes) => ({ name, bytes })));
    this.#names = patterns.map(({ name }) => name);
    this.#automaton = new Automaton(patterns);
  }

  /** The name of a value that is in it; null when none is. */
  find(text: string | Uint8Array): string | null {
    return this.stream()(typeof text === "string" ? Buffer.from(text, "utf8") : text);
  }

  /** The same over bytes that come in chunks, wherever they are cut. */
  stream(): (chunk: Uint8Array) => string | null {
    let node = 0;
    return (chunk) => {
      for (let index = 0; index < chunk.length; index++) {
        node = this.#automaton.next(node, chunk[index] as number);
        const pattern = this.#automaton.longest[node] as number;
        if (pattern >= 0) return this.#names[pattern] ?? null;
      }
      return null;
    };
  }
}
