import type { JsonObject } from "@lanyard/contract";
import { isWordOfKnown, type Authors } from "./authors.ts";
import { envelope } from "./reading.ts";
import type { ReadingPlaces } from "./values.ts";

/** Where MCP keeps a text, which is not of fields. */
export const whole = /^\/contents?\/\d+\/text$/;

/** Where MCP says what kind of part it is: nobody's word. */
export const kindOfPart = /^\/contents?\/\d+\/(?:type|mimeType)$/;

/** Where MCP itself names the parts of a result, below the result or one of its contents: these are no fields of what is in it. */
const enveloping = /^(?:\/contents?(?:\/\d+)?)?$/;

/**
 * Which parts of a result are trusted: a place is negative where the contrary holds of what holds of the result. Invariant: whatever stands in a field that is
 * excepted, in a record of somebody, or in a text within a text can lower trust, and never raise it: that is where strangers write.
 */
export class Parts {
  /** Whether some parts may be trusted and others not. */
  readonly differ: boolean;
  /** Records that are trusted for who wrote them, in the order in which they stand. */
  readonly records = new Set<JsonObject>();
  readonly #trusts: boolean;
  readonly #except: ReadonlySet<string>;
  readonly #author: Authors;
  readonly #places: ReadingPlaces;
  /** Places where trust is not raised any more. */
  readonly #closed = new Set<number>();

  constructor({ trust, except, author }: { readonly trust: "trusted" | "untrusted"; readonly except: ReadonlySet<string>; readonly author: Authors }, places: ReadingPlaces) {
    this.differ = except.size + author.size > 0;
    this.#trusts = trust === "trusted";
    this.#except = except;
    this.#author = author;
    this.#places = places;
  }

  /** The result is told of from its beginning. */
  begin(): void {
    this.records.clear();
    this.#closed.clear();
  }

  readonly child = (parent: number, key: string | number): number => {
    const isExcepted = typeof key === "string" && this.#except.has(key) && !(envelope.has(key) && enveloping.test(this.#places.at(Math.abs(parent))?.field ?? ""));
    const child = this.#places.child(Math.abs(parent), key);
    if (this.#author.size > 0 && (isExcepted || this.#closed.has(Math.abs(parent)))) this.#closed.add(child);
    return parent < 0 || isExcepted ? -child : child;
  };

  readonly enter = (record: JsonObject, at: number): number => {
    const isTrusted = this.#author.size === 0 ? null : isWordOfKnown(record, this.#author);
    if (isTrusted === null) return at;
    const isClosed = this.#closed.has(Math.abs(at));
    this.#closed.add(Math.abs(at));
    if (isTrusted && isClosed) return at;
    if (isTrusted) this.records.add(record);
    return isTrusted === this.#trusts ? Math.abs(at) : -Math.abs(at);
  };

  readonly unfold = (at: number): void => {
    if (this.#author.size > 0 && !whole.test(this.#places.at(Math.abs(at))?.field ?? "")) this.#closed.add(Math.abs(at));
  };
}
