// As much of SQL as it takes to say what kind of statement a text is, on the safe side: whatever SQLite, PostgreSQL and MySQL could read
// differently is not read at all.

interface Token {
  readonly kind: "word" | "quoted" | "text" | "other";
  /** Words in lower case. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** A statement: its tokens, without comments. */
type Statement = readonly Token[];

const word = /[A-Za-z_][A-Za-z0-9_]*/y;
const comment = /--(?=[\s]|$)[^\r\n]*(?:\r?\n|$)|\/\*(?!!)(?:[^*/]|\*(?!\/)|\/(?!\*))*\*\//y;
const text = /'(?:[^'\\]|'')*'/y;
const quoted = /"(?:[^"\\]|"")*"|`[^`\\;]*`/y;
const brackets = /\[[A-Za-z0-9_ ,:]*\]/y;
const number = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y;
const other = /[-+*/%=<>!|&~^?:,.();@]/y;
const space = /[ \t\r\n\f]+/y;

/** Statements of a text; null when it is not certain what it says. */
const statements = (sql: string): Statement[] | null => {
  const found: Token[][] = [[]];
  let at = 0;
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    if (!pattern.test(sql)) return false;
    at = pattern.lastIndex;
    return true;
  };
  while (at < sql.length) {
    const start = at;
    if (take(space) || take(comment)) continue;
    const kind = take(text) ? "text" : take(quoted) ? "quoted" : take(word) ? "word" : take(brackets) || take(number) || take(other) ? "other" : null;
    if (kind === null) return null;
    const raw = sql.slice(start, at);
    if (raw === "-" && sql[at] === "-") return null; // `--x` is a comment to some
    if (raw === "/" && sql[at] === "*") return null; // a comment in a comment, or one that MySQL carries out
    // `e'...'`, `b'...'`, `n'...'`: texts with rules of their own.
    if (kind === "word" && raw.length <= 2 && sql[at] === "'") return null;
    if (raw === ";") found.push([]);
    else found.at(-1)?.push({ kind, text: kind === "word" ? raw.toLowerCase() : raw, start, end: at });
  }
  return found.filter((statement) => statement.length > 0);
};

/** What may stand before a parenthesis and has no effect: words of the language, and functions that only work something out. */
const harmless = new Set(
  `and or not in exists any all some case when then else end as on using over filter within values from join where having union except intersect select by limit offset between like is null distinct with
  count sum min max avg total coalesce nullif ifnull lower upper length char_length substr substring trim ltrim rtrim round abs floor ceil ceiling mod cast date time datetime julianday strftime
  extract to_char now current_date current_timestamp concat concat_ws group_concat string_agg array_agg json_agg json_extract json_object json_array row_number rank dense_rank lag lead greatest least instr position replace hex typeof printf format char quote to_regclass pragma_table_xinfo pragma_foreign_key_list`.split(/\s+/),
);

const changing = new Set(["insert", "update", "delete", "merge", "create", "drop", "alter", "truncate", "into", "call", "do", "copy"]);

const kindOf = (statement: Statement): string => {
  const [first] = statement;
  if (first?.kind !== "word") return "unknown";
  const asks = first.text === "select" || first.text === "values" || first.text === "with" || first.text === "explain";
  if (!asks) return first.text;
  const words = statement.filter(({ kind }) => kind === "word");
  const change = words.find(({ text: one }) => changing.has(one));
  if (change) return first.text === "with" && change.text !== "into" ? change.text : "unknown";
  const calls = statement.some(({ kind, text: one }, index) => (kind === "word" || kind === "quoted") && statement[index + 1]?.text === "(" && !(kind === "word" && harmless.has(one) && statement[index - 1]?.text !== ".") && !namesColumns(statement, index));
  if (calls) return "call";
  return first.text === "explain" ? "explain" : "select";
};

/** `with name (columns) as`: a name, no function. */
const namesColumns = (statement: Statement, index: number): boolean => {
  const before = statement[index - 1]?.text;
  if (before !== "with" && before !== "recursive" && before !== ",") return false;
  const close = statement.findIndex(({ text: one }, at) => at > index && one === ")");
  return statement[close + 1]?.text === "as" && statement.slice(index + 2, close).every(({ kind, text: one }) => kind === "word" || kind === "quoted" || one === ",");
};

