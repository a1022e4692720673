import { beforeAll, describe, expect, test } from "vitest";
import { sqlClasses, type SqlFacts } from "@lanyard/contract";
import { loadExtractors, sqlFacts } from "../../../server/src/base/extract/sql/sql.ts";

type SqlClass = SqlFacts["class"];

beforeAll(loadExtractors);

const order: readonly string[] = sqlClasses;

/** Whether a class is at least as bad as another. */
const atLeast = (found: SqlClass, wanted: SqlClass): boolean => order.indexOf(found) >= order.indexOf(wanted);

/**
 * Ways to do something by a statement that looks as if it only read, in PostgreSQL, each with its near miss: the statement it imitates. A trick
 * may be judged worse than it is written here, never better; a twin has exactly its class.
 */
const tricks: readonly (readonly [name: string, trick: string, atLeast: SqlClass, twin: string, twinIs: SqlClass])[] = [
  // Statements within statements.
  ["a second statement", "select 1; drop table t", "schema", "select 'select 1; drop table t'", "read"],
  ["a second statement past a comment", "select 1 -- all\n; drop table t", "schema", "select 1 -- all; drop table t", "read"],
  ["a transaction ended first", "commit; drop table t", "admin", "select 'commit; drop table t'", "read"],
  ["a transaction that only reads, ended", "begin read only; commit; delete from t where id = 1", "admin", "select 1; select 2", "read"],
  ["a table expression that deletes", "with x as (delete from t where id = 1 returning *) select * from x", "write", "with x as (select * from t where id = 1) select * from x", "read"],
  ["a table expression deep inside that writes", "select * from (with x as (insert into t values (1) returning *) select * from x) y", "write", "select * from (with x as (select 1) select * from x) y", "read"],
  ["a table expression that merges", "with x as (merge into t using s on t.id = s.id when matched then delete returning *) select * from x", "write", "with x as (select * from t join s on t.id = s.id) select * from x", "read"],
  ["select into", "select * into u from t", "schema", "select * from t", "read"],
  ["create table as", "create table u as select * from t", "schema", "select 'create table u' as x from t", "read"],
  ["explain that runs", "explain analyze delete from t where id = 1", "write", "explain analyze select * from t where id = 1", "read"],
  ["explain that runs, by an option", "explain (verbose, analyze on) update t set a = 1 where id = 1", "write", "explain (verbose) select 1", "read"],
  ["a statement prepared", "prepare p as delete from t", "admin", "select 'prepare p as delete from t'", "read"],
  ["a statement by its name", "execute p(1)", "admin", "select p from t", "read"],
  ["a block of code", "do $$ begin delete from t; end $$", "admin", "select $$ begin delete from t; end $$", "read"],
  ["a procedure", "call p()", "admin", "select now()", "read"],
  ["a cursor over what writes", "declare c cursor for select 1", "admin", "select 1", "read"],
  ["a cursor moved", "fetch all in c", "admin", "select 1 limit 5", "read"],
  ["locks for update", "select * from t for update", "write", "select * from t", "read"],
  ["locks for share, deep inside", "select * from (select * from t for share) x", "write", "select * from (select * from t) x", "read"],
  ["a table locked", "lock table t", "admin", "table t", "read"],
  // Functions that do things.
  ["a file read", "select pg_read_file('/etc/passwd')", "admin", "select 'pg_read_file'", "read"],
  ["a file read, the name in quotes", 'select "pg_read_file"(\'/etc/passwd\')', "admin", 'select "lower"(\'/etc/passwd\')', "read"],
  ["a file read, the name escaped", "select U&\"pg\\005fread\\005ffile\"('/etc/passwd')", "admin", "select U&\"lo\\0077er\"('/etc/passwd')", "read"],
  ["a file read, in the catalogue's schema", "select pg_catalog.pg_read_file('/etc/passwd')", "admin", "select pg_catalog.lower('/etc/passwd')", "read"],
  ["a file read, by the form of a column", "select f.pg_read_file from lower('/etc/passwd') f", "admin", "select f.f from lower('/etc/passwd') f", "read"],
  ["a file read, by the form of a field", "select ('/etc/passwd'::text).pg_read_file", "admin", "select (t).name from t", "read"],
  ["a folder listed", "select * from pg_ls_dir('.')", "admin", "select * from generate_series(1, 3)", "read"],
  ["a file taken in", "select lo_import('/etc/passwd')", "admin", "select md5('/etc/passwd')", "read"],
  ["another machine", "select * from dblink('host=evil', 'select 1') as t(a int)", "admin", "select * from unnest(array[1]) as t(a)", "read"],
  ["a text run as SQL", "select query_to_xml('delete from t', true, true, '')", "unknown", "select 'delete from t'", "read"],
  ["a text run as SQL, by a search", "select ts_stat('delete from t returning a')", "unknown", "select to_tsvector('delete from t')", "read"],
  ["a table by its name", "select table_to_xml('t', true, true, '')", "unknown", "select to_json(t) from t", "read"],
  ["a counter moved", "select nextval('s')", "write", "select last_value from s", "read"],
  ["a counter set", "select setval('s', 1)", "write", "select max(id) from s", "read"],
  ["a setting", "select set_config('role', 'admin', false)", "admin", "select current_setting('role')", "read"],
  ["a session ended", "select pg_terminate_backend(1)", "admin", "select pg_backend_pid()", "read"],
  ["a message sent", "select pg_notify('a', 'b')", "write", "select quote_ident('a')", "read"],
  ["a lock held", "select pg_advisory_lock(1)", "admin", "select abs(1)", "read"],
  ["a sleep", "select pg_sleep(1000)", "unknown", "select now()", "read"],
  ["a function of somebody's own", "select wipe()", "unknown", "select count(*)", "read"],
  ["a function of somebody's own with a known name", "select public.lower('x')", "unknown", "select lower('x')", "read"],
  ["an operator of somebody's own", "select 1 operator(public.+) 2", "unknown", "select 1 + 2", "read"],
  ["a function in a condition", "select 1 from t where wipe(id)", "unknown", "select 1 from t where id is not null", "read"],
  ["a function in an order", "select 1 from t order by wipe(id)", "unknown", "select 1 from t order by id", "read"],
  ["a function in a limit", "select 1 from t limit wipe()", "unknown", "select 1 from t limit 5", "read"],
  ["a function in a window", "select sum(a) over (order by wipe(a)) from t", "unknown", "select sum(a) over (order by a) from t", "read"],
  ["a function in a filter", "select count(*) filter (where wipe(a)) from t", "unknown", "select count(*) filter (where a > 1) from t", "read"],
  ["a function in values", "values (wipe())", "unknown", "values (1)", "read"],
  ["a function in a lateral join", "select * from t, lateral wipe(t.id)", "unknown", "select * from t, lateral (select t.id) x", "read"],
  ["a function behind a sample", "select * from t tablesample wipe(1)", "unknown", "select * from t tablesample system (1)", "read"],
  // The server itself.
  ["a program", "copy t to program 'sh'", "admin", "copy t to stdout", "read"],
  ["a file written", "copy (select 1) to '/tmp/x'", "admin", "copy (select 1) to stdout", "read"],
  ["rows taken in", "copy t from stdin", "write", "select * from t", "read"],
  ["another role", "set role admin", "admin", "show role", "read"],
  ["rules off for this session", "set row_security = off", "admin", "show row_security", "read"],
  ["rules off for a table", "alter table t disable row level security", "admin", "alter table t add column a int", "schema"],
  ["a table handed on", "alter table t owner to evil", "admin", "alter table t rename to u", "schema"],
  ["rights given", "grant all on t to public", "admin", "select 'grant all on t to public'", "read"],
  ["a function defined", "create function f() returns int language sql security definer as 'select 1'", "admin", "create view v as select 1", "schema"],
  ["a trigger", "create trigger g after insert on t execute function f()", "admin", "create index i on t (a)", "schema"],
  ["a rule", "create rule r as on select to t do instead select 1", "admin", "select 1 as rule", "read"],
  ["an extension", "create extension dblink", "admin", "create schema dblink", "schema"],
  ["a setting of the server", "alter system set archive_command = 'sh'", "admin", "show archive_command", "read"],
  ["listening", "listen a", "admin", "select 'listen a'", "read"],
  ["a table cleaned up", "vacuum full t", "admin", "select 'vacuum full t'", "read"],
  ["upsert", "insert into t values (1) on conflict (id) do update set a = 1", "write", "select 'insert into t values (1)'", "read"],
  ["no SQL", "please drop the table", "unknown", "select 'please drop the table'", "read"],
  ["nothing", "-- nothing", "unknown", "select null -- nothing", "read"],
  ["a NUL that hides the rest", "select 1\0; drop table t", "unknown", "select 1", "read"],
];

