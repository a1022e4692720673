import { rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Dice } from "../fuzz/dice.ts";
import type { Postgres } from "./postgres.ts";
import { scratch } from "./world-filesystem.ts";
import { someText, type ActedWorld, type AgentStep, type Digest } from "./world.ts";

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;
const status = (dice: Dice): string => quoted(dice.pick(["open", "paid", "void", "it's"]));
const id = (dice: Dice): number => 1 + dice.below(8);

const rows = [
  "INSERT INTO orders (customer, cents, status) VALUES ('Ina', 1200, 'open'), ('Jo', 5600, 'open'), ('Kim', 900, 'paid'), ('O''Neill', 0, 'void')",
  "INSERT INTO people VALUES ('ina', 'Ina', 1.25, NULL), ('jo', 'Jo', NULL, 'likes \"quotes\" and \\backslashes\\')",
  "INSERT INTO lines VALUES (1, 1, 'nails', 10), (1, 2, 'hammer', 1), (2, 1, 'saw', 3)",
  "INSERT INTO guarded VALUES (1, 'seen'), (2, 'unseen')",
  "INSERT INTO loose VALUES ('no key'), ('no key')",
];

/** A statement as agents write them. Of the last ones nothing can be promised. */
function statement(dice: Dice): string {
  const cents = dice.below(9000);
  switch (dice.below(20)) {
    case 0:
    case 1:
    case 2:
      return `INSERT INTO orders (customer, cents, status) VALUES (${quoted(someText(dice).replaceAll("; ", ";"))}, ${cents}, ${status(dice)})`;
    case 3:
      return `INSERT INTO orders (customer, cents, status) VALUES ('twin', 1, 'open'), ('twin', 1, 'open')`;
    case 4:
      return `INSERT INTO people VALUES (${quoted(dice.pick(["ina", "mo", "zoe", "it's"]))}, ${quoted(someText(dice))}, ${dice.pick(["0.1", "-2.5", "NULL"])}, NULL)`;
    case 5:
    case 6:
    case 7:
      return `UPDATE orders SET status = ${status(dice)}, cents = cents + ${dice.below(10)} WHERE id = ${id(dice)}`;
    case 8:
      return `UPDATE orders SET status = ${status(dice)} WHERE status = ${status(dice)} AND cents > ${cents}`;
    case 9:
      return `UPDATE people SET note = ${quoted(someText(dice))}, score = ${dice.pick(["score * 2", "NULL", "0.30000000000000004"])}${dice.chance(50) ? " WHERE id = 'jo'" : ""}`;
    case 10:
      return `UPDATE lines SET amount = amount + 1 WHERE order_id = ${id(dice)} AND nr IN (1, 2)`;
    case 11:
    case 12:
      return `DELETE FROM orders WHERE id = ${id(dice)} OR cents < ${dice.below(500)}`;
    case 13:
      return `DELETE FROM lines WHERE item LIKE '%a%'`;
    case 14:
      return `UPDATE orders SET status = 'paid' WHERE id = ${id(dice)}; INSERT INTO lines VALUES (${id(dice)}, ${3 + dice.below(50)}, 'box', 1)`;
    case 15:
      return `CREATE TABLE made${dice.below(3)} (id INTEGER PRIMARY KEY, note TEXT)`;
    case 16:
      return `CREATE INDEX by_status${dice.below(3)} ON orders (status)`;
    case 17:
      return dice.pick(["SELECT count(*) FROM orders", "SELECT * FROM lines ORDER BY amount DESC LIMIT 2"]);
    case 18:
      return dice.pick(["UPDATE guarded SET note = 'x' WHERE id = 1", "INSERT INTO loose VALUES ('one more')", "UPDATE lines SET nr = nr + 100", "UPDATE nowhere SET a = 1"]);
    default:
      return dice.pick([`UPDATE orders SET cents = (SELECT max(cents) FROM orders) WHERE id = ${id(dice)}`, "DROP TABLE IF EXISTS made0", "DELETE FROM orders WHERE id IN (SELECT order_id FROM lines)", "ALTER TABLE loose ADD COLUMN more TEXT"]);
  }
}

const byOthers = (dice: Dice): string =>
  dice.pick([
    `UPDATE orders SET status = 'theirs', cents = ${dice.below(1000)} WHERE id = ${id(dice)}`,
    `DELETE FROM orders WHERE id = ${id(dice)}`,
    `INSERT INTO orders (customer, cents, status) VALUES ('theirs', ${dice.below(1000)}, 'open')`,
    `UPDATE people SET note = 'theirs ${dice.below(100)}' WHERE id = 'jo'`,
    `UPDATE lines SET amount = ${dice.below(100)} WHERE order_id = 1`,
  ]);

/** A SQLite database that an agent reaches through dbhub. */
export class SqliteWorld implements ActedWorld {
  readonly name = "sqlite";
  readonly servers: string;
  readonly contracts = "  lite: { use: sqlite }";
  readonly #folder = scratch();
  readonly #db = new DatabaseSync(join(this.#folder, "shop.db"), { timeout: 10_000 });

  constructor(programs: string) {
    this.servers = `  lite: { command: "${process.execPath}", args: ["${programs}/node_modules/@bytebase/dbhub/dist/index.js", "--transport", "stdio", "--dsn", "sqlite://${this.#folder}/shop.db"] }`;
  }

