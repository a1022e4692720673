import { has, type Lexer } from "./lexemes.ts";

/** Parts of a person's name. */
const mostNames = 4;
const longest = 40;
const [dot, hyphen, underscore, space, v, zero, nine, at] = [0x2e, 0x2d, 0x5f, 0x20, 0x76, 0x30, 0x39, 0x40];
/** Of files that are sent and filed: what they are called before it says what is in them. */
const endings: ReadonlySet<string> = new Set("pdf doc docx odt rtf xls xlsx ods csv txt md ppt pptx png jpg jpeg eml ics".split(" "));
/** Shorter ones could be of anything. */
const shortestStem = 5;
const codesOf = (word: string): Uint16Array => Uint16Array.from(word, (character) => character.charCodeAt(0));
/** Environments, as people say them and as systems call them: each word, and the one that means the same. */
const environments = ([["prod", "production"], ["stage", "staging"], ["dev", "development"]] as const).flatMap(([short, long]) => [[codesOf(short), codesOf(long)], [codesOf(long), codesOf(short)]] as const);

/** How else a lexeme is written, where another spelling means the same: `martin.gale` is Martin Gale, `v4.3.0` is 4.3.0, `PO-1188.pdf` is about PO-1188. */
export class Spellings {
  readonly #chars = new Uint16Array(longest + 1);

  /** Tells each as characters of an array, from and to. */
  each(lexer: Lexer, index: number, put: (chars: Uint16Array, from: number, to: number) => void): void {
    const { norm, from, to, flags } = lexer;
    const [start, end] = [from[index] ?? 0, to[index] ?? 0];
    const own = flags[index] ?? 0;
    if (own & (has.at | has.slash | has.scheme) || end - start > longest) return;
    if (!(own & has.digit)) {
      for (const [word, same] of environments) if (isWord(norm, start, end, word)) put(same, 0, same.length);
      const length = this.#name(norm, start, end);
      if (length > 0) put(this.#chars, 0, length);
      return;
    }
    if (norm[start] === v && isVersion(norm, start + 1, end)) put(norm, start + 1, end);
    else if (isVersion(norm, start, end)) {
      this.#chars[0] = v;
      this.#chars.set(norm.subarray(start, end), 1);
      put(this.#chars, 0, end - start + 1);
    }
    const stem = norm.subarray(start, end).lastIndexOf(dot);
    if (stem >= shortestStem && endings.has(String.fromCharCode(...norm.subarray(start + stem + 1, end)))) put(norm, start, start + stem);
  }

  /** The name of an account that is made of somebody's name, with blanks; 0 characters where it is none. */
  #name(norm: Uint16Array, start: number, end: number): number {
    let parts = 1;
    for (let at = start, length = 0; at < end; at++) {
      const code = norm[at] ?? 0;
      const isPart = code === dot || code === hyphen || code === underscore;
      if (isPart ? length === 0 || at + 1 === end : isJoint(code)) return 0;
      parts += isPart ? 1 : 0;
      length = isPart ? 0 : length + 1;
      this.#chars[at - start] = isPart ? space : code;
    }
    return parts === 1 || parts > mostNames ? 0 : end - start;
  }
}

const isWord = (norm: Uint16Array, from: number, to: number, word: Uint16Array): boolean => to - from === word.length && word.every((code, at) => norm[from + at] === code);

/** Two numbers or more with dots between them. */
function isVersion(norm: Uint16Array, from: number, to: number): boolean {
  let dots = 0;
  for (let at = from, digits = 0; at < to; at++) {
    const code = norm[at] ?? 0;
    if (code === dot ? digits === 0 || at + 1 === to : code < zero || code > nine) return false;
    dots += code === dot ? 1 : 0;
    digits = code === dot ? 0 : digits + 1;
  }
  return dots > 0;
}

/** What is no letter, no digit and no underscore, of ASCII. */
export const isJoint = (code: number): boolean => code < 0x80 && !((code >= zero && code <= nine) || (code >= 0x61 && code <= 0x7a) || code === underscore);

/** Where a lexeme is an account that is made of names, `j.whitcombe` or `@j.whitcombe`: from and to, without the `@`; nothing where it is none. */
export function loginIn({ norm, from, to }: Lexer, index: number): readonly [from: number, to: number] {
  const [start, end] = [from[index] ?? 0, to[index] ?? 0];
  const isOne = end - start <= longest && /^@?[a-z]+(?:[._-][a-z]+)+$/.test(String.fromCharCode(...norm.subarray(start, end)));
  return isOne ? [norm[start] === at ? start + 1 : start, end] : [start, start];
}

/** Whether a path has a part that leads elsewhere than below what stands before it. */
export const hasDots = (norm: Uint16Array, from: number, to: number): boolean => /\/\.\.?(?:\/|$)/.test(String.fromCharCode(...norm.subarray(from, Math.min(to, from + 2048))));