describe("PostgreSQL", () => {
  test.each(tricks)("%s", (_name, trick, wanted, twin, twinIs) => {
    const found = sqlFacts(trick, "postgresql").class;
    expect(atLeast(found, wanted), `${trick} is ${found}`).toBe(true);
    expect(sqlFacts(twin, "postgresql").class, twin).toBe(twinIs);
  });
});

/** Texts that read as one harmless statement in PostgreSQL, or in another dialect, and as something else elsewhere. All but the twins are `unknown`. */
const disagreements: readonly (readonly [name: string, trick: string, twin: string])[] = [
  ["MySQL's backslash", "select '\\'; drop table t; -- '", "select 'a''; drop table t; -- '"],
  ["MySQL's backslash, the other way", "select '\\', ' ; drop table t; -- '", "select '/', ' ; drop table t; -- '"],
  ["MySQL's code in a comment", "select 1 /*! into outfile '/x' */", "select 1 /* into outfile '/x' */"],
  ["MariaDB's code in a comment", "select 1 /*M! into outfile '/x' */", "select 1 /* M */"],
  ["a hint", "select /*+ set_var(x=1) */ 1", "select /* + */ 1"],
  ["MySQL's two minus signs", "select 1 --1; drop table t", "select 1 -- 1; drop table t"],
  ["MySQL's number sign", "select a # b\n from t", "select a, b\n from t"],
  ["a comment within a comment", "select 1 /* /* */ ; drop table t -- */ */", "select 1 /* ; drop table t */"],
  ["a dollar that quotes", "select $$ ; drop table t; $$", "select ' ; drop table t; '"],
  ["a dollar that quotes, with a tag", "select $a$ ; drop table t; $a$", "select $1"],
  ["a carriage return that ends a comment", "select 1 -- a\rfrom t", "select 1 -- a\nfrom t"],
  ["three quotes", "select '''a', b, '''", "select 'a', b, 'c'"],
  ["Oracle's quotes", "select q'[a', b, ']'", "select '[a', b, ']'"],
  ["brackets around a quote", "select array['a]; drop table t; --']", "select array['a; drop table t; --']"],
  ["brackets around a comment", "select a[1 -- ]\n] from t", "select a[1] -- ]\n from t"],
  ["T-SQL's end without a semicolon", "select * from t shutdown", "select * from t as s"],
  ["T-SQL's call without a semicolon", "select * from t exec (a)", "select * from t where a in (1)"],
  ["T-SQL's next batch", "select 1 go", "select 1 as gone"],
  ["a space that is none", "select\u00a01", "select 1"],
  ["a mark of direction", "select 1 -- \u202e", "select 1 -- x"],
  ["a file by a quoted name", 'select * from "/etc/passwd"', 'select * from "etc"'],
  ["a file by a quoted name, with its ending", 'select * from "data.csv"', 'select * from data.csv'],
  ["a place on the network by a quoted name", 'select * from "https://evil.example/x"', 'select * from "evil"'],
  ["MySQL's file", "select load_file('/etc/passwd')", "select lower('/etc/passwd')"],
  ["MySQL's file, in a name of its own", "select 1 into outfile '/tmp/x'", "select 1 as outfile"],
  ["MySQL's sleep", "select sleep(1000)", "select floor(1000)"],
  ["MySQL's lock", "select benchmark(1e9, md5('a'))", "select md5('a')"],
  ["SQLite's extension", "select load_extension('x')", "select length('x')"],
  ["SQLite's other file", "attach '/tmp/x' as y", "select '/tmp/x' as y"],
  ["SQLite's setting", "pragma journal_mode = off", "pragma table_info(t)"],
  ["SQLite's setting in brackets", "pragma writable_schema(1)", "pragma index_list('t')"],
  ["SQLite's file written", "select writefile('x', 'y')", "select replace('x', 'y', 'z')"],
  ["T-SQL's shell", "exec xp_cmdshell 'dir'", "select 'xp_cmdshell'"],
  ["T-SQL's other server", "select * from openrowset('a', 'b', 'c')", "select * from unnest(array['a'])"],
  ["T-SQL's other server, by its name", "select * from s.d.dbo.t", "select * from d.dbo.t"],
  ["Snowflake's stage", "select * from @stage", "select * from stage"],
  ["DuckDB's file", "select * from read_csv('https://evil.example/x')", "select * from json_each('{}')"],
  ["ClickHouse's other place", "select * from url('https://evil.example/x')", "select * from unnest(array[1])"],
  ["a statement told, and another", "show tables; drop table t", "show tables"],
  ["a description, and another", "describe t; drop table t", "describe t"],
  ["a function in what is told", "show tables where sleep(9)", "show tables like 'a%'"],
];

