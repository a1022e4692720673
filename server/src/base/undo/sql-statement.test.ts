import fc from "fast-check";
import { expect, test } from "vitest";
import { statementsOf } from "./sql-statement.ts";

const kinds = (sql: string): string[] | null => statementsOf(sql)?.map(({ kind }) => kind) ?? null;

test.each([
  ["SELECT * FROM orders", ["select"]],
  ["select count(*), max(cents) from orders group by status having count(*) > 1 order by 1 limit 3;", ["select"]],
  ["WITH paid AS (SELECT id FROM orders WHERE status = 'paid') SELECT * FROM paid", ["select"]],
  ["SELECT replace(customer, 'a', 'b') FROM orders", ["select"]],
  ["INSERT INTO orders (customer, cents) VALUES ('O''Neill', -5), ('x', 1 + 2) RETURNING id", ["insert"]],
  ["INSERT INTO orders VALUES (1, DEFAULT, now())", ["insert"]],
  ["UPDATE orders SET cents = cents + 1, status = 'paid' WHERE id IN (1, 2) AND lower(customer) LIKE 'i%'", ["update"]],
  ["DELETE FROM public.orders WHERE cents BETWEEN 1 AND 3", ["delete"]],
  ["delete from orders", ["delete"]],
  ["CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, total INTEGER GENERATED ALWAYS AS (id * 2)) STRICT, WITHOUT ROWID", ["table"]],
  ["CREATE UNIQUE INDEX by_name ON t (lower(name), id)", ["index"]],
  ["SELECT 1; UPDATE t SET a = 'x;y' WHERE b = 1;", ["select", "update"]],
])("%s is understood", (sql, expected) => expect(kinds(sql)).toEqual(expected));

test.each([
  ...["", ";", "hello", "SELECT", "-- x\nSELECT 1", "SELECT 1 /* x */", "SELECT $1", "SELECT ?", "SELECT 'a", "SELECT E'\\''", "SELECT $$x$$", "SELECT 1 WHERE a = U&'x'"].filter((sql) => sql !== "SELECT"),
  ...["SELECT nextval('s')", "SELECT pg_sleep(10)", "SELECT setval('s', 1)", "SELECT evil.lower(x) FROM t", 'SELECT "lower"(x) FROM t', "SELECT * INTO u FROM t", "SELECT * FROM t FOR UPDATE", "SELECT load_extension('x')"],
  ...["WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", "WITH x AS (SELECT 1) UPDATE t SET a = 1", "EXPLAIN ANALYZE DELETE FROM t", "PRAGMA journal_mode = DELETE"],
  ...["INSERT OR REPLACE INTO t VALUES (1)", "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", "INSERT INTO t SELECT * FROM u", "INSERT INTO t VALUES ((SELECT 1))", "INSERT INTO t VALUES (nextval('s'))", "REPLACE INTO t VALUES (1)"],
  ...["UPDATE t SET a = (SELECT 1)", "UPDATE t SET (a, b) = (1, 2)", "UPDATE t SET a = 1 FROM u", "UPDATE t AS x SET a = 1", "UPDATE OR IGNORE t SET a = 1", "UPDATE t SET a = f(1)", "UPDATE t SET a = 1 WHERE b = 1 LIMIT 1", "UPDATE t SET a = 1 WHERE b = other.c"],
  ...["DELETE FROM t USING u", "DELETE FROM t WHERE id IN (SELECT id FROM u)", "DELETE FROM t WHERE EXISTS (SELECT 1)", "TRUNCATE t", "DROP TABLE t", "ALTER TABLE t ADD COLUMN a", "CREATE TABLE t AS SELECT 1", "CREATE TABLE t (a) AS SELECT 1", "CREATE VIEW v AS SELECT 1"],
  ...["CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END", "BEGIN", "COMMIT", "ATTACH 'x' AS y", "VACUUM", "GRANT ALL ON t TO public", "DO $$ x $$", "COPY t TO PROGRAM 'x'", "SELECT 1; DROP TABLE t", "UPDATE tä SET a = 1"],
])("%j is not answered for", (sql) => expect(kinds(sql)).toBeNull());

test("no text makes the reader throw, nor does any that is made of SQL's own words", () => {
  const words = fc.constantFrom("SELECT", "INSERT INTO", "UPDATE", "DELETE FROM", "t", "SET", "a", "=", "1", "'x'", "(", ")", ",", ";", "WHERE", "VALUES", "lower", "now", "AND", '"q"', ".", "FROM", "*", "DEFAULT", "RETURNING", "CREATE TABLE", "CREATE INDEX", "ON");
  fc.assert(fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.array(words, { maxLength: 20 }).map((parts) => parts.join(" "))), (sql) => void statementsOf(sql)));
});

test("an index is where its table is", () => {
  expect(statementsOf("CREATE INDEX i ON shop.t (a)")).toMatchObject([{ kind: "index", table: { schema: "shop", name: "i" } }]);
  expect(statementsOf("CREATE INDEX i ON t (a)")).toMatchObject([{ kind: "index", table: { schema: null, name: "i" } }]);
});
