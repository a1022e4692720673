import type { ArgumentRole } from "@lanyard/contract";
import { names, remembered } from "../remembered.ts";
import type { ArgumentKind } from "./declared.ts";
import { looksLikeEmail } from "./email.ts";
import { looksGuarded, looksLikePath } from "./path.ts";
import { isAddressee, roleOfName } from "./roles.ts";
import { looksLikeUrl } from "./url.ts";
import { wordSet, wordsOf } from "./words.ts";

// Of what kind a value is where the contract says nothing. What could be carried out counts by the argument's name alone; all else must look like it, so
// that ordinary words stay what they are.

type Detected = Exclude<ArgumentKind, "text">;

const called = {
  sql: wordSet("sql"),
  query: wordSet("query queries statement statements q"),
  shell: wordSet("command commands cmd shell bash cmdline argv script"),
  code: wordSet("code program snippet python javascript js typescript expression source"),
  url: wordSet("url urls uri uris href link links endpoint webhook callback website"),
  path: wordSet("path paths file files filename filenames filepath filepaths pathname dir dirs directory directories folder folders cwd workdir"),
  place: wordSet("source destination src dst dest target from to root location"),
  email: wordSet("to cc bcc rcpt rcpts addressee addressees from email emails mail recipient recipients attendee attendees participant participants invitee invitees guest guests sender address addresses contact reviewer reviewers assignee member members user"),
  money: wordSet("amount amounts price total cost sum cents fee subtotal payment"),
} as const;

/** Words in the names of tools and servers whose plain texts are carried out. */
const tools = {
  sql: wordSet("sql database db postgres postgresql mysql mariadb sqlite mssql oracle bigquery snowflake redshift clickhouse duckdb supabase dbhub warehouse"),
  shell: wordSet("shell bash sh zsh terminal exec cmd powershell command console tmux ssh"),
  code: wordSet("python javascript js node code eval execute run interpreter repl notebook jupyter cell sandbox script evaluate lambda"),
} as const;

/** What the call is of, as far as it says what texts in it are. */
export interface ToolHints {
  readonly sql: boolean;
  readonly shell: boolean;
  readonly code: boolean;
}

export const hintsOf = (server: string, tool: string): ToolHints => (isOfSql(server) ? { ...hintsOfTool(tool), sql: true } : hintsOfTool(tool));

const isOfSql = remembered(names, (server) => wordsOf(server).some((word) => tools.sql.has(word)));
const hintsOfTool = remembered(names, (tool): ToolHints => {
  const speaksOf = (known: ReadonlySet<string>): boolean => wordsOf(tool).some((word) => known.has(word));
  return { sql: speaksOf(tools.sql), shell: speaksOf(tools.shell), code: speaksOf(tools.code) };
});

/** What the name of an argument says of what is in it. */
export interface ArgumentName {
  readonly words: readonly string[];
  readonly role: ArgumentRole;
  readonly isAddressee: boolean;
  /** By what values are called that are of a kind, or may be. */
  readonly is: Readonly<Record<keyof typeof called, boolean>>;
  /** A number of this name is an amount. */
  readonly isMoney: boolean;
  /** The number is of cents. */
  readonly isMinor: boolean;
  /** A plain text of this name is carried out by tools that carry out texts. */
  readonly isInput: boolean;
  readonly isSource: boolean;
  /** The way in which a text of this name can name recipients; null where it cannot. */
  readonly namesRecipients: RegExp | null;
}

const weak = /^(?:s|id|text|string|str|line|list|name|value|to|\d+)$/;
/** With one of these a name of money is one of something else: `payment_id`, `price_list`. */
const uncounted: ReadonlySet<string> = wordSet("count id ids tokens page pages number no ref reference method type status date day key list currency term terms link policy reason");