/**
 * The kind of each statement: its first word in lower case (`insert`, `drop`, `begin`, `pragma`), `select` only for what certainly changes
 * nothing (also `values` and `with`), `call` for a query that calls functions of unknown effect, `unknown`. Null when the text cannot be read with certainty.
 */
export const sqlKinds = (sql: string): string[] | null => statements(sql)?.map(kindOf) ?? null;

/** A simple statement about one table, its parts as written. */
export interface SimpleStatement {
  readonly kind: "insert" | "update" | "delete";
  /** As written, quotes and schema included. */
  readonly table: string;
  /** The condition; empty when there is none: all rows. Of an insert always empty. */
  readonly where: string;
  /** Of an update the columns set, of an insert those named; as written. */
  readonly columns: readonly string[];
}

const clauses = new Set(["from", "returning", "order", "limit", "using", "on", "as", "join", "select", "default", "with", "or", "only", "low_priority", "ignore"]);

/** One `INSERT INTO t (...) VALUES`, `UPDATE t SET ... WHERE` or `DELETE FROM t WHERE`, without joins, aliases and other clauses; null for anything else. */
export const simpleStatement = (sql: string): SimpleStatement | null => {
  const all = statements(sql);
  const [statement] = all ?? [];
  const kind = statement ? kindOf(statement) : "";
  if (!statement || all?.length !== 1 || (kind !== "insert" && kind !== "update" && kind !== "delete")) return null;
  let at = kind === "update" ? 1 : 2;
  if (kind !== "update" && statement[1]?.text !== (kind === "insert" ? "into" : "from")) return null;
  const from = at;
  const isName = (token: Token | undefined) => token !== undefined && (token.kind === "quoted" || (token.kind === "word" && !clauses.has(token.text) && token.text !== "set"));
  if (!isName(statement[at])) return null;
  for (at++; statement[at]?.text === "." && isName(statement[at + 1]); at += 2);
  const table = sql.slice(statement[from]?.start, statement[at - 1]?.end);
  const rest = statement.slice(at);
  if (kind === "insert") return insertOf(sql, rest, table);
  const where = rest.findIndex(({ kind: of, text: one }) => of === "word" && one === "where");
  const head = where < 0 ? rest : rest.slice(0, where);
  const condition = where < 0 ? [] : rest.slice(where + 1);
  if (!isFlat(head) || !isFlat(condition) || (where >= 0 && condition.length === 0)) return null;
  const written = condition.length === 0 ? "" : sql.slice(condition[0]?.start, condition.at(-1)?.end);
  if (/--|\/\*/.test(written)) return null; // what is taken out of its place must not end in a comment
  if (kind === "delete") return head.length === 0 ? { kind, table, where: written, columns: [] } : null;
  const columns = columnsSet(head);
  return columns && { kind, table, where: written, columns };
};

/** No other clause, no query, no function in it. */
const isFlat = (tokens: Statement): boolean =>
  tokens.every(({ kind, text: one }, index) => kind !== "word" || ((one === "or" || !clauses.has(one)) && (tokens[index + 1]?.text !== "(" || harmless.has(one))));

const columnsSet = ([first, ...head]: Statement): readonly string[] | null => {
  if (first?.text !== "set") return null;
  const columns: string[] = [];
  let depth = 0;
  let open = true;
  head.forEach((token, index) => {
    if (token.text === "(" || token.text === ")") depth += token.text === "(" ? 1 : -1;
    if (open && head[index + 1]?.text === "=") columns.push(token.text);
    open = depth === 0 && token.text === ",";
  });
  return columns.length === 0 || head[0]?.text === "(" ? null : columns;
};

const insertOf = (sql: string, rest: Statement, table: string): SimpleStatement | null => {
  const values = rest.findIndex(({ text: one }) => one === "values");
  if (values < 0 || !isFlat(rest.slice(values + 1))) return null;
  const names = rest.slice(0, values).filter(({ text: one }) => one !== "(" && one !== ")" && one !== ",");
  if (!names.every(({ kind }) => kind === "word" || kind === "quoted")) return null;
  return { kind: "insert", table, where: "", columns: names.map(({ start, end }) => sql.slice(start, end)) };
};
