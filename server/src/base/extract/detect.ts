import type { ArgumentKind } from "./declared.ts";
import { looksLikeEmail } from "./email.ts";
import { looksLikePath } from "./path.ts";
import { looksLikeUrl } from "./url.ts";
import { wordsOf } from "./words.ts";

// Of what kind a value is where the contract says nothing. What could be carried out counts by the argument's name alone; all else must look like it, so
// that ordinary words stay what they are.

type Detected = Exclude<ArgumentKind, "text">;

const set = (words: string): ReadonlySet<string> => new Set(words.split(" "));

const names = {
  sql: set("sql"),
  query: set("query queries statement statements q"),
  shell: set("command commands cmd shell bash cmdline argv script"),
  code: set("code program snippet python javascript js typescript expression source"),
  url: set("url urls uri uris href link links endpoint webhook callback website"),
  path: set("path paths file files filename filenames filepath filepaths pathname dir dirs directory directories folder folders cwd workdir"),
  place: set("source destination src dst dest target from to root location"),
  email: set("to cc bcc from email emails mail recipient recipients attendee attendees participant participants invitee invitees guest guests sender address addresses contact reviewer reviewers assignee member members user"),
  money: set("amount amounts price total cost sum cents fee subtotal payment"),
} as const;

/** Words in the names of tools and servers whose plain texts are carried out. */
const tools = {
  sql: set("sql database db postgres postgresql mysql mariadb sqlite mssql oracle bigquery snowflake redshift clickhouse duckdb supabase dbhub warehouse"),
  shell: set("shell bash sh zsh terminal exec cmd powershell command console tmux ssh"),
  code: set("python javascript js node code eval execute run interpreter repl notebook jupyter cell sandbox script evaluate lambda"),
} as const;

/** What the call is of, as far as it says what texts in it are. */
export interface ToolHints {
  readonly sql: boolean;
  readonly shell: boolean;
  readonly code: boolean;
}

export function hintsOf(server: string, tool: string): ToolHints {
  const words = [...wordsOf(server), ...wordsOf(tool)];
  const speaksOf = (known: ReadonlySet<string>): boolean => words.some((word) => known.has(word));
  return { sql: speaksOf(tools.sql), shell: wordsOf(tool).some((word) => tools.shell.has(word)), code: wordsOf(tool).some((word) => tools.code.has(word)) };
}

/** A statement of SQL by its structure: a sentence that only begins with such a verb is none. */
const statement =
  /^(?:\s|--[^\n]*\n|\/\*[\s\S]*?\*\/|\()*(?:select\b[\s\S]*?\b(?:from|where|union|limit)\b|select\s+[\w.]+\s*\(|insert\s+(?:or\s+\w+\s+)?into\s|update\s+[\w."`[\]]+\s+set\s|delete\s+from\s|replace\s+into\s|merge\s+into\s|with\s+(?:recursive\s+)?\w+\s*(?:\([^)]*\)\s*)?as\s*(?:not\s+)?(?:materialized\s*)?\(|(?:create|alter|drop)\s+(?:or\s+replace\s+|temp\w*\s+|unique\s+)*(?:table|database|schema|view|index|user|role|function|procedure|trigger|extension|sequence|type|materialized|policy)\b|truncate\s+(?:table\s+)?[\w."`]+\s*;?\s*$|(?:grant|revoke)\s[\s\S]*?\s(?:on|to|from)\s|copy\s+[\w."(]+[\s\S]*?\s(?:from|to)\s|explain\s+(?:analyze\s+)?(?:select|insert|update|delete|with)\b|pragma\s+\w+|attach\s+(?:database\s+)?['"])/i;
export const looksLikeSql = (text: string): boolean => statement.test(text.slice(0, 4096));

/** A line that only a program would have. */
const looksLikeCode = (text: string): boolean => /[;{}=()\n]/.test(text);

/** By what the argument is called and what it holds. `isChoice`: the tool's schema names all values that it can have. */
export function kindsOfText(name: string, text: string, hints: ToolHints, isChoice: boolean): readonly Detected[] {
  if (text === "") return [];
  const found = new Set<Detected>();
  const words = wordsOf(name);
  const last = words.at(-1) ?? "";
  const isNamed = (known: ReadonlySet<string>): boolean => known.has(last) || (words.length > 1 && /^(?:s|id|text|string|str|line|list|name|value|to|\d+)$/.test(last) && known.has(words.at(-2) ?? ""));
  if (!isChoice) {
    if (isNamed(names.sql) || (isNamed(names.query) && (hints.sql || looksLikeSql(text))) || looksLikeSql(text)) found.add("sql");
    if ((isNamed(names.shell) && !found.has("sql")) || (hints.shell && /^(?:args|arguments|input|code|text|keys|line)$/.test(last))) found.add("shell");
    if (isNamed(names.code) && !found.has("sql") && (hints.code || (last !== "source" && looksLikeCode(text)))) found.add("code");
  }
  if (looksLikeUrl(text) || (isNamed(names.url) && /[./:\\]/.test(text))) found.add("url");
  else if (looksLikeEmail(text) || (isNamed(names.email) && /[^\s@]@[^\s@]/.test(text) && !/[/]/.test(text))) found.add("email");
  else if (!found.has("sql") && !found.has("shell") && (looksLikePath(text) || (isNamed(names.path) && isName(text)) || (isNamed(names.place) && /[/\\]/.test(text) && !/\s/.test(text)))) found.add("path");
  if (/^file:/i.test(text)) found.add("path");
  if (isNamed(names.money) && /\d/.test(text)) found.add("money");
  return [...found];
}

/** The name of a file and not what is in it. */
const isName = (text: string): boolean => text.length <= 4096 && !text.includes("\n");

export const isMoney = (name: string): boolean => {
  const words = wordsOf(name);
  return words.some((word) => names.money.has(word)) && !words.some((word) => word === "count" || word === "id" || word === "tokens" || word === "page" || word === "pages");
};

/** Whether the name says that the number is of cents. */
export const isMinor = (name: string): boolean => wordsOf(name).some((word) => word === "cents" || word === "minor" || word === "pence");
