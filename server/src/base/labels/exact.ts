import { createHmac } from "node:crypto";
import type { Span } from "./span.ts";

/** What a set of values may have, so that none is found everywhere and none takes long: letters and digits of a value, words of it. */
export const exactBounds = { shortest: 4, longest: 128, words: 8 } as const;

const inWord = /[\p{L}\p{N}]/u;
const isWordCode = (code: number, letter: () => string): boolean =>
  code < 128 ? (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) : inWord.test(letter());

/** Letters and digits alone, lower case: how a value and a text are compared, so that `Ann-Lee Ng` is found as `ann lee NG`. */
export const compared = (text: string): string => text.normalize("NFKC").toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "");

/** Why a value cannot be looked for; null when it can. */
export function valueProblem(value: string): string | null {
  const length = compared(value).length;
  if (length < exactBounds.shortest) return `has ${length} letters and digits; at least ${exactBounds.shortest} are needed, or it would be found everywhere`;
  return length > exactBounds.longest ? `has ${length} letters and digits; at most ${exactBounds.longest} are compared` : null;
}

const multiplier = 0x01000193;

/**
 * A set of values that are known here by keyed hashes alone: a short one to pass over almost everything fast, and HMAC-SHA256 to be sure. Without
 * the key (which never leaves the data folder) neither can be tried out on guesses.
 */
export class ExactSet {
  readonly #key: Buffer;
  readonly #label: string;
  readonly #seed: number;
  readonly #short = new Set<number>();
  readonly #sure = new Set<string>();
  readonly #lengths = new Uint8Array(exactBounds.longest + 1);

  /** `key`: 32 secret bytes. Values without a {@link valueProblem}. */
  constructor({ key, label, values }: { key: Buffer; label: string; values: Iterable<string> }) {
    this.#key = key;
    this.#label = label;
    this.#seed = key.readUInt32LE(0);
    for (const value of values) {
      const plain = compared(value);
      this.#short.add(this.#roll(plain));
      this.#sure.add(this.#print(plain));
      this.#lengths[plain.length] = 1;
    }
  }

  get size(): number {
    return this.#sure.size;
  }

  /** Values that stand in a text as whole words, whatever stands between the words. `lower`: the text in lower case, letter for letter. */
  find(text: string): Span[] {
    const lower = text.toLowerCase();
    if (lower.length !== text.length) return this.#look(text, [...text].map((letter) => (letter.toLowerCase().length === letter.length ? letter.toLowerCase() : letter)).join(""));
    return this.#look(text, lower);
  }

  #look(text: string, lower: string): Span[] {
    const words = wordsOf(lower);
    const found: Span[] = [];
    for (let from = 0; from < words.length; from += 2) {
      const end = this.#longestFrom(lower, words, from);
      if (end < 0) continue;
      found.push({ label: this.#label, start: words[from] ?? 0, end: Math.min(text.length, end) });
      while (from + 2 < words.length && (words[from + 2] ?? 0) < end) from += 2;
    }
    return found;
  }

  /** Where the longest value that begins with this word ends; -1 when none does. */
  #longestFrom(lower: string, words: readonly number[], from: number): number {
    let hash = this.#seed;
    let length = 0;
    let best = -1;
    for (let at = from; at < words.length && at < from + 2 * exactBounds.words; at += 2) {
      const [start, end] = [words[at] ?? 0, words[at + 1] ?? 0];
      length += end - start;
      if (length > exactBounds.longest) break;
      for (let letter = start; letter < end; letter++) hash = Math.imul(hash ^ lower.charCodeAt(letter), multiplier);
      if (this.#lengths[length] !== 1 || !this.#short.has(mixed(hash))) continue;
      if (this.#sure.has(this.#print(compared(lower.slice(words[from] ?? 0, end))))) best = end;
    }
    return best;
  }

  #roll(plain: string): number {
    let hash = this.#seed;
    for (let at = 0; at < plain.length; at++) hash = Math.imul(hash ^ plain.charCodeAt(at), multiplier);
    return mixed(hash);
  }

  #print(plain: string): string {
    return createHmac("sha256", this.#key).update(plain).digest("base64url").slice(0, 22);
  }
}

const mixed = (hash: number): number => Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 0;

/** Where each word begins and ends, one after the other. */
function wordsOf(text: string): number[] {
  const words: number[] = [];
  let start = -1;
  for (let at = 0; at < text.length; at++) {
    const inside = isWordCode(text.charCodeAt(at), () => text[at] ?? "");
    if (inside && start < 0) start = at;
    if (!inside && start >= 0) {
      words.push(start, at);
      start = -1;
    }
  }
  if (start >= 0) words.push(start, text.length);
  return words;
}
