import { Fault, isObject, parseJson, type Json, type JsonObject } from "@lanyard/contract";
import { limits } from "../../../base/limits.ts";
import type { Changed, Image } from "../image.ts";
import { answersOf, dialects, type Dialect, type TableShape } from "./dialect.ts";
import { changesOf, type DialectName, type Expression, type MakingStatement, type RowStatement, type TableName } from "../../../base/undo/sql-statement.ts";
import { quotedName } from "../../../base/undo/sql-tokens.ts";

/** What of one table is watched. Values and keys are literals of the database. */
interface RowsWatch {
  readonly table: TableName;
  readonly columns: readonly string[];
  readonly key: readonly string[];
  /** Key columns of each row, in the order of `key`. */
  readonly rows: readonly (readonly string[])[];
  readonly given: boolean;
  /** Number of the statement among those of the call that change something. */
  readonly at: number;
  /** Rows that the statement must have touched for the image to be of what it touched; -1 when it is not known before. */
  readonly count: number;
  /** For an insert: finds rows that look like the new ones, in a condition. */
  readonly like: string;
  /** Rows the statement spells out. */
  readonly most: number;
}

type Watch = RowsWatch | MakingStatement;

/** Rows, tables and indexes that a text of SQL touches, and what they are now: by place, values as literals of the database. */
export interface RowsImage {
  readonly watches: readonly Watch[];
  readonly image: Image;
}

/** Sends SQL that only reads; resolves with the tool's result. */
export type Query = (sql: string) => Promise<JsonObject>;

const cannot = (why: string): Fault => new Fault("irreversible", why);
const nameOf = ({ schema, name }: TableName): string => (schema === null ? name : `${schema}.${name}`);

/**
 * Taking back what `execute_sql` of dbhub did, on SQLite and PostgreSQL. It answers only for statements that it understands to the last word:
 * rows are read before by the statement's own condition, and after by their primary keys; a step back names every value it expects to find, so
 * that a row which somebody else changed is left alone by the database itself.
 */
export class SqlRows {
  readonly #dialect: Dialect;

  constructor(dialect: DialectName) {
    this.#dialect = dialects[dialect];
  }