export const readName = remembered(names, (name): ArgumentName => {
  const words = wordsOf(name);
  const last = words.at(-1) ?? "";
  const isCounted = !words.some((word) => uncounted.has(word));
  const before = words.length > 1 && weak.test(last) ? (words.at(-2) ?? "") : "";
  return {
    words,
    role: roleOfName(words),
    isAddressee: isAddressee(words),
    is: Object.fromEntries(Object.entries(called).map(([kind, known]) => [kind, (known.has(last) || known.has(before)) && (kind !== "money" || isCounted)])) as ArgumentName["is"],
    isMoney: isCounted && words.some((word) => called.money.has(word)),
    isMinor: words.some((word) => word === "cents" || word === "minor" || word === "pence"),
    isInput: /^(?:args|arguments|input|code|text|keys|line)$/.test(last),
    isSource: last === "source",
    namesRecipients: recipientsBeside(words, last),
  };
});

/** Texts that hold arguments of their own, in whatever form. */
const forms = wordSet("payload raw mime params parameters options request fields form operations operation args arguments");

/** As lines of a mail's header do: among `headers`, or behind a line's end where one line is meant. Blanks are looked through from the last line's end alone, once. */
const recipientsBeside = (words: readonly string[], last: string): RegExp | null => {
  if (words.some((word) => word === "header" || word === "headers" || word === "envelope")) return /(?:^\s*|[\r\n][^\S\r\n]*)(?:resent-)?(?:to|b?cc)\s*:/i;
  if (forms.has(last)) return /(?:^|[\s{,&;"'[?])["']?(?:to|b?cc|rcpt|recipients?|iban|payee)["']?\s*[:=]\s*["'[]*[^\s"']/i;
  if (/^(?:action|actions|then)$/.test(last)) return /\b(?:forward|redirect|copy|send|bcc)\b[^@]{0,200}[^\s@]@[^\s@]/i;
  return /^(?:subject|title|name|from|sender|topic)$/.test(last) ? /[\r\n][^\S\r\n]*(?:resent-)?(?:to|b?cc)\s*:/i : null;
};

const name = String.raw`(?:[\w$]+|"[^"]+"|\`[^\`]+\`|\[[^\]]+\])(?:\.(?:[\w$]+|"[^"]+"|\`[^\`]+\`|\[[^\]]+\]))*`;
/** What comes after the first word of a statement and in no ordinary sentence, by that word. */
const continued: Readonly<Record<string, RegExp>> = Object.fromEntries(
  Object.entries({
    select: String.raw`(?:[^;]{0,2000}?[*,(."'=\d][^;]{0,2000}?(?:from|where|union|limit)\b|(?:distinct\s+)?\w+(?:\s+\w+)?\s+from\s+\S|\w[\w.]*\s*\(|['\d@])`,
    insert: String.raw`(?:or\s+\w+\s+|ignore\s+)?into\s+${name}\s*(?:\(|values\b|select\b|default\b|as\b|table\b|with\b)`,
    replace: String.raw`into\s+${name}\s*(?:\(|values\b|select\b)`,
    update: String.raw`(?:only\s+)?${name}(?:\s+(?:as\s+)?\w+)?\s+set\s+[\w."\`[\](), ]+=`,
    delete: String.raw`from\s+(?:only\s+)?${name}\s*(?:$|;|where\b|using\b|as\b|returning\b|--|/\*)`,
    merge: String.raw`into\s+${name}[^;]{0,400}?\susing\b`,
    with: String.raw`(?:recursive\s+)?${name}\s*(?:\([^)]*\)\s*)?as\s*(?:not\s+)?(?:materialized\s*)?\(`,
    create: String.raw`(?:or\s+replace\s+|temp\w*\s+|unique\s+|external\s+)*(?:table|database|schema|view|index|user|role|function|procedure|trigger|extension|sequence|type|materialized\s+view|policy)\s+(?:if\s+not\s+exists\s+|concurrently\s+)*${name}\s*(?:$|;|\(|as\b|on\b|with\b|for\b|before\b|after\b|from\b|identified\b|returns\b|authorization\b|partition\b|like\b)`,
    alter: String.raw`(?:table|database|schema|view|index|user|role|function|procedure|trigger|extension|sequence|type|policy|system|default)\s+(?:if\s+exists\s+|only\s+)*${name}\s+(?:add|drop|alter|rename|set|reset|owner|enable|disable|modify|change|to|with|attach|detach|no|inherit|validate|privileges)\b`,
    drop: String.raw`(?:table|database|schema|view|index|user|role|function|procedure|trigger|extension|sequence|type|materialized\s+view|policy|owned)\s+(?:if\s+exists\s+|concurrently\s+)*${name}\s*(?:$|;|,|cascade\b|restrict\b|on\b|\(|--)`,
    truncate: String.raw`(?:table\s+)?(?:only\s+)?${name}\s*(?:$|;|,|cascade\b|restart\b)`,
    grant: String.raw`[\w, ]+\s(?:on|to)\s[^;]{0,400}?(?:to\s|$)`,
    revoke: String.raw`[\w, ]+\s(?:on|from)\s[^;]{0,400}?(?:from\s|$)`,
    copy: String.raw`(?:${name}\s*(?:\([^)]*\)\s*)?|\([^;]{0,2000}?\)\s*)(?:from|to)\s+(?:'|program\b|stdin\b|stdout\b)`,
    explain: String.raw`(?:analyze\s+|verbose\s+|\([^)]*\)\s*)*(?:select|insert|update|delete|with|merge)\b`,
    pragma: String.raw`\w+\s*(?:$|;|=|\(|\.)`,
    attach: String.raw`(?:database\s+)?['"]`,
    exec: String.raw`(?:master\.\.)?(?:xp|sp)_\w+`,
    vacuum: String.raw`(?:$|;|full\b|into\b)`,
  }).map(([verb, after]) => [verb, new RegExp(`^\\s*${after}`, "i")]),
);

/** Whether it is a statement of SQL by its structure: a sentence that only begins with such a verb is none. */
export function looksLikeSql(text: string): boolean {
  const [lead, verb = ""] = /^(?:\s|\(|--[^\n]{0,1000}\n|\/\*[^*]{0,1000}\*\/|;){0,64}([a-z]{4,8})\b/i.exec(text) ?? [];
  return lead !== undefined && Object.hasOwn(continued, verb.toLowerCase()) && continued[verb.toLowerCase()]?.test(text.slice(lead.length, lead.length + 8192)) === true;
}

/** A line that only a program would have. */
const looksLikeCode = (text: string): boolean => /[;{}=()\n]/.test(text);

const noKinds: readonly Detected[] = [];

/** By what the argument is called and what it holds. `isChoice`: the tool's schema names all values that it can have. */
export function kindsOfText({ is, isInput, isSource }: ArgumentName, text: string, hints: ToolHints, isChoice: boolean): readonly Detected[] {
  if (text === "") return noKinds;
  let found: Detected[] | null = null;
  const add = (kind: Detected): unknown => (found === null ? (found = [kind]) : found.push(kind));
  const isSql = !isChoice && (is.sql || (is.query && hints.sql) || looksLikeSql(text));
  const isShell = !isChoice && ((is.shell && !isSql) || (hints.shell && isInput));
  if (isSql) add("sql");
  if (isShell) add("shell");
  if (!isChoice && is.code && !isSql && (hints.code || (!isSource && looksLikeCode(text)))) add("code");
  let isPath = false;
  if (looksLikeUrl(text) || (is.url && /[./:\\]/.test(text))) add("url");
  else if (text.indexOf("@") > 0 && (looksLikeEmail(text) || (is.email && /[^\s@]@[^\s@]/.test(text) && !text.includes("/")))) add("email");
  else isPath = !isSql && !isShell && (looksLikePath(text) || looksGuarded(text) || (is.path && isName(text)) || (is.place && /[/\\]/.test(text) && !/\s/.test(text)));
  if (isPath || /^file:/i.test(text)) add("path");
  if (is.money && /\d/.test(text)) add("money");
  return found ?? noKinds;
}

/** The name of a file and not what is in it. */
const isName = (text: string): boolean => text.length <= 4096 && !text.includes("\n");
