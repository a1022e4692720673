/** What a look at the characters of a text of SQL tells, before any parser: whether every dialect would cut it into the same tokens. */
export interface SqlTokens {
  /** Null where all dialects read it alike; else what they disagree about. */
  readonly disagreement: string | null;
  /** The text with names in back quotes put in double quotes, as PostgreSQL writes them. */
  readonly quoted: string;
}

/** Words that are a statement, or begin one, in a dialect that wants no semicolon before it (T-SQL): elsewhere they could be an alias. */
const statementWords = /^(backup|break|checkpoint|commit|continue|dbcc|delimiter|exec|execute|go|kill|reconfigure|restore|return|revert|rollback|savepoint|shutdown|use|waitfor)$/i;

const strings = /'[^']*(?:''[^']*)*'|"[^"]*(?:""[^"]*)*"|`[^`]*(?:``[^`]*)*`/y;
const words = /[\p{L}_][\p{L}\p{N}_$]*/uy;
const others = /\s+|\$?\d[\w.]*|[^]/y;

/** Linear in the text; null, as soon as it is known, for one of more tokens than `most`. */
export function sqlTokens(text: string, most: number): SqlTokens | null {
  const controls = /[^\P{C}\t\n\r]|\r(?!\n)|[^\S\t\n\r ]/u.test(text);
  let disagreement = controls ? "characters that not every dialect takes for space" : null;
  let brackets = 0;
  let count = 0;
  let previous = "";
  let quoted = "";
  for (let at = 0; at < text.length; ) {
    const token = tokenAt(text, at);
    disagreement ??= disagreementIn(token, previous, brackets, text.slice(at, at + 3));
    if (token === "[") brackets += 1;
    if (token === "]") brackets = Math.max(0, brackets - 1);
    if (/\S/.test(token) && (count += 1) > most) return null;
    quoted += token.startsWith("`") && !/["`]/.test(token.slice(1, -1)) ? `"${token.slice(1, -1)}"` : token;
    previous = token;
    at += token.length;
  }
  return { disagreement, quoted };
}

function disagreementIn(token: string, previous: string, brackets: number, start: string): string | null {
  if (token.startsWith("--")) return /^--(\s|$)/.test(token) && brackets === 0 ? null : "a comment that MySQL reads as two minus signs";
  if (token.startsWith("/*")) return /^\/\*(?!M?!|\+)[^]*\*\/$/i.test(token) && token.length > 3 && !token.includes("/*", 2) && brackets === 0 ? null : "a comment that is code, nested or not closed";
  if (/^['"`]/.test(token)) return token.length > 1 && token.endsWith(token.charAt(0)) ? disagreementInString(token, previous, brackets, start) : "a quote that is not closed";
  if (statementWords.test(token)) return "a word that is a statement of its own in T-SQL";
  if (/^[#\\]/.test(token)) return "a character that begins a comment or a command in some dialects";
  return /\$(?!\d)/.test(token) ? "a dollar sign that may quote" : null;
}

function disagreementInString(token: string, previous: string, brackets: number, start: string): string | null {
  if (token.includes("\\")) return "a backslash in a string";
  if (/^('''|""")/.test(start)) return "three quotes in a row";
  if (/^(q|nq)$/i.test(previous)) return "a string with delimiters of its own";
  return brackets > 0 && token.includes("]") ? "a string in brackets that may end them" : null;
}

/** Whatever is not closed reaches to the end. */
function tokenAt(text: string, at: number): string {
  if (text.startsWith("--", at)) return text.slice(at, endOf(text, "\n", at));
  if (text.startsWith("/*", at)) return text.slice(at, endOf(text, "*/", at + 2));
  if (/['"`]/.test(text.charAt(at))) return take(strings, text, at) ?? text.slice(at);
  return take(words, text, at) ?? take(others, text, at) ?? text.slice(at);
}

const endOf = (text: string, mark: string, from: number): number => {
  const found = text.indexOf(mark, from);
  return found < 0 ? text.length : found + mark.length;
};

function take(pattern: RegExp, text: string, at: number): string | null {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? null;
}
