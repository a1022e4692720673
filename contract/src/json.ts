/** Any JSON value as RFC 8259 has it, already parsed. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A JSON object: what tool arguments, parameters and results are. */
export type JsonObject = { [key: string]: Json };

/** True for a plain JSON object: not null, not an array. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Reads JSON as RFC 8259 has it; like `JSON.parse`, but right. V8 up to 14.6 misreads a key that is written with an escape when another
 * object in the process had a key with a backslash before (nodejs/node#63785): `"\u0070ath"` becomes `"\\u00"`. Whoever sends such a key could
 * hide an argument from policy, so texts with an escaped key are read by a reader of our own. Throws SyntaxError.
 */
export const parseJson = (text: string): unknown => (text.includes("\\") && hasEscapedKey(text) ? new Reader(text).read() : JSON.parse(text));

/**
 * The first number of a JSON text, as it is written, that would be passed on as another one; null when there is none. `JSON.parse` makes of
 * an integer past 2^53 the nearest double without a word, of a number past all doubles nothing that JSON can write. Fractions below 2^53 are
 * rounded too, by less than anything that counts.
 */
export const inexactNumber = (text: string): string | null => {
  if (!/\d{16}|\d[eE]/.test(text)) return null;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      for (at += 1; at < text.length && text.charCodeAt(at) !== quote; at += 1) if (text.charCodeAt(at) === backslash) at += 1;
    } else if (code === minus || (code >= digit0 && code <= digit9)) {
      numeral.lastIndex = at;
      const [written = ""] = numeral.exec(text) ?? [];
      if (isInexact(written)) return written;
      at += Math.max(0, written.length - 1);
    }
  }
  return null;
};

const [minus, digit0, digit9] = [0x2d, 0x30, 0x39];
const numeral = /-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?/y;

const isInexact = (written: string): boolean => {
  const value = Number(written);
  if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) return false;
  return !Number.isFinite(value) || plain(written) !== plain(String(value));
};

/** A numeral as its digits without zeros at the end, and the power of ten they are multiplied by: two of one value are one. */
const plain = (written: string): string => {
  numeral.lastIndex = written.startsWith("-") ? 1 : 0;
  const [, whole = "", fraction = "", power = "0"] = numeral.exec(written) ?? [];
  const digits = `${whole}${fraction}`.replace(/^0+/, "");
  const shown = digits.replace(/0+$/, "");
  return `${shown}e${Number(power) - fraction.length + digits.length - shown.length}`;
};

const [quote, backslash, colon, comma] = [0x22, 0x5c, 0x3a, 0x2c];
const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;

/** Whether a string with an escape stands before a colon. Of what is no JSON the answer does not matter: both readers refuse it. */
const hasEscapedKey = (text: string): boolean => {
  let escape = text.indexOf("\\");
  for (let start = text.indexOf('"'), end = 0; start >= 0 && escape >= 0; start = text.indexOf('"', end + 1)) {
    end = text.indexOf('"', start + 1);
    while (end >= 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
    if (end < 0) return false;
    if (escape < start) escape = text.indexOf("\\", start);
    if (escape < 0 || escape > end) continue;
    let next = end + 1;
    while (isSpace(text.charCodeAt(next))) next += 1;
    if (text.charCodeAt(next) === colon) return true;
  }
  return false;
};

/** A quotation mark after an odd number of backslashes ends no string. */
const isEscaped = (text: string, at: number): boolean => {
  let before = at - 1;
  while (text.charCodeAt(before) === backslash) before -= 1;
  return (at - before) % 2 === 0;
};

/** Nesting past this is refused, so that no text can exhaust the stack. */
const maxDepth = 1000;
const escapes: Readonly<Record<string, string>> = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): Json {
    const value = this.#value(0);
    this.#space();
    return this.#at === this.#text.length ? value : this.#fail();
  }

  #value(depth: number): Json {
    if (depth > maxDepth) throw new SyntaxError(`JSON is nested deeper than ${maxDepth} levels`);
    this.#space();
    const first = this.#text[this.#at];
    if (first === "{") return this.#object(depth);
    if (first === "[") return this.#array(depth);
    if (first === '"') return this.#string();
    for (const [word, value] of [["true", true], ["false", false], ["null", null]] as const) if (this.#text.startsWith(word, this.#at)) return this.#after(word.length, value);
    const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
    number.lastIndex = this.#at;
    const found = number.exec(this.#text)?.[0];
    return found === undefined ? this.#fail() : this.#after(found.length, Number(found));
  }

  #object(depth: number): JsonObject {
    const object: JsonObject = {};
    this.#items("}", () => {
      this.#space();
      const key = this.#string();
      this.#space();
      if (this.#text.charCodeAt(this.#at) !== colon) this.#fail();
      this.#at += 1;
      // A field named `__proto__` is a field.
      Object.defineProperty(object, key, { value: this.#value(depth + 1), writable: true, enumerable: true, configurable: true });
    });
    return object;
  }

  #array(depth: number): Json[] {
    const array: Json[] = [];
    this.#items("]", () => array.push(this.#value(depth + 1)));
    return array;
  }

  /** What stands between this bracket and its end, separated by commas. */
  #items(end: string, item: () => void): void {
    this.#at += 1;
    this.#space();
    if (this.#text[this.#at] === end) return this.#after(1, undefined);
    for (;;) {
      item();
      this.#space();
      if (this.#text[this.#at] === end) return this.#after(1, undefined);
      if (this.#text.charCodeAt(this.#at) !== comma) this.#fail();
      this.#at += 1;
    }
  }

  #string(): string {
    if (this.#text.charCodeAt(this.#at) !== quote) this.#fail();
    const parts: string[] = [];
    let start = (this.#at += 1);
    for (let code = this.#text.charCodeAt(this.#at); code !== quote; code = this.#text.charCodeAt(this.#at)) {
      if (!(code >= 0x20)) this.#fail(); // control characters, and NaN at the end of the text
      if (code !== backslash) {
        this.#at += 1;
        continue;
      }
      parts.push(this.#text.slice(start, this.#at), this.#escape());
      start = this.#at;
    }
    parts.push(this.#text.slice(start, this.#at));
    return this.#after(1, parts.join(""));
  }

  #escape(): string {
    const letter = this.#text[this.#at + 1] ?? "";
    if (letter !== "u") return this.#after(2, escapes[letter] ?? this.#fail());
    const hex = this.#text.slice(this.#at + 2, this.#at + 6);
    return /^[0-9a-fA-F]{4}$/.test(hex) ? this.#after(6, String.fromCharCode(Number.parseInt(hex, 16))) : this.#fail();
  }

  #space(): void {
    while (isSpace(this.#text.charCodeAt(this.#at))) this.#at += 1;
  }

  #after<T>(length: number, value: T): T {
    this.#at += length;
    return value;
  }

  #fail(): never {
    throw new SyntaxError(`unexpected ${this.#at < this.#text.length ? "character" : "end"} in JSON at position ${this.#at}`);
  }
}