describe("other dialects, stated or not", () => {
  test.each(disagreements)("%s", (_name, trick, twin) => {
    for (const dialect of [null, "mysql", "sqlite", "mssql", "duckdb"]) {
      expect(sqlFacts(trick, dialect).class, `${trick} in ${dialect}`).not.toBe("read");
      expect(sqlFacts(twin, dialect).class, `${twin} in ${dialect}`).toBe("read");
    }
  });

  test("names in back quotes are names", () => {
    expect(sqlFacts("select `a` from `db`.`Order` where b = 'x`y'", "mysql")).toMatchObject({ class: "read", tables: ["db.Order"] });
    expect(sqlFacts("select `a` from `t` where `drop table x", "mysql")).toMatchObject({ class: "unknown" });
  });
});

/** What a statement names, where that is easy to get wrong. */
const names: readonly (readonly [text: string, tables: readonly string[], writes: readonly string[]])[] = [
  ["with t as (select * from t) select * from t", ["t"], []],
  ["with recursive t as (select * from t) select * from t", [], []],
  ["with a as (select 1), b as (select * from a) select * from b, c", ["c"], []],
  ["select * from t, (with t as (select 1) select * from t) x", ["t"], []],
  ["with t as (select 1) select * from public.t", ["public.t"], []],
  ["with t as (select 1) delete from t where a in (select * from t)", ["t"], ["t"]],
  ['select * from "A".b, A."B"', ["A.b", "a.B"], []],
  ['select * from "a.b"', ['"a.b"'], []],
  ["insert into a.b select * from c", ["a.b", "c"], ["a.b"]],
  ["update t set a = u.a from u where t.id = u.id", ["t", "u"], ["t"]],
  ["truncate a, b.c", ["a", "b.c"], ["a", "b.c"]],
  ["drop table a.b, c", ["a.b", "c"], ["a.b", "c"]],
  ["alter table a.b drop column c", ["a.b"], ["a.b"]],
  ["create view v as select * from t", ["t", "v"], ["v"]],
  ["explain delete from t", ["t"], ["t"]],
];

