import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { simpleStatement, sqlKinds } from "./sql.ts";

describe("kinds of SQL statements", () => {
  it.each<[string, string[] | null]>([
    ["SELECT * FROM t WHERE a = 'x;y' -- and so on\n", ["select"]],
    ["select 1; DELETE FROM t", ["select", "delete"]],
    ["/* a */ Insert into t values (1)", ["insert"]],
    ["with x (a) as (select 1) select count(*) from x", ["select"]],
    ["with gone as (delete from t returning *) select * from gone", ["delete"]],
    ["select * into copy from t", ["unknown"]],
    ["explain analyze delete from t", ["unknown"]],
    ["explain select 1", ["explain"]],
    ["select pg_terminate_backend(1)", ["call"]],
    ['select "lo_unlink"(1)', ["call"]],
    ["select evil.lower(1)", ["call"]], // somebody's own, whatever it is called
    ["select lower(name), max(cents) from orders group by 1", ["select"]],
    ["savepoint a; rollback to a", ["savepoint", "rollback"]],
    ["", []],
  ])("%s", (sql, kinds) => expect(sqlKinds(sql)).toEqual(kinds));

  it.each([
    ["a backslash that ends a text only for some", "select 'a\\'; delete from t; --'"],
    ["a comment that some carry out", "select 1 /*!; delete from t */"],
    ["a comment in a comment", "select /* /* */ 1 */ 2"],
    ["dollar quotes", "select $a$; delete from t; select $a$"],
    ["brackets that quote for some", "select [a']; delete from t; select [']"],
    ["a hash, a comment for some", "select 1 # \n; delete from t"],
    ["two dashes that are a comment for some", "select 1 --2\n; delete from t"],
    ["a carriage return that ends a comment for some", "select 1 -- \r; delete from t"],
    ["an escape text", "select e'a'"],
    ["an open text", "select 'a"],
    ["a backquoted semicolon", "select `;delete from t;`"],
  ])("is not certain with %s", (_, sql) => expect(sqlKinds(sql)).toBeNull());

  it("reads any text in bounded time and never throws", () => {
    fc.assert(fc.property(fc.array(fc.constantFrom("select", " ", "'", '"', "--", "/*", "*/", ";", "(", ")", "a", "=", "\n", "`", "[", "]", "$", "\\", "where", "update", "set"), { maxLength: 40 }), (parts) => void [sqlKinds(parts.join("")), simpleStatement(parts.join(""))]), { numRuns: 3000 });
  });
});

describe("simple statements", () => {
  it.each([
    ["UPDATE orders SET status = 'paid', cents = cents + 1 WHERE id IN (1, 2)", { kind: "update", table: "orders", where: "id IN (1, 2)", columns: ["status", "cents"] }],
    ['delete from "main"."orders" where customer = \'Ina\';', { kind: "delete", table: '"main"."orders"', where: "customer = 'Ina'", columns: [] }],
    ["DELETE FROM t", { kind: "delete", table: "t", where: "", columns: [] }],
    ["insert into t (a, b) values (1, 'x'), (2, 'y')", { kind: "insert", table: "t", where: "", columns: ["a", "b"] }],
  ])("%s", (sql, parts) => expect(simpleStatement(sql)).toEqual(parts));

  it.each(["update t set a = 1 from u where t.id = u.id", "delete from t using u", "update t as x set a = 1", "delete from t where id in (select id from u)", "delete from t where f(id)", "update t set a = 1; select 1", "insert into t select * from u", "insert or replace into t values (1)", "delete from t where a = 1 returning *", "delete from t where a = 1 limit 2", "delete from t where a /* x */ = 1"])(
    "is not: %s",
    (sql) => expect(simpleStatement(sql)).toBeNull(),
  );
});
