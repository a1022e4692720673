import { TemporalError, type TextSpan } from "./syntax.ts";

/** `text` of a string is what it means, of anything else what is written. */
export interface TemporalToken extends TextSpan {
  readonly kind: "word" | "number" | "string" | "mark" | "end";
  readonly text: string;
}

const blank = /(?:\s|\uFEFF|\/\/[^\n]*)*/y;
const word = /[A-Za-z_]\w*/y;
const number = /\d+/y;
const quoted = /"(?:[^"\\]|\\[\s\S])*"/y;
const mark = /::|\|\||&&|==|!=|<=|>=|[{}()[\],.:;<>!*+-]/y;
const escape = /\\(?:u\{([0-9A-Fa-f]{1,6})\}|x([0-7][0-9A-Fa-f])|([\s\S]))/g;
const simple: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", "\\": "\\", "0": "\0", '"': '"', "'": "'" };

const end = (pattern: RegExp, text: string, at: number): number => {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
};

/** Cedar's escapes. */
const unquote = (text: string, place: TextSpan): string =>
  text.slice(1, -1).replaceAll(escape, (whole, unicode: string | undefined, byte: string | undefined, letter: string | undefined) => {
    const code = unicode ?? byte;
    const plain = code === undefined ? simple[letter ?? ""] : Number.parseInt(code, 16) <= 0x10ffff ? String.fromCodePoint(Number.parseInt(code, 16)) : undefined;
    if (plain === undefined || !plain.isWellFormed()) throw new TemporalError(`\`${whole}\` is no escape`, place, 'known are \\n \\r \\t \\0 \\\\ \\" \\\' \\x41 \\u{1F600}');
    return plain;
  });

/** The tokens of `text` from one offset to another, and an end. Throws TemporalError. */
export const tokensOf = (text: string, from: number, to: number): TemporalToken[] => {
  const tokens: TemporalToken[] = [];
  for (let at = end(blank, text, from); at < to; at = end(blank, text, at)) {
    const start = at;
    for (const [kind, pattern] of [["word", word], ["number", number], ["string", quoted], ["mark", mark]] as const) {
      at = end(pattern, text, start);
      if (at === start) continue;
      const written = text.slice(start, at);
      tokens.push({ kind, text: kind === "string" ? unquote(written, { at: start, end: at }) : written, at: start, end: at });
      break;
    }
    if (at === start) throw new TemporalError(text[start] === '"' ? "the text in quotes has no end" : `\`${String.fromCodePoint(text.codePointAt(start) ?? 0)}\` has no meaning here`, { at: start, end: start + 1 });
  }
  tokens.push({ kind: "end", text: "", at: to, end: to });
  return tokens;
};