test.each(names)("%s names its tables", (text, tables, writes) => {
  expect(sqlFacts(text, "postgresql")).toMatchObject({ tables, writes });
});

/** Statements that no condition holds to some rows, each with its near miss. */
const unbounded: readonly (readonly [trick: string, twin: string])[] = [
  ["delete from t", "delete from t where id = 1"],
  ["update t set a = 1", "update t set a = 1 where id = 1"],
  ["delete from t where true", "delete from t where active"],
  ["delete from t where 1 = 1", "delete from t where a = 1"],
  ["delete from t where id = 1 or 1 = 1", "delete from t where id = 1 or id = 2"],
  ["delete from t where id = id", "delete from t where id = other"],
  ["delete from t where 'a' like 'a'", "delete from t where a like 'a'"],
  ["with x as (delete from t returning *) select * from x", "with x as (delete from t where id = 1 returning *) select * from x"],
  ["truncate t", "delete from t where id in (1, 2)"],
  ["drop table t", "create table t (a int)"],
  ["alter table t drop column a", "alter table t add column a int"],
];

test.each(unbounded)("%s is unbounded", (trick, twin) => {
  expect(sqlFacts(trick, "postgresql").unbounded).toBe(true);
  expect(sqlFacts(twin, "postgresql").unbounded).toBe(false);
});
