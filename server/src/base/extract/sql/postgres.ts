import { parseSync } from "libpg-query";
import { isObject, type Json, type JsonObject } from "@lanyard/contract";
import { columnClass, functionClass } from "./functions.ts";
import { administering, changing, expressionNodes, liftingCommands } from "./postgres-nodes.ts";
import { tableName, type SqlReading } from "./reading.ts";

/** Names of common table expressions that are in force at a place. */
type Scope = ReadonlySet<string>;

/** Trees deeper than this are not looked through. */
const mostDepth = 400;

/** Reads a text as PostgreSQL does, by PostgreSQL's own parser. Throws where it is no SQL; `loadPostgres` must have ended before. */
export function readPostgres(text: string, reading: SqlReading): void {
  for (const { stmt } of (parseSync(text) as { stmts?: readonly { stmt?: unknown }[] }).stmts ?? []) {
    reading.statement(() => visit(stmt as Json, new Set(), { reading, depth: 0 }));
  }
}

interface Walk {
  readonly reading: SqlReading;
  readonly depth: number;
}

function visit(value: Json | undefined, scope: Scope, { reading, depth }: Walk): void {
  if (depth > mostDepth) return reading.raise("unknown");
  const walk = { reading, depth: depth + 1 };
  if (Array.isArray(value)) return value.forEach((item) => visit(item, scope, walk));
  if (!isObject(value)) return;
  const inner = isObject(value["withClause"]) ? scopeOf(value["withClause"], scope, walk) : scope;
  for (const [key, item] of Object.entries(value)) {
    if (key === "withClause") continue;
    if (/^[A-Z]/.test(key) && isObject(item)) node(key, item, inner, reading);
    visit(item, inner, walk);
  }
}

/** Without RECURSIVE a table expression sees those before it, and not itself: `with t as (select * from t)` reads the table. */
function scopeOf(clause: JsonObject, outer: Scope, walk: Walk): Scope {
  const all = listOf(clause["ctes"]).map((item) => objectAt(item, "CommonTableExpr"));
  const scope = new Set(outer);
  if (clause["recursive"] === true) for (const { ctename } of all) scope.add(String(ctename));
  for (const expression of all) {
    visit(expression["ctequery"], new Set(scope), walk);
    scope.add(String(expression["ctename"]));
  }
  return scope;
}

/** What one node says by itself; what is in it is visited after. */
function node(kind: string, item: JsonObject, scope: Scope, reading: SqlReading): void {
  const changes = changing.get(kind);
  if (changes) return change(kind, item, changes, reading);
  if (administering.has(kind)) return reading.raise("admin");
  switch (kind) {
    case "RangeVar":
      if (item["schemaname"] !== undefined || !scope.has(String(item["relname"]))) reading.tables.add(relation(item));
      return;
    case "FuncCall":
      return call(strings(item["funcname"]), reading);
    case "RangeTableSample":
      return /^(system|bernoulli)$/.test(strings(item["method"]).join(".")) ? undefined : reading.raise("unknown");
    case "ColumnRef":
      reading.column(strings(item["fields"]).at(-1) ?? "");
      return strings(item["fields"]).slice(1).forEach((name) => reading.raise(columnClass(name)));
    case "A_Indirection":
      strings(item["indirection"]).forEach((name) => reading.column(name));
      return strings(item["indirection"]).forEach((name) => reading.raise(columnClass(name)));
    case "A_Expr":
      return operator(item, reading);
    case "MergeWhenClause":
      return sets(item["targetList"], reading);
    case "SelectStmt":
      return select(item, reading);
    case "CopyStmt":
      return copy(item, reading);
    case "ExplainStmt":
      return; // With ANALYZE it runs what it explains: the class is that of the statement in it, either way.
    default:
      if (!expressionNodes.has(kind)) reading.raise("unknown");
  }
}

function select(item: JsonObject, reading: SqlReading): void {
  if (isObject(item["intoClause"])) reading.write(relation(objectAt(item["intoClause"], "rel")), "schema");
  if (item["lockingClause"] !== undefined) reading.raise("write");
}

function copy(item: JsonObject, reading: SqlReading): void {
  const target = isObject(item["relation"]) ? relation(item["relation"]) : null;
  if (target) reading.tables.add(target);
  strings(item["attlist"]).forEach((name) => reading.column(name));
  if (item["filename"] !== undefined || item["is_program"] === true) return reading.raise("admin");
  if (item["is_from"] === true && target) reading.write(target, "write");
}

