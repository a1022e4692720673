import { tokensOf, type Token } from "./sql-tokens.ts";

/** Databases whose statements undo can answer for. */
export const dialectNames = ["sqlite", "postgres"] as const;
export type DialectName = (typeof dialectNames)[number];

/** A table as a statement names it. */
export interface TableName {
  readonly schema: string | null;
  readonly name: string;
}

/** An expression: its text, and the names in it that must be columns of the table. */
export interface Expression {
  readonly text: string;
  readonly columns: readonly string[];
  /** False when it may give another value each time it is asked. */
  readonly stable: boolean;
}

/** A statement that changes rows of one table, as far as undo can answer for it. */
export type RowStatement =
  | { readonly kind: "insert"; readonly table: TableName; readonly columns: readonly string[] | null; /** null: the column's default. */ readonly rows: readonly (readonly (Expression | null)[])[] }
  | { readonly kind: "update"; readonly table: TableName; readonly set: readonly string[]; readonly used: readonly string[]; readonly where: Expression | null }
  | { readonly kind: "delete"; readonly table: TableName; readonly where: Expression | null };

/** A statement that makes a table or an index; `table` is then the index's own name. */
export interface MakingStatement {
  readonly kind: "table" | "index";
  readonly table: TableName;
}

export type Statement = { readonly kind: "select" } | RowStatement | MakingStatement;

/** Functions that always answer the same, and those that do not; neither changes anything. Any other may do anything. */
const stable = new Set(["quote", "abs", "coalesce", "nullif", "lower", "upper", "length", "trim", "ltrim", "rtrim", "replace", "substr", "substring", "round", "sign", "floor", "ceil", "mod", "instr", "concat", "left", "right", "greatest", "least"]);
const unstable = new Set(["now", "random", "datetime", "date", "time", "julianday", "unixepoch", "strftime", "gen_random_uuid", "clock_timestamp", "current_timestamp", "current_date", "current_time"]);
/** More of the kind, which only queries call: some of them over several rows. */
const queries = new Set(["count", "sum", "avg", "min", "max", "total", "group_concat", "string_agg", "row_number", "rank", "dense_rank", "lag", "lead", "typeof", "hex", "char", "json_extract", "date_trunc", "to_char", "cast", "extract", "to_regclass", "pragma_table_xinfo", "pragma_foreign_key_list"]);
const operators = new Set(["and", "or", "not", "in", "is", "null", "like", "between", "case", "when", "then", "else", "end", "true", "false"]);
const bare = new Set(["current_timestamp", "current_date", "current_time"]);
/** Words that make something other than a read of what begins with SELECT, or that no expression of ours has. */
const doing = new Set([
  ...["into", "insert", "update", "delete", "merge", "replace", "create", "drop", "alter", "truncate", "call", "do", "execute", "copy", "lock", "vacuum", "attach", "detach"],
  ...["pragma", "set", "reset", "begin", "commit", "rollback", "savepoint", "release", "grant", "revoke", "listen", "notify", "prepare", "share", "analyze", "reindex", "refresh"],
]);

/** Words that no column is called unless it is quoted: where one stands in an expression, there is more to it than we know. */
const reserved = new Set(["select", "as", "all", "any", "array", "cast", "collate", "cross", "distinct", "escape", "except", "exists", "fetch", "filter", "for", "from", "glob", "group", "having", "ilike", "intersect", "interval", "join", "limit", "match", "offset", "on", "order", "over", "regexp", "row", "similar", "some", "symmetric", "union", "using", "values", "where", "window", "with"]);

/** Reads tokens one after another; a parse that gives up throws this, and the text counts as not understood. */
class NotUnderstood extends Error {}

class Reader {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get done(): boolean {
    return this.#at >= this.#tokens.length;
  }

  peek(ahead = 0): Token | undefined {
    return this.#tokens[this.#at + ahead];
  }

  next(): Token {
    const token = this.#tokens[this.#at++];
    if (!token) throw new NotUnderstood();
    return token;
  }

