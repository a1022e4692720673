import type { JsonObject } from "@lanyard/contract";
import { isWordOfKnown, type Authors } from "./authors.ts";
import { envelope } from "./reading.ts";
import type { ReadingPlaces } from "./values.ts";

/** Where MCP keeps a text, which is not of fields, and where servers made with FastMCP repeat it. */
export const whole = /^\/(?:contents?\/\d+\/text|structuredContent\/result)$/;

/** Where MCP says what kind of part it is: nobody's word. */
export const kindOfPart = /^\/contents?\/\d+\/(?:type|mimeType)$/;

/** What MCP itself tells of a part of a result, such as its `type`. */
const content = /^\/contents?\/\d+$/;

/** Where MCP itself names the parts of a result, below the result or one of its contents: these are no fields of what is in it. */
const enveloping = /^(?:\/contents?(?:\/\d+)?)?$/;

/** Is told of each record, its place, and which of its fields the organisation vouches for: those it trusts, and those that say who wrote it. */
export type RecordSink = (record: JsonObject, place: number, isVouched: (field: string) => boolean) => void;

/**
 * Which parts of a result are trusted: a place is negative where the contrary holds of what holds of the result. Invariant: whatever stands in a field that is
 * excepted, in a record of somebody, or in a text within a text can lower trust, and never raise it: that is where strangers write.
 */
export class Parts {
  /** Whether some parts may be trusted and others not. */
  readonly differ: boolean;
  readonly #trusts: boolean;
  readonly #except: ReadonlySet<string>;
  readonly #author: Authors;
  readonly #places: ReadingPlaces;
  readonly #record: RecordSink;
  /** Places where no record is its author's word any more: fields that are excepted, and records of somebody. */
  readonly #closed = new Set<number>();
  /** Places in a text within a text: what is written there may look like fields. */
  readonly #quoted = new Set<number>();

  constructor({ trust, except, author }: { readonly trust: "trusted" | "untrusted"; readonly except: ReadonlySet<string>; readonly author: Authors }, places: ReadingPlaces, record: RecordSink) {
    this.differ = except.size + author.size > 0;
    this.#trusts = trust === "trusted";
    this.#except = except;
    this.#author = author;
    this.#places = places;
    this.#record = record;
  }

  /** The result is told of from its beginning. */
  begin(): void {
    this.#closed.clear();
    this.#quoted.clear();
  }

  readonly child = (parent: number, key: string | number): number => {
    const above = Math.abs(parent);
    const isQuoted = this.#quoted.has(above);
    const isExcepted = typeof key === "string" && this.#isExcepted(key, above) && !(envelope.has(key) && enveloping.test(this.#places.at(above)?.field ?? ""));
    const child = this.#places.child(above, key);
    if (isQuoted) this.#quoted.add(child);
    if (this.#author.size > 0 && (isExcepted || this.#closed.has(above))) this.#closed.add(child);
    return parent < 0 || isExcepted ? -child : child;
  };

  readonly enter = (record: JsonObject, at: number): number => {
    const isClosed = this.#closed.has(Math.abs(at)) || this.#quoted.has(Math.abs(at));
    const own = this.#turned(record, at, isClosed);
    if (this.differ || this.#trusts) this.#record(record, Math.abs(own), (field) => (this.#author.has(field) ? !isClosed : (own < 0 || this.#isExcepted(field, own)) !== this.#trusts));
    return own;
  };

  /** A text within a text is whoever's that is. */
  readonly unfold = (at: number): void => {
    if (this.differ && !whole.test(this.#places.at(Math.abs(at))?.field ?? "")) this.#quoted.add(Math.abs(at));
  };

  #isExcepted(field: string, place: number): boolean {
    return this.#except.has(field) && (this.#trusts || !this.#quoted.has(Math.abs(place)));
  }

  #turned(record: JsonObject, at: number, isClosed: boolean): number {
    const isTrusted = this.#author.size === 0 || content.test(this.#places.at(Math.abs(at))?.field ?? "") ? null : isWordOfKnown(record, this.#author);
    if (isTrusted === null) return at;
    this.#closed.add(Math.abs(at));
    if (isTrusted && isClosed) return at;
    return isTrusted === this.#trusts ? Math.abs(at) : -Math.abs(at);
  }
}
