/** A piece of a program. Of a string the text is what stands between the quotes; comments and spaces are left out. */
export interface CodeToken {
  readonly kind: "name" | "string" | "other";
  readonly text: string;
}

const names = /[\p{L}_$#@][\p{L}\p{N}_$]*/uy;

/** Tokens of a program; null where it cannot be cut for certain: an escape in a name, a string that is not closed, code within a string. */
export function tokensOf(text: string, language: "python" | "javascript"): readonly CodeToken[] | null {
  const tokens: CodeToken[] = [];
  for (let at = 0; at < text.length; ) {
    const comment = commentEnd(text, at, language);
    if (comment > at) {
      at = comment;
      continue;
    }
    const char = text.charAt(at);
    if (char === "\\") return null;
    // It may begin a pattern, and a quote or a comment within a pattern is none.
    if (language === "javascript" && char === "/" && /['"`]|\/[/*]/.test(text.slice(at + 1, lineEnd(text, at)))) return null;
    const quote = quoteAt(text, at, language);
    if (quote !== null) {
      const end = stringEnd(text, at + quote.length, quote);
      if (end < 0) return null;
      const inside = text.slice(at + quote.length, end);
      // An f-string, a template: what stands in braces is code of its own.
      const prefix = tokens.at(-1);
      const formatted = quote === "`" ? inside.includes("${") : prefix?.kind === "name" && /^[rb]?[ft][rb]?$/i.test(prefix.text) && inside.includes("{");
      if (formatted || inside.includes("\\")) tokens.push(...namesWithin(inside));
      tokens.push({ kind: "string", text: inside.includes("\\") ? "\\" : inside });
      at = end + quote.length;
      continue;
    }
    names.lastIndex = at;
    const name = names.exec(text)?.[0].normalize("NFKC");
    if (name !== undefined) tokens.push({ kind: "name", text: name });
    else if (!/[^\S\n]/.test(char)) tokens.push({ kind: "other", text: char });
    at = name === undefined ? at + 1 : names.lastIndex;
  }
  return tokens;
}

/** Every name in a text that may be code. */
const namesWithin = (inside: string): CodeToken[] => (inside.match(/[\p{L}_$][\p{L}\p{N}_$]*/gu) ?? []).map((text) => ({ kind: "name", text: text.normalize("NFKC") }));

function commentEnd(text: string, at: number, language: "python" | "javascript"): number {
  const mark = language === "python" ? "#" : "//";
  if (text.startsWith(mark, at)) return lineEnd(text, at);
  if (language === "python" || !text.startsWith("/*", at)) return at;
  const end = text.indexOf("*/", at + 2);
  return end < 0 ? text.length : end + 2;
}

const lineEnd = (text: string, at: number): number => {
  const end = text.indexOf("\n", at);
  return end < 0 ? text.length : end;
};

function quoteAt(text: string, at: number, language: "python" | "javascript"): string | null {
  if (language === "python") for (const quote of ['"""', "'''"]) if (text.startsWith(quote, at)) return quote;
  const char = text.charAt(at);
  return char === '"' || char === "'" || (language === "javascript" && char === "`") ? char : null;
}

/** Where a string ends; -1 where it does not. */
function stringEnd(text: string, from: number, quote: string): number {
  for (let at = from; at < text.length; at++) {
    if (text.charAt(at) === "\\") at += 1;
    else if (quote.length === 1 && quote !== "`" && text.charAt(at) === "\n") return -1;
    else if (text.startsWith(quote, at)) return at;
  }
  return -1;
}
