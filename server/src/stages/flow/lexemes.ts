import { compatible, isAscii } from "../../base/compatible.ts";

// Text becomes lexemes: the runs of characters between white space, quotes and brackets, folded, of which values are made.

/** What a lexeme has in it. `joiner`: anything but letters, digits and `_`. */
export const has = { letter: 1, digit: 2, joiner: 4, at: 8, slash: 16, dot: 32, scheme: 64, capital: 128 } as const;

const [separator, letter, digit, joiner, webJoiner] = [0, 1, 2, 3, 4];
const classes = Uint8Array.from({ length: 128 }, (_, code) => {
  const char = String.fromCharCode(code);
  return /[a-z_]/i.test(char) ? letter : /\d/.test(char) ? digit : /[-.@/\\:#~%+]/.test(char) ? joiner : /[?=&!*^$]/.test(char) ? webJoiner : separator;
});

/** Characters that nobody sees part no values: what holds one is another value than what holds none. */
const isInvisible = (code: number): boolean => code === 0xad || (code >= 0x200b && code <= 0x200f) || (code >= 0x202a && code <= 0x202e) || (code >= 0x2060 && code <= 0x206f);
const isForeignSeparator = (code: number): boolean =>
  (code <= 0xbf && code !== 0xaa && code !== 0xb5 && code !== 0xba && code !== 0xad) || (code >= 0x2000 && code <= 0x20cf && !isInvisible(code)) || (code >= 0x3000 && code <= 0x303f && code !== 0x3005) || (code >= 0xff08 && code <= 0xff0c);
const classOf = (code: number): number => (code < 128 ? (classes[code] ?? separator) : isForeignSeparator(code) ? separator : letter);

const chars = (text: string): ReadonlySet<number> => new Set([...text].map((char) => char.charCodeAt(0)));
const [dot, at, slash, backslash, colon, comma, space, underscore] = [0x2e, 0x40, 0x2f, 0x5c, 0x3a, 0x2c, 0x20, 0x5f] as const;
/** What parts words, and not phrases. */
const gaps = chars(" '’*^&$\u00a0\u202f\u2009");
const leading = chars(":#@%+-");
const trailing = chars(".:#%+~\\?&=!/*$^");

/** Lower case, composed; characters that look alike stay what they are. */
export const folded = (text: string): string => (isAscii(text) ? text : text.normalize("NFC")).toLowerCase();

/** As {@link folded}, with compatible forms made one and without what nobody sees. Null when that changes nothing. */
export const looselyFolded = (text: string): string | null => {
  if (isAscii(text)) return null;
  const loose = compatible(text).toLowerCase();
  return loose === folded(text) ? null : loose;
};

/** Reads one text after another into the same arrays. */
export class Lexer {
  /** The lexemes with one space between any two. */
  norm = new Uint16Array(1024);
  from = new Uint32Array(256);
  to = new Uint32Array(256);
  /** Of {@link has}. */
  flags = new Uint8Array(256);
  /** 1 where a lexeme begins a phrase. */
  begins = new Uint8Array(256);
  count = 0;
  /** Letters and digits alone. */
  solid = new Uint16Array(1024);
  solidCount = 0;
  #end = 0;

  /** `text` is folded; `raw` as it was, if capitals are to be told and folding left every character in its place. */
  read(text: string, raw = ""): void {
    const capitals = raw.length === text.length;
    this.count = 0;
    this.#end = 0;
    this.solidCount = 0;
    if (this.norm.length < text.length + 1) [this.norm, this.solid] = [new Uint16Array(text.length * 2), new Uint16Array(text.length * 2)];
    let begins = true;
    for (let index = 0; index < text.length; ) {
      const code = text.charCodeAt(index);
      const kind = classOf(code);
      if (kind === separator || kind === webJoiner) {
        begins ||= !gaps.has(code);
        index++;
        continue;
      }
      const end = endOf(text, index);
      const last = withoutTail(text, index, end);
      const first = withoutHead(text, index, last);
      if (first < last) {
        this.#take(text, first, last, begins, capitals && raw.charCodeAt(first) !== text.charCodeAt(first));
        begins = false;
      }
      if (last < end || text.charCodeAt(end) === colon) begins = true;
      index = end === index ? index + 1 : end;
    }
  }

  #take(text: string, first: number, last: number, begins: boolean, capital: boolean): void {
    if (this.count === this.from.length) this.#grow();
    const { norm, solid, count } = this;
    let [end, solidCount, flags] = [this.#end, this.solidCount, capital ? has.capital : 0];
    if (end > 0) norm[end++] = space;
    this.from[count] = end;
    for (let index = first; index < last; index++) {
      const code = text.charCodeAt(index);
      const kind = code < 128 ? (classes[code] as number) : letter;
      norm[end++] = code;
      if (kind === letter) flags |= has.letter;
      else if (kind === digit) flags |= has.digit;
      else {
        flags |= has.joiner | (code === at ? has.at : code === slash || code === backslash ? has.slash : code === dot ? has.dot : code === colon && text.charCodeAt(index + 1) === slash && text.charCodeAt(index + 2) === slash ? has.scheme : 0);
        continue;
      }
      if (code !== underscore) solid[solidCount++] = code;
    }
    this.to[count] = end;
    this.flags[count] = flags;
    this.begins[count] = begins ? 1 : 0;
    this.count = count + 1;
    this.#end = end;
    this.solidCount = solidCount;
  }

  #grow(): void {
    const wider = <A extends Uint32Array | Uint8Array>(array: A, empty: A): A => (empty.set(array), empty);
    const length = this.from.length * 2;
    this.from = wider(this.from, new Uint32Array(length));
    this.to = wider(this.to, new Uint32Array(length));
    this.flags = wider(this.flags, new Uint8Array(length));
    this.begins = wider(this.begins, new Uint8Array(length));
  }
}

/** The end of the lexeme that begins at `index`. */
function endOf(text: string, index: number): number {
  let isWeb = false;
  let hasDot = false;
  let end = index;
  for (; end < text.length; end++) {
    const code = text.charCodeAt(end);
    const kind = code < 128 ? (classes[code] as number) : classOf(code);
    if (kind === letter || kind === digit) continue;
    const between = isDigit(text, end - 1) && isDigit(text, end + 1);
    if (kind === separator && !(code === comma && between && !isWeb)) break;
    if (kind === webJoiner && !isWeb) break;
    if (code === colon && !isWeb && !between) {
      if (text.charCodeAt(end + 1) !== slash || text.charCodeAt(end + 2) !== slash) break;
      isWeb = true;
      end += 2;
    }
    hasDot ||= code === dot;
    if (code === slash && hasDot) isWeb = true;
  }
  return end;
}

const isDigit = (text: string, index: number): boolean => classOf(text.charCodeAt(index)) === digit;

/** Where it ends without the marks behind it. */
function withoutTail(text: string, from: number, to: number): number {
  let last = to;
  while (last > from && isMark(text.charCodeAt(last - 1)) && trailing.has(text.charCodeAt(last - 1))) last--;
  return last;
}

/** Where it begins without the marks before it; `./name` is `name`, while `.name` and `../name` are what they are. */
function withoutHead(text: string, from: number, to: number): number {
  let first = from;
  for (; first < to; first++) {
    const code = text.charCodeAt(first);
    if (!isMark(code)) break;
    if (leading.has(code)) continue;
    if (code !== dot) break;
    const next = text.charCodeAt(first + 1);
    if (next === slash) first++;
    else if (next !== dot || text.charCodeAt(first + 2) === slash) break;
  }
  return first;
}

const isMark = (code: number): boolean => code < 128 && (classes[code] as number) >= joiner;
