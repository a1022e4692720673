import fc from "fast-check";
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

test.each([
  ["select c.email, c.password_hash, k.card_token from customers c join cards k on k.id = c.id", "card_token password_hash"],
  ['select "apiKey" from t where passport_number is not null', "apiKey passport_number"],
  ["select id from t where iban like 'DE%'", "iban"],
  ["select max(length(u.pwd)) from u", "pwd"],
  ["select data->>'apiKey', d #>> '{a,ssn}' from t", "apiKey ssn"],
  ["with s as (select client_secret from oauth) select * from s", "client_secret"],
  ["update users set password_hash = 'x' where id = 1", "password_hash"],
  ["insert into users (email, pwd) values (1, 2) on conflict (id) do update set otp = 3", "otp pwd"],
  ["merge into u using v on u.id = v.id when matched then update set token = v.x", "token"],
  ["copy users (secret) to stdout", "secret"],
  ["select * from auth.api_keys", "auth.api_keys"],
  ["delete from recovery_codes where id = 1", "recovery_codes"],
])("%s names what holds secrets: %s", (statement, secrets) => expect(sqlFacts(statement, "postgresql").secrets?.join(" ")).toBe(secrets));

test.each([
  "select count(*) as tokens, sum(prompt_tokens), token_count, max_tokens from usage",
  "select password_changed_at, has_password, token_expires_at, is_secret from u",
  "select pin_code, secret_santa, salted, card_id, account_id, access_key_id, keyword, passenger, company from u",
  "select 'password' from u where note = 'api_key'",
  "select * from cards",
])("%s names none", (statement) => expect(sqlFacts(statement, "postgresql").secrets).toBeUndefined());

test("a statement at each limit is read, and one past it is not", () => {
  const long = (length: number): string => `select '${"x".repeat(length - 9)}'`;
  expect(sqlFacts(long(64 * 1024), null).class).toBe("read");
  expect(sqlFacts(long(64 * 1024 + 1), null).class).toBe("unknown");
  const wide = (tokens: number): string => `select ${Array(tokens / 2).fill("1").join(",")}`;
  expect(sqlFacts(wide(2000), null).class).toBe("read");
  expect(sqlFacts(wide(2002), null).class).toBe("unknown");
});

test("what would take more work than a statement is worth is unknown", () => {
  for (const piece of ["(", "'", "/*", "select (", "case when ", "not ", "- ", "[", "$$", "1+", "select 1 union "]) expect(sqlFacts(`select ${piece.repeat(60_000 / piece.length)}`, null).class, piece).toBe("unknown");
});

test("whatever comes, it ends, and what it says is sorted and bounded", () => {
  const pieces = fc.constantFrom("select ", "from ", "t", " ", ",", "'", '"', "`", "(", ")", "--", "/*", "*/", "\n", ";", "$$", "with x as ", "delete ", "where ", "1", "=", "f(", "[", "]", "E'", "\\", "union ", "insert into ", "values ");
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary", maxLength: 200 }), fc.array(pieces, { maxLength: 60 }).map((all) => all.join(""))), fc.constantFrom(null, "postgresql", "mysql"), (text, dialect) => {
      const { tables, writes, functions } = sqlFacts(text, dialect);
      for (const list of [tables, writes, functions]) expect([...list]).toEqual([...new Set(list)].toSorted((a, b) => (a < b ? -1 : 1)));
      expect(writes.every((name) => tables.includes(name))).toBe(true);
    }),
    { numRuns: 2000 },
  );
});
