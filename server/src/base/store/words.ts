import { canonicalize } from "@lanyard/ledger";
import type { Words } from "./pack.ts";
import type { Statements } from "./statements.ts";

/** Where words lie. */
export interface WordShelf {
  find(text: string): number | null;
  add(text: string): number;
  text(id: number): string | null;
}

const maxCached = 16_384;

/** Words of one database with a bounded memory in front. */
export class WordBook implements Words {
  readonly #shelf: WordShelf;
  readonly #ids = new Map<string, number>();
  readonly #quoted = new Map<number, string>();
  readonly #keys = new Map<number, readonly string[]>();

  constructor(shelf: WordShelf) {
    this.#shelf = shelf;
  }

  idOf(text: string): number {
    const cached = this.#ids.get(text);
    if (cached !== undefined) return cached;
    const id = this.#shelf.find(text) ?? this.#shelf.add(text);
    if (this.#ids.size >= maxCached) this.#ids.clear();
    this.#ids.set(text, id);
    return id;
  }

  /** Number of a word that may not exist. */
  known(text: string): number | null {
    return this.#ids.get(text) ?? this.#shelf.find(text);
  }

  quoted(id: number): string {
    const cached = this.#quoted.get(id);
    if (cached !== undefined) return cached;
    const quoted = canonicalize(this.#text(id));
    if (this.#quoted.size >= maxCached) this.#quoted.clear();
    this.#quoted.set(id, quoted);
    return quoted;
  }

  keys(id: number): readonly string[] {
    const cached = this.#keys.get(id);
    if (cached !== undefined) return cached;
    const list = this.#text(id);
    const keys = list === "" ? [] : list.split(",");
    // Sorted and each once: with this, what is unpacked is canonical by construction.
    if (keys.some((key, at) => at > 0 && key <= (keys[at - 1] as string))) throw new RangeError(`word ${id} is no list of keys`);
    const prefixes = keys.map((key, at) => `${at > 0 ? "," : ""}${canonicalize(key)}:`);
    if (this.#keys.size >= maxCached) this.#keys.clear();
    this.#keys.set(id, prefixes);
    return prefixes;
  }

  /** After a roll-back: words added since may be gone. */
  forget(): void {
    this.#ids.clear();
    this.#quoted.clear();
    this.#keys.clear();
  }

  #text(id: number): string {
    const text = this.#shelf.text(id);
    if (text === null) throw new RangeError(`there is no word ${id}`);
    return text;
  }
}

/** The words of a database. */
export const wordsOf = (sql: Statements): WordBook =>
  new WordBook({
    find: (text) => (sql.findWord.get(text) as { id: number } | undefined)?.id ?? null,
    add: (text) => Number(sql.addWord.run(text).lastInsertRowid),
    text: (id) => (sql.wordText.get(id) as { text: string } | undefined)?.text ?? null,
  });
