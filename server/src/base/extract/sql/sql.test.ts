import { beforeAll, expect, test } from "vitest";
import { loadExtractors, sqlFacts } from "./sql.ts";

beforeAll(loadExtractors);

test("tables are named as the dialect folds them, and table expressions are none", () => {
  expect(sqlFacts('with t as (select * from T) select * from t join Sales."Orders" o using (id)', "postgresql")).toEqual({
    class: "read",
    statements: 1,
    tables: ["sales.Orders", "t"],
    writes: [],
    functions: [],
    unbounded: false,
  });
});

test("statements of several classes in one text are not understood", () => {
  expect(sqlFacts("select 1; select 2", null)).toMatchObject({ class: "read", statements: 2 });
  expect(sqlFacts("select 1; drop table x", null)).toMatchObject({ class: "unknown", statements: 2, writes: ["x"], unbounded: true });
});