  async reset(): Promise<void> {
    for (const { name } of this.#db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'").all()) this.#db.exec(`DROP TABLE "${String(name)}"`);
    this.#db.exec(`
      CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT NOT NULL COLLATE NOCASE, cents INTEGER NOT NULL, status TEXT NOT NULL);
      CREATE TABLE people (id TEXT PRIMARY KEY, name TEXT, score REAL, note);
      CREATE TABLE lines (order_id INTEGER, nr INTEGER, item TEXT, amount INTEGER, PRIMARY KEY (order_id, nr)) WITHOUT ROWID;
      CREATE TABLE guarded (id INTEGER PRIMARY KEY, note TEXT);
      CREATE TRIGGER watch AFTER UPDATE ON guarded BEGIN INSERT INTO loose VALUES ('a trigger was here'); END;
      CREATE TABLE loose (note TEXT);
      ${rows.join(";")}`);
  }

  async digest(): Promise<Digest> {
    const found = new Map<string, string>();
    for (const { name, sql } of this.#db.prepare("SELECT name, sql FROM sqlite_master").all()) found.set(`schema ${String(name)}`, String(sql));
    for (const { name } of this.#db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all()) {
      const columns = this.#db.prepare("SELECT name, pk FROM pragma_table_info(?)").all(String(name));
      const key = columns.filter(({ pk }) => Number(pk) > 0).map((column) => `quote("${String(column["name"])}")`).join(" || ',' || ") || "rowid";
      const value = columns.map((column) => `typeof("${String(column["name"])}") || quote("${String(column["name"])}")`).join(" || ',' || ");
      for (const row of this.#db.prepare(`SELECT ${key} AS k, ${value} AS v FROM "${String(name)}"`).all()) found.set(`${String(name)} ${String(row["k"])}`, String(row["v"]));
    }
    return found;
  }

  next(dice: Dice): AgentStep {
    return { action: "lite/execute_sql", args: { sql: statement(dice) } };
  }

  async meddle(dice: Dice): Promise<void> {
    this.#db.exec(byOthers(dice));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#db.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A PostgreSQL database that an agent reaches through dbhub. */
export class PostgresWorld implements ActedWorld {
  readonly name = "postgres";
  readonly servers: string;
  readonly contracts = "  pg: { use: postgres }";
  readonly #server: Postgres;

  constructor(programs: string, server: Postgres) {
    this.#server = server;
    this.servers = `  pg: { command: "${process.execPath}", args: ["${programs}/node_modules/@bytebase/dbhub/dist/index.js", "--transport", "stdio", "--dsn", "${server.dsn}?sslmode=disable"] }`;
  }

  async reset(): Promise<void> {
    this.#server.query(`
      SET client_min_messages = error;
      DROP SCHEMA public CASCADE; CREATE SCHEMA public;
      CREATE TABLE orders (id INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer TEXT NOT NULL, cents INTEGER NOT NULL, status VARCHAR(20) NOT NULL, made TIMESTAMPTZ DEFAULT now());
      CREATE TABLE people (id TEXT PRIMARY KEY, name TEXT, score DOUBLE PRECISION, note TEXT, tags TEXT[] DEFAULT '{a,"b c"}', doc JSONB DEFAULT '{"a": [1, null]}', raw BYTEA DEFAULT '\\x00ff', flag BOOLEAN DEFAULT true, code CHAR(4) DEFAULT 'ab', total NUMERIC(12,3) GENERATED ALWAYS AS (1.5) STORED);
      CREATE TABLE lines (order_id INTEGER, nr INTEGER, item TEXT, amount INTEGER, PRIMARY KEY (order_id, nr));
      CREATE TABLE guarded (id INTEGER PRIMARY KEY, note TEXT);
      CREATE TABLE loose (note TEXT);
      CREATE FUNCTION watched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO loose VALUES ('a trigger was here'); RETURN NEW; END $$;
      CREATE TRIGGER watch AFTER UPDATE ON guarded FOR EACH ROW EXECUTE FUNCTION watched();
      ${rows.map((row) => row.replace("people VALUES", "people (id, name, score, note) VALUES")).join(";")};
      UPDATE orders SET made = '2026-01-01T00:00:00Z'`);
  }

  async digest(): Promise<Digest> {
    const list = this.#server.query("SELECT c.relname, c.relkind, coalesce((SELECT string_agg(concat(attname, ' ', atttypid), ',' ORDER BY attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND attnum > 0), '') FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i', 'v')");
    const found = new Map(list.map(([name, kind, columns]) => [`schema ${name}`, `${kind} ${columns}`]));
    const keys: Record<string, string> = { orders: "id::text", people: "id", lines: "order_id || ',' || nr", guarded: "id::text", loose: "ctid::text" };
    const all = list.flatMap(([name = "", kind]) => (kind === "r" ? [`SELECT '${name} ' || ${keys[name] ?? "id::text"}, replace(row_to_json(t)::text, E'\\n', '\\n') FROM "${name}" t`] : []));
    for (const [place = "", row = ""] of this.#server.query(all.join(" UNION ALL "))) found.set(place, row);
    return found;
  }

  next(dice: Dice): AgentStep {
    return { action: "pg/execute_sql", args: { sql: statement(dice).replace("people VALUES", "people (id, name, score, note) VALUES") } };
  }

  async meddle(dice: Dice): Promise<void> {
    this.#server.query(byOthers(dice));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}
