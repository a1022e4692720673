import { has, type Lexer } from "./lexemes.ts";
import { tags, type Printer, type Tag } from "./print.ts";

/** Is told that the fingerprint of a value lies in the printer, and what kind of value it is. */
export type Sink = (tag: Tag) => void;

/** A phrase is known as a whole up to so many lexemes. */
export const phraseLexemes = 8;
const wordChars = 3;
const piecesOfOne = 16;
/** Characters of a shingle, and how many in a row one is chosen from: a copy of `shingleChars + windowShingles - 1` letters and digits is always seen. */
const shingleChars = 24;
const windowShingles = 40;
export const copyChars = shingleChars + windowShingles - 1;

const [zero, nine, dot, comma, colon, slash, backslash, at, underscore] = [0x30, 0x39, 0x2e, 0x2c, 0x3a, 0x2f, 0x5c, 0x40, 0x5f] as const;
const isDigit = (code: number): boolean => code >= zero && code <= nine;
const isPlain = (code: number): boolean => isDigit(code) || (code >= 0x61 && code <= 0x7a) || code >= 0x80 || code === underscore;

/** Says the fingerprints of the values in a text that a lexer has read, each to a sink. One of them is told of one text after another. */
export class Atoms {
  readonly printer: Printer;
  /** Lexemes of the phrase that was told of last. */
  spanned = 0;
  readonly #lexer: Lexer;
  readonly #scratch = new Uint16Array(64);
  readonly #roll = new Uint32Array(0x100);
  readonly #window = new Uint32Array(windowShingles);