  /** True, and past it, when the next word or sign is this one. */
  takes(text: string): boolean {
    const token = this.peek();
    const is = token?.kind === "word" ? token.name === text : token?.kind === "sign" && token.text === text;
    if (is) this.#at++;
    return is;
  }

  expect(...texts: readonly string[]): void {
    for (const text of texts) if (!this.takes(text)) throw new NotUnderstood();
  }

  name(): string {
    const token = this.next();
    if (token.kind !== "quoted" && (token.kind !== "word" || operators.has(token.name))) throw new NotUnderstood();
    return token.name;
  }

  table(): TableName {
    const first = this.name();
    return this.takes(".") ? { schema: first, name: this.name() } : { schema: null, name: first };
  }

  names(): string[] {
    const names: string[] = [];
    this.expect("(");
    do names.push(this.name());
    while (this.takes(","));
    this.expect(")");
    return names;
  }

  /** Up to a comma or one of `ends` outside of parentheses, or to the end. */
  expression(ends: readonly string[] = []): Expression {
    const parts: string[] = [];
    const columns: string[] = [];
    let steady = true;
    for (let depth = 0; !this.done; ) {
      const token = this.peek() as Token;
      if (depth === 0 && (token.text === "," || token.text === ")" || (token.kind === "word" && ends.includes(token.name)))) break;
      this.next();
      parts.push(token.text);
      if (token.text === "(") depth++;
      if (token.text === ")") depth--;
      if (token.text === ";" || token.text === ".") throw new NotUnderstood();
      if (token.kind === "quoted") columns.push(token.name);
      if (token.kind !== "word" || operators.has(token.name)) continue;
      const called = this.peek()?.text === "(";
      if (called ? !stable.has(token.name) && !unstable.has(token.name) : doing.has(token.name) || reserved.has(token.name)) throw new NotUnderstood();
      if (!called && !bare.has(token.name)) columns.push(token.name);
      if (called ? unstable.has(token.name) : bare.has(token.name)) steady = false;
    }
    if (parts.length === 0) throw new NotUnderstood();
    return { text: parts.join(" "), columns, stable: steady };
  }

  where(): Expression | null {
    return this.takes("where") ? this.expression(["returning"]) : null;
  }

  /** What a statement gives back changes nothing. */
  returning(): void {
    if (!this.takes("returning")) return;
    do if (!this.takes("*")) this.expression();
    while (this.takes(","));
  }
}

function insert(reader: Reader): Statement {
  reader.expect("into");
  const table = reader.table();
  const columns = reader.peek()?.text === "(" ? reader.names() : null;
  if (reader.takes("overriding")) reader.expect("system", "value");
  reader.expect("values");
  const rows: (Expression | null)[][] = [];
  do {
    const row: (Expression | null)[] = [];
    reader.expect("(");
    do row.push(reader.takes("default") ? null : reader.expression());
    while (reader.takes(","));
    reader.expect(")");
    rows.push(row);
  } while (reader.takes(","));
  reader.returning();
  if (rows.some((row) => row.some((value) => value !== null && value.columns.length > 0))) throw new NotUnderstood();
  return { kind: "insert", table, columns, rows };
}

function update(reader: Reader): Statement {
  const table = reader.table();
  reader.expect("set");
  const set: string[] = [];
  const used: string[] = [];
  do {
    set.push(reader.name());
    reader.expect("=");
    used.push(...reader.expression(["where", "returning", "from"]).columns);
  } while (reader.takes(","));
  const where = reader.where();
  reader.returning();
  return { kind: "update", table, set, used, where };
}

/** `CREATE TABLE t (...)`: what is in the parentheses only makes what dropping the table takes away. */
function createTable(reader: Reader): Statement {
  if (reader.takes("if")) reader.expect("not", "exists");
  const table = reader.table();
  reader.expect("(");
  for (let depth = 1; depth > 0; ) {
    const { text } = reader.next();
    if (text === ";") throw new NotUnderstood();
    depth += text === "(" ? 1 : text === ")" ? -1 : 0;
  }
  do {
    if (reader.takes("without")) reader.expect("rowid");
    else reader.takes("strict");
  } while (reader.takes(","));
  return { kind: "table", table };
}

