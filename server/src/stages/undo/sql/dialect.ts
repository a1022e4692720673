import { isObject, type Json, type JsonObject } from "@lanyard/contract";
import { quotedName, quotedText } from "../../../base/undo/sql-tokens.ts";
import type { DialectName, TableName } from "../../../base/undo/sql-statement.ts";

/** What a table is made of, as far as its rows can be put back. */
export interface TableShape {
  /** As the database names them, without those it computes itself. */
  readonly columns: readonly string[];
  readonly key: readonly string[];
  /** Columns whose values only `OVERRIDING SYSTEM VALUE` may give. */
  readonly given: boolean;
  /** Why a change of it may change more than its own rows, by kind of statement; empty when nothing speaks against it. */
  readonly obstacles: { readonly all: readonly string[]; readonly update: readonly string[]; readonly delete: readonly string[] };
  /** False when there is no such table. */
  readonly exists: boolean;
}

/** What differs between databases. Every query is a single read; a value is read as the text of a literal that gives exactly this value again. */
export interface Dialect {
  readonly name: DialectName;
  /** Queries that `shapeOf` reads the answers of, in this order. */
  shapeQueries(table: TableName): string[];
  shapeOf(answers: readonly (readonly JsonObject[])[]): TableShape;
  /** An expression that is a column's value as text; null for a value that has no literal. */
  asText(column: string): string;
  /** The literal for what `asText` gave. */
  literal(text: string): string;
  /** A condition that holds exactly when the column has the value of this literal: whatever the column's collation or type. */
  holds(column: string, literal: string): string;
  /** What a table is called in a statement. */
  tableText(table: TableName): string;
  /** A query with one row, `what`: the definition of a table or an index and how many rows are in it; null when there is none. */
  definitionQuery(kind: "table" | "index", table: TableName): string;
  dropText(kind: "table" | "index", table: TableName): string;
}

const yes = (value: Json | undefined): boolean => value === true || value === 1 || value === "t";
const text = (value: Json | undefined): string => (typeof value === "string" ? value : typeof value === "number" ? String(value) : "");
const changing = (rule: string): boolean => /^(cascade|set null|set default|c|n|d)$/i.test(rule);

const referring = (rows: readonly JsonObject[], column: string, what: string): string[] =>
  rows.some((row) => changing(text(row[column]))) ? [`other tables refer to it with ON ${what} CASCADE or SET`] : [];

const sqlite: Dialect = {
  name: "sqlite",
  shapeQueries: ({ name }) => {
    const is = (column: string) => `lower(${column}) = lower(${quotedText(name)})`;
    return [
      `SELECT name, pk, hidden FROM pragma_table_xinfo(${quotedText(name)})`,
      `SELECT type, sql FROM sqlite_master WHERE ${is("name")}`,
      `SELECT name FROM sqlite_master WHERE type = 'trigger' AND ${is("tbl_name")} UNION ALL SELECT name FROM sqlite_temp_master WHERE ${is("tbl_name")}`,
      `SELECT f.on_update AS on_update, f.on_delete AS on_delete FROM sqlite_master AS m JOIN pragma_foreign_key_list(m.name) AS f WHERE m.type = 'table' AND ${is('f."table"')}`,
    ];
  },
  shapeOf: ([columns = [], tables = [], triggers = [], keys = []]) => ({
    columns: columns.filter((row) => row["hidden"] === 0).map((row) => text(row["name"])),
    key: columns.filter((row) => Number(row["pk"]) > 0).sort((a, b) => Number(a["pk"]) - Number(b["pk"])).map((row) => text(row["name"])),
    given: false,
    exists: tables.length > 0,
    obstacles: {
      all: [
        ...(tables.length > 0 && (text(tables[0]?.["type"]) !== "table" || /^\s*create\s+virtual/i.test(text(tables[0]?.["sql"]))) ? ["it is no ordinary table"] : []),
        ...(triggers.length > 0 ? ["it has triggers, or a temporary table hides it"] : []),
      ],
      update: referring(keys, "on_update", "UPDATE"),
      delete: referring(keys, "on_delete", "DELETE"),
    },
  }),
  asText: (column) => `CASE WHEN typeof(${quotedName(column)}) = 'text' AND instr(${quotedName(column)}, char(0)) > 0 THEN NULL ELSE quote(${quotedName(column)}) END`,
  literal: (value) => value,
  holds: (column, literal) => `quote(${quotedName(column)}) = ${quotedText(literal)}`,
  tableText: ({ name }) => quotedName(name),
  definitionQuery: (kind, { name }) =>
    kind === "index"
      ? `SELECT sql AS what FROM sqlite_master WHERE type = 'index' AND lower(name) = lower(${quotedText(name)})`
      : `SELECT sql AS what FROM sqlite_master WHERE type = 'table' AND lower(name) = lower(${quotedText(name)})`,
  dropText: (kind, { name }) => `DROP ${kind.toUpperCase()} ${quotedName(name)}`,
};

