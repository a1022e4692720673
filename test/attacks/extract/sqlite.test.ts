import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { loadExtractors, sqlFacts } from "../../../server/src/base/extract/sql/sql.ts";

beforeAll(loadExtractors);

const pieces = fc.constantFrom(
  ..."select|delete|from|t|u|where|a = 1|a|*|insert into t values (9)|update t set a = 5|drop table t|;|;|,|'x'|'|\\|\"t\"|`t`|[t]|--|-- \n|/*|*/|/*!|#|(|)|union|with x as (select 1)|returning *|values (1)|pragma user_version = 7|pragma table_info(t)|attach ':memory:' as y|create table v (b)|as|order by|limit 1|count(*)|replace('a','b','c')|explain|begin|commit|vacuum|reindex|analyze".split("|"),
);
const statements = fc.oneof(
  fc.array(pieces, { minLength: 1, maxLength: 12 }).map((all) => all.join(" ")),
  fc.array(pieces, { maxLength: 6 }).map((all) => `select * from t ${all.join(" ")}`),
);

/** All that SQLite keeps: rows, schema, settings of the file. */
const contents = (database: DatabaseSync): string =>
  JSON.stringify([database.prepare("select * from sqlite_schema").all(), database.prepare("select * from t").all(), database.prepare("pragma user_version").get(), database.prepare("pragma database_list").all(), database.isTransaction]);

test("what is called a read changes nothing in SQLite", () => {
  let read = 0;
  fc.assert(
    fc.property(statements, (text) => {
      if (sqlFacts(text, null).class !== "read" && sqlFacts(text, "sqlite").class !== "read") return;
      const database = new DatabaseSync(":memory:");
      database.exec("create table t (a); insert into t values (1), (2); create table u (a)");
      const before = contents(database);
      try {
        database.exec(text);
        read += 1;
      } catch {
        // No statement of SQLite: then it changed nothing either, up to where it failed.
      }
      expect(contents(database), text).toBe(before);
      database.close();
    }),
    { numRuns: 6000, seed: 6 },
  );
  expect(read).toBeGreaterThan(20);
});
