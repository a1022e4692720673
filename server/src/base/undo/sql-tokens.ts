/** A piece of SQL. `text` is as written; `name` of a word or quoted name is as the database takes it: an unquoted one in lower case. */
export type Token =
  | { readonly kind: "word"; readonly text: string; readonly name: string }
  | { readonly kind: "quoted"; readonly text: string; readonly name: string }
  | { readonly kind: "text" | "number" | "blob"; readonly text: string }
  | { readonly kind: "sign"; readonly text: string };

const space = /[ \t\r\n]+/y;
// `"` inside is doubled. No escapes, no dollar quotes, no prefix but x: what databases read differently is not read at all.
const patterns: readonly (readonly [kind: Token["kind"], pattern: RegExp])[] = [
  ["blob", /[xX]'(?:[0-9a-fA-F]{2})*'/y],
  ["text", /'(?:[^'\0]|'')*'/y],
  ["quoted", /"(?:[^"\0]|"")+"/y],
  ["number", /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y],
  ["word", /[A-Za-z_][A-Za-z0-9_]*/y],
  ["sign", /<>|!=|<=|>=|\|\||[=<>+\-*/%(),.;]/y],
];

/**
 * The pieces of a text of SQL; null for anything outside what SQLite and PostgreSQL read alike: comments, dollar quotes, escapes,
 * parameters, casts by `::`, names beyond ASCII. What is not understood here is nothing that undo can answer for.
 */
export function tokensOf(sql: string): Token[] | null {
  const tokens: Token[] = [];
  for (let at = 0; at < sql.length; ) {
    space.lastIndex = at;
    if (space.test(sql)) {
      at = space.lastIndex;
      continue;
    }
    if (sql.startsWith("--", at) || sql.startsWith("/*", at)) return null;
    const token = nextToken(sql, at);
    if (token === null) return null;
    at += token.text.length;
    // `E'..'`, `1a`, `'a''b'` split in two: two pieces that touch without a sign between them are one piece that we misread.
    if (token.kind !== "sign" && /[A-Za-z0-9_'"$]/.test(sql.charAt(at))) return null;
    tokens.push(token);
  }
  return tokens;
}

function nextToken(sql: string, at: number): Token | null {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at;
    const text = pattern.exec(sql)?.[0];
    if (text === undefined) continue;
    if (kind === "word") return { kind, text, name: text.toLowerCase() };
    if (kind === "quoted") return { kind, text, name: text.slice(1, -1).replaceAll('""', '"') };
    return { kind, text };
  }
  return null;
}

/** A name as SQL text, whatever is in it. */
export const quotedName = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** A string as SQL text. Throws RangeError for a NUL, which no literal can carry. */
export function quotedText(text: string): string {
  if (text.includes("\0")) throw new RangeError("a string with NUL has no literal in SQL");
  return `'${text.replaceAll("'", "''")}'`;
}