const regclass = ({ schema, name }: TableName): string => `to_regclass(${quotedText(schema === null ? quotedName(name) : `${quotedName(schema)}.${quotedName(name)}`)})`;

const postgres: Dialect = {
  name: "postgres",
  shapeQueries: (table) => [
    `SELECT a.attname AS name, a.attgenerated <> '' AS computed, a.attidentity = 'a' AS given, EXISTS (SELECT 1 FROM pg_index AS i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey)) AS pk FROM pg_attribute AS a WHERE a.attrelid = ${regclass(table)} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
    `SELECT c.relkind AS kind, c.relrowsecurity AS guarded, c.relhasrules AS rules, c.relhassubclass AS parent, c.relispartition AS part, EXISTS (SELECT 1 FROM pg_trigger AS t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal) AS triggers FROM pg_class AS c WHERE c.oid = ${regclass(table)}`,
    `SELECT confupdtype AS on_update, confdeltype AS on_delete FROM pg_constraint WHERE contype = 'f' AND confrelid = ${regclass(table)}`,
  ],
  shapeOf: ([columns = [], tables = [], keys = []]) => {
    const about = tables[0] ?? {};
    return {
      columns: columns.filter((row) => !yes(row["computed"])).map((row) => text(row["name"])),
      key: columns.filter((row) => yes(row["pk"])).map((row) => text(row["name"])),
      given: columns.some((row) => yes(row["given"])),
      exists: tables.length > 0,
      obstacles: {
        all: [
          ...(tables.length > 0 && (text(about["kind"]) !== "r" || yes(about["parent"]) || yes(about["part"])) ? ["it is no ordinary table"] : []),
          ...(yes(about["triggers"]) || yes(about["rules"]) ? ["it has triggers or rules"] : []),
          ...(yes(about["guarded"]) ? ["rows of it may be hidden by row security"] : []),
        ],
        update: referring(keys, "on_update", "UPDATE"),
        delete: referring(keys, "on_delete", "DELETE"),
      },
    };
  },
  // The output form of every type is an input form of it; `concat` uses it, and is null for nothing.
  asText: (column) => `CASE WHEN ${quotedName(column)} IS NULL THEN 'NULL' ELSE concat('=', ${quotedName(column)}) END`,
  literal: (value) => (value === "NULL" ? "NULL" : quotedText(value.slice(1))),
  holds: (column, literal) => (literal === "NULL" ? `${quotedName(column)} IS NULL` : `concat(${quotedName(column)}) = ${literal} AND ${quotedName(column)} IS NOT NULL`),
  tableText: ({ schema, name }) => (schema === null ? quotedName(name) : `${quotedName(schema)}.${quotedName(name)}`),
  definitionQuery: (kind, table) =>
    kind === "index"
      ? `SELECT indexrelid AS what FROM pg_index WHERE indexrelid = ${regclass(table)}`
      : `SELECT string_agg(concat(a.attname, ' ', a.atttypid, ' ', a.atttypmod, ' ', a.attnotnull), ', ') AS what FROM pg_attribute AS a WHERE a.attrelid = ${regclass(table)} AND a.attnum > 0 AND NOT a.attisdropped HAVING count(*) > 0`,
  dropText: (kind, table) => `DROP ${kind.toUpperCase()} ${postgres.tableText(table)}`,
};

export const dialects: Readonly<Record<DialectName, Dialect>> = { sqlite, postgres };

/** Rows of each statement in an answer of dbhub's `execute_sql`, and how many rows it touched; null when it is no such answer, or not all of it. */
export function answersOf(content: Json | undefined): { rows: JsonObject[]; count: number }[] | null {
  const data = isObject(content) && content["success"] === true && isObject(content["data"]) ? content["data"]["statements"] : undefined;
  if (!Array.isArray(data)) return null;
  const answers: { rows: JsonObject[]; count: number }[] = [];
  for (const one of data) {
    if (!isObject(one) || !Array.isArray(one["rows"]) || typeof one["count"] !== "number" || one["truncated"] === true) return null;
    answers.push({ rows: one["rows"].filter(isObject), count: one["count"] });
  }
  return answers;
}