function change(kind: string, item: JsonObject, as: "write" | "schema", reading: SqlReading): void {
  reading.raise(as);
  if (kind === "InsertStmt" || kind === "UpdateStmt") sets([...listOf(item[kind === "InsertStmt" ? "cols" : "targetList"]), ...listOf(objectAt(item, "onConflictClause")["targetList"])], reading);
  for (const target of [item["relation"], item["view"], item["into"] && objectAt(item["into"], "rel")]) if (isObject(target)) reading.write(relation(target), as);
  for (const target of listOf(item["relations"])) reading.write(relation(objectAt(target, "RangeVar")), as);
  if (kind === "DropStmt") for (const name of listOf(item["objects"]).map(dropped)) reading.write(name, as);
  if (liftingCommands.test(JSON.stringify(item["cmds"] ?? ""))) reading.raise("admin");
  const condition = kind === "MergeStmt" ? item["joinCondition"] : item["whereClause"];
  if (/^(Delete|Update|Merge)Stmt$/.test(kind) && !names(condition)) reading.unbounded = true;
  if (/^(Truncate|Drop|DropOwned)Stmt$/.test(kind) || JSON.stringify(item["cmds"] ?? "").includes('"AT_DropColumn"')) reading.unbounded = true;
}

/** Whether a condition says which rows: a side of an OR that speaks of no column lets all of them through. */
function names(condition: Json | undefined): boolean {
  if (!isObject(condition)) return false;
  const logic = condition["BoolExpr"];
  if (isObject(logic)) {
    const sides = listOf(logic["args"]).map(names);
    return logic["boolop"] === "AND_EXPR" ? sides.some(Boolean) : sides.every(Boolean);
  }
  const comparison = condition["A_Expr"];
  if (isObject(comparison) && bare(comparison["lexpr"]) === bare(comparison["rexpr"])) return false;
  if (isObject(condition["NullTest"]) || isObject(condition["BooleanTest"])) return true;
  return JSON.stringify(condition).includes('"ColumnRef"');
}

/** An expression without where it stands. */
const bare = (value: Json | undefined): string => JSON.stringify(value ?? null, (key, item: unknown) => (key === "location" ? undefined : item));

function call(path: readonly string[], reading: SqlReading): void {
  const name = path.at(-1) ?? "";
  reading.functions.add(path.map((part) => part.toLowerCase()).join("."));
  const own = path.length === 1 || (path.length === 2 && path[0] === "pg_catalog");
  const as = functionClass(name);
  reading.raise(own || as !== "read" ? as : "unknown");
}

/** Operators are functions too; those of a schema of somebody's own are not known. */
function operator(item: JsonObject, reading: SqlReading): void {
  const path = strings(item["name"]);
  if (path.length > 1 && path[0] !== "pg_catalog") reading.raise("unknown");
  if (/^(?:->>?|#>>?)$/.test(path.at(-1) ?? "")) for (const field of constantOf(item["rexpr"]).split(/[{},"\s]+/)) reading.column(field);
}

/** A text that stands in an expression as it is; empty where it is none. */
const constantOf = (value: Json | undefined): string => {
  const { sval } = objectAt(objectAt(value, "A_Const"), "sval");
  return typeof sval === "string" ? sval : "";
};

/** Columns that get a value. */
const sets = (list: Json | undefined, reading: SqlReading): void => listOf(list).forEach((item) => reading.column(String(objectAt(item, "ResTarget")["name"] ?? "")));

function dropped(item: Json): string {
  if (!isObject(item)) return "";
  const list = isObject(item["List"]) ? item["List"]["items"] : isObject(item["ObjectWithArgs"]) ? item["ObjectWithArgs"]["objname"] : isObject(item["TypeName"]) ? item["TypeName"]["names"] : [item];
  return tableName(strings(list));
}

const relation = (item: JsonObject): string => tableName([item["catalogname"], item["schemaname"], item["relname"]].map((part) => (part === undefined ? undefined : String(part))));
const listOf = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value : []);
const objectAt = (value: Json | undefined, key: string): JsonObject => (isObject(value) && isObject(value[key]) ? value[key] : {});
const strings = (value: Json | undefined): readonly string[] => listOf(value).flatMap((item) => (isObject(item) && isObject(item["String"]) ? [String(item["String"]["sval"])] : []));
