import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Json, JsonObject } from "@lanyard/contract";
import { changesOf, statementsOf } from "../../../base/undo/sql-statement.ts";
import { changesBetween } from "../image.ts";
import { sqlKinds } from "../../../base/undo/sql.ts";
import { dialects } from "./dialect.ts";
import { SqlRows, type Query } from "./rows.ts";

const rows = new SqlRows("sqlite");

/** A database that answers as dbhub does. */
class Shop {
  readonly db = new DatabaseSync(":memory:");

  constructor(ddl = "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b TEXT COLLATE NOCASE, c REAL, d BLOB)") {
    this.db.exec(ddl);
  }

  readonly query: Query = async (text) => {
    try {
      const statements = text.split("; ").map((sql) => {
        const rows = this.db.prepare(sql).all() as JsonObject[];
        const count = /^\s*(select|with)/i.test(sql) ? rows.length : Number((this.db.prepare("SELECT changes() AS n").get() as { n: number }).n);
        return { sql, rows, count };
      });
      return answer({ success: true, data: { statements: statements as unknown as Json } });
    } catch (error) {
      return { isError: true, content: [{ type: "text", text: String(error) }] };
    }
  };

  get state(): string {
    return JSON.stringify(this.db.prepare("SELECT id, typeof(a) ta, quote(a) a, quote(b) b, typeof(c) tc, quote(c) c, quote(d) d FROM t ORDER BY id").all());
  }
}

const answer = (value: JsonObject): JsonObject => ({ content: [{ type: "text", text: JSON.stringify(value) }] });

/** Does it, and gives what takes it back. */
async function done(shop: Shop, sql: string): Promise<() => Promise<void>> {
  expect([sql, changesOf(sql, "sqlite")]).not.toEqual([sql, null]);
  const before = await rows.before(sql, shop.query);
  const after = await rows.again(before, shop.query, { result: await shop.query(sql) });
  return async () => {
    for (const back of rows.back(after, changesBetween(before.image, after.image))) {
      if (!back.startsWith("DROP")) expect(statementsOf(back)).not.toBeNull();
      await shop.query(back);
    }
  };
}

const text = fc.string({ unit: "grapheme", maxLength: 8 }).map((value) => value.replaceAll("\0", "").replaceAll("; ", ";"));
const literal = fc.oneof(
  fc.constantFrom("NULL", "0", "-1", "9223372036854775807", "1e300", "x''", "x'00ff'", "''", "now()"),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => String(value)),
  text.map((value) => `'${value.replaceAll("'", "''")}'`),
);
const id = fc.integer({ min: 1, max: 6 });
const statement = fc.oneof(
  fc.record({ a: literal, b: text, c: literal, d: literal }).map(({ a, b, c, d }) => `INSERT INTO t (a, b, c, d) VALUES (${a.replace("now()", "random()")}, '${b.replaceAll("'", "''")}', ${c.replace("now()", "1")}, ${d.replace("now()", "2")})`),
  fc.record({ id, a: literal, d: literal }).map(({ id: key, a, d }) => `UPDATE t SET a = ${a.replace("now()", "random()")}, d = ${d.replace("now()", "c")} WHERE id >= ${key}`),
  id.map((key) => `UPDATE t SET b = upper(b) || 'x', c = c + 1 WHERE id <> ${key}`),
  id.map((key) => `DELETE FROM t WHERE id <= ${key}`),
  fc.constant("DELETE FROM t"),
);

test("whatever is done to rows is taken back to the last bit, in reverse order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(statement, { minLength: 1, maxLength: 8 }), async (statements) => {
      const shop = new Shop();
      shop.db.exec("INSERT INTO t VALUES (1, 5, 'x', 1.5, NULL), (2, 'y', 'Y', NULL, x'00'), (3, NULL, NULL, 1e300, 'z')");
      const trail: [string, () => Promise<void>][] = [];
      for (const sql of statements) trail.push([shop.state, await done(shop, sql)]);
      for (const [state, back] of trail.toReversed()) {
        await back();
        expect(shop.state).toBe(state);
      }
    }),
    { numRuns: 60 },
  );
});