  constructor(printer: Printer, lexer: Lexer) {
    this.printer = printer;
    this.#lexer = lexer;
    for (let code = 0; code < this.#roll.length; code++) {
      this.#scratch[0] = code;
      printer.print(this.#scratch, 0, 1, tags.shingle);
      this.#roll[code] = printer.low;
    }
  }

  /** Lexemes `first` to `last`, as one value. */
  phrase(first: number, last: number, sink: Sink, tag: Tag = tags.word): void {
    const { norm, from, to } = this.#lexer;
    this.spanned = last - first + 1;
    this.#tell(norm, from[first] ?? 0, to[last] ?? 0, tag, sink);
  }

  /** All forms under which one lexeme is the same value elsewhere, beside its own: as a number, an account, a host, a URL. */
  forms(index: number, sink: Sink): void {
    const flags = this.#lexer.flags[index] ?? 0;
    if (flags & has.digit) {
      this.#numbers(index, sink);
      this.account(index, index, sink);
    }
    this.#web(index, sink);
  }

  /** Its parts, which do not stand for the whole: runs of letters and digits. */
  pieces(index: number, sink: Sink): void {
    const { norm, from, to } = this.#lexer;
    const end = to[index] ?? 0;
    let told = 0;
    for (let start = from[index] ?? 0, next = start; start < end && told < piecesOfOne; start = next + 1) {
      next = start;
      while (next < end && isPlain(norm[next] ?? 0)) next++;
      if (next - start < wordChars) continue;
      this.#tell(norm, start, next, tags.piece, sink);
      told++;
    }
  }

  /** The last component of a path; nothing where there is none. */
  base(index: number, sink: Sink): void {
    const { norm, from, to } = this.#lexer;
    const end = to[index] ?? 0;
    let start = end;
    while (start > (from[index] ?? 0) && norm[start - 1] !== slash && norm[start - 1] !== backslash) start--;
    if (start === from[index] || end - start < wordChars) return;
    this.#tell(norm, start, end, tags.word, sink);
  }

  /** Both halves of an address, the second as a domain and as a host; what is no address has none. */
  halves(index: number, sink: Sink): void {
    const { norm, from, to } = this.#lexer;
    const [start, end] = [from[index] ?? 0, to[index] ?? 0];
    const middle = norm.subarray(start, end).indexOf(at) + start;
    if (middle <= start || middle + 1 >= end || norm.subarray(middle + 1, end).includes(at)) return;
    this.#tell(norm, start, middle, tags.piece, sink);
    this.#tell(norm, middle + 1, end, tags.domain, sink);
    this.#tell(norm, middle + 1, end, tags.host, sink);
  }

  /** Lexemes `first` to `last` as an account, a card or a telephone number: an IBAN, or seven digits and more, whatever parts them. */
  account(first: number, last: number, sink: Sink): void {
    const { norm, from, to } = this.#lexer;
    let [length, digits] = [0, 0];
    for (let index = from[first] ?? 0; index < (to[last] ?? 0); index++) {
      const code = norm[index] ?? 0;
      if (!isPlain(code) || code === underscore) continue;
      if (length === 40 || code >= 0x80) return;
      this.#scratch[length++] = code;
      if (isDigit(code)) digits++;
    }
    const [a = 0, b = 0, c = 0, d = 0] = this.#scratch;
    const isIban = length >= 15 && length <= 34 && !isDigit(a) && !isDigit(b) && isDigit(c) && isDigit(d);
    if (!(isIban || (digits === length && digits >= 7))) return;
    const skip = !isIban && a === zero && b === zero ? 2 : 0; // 0049 is +49
    this.#tell(this.#scratch, skip, length, tags.account, isIban ? () => sink(tags.address) : sink);
  }

  /** Accounts that lie in several lexemes of one phrase, from `first` on. */
  accounts(first: number, last: number, sink: Sink): void {
    const { flags, from, to } = this.#lexer;
    const has0 = flags[first] ?? 0;
    if (!(has0 & has.digit) || last === first) return;
    const isNumber = !(has0 & has.letter);
    if (isNumber && first > 0 && this.#lexer.begins[first] === 0 && (flags[first - 1] ?? 0) & has.digit) return; // in the midst of one
    let end = first;
    while (end < last && end - first < 10) {
      const [own, chars] = [flags[end + 1] ?? 0, (to[end + 1] ?? 0) - (from[end + 1] ?? 0)];
      if (isNumber ? own & has.letter : chars > 4 || (!(own & has.digit) && !(end === first && chars === 4))) break;
      end++;
    }
    if (end > first) this.account(first, end, sink);
  }

  /** Of the whole text, so that copied sentences are known though they are parted, re-cased or embedded otherwise. */
  shingles(sink: Sink): void {
    const { solid, solidCount } = this.#lexer;
    const [table, window] = [this.#roll, this.#window];
    let [roll, chosen, chosenAt, told] = [0, 0, -1, -1];
    for (let end = 1; end <= solidCount; end++) {
      roll = ((roll << 1) | (roll >>> 31)) ^ (table[(solid[end - 1] as number) & 0xff] as number);
      const start = end - shingleChars;
      if (start < 0) continue;
      if (start > 0) {
        const gone = table[(solid[start - 1] as number) & 0xff] as number;
        roll ^= (gone << shingleChars) | (gone >>> (32 - shingleChars));
      }
      const rolled = roll >>> 0;
      window[start % windowShingles] = rolled;
      const oldest = start - windowShingles + 1;
      if (chosenAt < 0 || rolled <= chosen) {
        chosen = rolled;
        chosenAt = start;
      } else if (chosenAt < oldest) {
        chosenAt = this.#least(oldest, start);
        chosen = window[chosenAt % windowShingles] as number;
      }
      if (chosenAt === told || (oldest < 0 && end < solidCount)) continue;
      told = chosenAt;
      this.#tell(solid, chosenAt, chosenAt + shingleChars, tags.shingle, sink);
    }
  }

  #least(oldest: number, newest: number): number {
    const window = this.#window;
    let [place, least] = [newest, window[newest % windowShingles] as number];
    for (let start = newest - 1; start >= oldest; start--) {
      const own = window[start % windowShingles] as number;
      if (own < least) [place, least] = [start, own];
    }
    return place;
  }

  /** Where the host of a URL stands, without `www.` and port, with a scheme or without; null where there is none. */
  hostOf(index: number): { readonly from: number; readonly to: number; readonly hasUser: boolean; /** Where what stands before it begins, the scheme left out. */ readonly start: number } | null {
    const { norm, from, to, flags } = this.#lexer;
    const own = flags[index] ?? 0;
    if (!(own & (has.dot | has.scheme)) || (own & has.at && !(own & has.scheme))) return null;
    const end = to[index] ?? 0;
    let start = from[index] ?? 0;
    if (own & has.scheme) {
      while (start < end && norm[start] !== colon) start++;
      start += 3;
    }
    const authority = start;
    let hasUser = false;
    let hasDot = (own & has.scheme) !== 0;
    let stop = start;
    for (; stop < end; stop++) {
      const code = norm[stop] ?? 0;
      hasDot ||= code === dot && stop > start;
      if (code === at) [start, hasUser] = [stop + 1, true];
      else if (code === slash || code === backslash || code === 0x3f || code === 0x23) break;
    }
    if (norm[start] === 0x77 && norm[start + 1] === 0x77 && norm[start + 2] === 0x77 && norm[start + 3] === dot) start += 4;
    let host = start;
    while (host < stop && norm[host] !== colon) host++;
    return hasDot && host - start >= wordChars ? { from: start, to: host, hasUser, start: authority } : null;
  }

  /** A host, and with what stands behind it. */
  #web(index: number, sink: Sink): void {
    const host = this.hostOf(index);
    if (!host) return;
    const { norm, to } = this.#lexer;
    const end = to[index] ?? 0;
    this.#tell(norm, host.from, host.to, tags.host, sink);
    if (end > host.to || host.hasUser) this.#tell(norm, host.hasUser ? host.start : host.from, end, tags.url, sink);
  }

  /** A whole number as the hundredths of an amount. */
  hundredths(index: number, sink: Sink): void {
    for (const number of this.#numbersOf(index)) if (!number.includes(".") && number.length >= 3) this.#text(number, tags.minor, sink);
  }

  /** A number as the hundredths of an amount, however short. */
  minor(index: number, sink: Sink): void {
    for (const number of this.#numbersOf(index)) {
      const minor = inHundredths(number);
      if (minor === null) continue;
      this.#text(minor, tags.minor, sink);
      if (isShort(number)) this.#text(minor, tags.short, sink);
    }
  }

  /** `1,234.50`, `1.234,50`, `eur1234.5`: one number; and as an amount in hundredths. */
  #numbers(index: number, sink: Sink): void {
    for (const number of this.#numbersOf(index)) {
      if (number.length >= 3 && number.replace(".", "").length >= 3) this.#text(number, tags.number, sink);
      const minor = inHundredths(number);
      if (minor !== null && minor.length >= 3) this.#text(minor, isShort(number) ? tags.short : tags.minor, sink);
    }
  }

  /** The plain forms of a number that a lexeme is, with a currency before or behind it or without; most lexemes are none. */
  #numbersOf(index: number): readonly string[] {
    const { norm, from, to } = this.#lexer;
    const first = from[index] ?? 0;
    const last = Math.min(to[index] ?? 0, first + longestNumeral);
    let start = first;
    while (start < last && start - first < currencyLetters && isLatin(norm[start] ?? 0)) start++;
    if (start === last || !isDigit(norm[start] ?? 0)) return [];
    let [end, hasMark] = [start, false];
    for (; end < last; end++) {
      const code = norm[end] ?? 0;
      if (code === dot || code === comma) hasMark = true;
      else if (!isDigit(code)) break;
    }
    let rest = end;
    while (rest < last && rest - end < currencyLetters && isLatin(norm[rest] ?? 0)) rest++;
    if (rest < last) return [];
    if (hasMark) return formsOf(String.fromCharCode(...norm.subarray(start, end)));
    while (start < end && norm[start] === zero) start++;
    return [String.fromCharCode(...norm.subarray(start, end))];
  }