  /** What the text may change, as it is now. Throws Fault `irreversible` when that cannot be taken back, for a reason that only the database knows. */
  async before(sql: string, query: Query): Promise<RowsImage> {
    const changes = changesOf(sql, this.#dialect.name);
    if (!changes) throw cannot("not every statement is understood");
    const watches: Watch[] = [];
    for (const [at, statement] of changes.entries()) watches.push(await this.#watch(statement, at, query));
    return { watches, image: await this.#image(watches, query) };
  }

  /**
   * The same again. `result`: what the tool said to the text, when this is right after it; null when that is not known, absent any time later.
   * Throws Fault `irreversible` when it was not what had been read before, or what is new cannot be told.
   */
  async again({ watches }: RowsImage, query: Query, { result }: { readonly result?: JsonObject | null } = {}): Promise<RowsImage> {
    const counts = result ? answersOf(textOf(result)) : null;
    const found: Watch[] = [];
    for (const one of watches) {
      const touched = "rows" in one && result !== undefined ? await this.#touched(one, counts?.[one.at]?.count ?? null, query) : one;
      if (result === null && "rows" in touched && touched.most > 0 && touched.rows.length === 0) throw cannot("nobody knows whether its rows are still to come");
      found.push(touched);
    }
    return { watches: found, image: await this.#image(found, query) };
  }

  /** Texts of SQL, each a call of its own, that take places back from `after` to `before`. Each touches only what is still as `after` says. */
  back({ watches }: RowsImage, changed: readonly Changed[]): string[] {
    return watches.flatMap((one) => {
      const places = new Set("rows" in one ? one.rows.map((row) => placeOf(one, row)) : [definitionPlace(one)]);
      const mine = changed.filter(({ place }) => places.has(place));
      return "rows" in one ? this.#rowsBack(one, mine) : mine.map(() => this.#dialect.dropText(one.kind, one.table));
    });
  }

  async #watch(statement: RowStatement | MakingStatement, at: number, query: Query): Promise<Watch> {
    const { table } = statement;
    if (!("where" in statement) && !("rows" in statement)) return statement;
    const shape = this.#dialect.shapeOf((await this.#read(this.#dialect.shapeQueries(table), query)).map(({ rows }) => rows));
    const same = this.#dialect.name === "sqlite" ? (name: string) => shape.columns.find((column) => column.toLowerCase() === name.toLowerCase()) : (name: string) => shape.columns.find((column) => column === name);
    const against = objections(statement, shape, same);
    if (against.length > 0) throw cannot(`\`${nameOf(table)}\`: ${against.join("; ")}`);
    const watch = { table, columns: shape.columns, key: shape.key, given: shape.given, at, like: "", most: 0 };
    if (statement.kind === "insert") {
      const like = statement.rows.map((row) => `(${this.#like(statement.columns ?? shape.columns, row)})`).join(" OR ");
      return { ...watch, like, most: statement.rows.length, count: -1, rows: await this.#keys(watch, like, query) };
    }
    const rows = await this.#keys(watch, statement.where?.text ?? "", query);
    return { ...watch, count: rows.length, rows };
  }

  /**
   * A row that an insert spells out, as a condition. Only what no database stores otherwise than it was written is in it; where that is nothing,
   * new rows are told from all there were.
   */
  #like(columns: readonly string[], row: readonly (Expression | null)[]): string {
    const known = row.flatMap((value, at) => (value && /^('.*'|[-+]? ?\d{1,15})$/s.test(value.text) ? [`${quotedName(columns[at] as string)} = ${value.text}`] : []));
    return known.length > 0 ? known.join(" AND ") : "true";
  }

  async #keys({ table, key }: Pick<RowsWatch, "table" | "key">, where: string, query: Query): Promise<string[][]> {
    const most = limits.undo_rows.value;
    const columns = key.map((column, at) => `${this.#dialect.asText(column)} AS k${at}`).join(", ");
    const [{ rows } = { rows: [] }] = await this.#read([`SELECT ${columns} FROM ${this.#dialect.tableText(table)}${where && ` WHERE ${where}`} LIMIT ${most + 1}`], query);
    if (rows.length > most) throw cannot(`more than ${most} rows (undo_rows)`);
    return rows.map((row) => key.map((_, at) => this.#literal(row[`k${at}`])));
  }

  /** After the effect: which rows it was, where that shows only now; and whether they are the rows that were read before. */
  async #touched(watch: RowsWatch, count: number | null, query: Query): Promise<RowsWatch> {
    if (watch.count >= 0) {
      if (count !== null && count !== watch.count) throw cannot(`${count} rows were changed where ${watch.count} had been read before`);
      return watch;
    }
    const known = new Set(watch.rows.map((row) => placeOf(watch, row)));
    const rows = (await this.#keys(watch, watch.like, query)).filter((row) => !known.has(placeOf(watch, row)));
    if (count === null ? rows.length > 0 && rows.length !== watch.most : rows.length !== count) throw cannot("which rows are new could not be told for certain");
    return { ...watch, rows, count: rows.length };
  }

  async #image(watches: readonly Watch[], query: Query): Promise<Image> {
    const image: Record<string, Json> = {};
    for (const watch of watches) {
      if (!("rows" in watch)) {
        image[definitionPlace(watch)] = await this.#definition(watch, query);
        continue;
      }
      // Rows that only looked like the new ones are somebody else's.
      if (watch.count < 0 || watch.rows.length === 0) continue;
      for (const row of watch.rows) image[placeOf(watch, row)] = null;
      const columns = watch.columns.map((column, at) => `${this.#dialect.asText(column)} AS c${at}`).join(", ");
      const [{ rows } = { rows: [] }] = await this.#read([`SELECT ${columns} FROM ${this.#dialect.tableText(watch.table)} WHERE ${this.#oneOf(watch)}`], query);
      for (const row of rows) {
        const values = Object.fromEntries(watch.columns.map((column, at) => [column, this.#literal(row[`c${at}`])]));
        image[placeOf(watch, watch.key.map((column) => values[column] as string))] = values;
      }
    }
    return image;
  }

  async #definition({ kind, table }: MakingStatement, query: Query): Promise<Json> {
    const [{ rows } = { rows: [] }] = await this.#read([this.#dialect.definitionQuery(kind, table)], query);
    const what = rows[0]?.["what"];
    if (what === undefined || what === null) return null;
    if (kind === "index") return { what };
    const [{ rows: counted } = { rows: [] }] = await this.#read([`SELECT count(*) AS n FROM ${this.#dialect.tableText(table)}`], query);
    return { what, rows: counted[0]?.["n"] ?? null };
  }

  #oneOf({ key, rows }: RowsWatch): string {
    if (key.length === 1) return `${quotedName(key[0] as string)} IN (${rows.map(([value]) => value).join(", ")})`;
    return rows.map((row) => `(${key.map((column, at) => `${quotedName(column)} = ${row[at]}`).join(" AND ")})`).join(" OR ");
  }

  /** One statement for what can be said in one, so that the way back is understood as well as the way there. */
  #rowsBack(watch: RowsWatch, changed: readonly Changed[]): string[] {
    const { columns, given } = watch;
    const table = this.#dialect.tableText(watch.table);
    const texts: string[] = [];
    const rows = changed.map(({ before, after }) => ({ was: before as Record<string, string> | null, is: after as Record<string, string> | null }));
    for (const some of runs(rows.filter(({ was }) => !was), 25)) texts.push(`DELETE FROM ${table} WHERE ${some.map(({ is }) => `(${this.#still(watch, is)})`).join(" OR ")}`);
    for (const { was, is } of rows) {
      if (!was || !is) continue;
      const set = columns.filter((column) => was[column] !== is[column]).map((column) => `${quotedName(column)} = ${was[column]}`);
      texts.push(`UPDATE ${table} SET ${set.join(", ")} WHERE ${this.#still(watch, is)}`);
    }
    for (const some of runs(rows.filter(({ is }) => !is), 25)) {
      const values = some.map(({ was }) => `(${columns.map((column) => was?.[column]).join(", ")})`);
      texts.push(`INSERT INTO ${table} (${columns.map(quotedName).join(", ")})${given ? " OVERRIDING SYSTEM VALUE" : ""} VALUES ${values.join(", ")}`);
    }
    return texts;
  }

  /** The key finds the row by its index; the other conditions make sure that it still is what the action left. */
  #still({ key, columns }: RowsWatch, is: Record<string, string> | null): string {
    return [...key.map((column) => `${quotedName(column)} = ${is?.[column]}`), ...columns.map((column) => this.#dialect.holds(column, is?.[column] as string))].join(" AND ");
  }

  #literal(value: Json | undefined): string {
    if (typeof value !== "string") throw cannot("a value has no literal in SQL");
    return this.#dialect.literal(value);
  }

  async #read(queries: readonly string[], query: Query): Promise<{ rows: JsonObject[]; count: number }[]> {
    const answers = answersOf(textOf(await query(queries.join("; "))));
    if (answers?.length !== queries.length) throw cannot("the database did not answer a query about what is there now");
    return answers;
  }
}

function objections(statement: RowStatement, shape: TableShape, named: (name: string) => string | undefined): string[] {
  if (!shape.exists) return ["there is no such table"];
  const where = statement.kind === "insert" ? [] : (statement.where?.columns ?? []);
  const used = statement.kind === "insert" ? (statement.columns ?? []) : statement.kind === "update" ? [...where, ...statement.set, ...statement.used] : where;
  const strange = used.filter((name) => named(name) === undefined);
  const wide = statement.kind === "insert" && statement.rows.some((row) => row.length > (statement.columns ?? shape.columns).length);
  return [
    ...shape.obstacles.all,
    ...(shape.key.length === 0 ? ["it has no primary key"] : []),
    ...(statement.kind === "insert" ? [] : shape.obstacles[statement.kind]),
    ...strange.map((name) => `it has no column \`${name}\` of its own`),
    ...(wide ? ["more values than columns"] : []),
    ...(statement.kind === "update" && statement.set.some((name) => shape.key.includes(named(name) ?? "")) ? ["the primary key itself is changed"] : []),
  ];
}

function* runs<T>(list: readonly T[], size: number): Iterable<readonly T[]> {
  for (let at = 0; at < list.length; at += size) yield list.slice(at, at + size);
}

const placeOf = ({ table }: Pick<RowsWatch, "table">, key: readonly string[]): string => `${nameOf(table)}[${key.join(", ")}]`;
const definitionPlace = ({ kind, table }: MakingStatement): string => `${kind} ${nameOf(table)}`;
/** What dbhub says is JSON in a text. */
function textOf(result: JsonObject): Json | undefined {
  if (result["isError"] === true || !Array.isArray(result["content"])) return undefined;
  const [part] = result["content"] as readonly Json[];
  try {
    return isObject(part) && typeof part["text"] === "string" ? (parseJson(part["text"]) as Json) : undefined;
  } catch {
    return undefined;
  }
}