test("a row that somebody else changed since is left alone by the database itself", async () => {
  const shop = new Shop();
  shop.db.exec("INSERT INTO t VALUES (1, 1, 'a', 1, NULL), (2, 2, 'b', 2, NULL)");
  const back = await done(shop, "UPDATE t SET a = a + 10");
  shop.db.exec("UPDATE t SET b = 'A' WHERE id = 1"); // equal to the column's collation, and yet another value
  await back();
  expect(shop.db.prepare("SELECT a, b FROM t").all()).toEqual([{ a: 11, b: "A" }, { a: 2, b: "b" }]);
});

test("a new row that looks like an old one is told from it", async () => {
  const shop = new Shop();
  shop.db.exec("INSERT INTO t (a, b) VALUES (7, 'same')");
  const back = await done(shop, "INSERT INTO t (a, b) VALUES (7, 'same'), (7, 'same')");
  await back();
  expect(shop.db.prepare("SELECT id FROM t").all()).toEqual([{ id: 1 }]);
});

test.each([
  ["no primary key", "CREATE TABLE t (a)", "INSERT INTO t VALUES (1)"],
  ["triggers", "CREATE TABLE t (id INTEGER PRIMARY KEY, a); CREATE TRIGGER x AFTER UPDATE ON t BEGIN DELETE FROM t; END", "UPDATE t SET a = 1"],
  ["ON DELETE CASCADE", "CREATE TABLE t (id INTEGER PRIMARY KEY, a); CREATE TABLE u (t REFERENCES t ON DELETE CASCADE)", "DELETE FROM t WHERE id = 1"],
  ["no ordinary table", "CREATE TABLE u (id INTEGER PRIMARY KEY, a); CREATE VIEW t AS SELECT * FROM u", "DELETE FROM t WHERE id = 1"],
  ["no such table", "CREATE TABLE u (a)", "DELETE FROM t WHERE id = 1"],
  ["no column `nope`", "CREATE TABLE t (id INTEGER PRIMARY KEY, a)", 'DELETE FROM t WHERE a = "nope"'],
  ["the primary key itself", "CREATE TABLE t (id INTEGER PRIMARY KEY, a)", "UPDATE t SET ID = 7 WHERE id = 1"],
  ["undo_rows", "CREATE TABLE t (id INTEGER PRIMARY KEY, a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 201) INSERT INTO t SELECT i, i FROM n", "DELETE FROM t"],
  ["no literal", "CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, CAST(x'610062' AS TEXT))", "DELETE FROM t"],
])("nothing is promised where the world has %s", async (why, ddl, sql) => {
  const shop = new Shop(ddl);
  await expect(rows.before(sql, shop.query)).rejects.toThrow(why);
});

test("a table and an index that were made are dropped, and found with rows when somebody put some in", async () => {
  const shop = new Shop();
  const back = await done(shop, "CREATE TABLE made (id INTEGER PRIMARY KEY); CREATE INDEX by_a ON t (a)");
  const sql = "CREATE TABLE made2 (id INTEGER PRIMARY KEY)";
  const before = await rows.before(sql, shop.query);
  await shop.query(sql);
  shop.db.exec("INSERT INTO made2 VALUES (1)");
  expect((await rows.again(before, shop.query)).image).toMatchObject({ "table made2": { rows: 1 } });
  await back();
  expect(shop.db.prepare("SELECT name FROM sqlite_master WHERE name IN ('made', 'by_a')").all()).toEqual([]);
});

test("statements that touch one table twice, and conditions that depend on the moment, are not answered for", () => {
  for (const sql of ["UPDATE t SET a = 1; DELETE FROM T", "DELETE FROM t WHERE a < now()", "UPDATE main.t SET a = 1", "SELECT 1"]) expect([sql, changesOf(sql, "sqlite")]).toEqual([sql, null]);
});

test("what Lanyard asks a database is a read as contracts measure it", () => {
  const tables = [{ schema: null, name: "orders" }, { schema: null, name: `o'"x` }];
  for (const dialect of Object.values(dialects))
    for (const table of tables)
      for (const sql of [...dialect.shapeQueries(table), `SELECT ${dialect.asText("a")} FROM ${dialect.tableText(table)} WHERE ${dialect.holds("a", "'x'")}`, dialect.definitionQuery("table", table), dialect.definitionQuery("index", table)]) expect([sql, sqlKinds(sql)]).toEqual([sql, ["select"]]);
});