  #tell(chars: Uint16Array, from: number, to: number, tag: Tag, sink: Sink): void {
    this.printer.print(chars, from, to, tag);
    sink(tag);
  }

  #text(text: string, tag: Tag, sink: Sink): void {
    for (let index = 0; index < text.length; index++) this.#scratch[index] = text.charCodeAt(index);
    this.#tell(this.#scratch, 0, text.length, tag, sink);
  }
}

const longestNumeral = 40;
const currencyLetters = 3;
const isLatin = (code: number): boolean => code >= 0x61 && code <= 0x7a;

/** Of digits with marks in them; two where it is not told whether a mark parts thousands. */
function formsOf(body: string): readonly string[] {
  const [dots, commas] = [body.split(".").length - 1, body.split(",").length - 1];
  const mark = body.lastIndexOf(".") > body.lastIndexOf(",") ? "." : ",";
  const parts = body.split(/[.,]/);
  const isGrouped = parts.slice(1).every((part) => part.length === 3) && (parts[0]?.length ?? 0) <= 3;
  const one = (whole: string, fraction: string): string => {
    const tail = fraction.replace(/0+$/, "");
    return `${whole.replace(/^0+/, "")}${tail === "" ? "" : `.${tail}`}`;
  };
  const forms = [];
  if (isGrouped && !(dots > 0 && commas > 0)) forms.push(one(parts.join(""), ""));
  const marks = mark === "." ? dots : commas;
  if (marks === 1) forms.push(one(parts.slice(0, -1).join(""), parts.at(-1) ?? ""));
  return forms;
}

/** A count rather than an amount: whoever says 8 has not said 800. */
const isShort = (number: string): boolean => number.length < 3 && !number.includes(".");

/** Null where it is no amount: more than two places. */
function inHundredths(number: string): string | null {
  const point = number.indexOf(".");
  if (point < 0) return number === "" ? "" : `${number}00`;
  const [whole, fraction] = [number.slice(0, point), number.slice(point + 1)];
  return fraction.length > 2 ? null : `${whole}${fraction.padEnd(2, "0")}`.replace(/^0+/, "");
}