function createIndex(reader: Reader): Statement {
  if (reader.takes("if")) reader.expect("not", "exists");
  const name = reader.name();
  reader.expect("on");
  const { schema } = reader.table(); // in which the index is, too
  reader.expect("(");
  do reader.expression();
  while (reader.takes(","));
  reader.expect(")");
  return { kind: "index", table: { schema, name } };
}

/** A query: nothing in it may do anything, and only functions that we know are called. */
function select(reader: Reader): Statement {
  for (let before: Token | undefined; !reader.done; ) {
    const token = reader.next();
    if (token.kind === "word") {
      const called = reader.peek()?.text === "(";
      // `replace` and `left` are functions too; `set` and `into` never are.
      if (doing.has(token.name) && !(called && stable.has(token.name))) throw new NotUnderstood();
      if (called && (before?.text === "." || !mayPrecedeParenthesis(token.name, before))) throw new NotUnderstood();
    }
    if (token.kind === "quoted" && reader.peek()?.text === "(") throw new NotUnderstood();
    before = token;
  }
  return { kind: "select" };
}

const clauses = new Set(["in", "as", "and", "or", "not", "on", "where", "from", "select", "exists", "values", "by", "when", "then", "else", "having", "over", "any", "all", "some", "using", "materialized", "join", "union", "except", "intersect", "like", "between", "is", "limit", "offset", "filter", "distinct", "case"]);
const mayPrecedeParenthesis = (name: string, before: Token | undefined): boolean =>
  clauses.has(name) || stable.has(name) || unstable.has(name) || queries.has(name) || (before?.kind === "word" && (before.name === "with" || before.name === "recursive"));

function statement(reader: Reader): Statement {
  if (reader.takes("insert")) return insert(reader);
  if (reader.takes("update")) return update(reader);
  if (reader.takes("delete")) {
    reader.expect("from");
    const table = reader.table();
    const where = reader.where();
    reader.returning();
    return { kind: "delete", table, where };
  }
  if (reader.takes("create")) {
    if (reader.takes("table")) return createTable(reader);
    reader.takes("unique");
    reader.expect("index");
    return createIndex(reader);
  }
  if (reader.takes("select") || reader.takes("with")) return select(reader);
  throw new NotUnderstood();
}

/** The statements of a text of SQL; null unless every one of them is understood to its last word. */
export function statementsOf(sql: string): Statement[] | null {
  const tokens = tokensOf(sql);
  if (!tokens) return null;
  const parts: Token[][] = [[]];
  for (const token of tokens) {
    if (token.text === ";") parts.push([]);
    else parts.at(-1)?.push(token);
  }
  try {
    const found = parts.filter((part) => part.length > 0).map((part) => {
      const reader = new Reader(part);
      const one = statement(reader);
      if (!reader.done) throw new NotUnderstood();
      return one;
    });
    return found.length > 0 ? found : null;
  } catch (error) {
    if (error instanceof NotUnderstood) return null;
    throw error;
  }
}

/** The statements of a text that change something, when undo can answer for all of them together on this database as far as the text alone tells; else null. */
export function changesOf(sql: string, on: DialectName): (RowStatement | MakingStatement)[] | null {
  const changes = statementsOf(sql)?.filter((one): one is RowStatement | MakingStatement => one.kind !== "select") ?? [];
  // What the second statement finds is not what was read before the first.
  if (changes.length === 0 || new Set(changes.map(({ table }) => table.name.toLowerCase())).size < changes.length) return null;
  const fits = changes.every((one) => (one.table.schema === null || on !== "sqlite") && !("where" in one && one.where?.stable === false));
  return fits ? changes : null;
}
