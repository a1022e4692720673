import { callEffects, isolations, reversibilities, valueOrigins, type ArgumentFacts, type DecisionInput, type Json, type JsonObject, type Registry } from "@lanyard/contract";
import type { Condition, Policy } from "../../policy/src/bundle.ts";
import { readsOf } from "../../policy/src/decide/reads.ts";
import { resourcesOf } from "../../policy/src/schema/resources.ts";
import { actionsOf, type ActionShape, type ApprovedTool } from "../../policy/src/schema/schema.ts";

// Random policies and random calls about the same few things, so that they meet: texts, numbers, sets, optional records, typed resources.

export const registry: Registry = {
  agents: {},
  users: {},
  teams: {},
  groups: {},
  owners: [],
  resources: { Table: { orders: { labels: ["pii", "eu"], owner: "red" }, logs: { labels: [], owner: "blue" }, "*": { labels: ["eu"], owner: null } } },
};
const tool = (name: string, properties: JsonObject, resource?: { type: string; argument: string[] }): ApprovedTool => ({
  server: "s",
  tool: name,
  definition: "d".repeat(43),
  inputSchema: { type: "object", properties, required: Object.keys(properties).slice(0, 3) },
  contract: { effects: ["write"], reversibility: "unknown", classes: [...reversibilities], ...(resource && { resource }) },
});
const text = { type: "string" };
const tools = [
  tool("many", {
    n: { type: "integer" },
    m: { type: "integer" },
    s: text,
    t: text,
    b: { type: "boolean" },
    d: { type: "number" },
    ss: { type: "array", items: text },
    ns: { type: "array", items: { type: "integer" } },
    bs: { type: "array", items: { type: "boolean" } },
    rs: { type: "array", items: { type: "object", properties: { s: text } } },
    r: { type: "object", properties: { s: text, n: { type: "integer" } } },
    u: { anyOf: [text, { type: "integer" }, { type: "object", properties: { s: text } }] },
  }),
  tool("table", { s: text, n: { type: "integer" } }, { type: "Table", argument: ["s"] }),
  tool("tables", { ss: { type: "array", items: text }, n: { type: "integer" } }, { type: "Table", argument: ["ss"] }),
];
export const { actions } = actionsOf({ servers: ["s"], tools });
export const agents: DecisionInput["agent"][] = [
  { id: "ann", team: "red", classes: ["c1"] },
  { id: "bob", team: "blue", classes: [] },
];

export type Random = (below: number) => number;
export const randomOf = (seed: number): Random => {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
};
export const oneOf = <T>(random: Random, items: readonly T[]): T => items[random(items.length)] as T;

const texts = ["", "a", "ab", "abc", "orders", "logs", "eu", "pii", "g1", "é*", "ann"];
const longs = [0, 1, 2, -1, 5, 100, Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER, 2 ** 62, -(2 ** 63)];
const decimals = ["0.0", "1.5", "-2.0001", "12.34", "922337203685477.5807"];
const times = ["1970-01-01", "2026-01-05", "2026-01-05T12:00:00Z", "1969-12-31T23:59:59Z"];
const spans = ["1d", "8h", "-1ms", "90s", "106751991167d"];
const patterns = [["Wildcard"], [{ Literal: "a" }, "Wildcard"], ["Wildcard", { Literal: "b" }, "Wildcard"], ["Wildcard", { Literal: "c" }], [{ Literal: "ab" }], [{ Literal: "a" }, "Wildcard", { Literal: "c" }], ["Wildcard", { Literal: "*" }]];

const v = (value: Json): Json => ({ Value: value });
const entity = (type: string, id: string): Json => v({ __entity: { type, id } });
const dot = (left: Json, attr: string): Json => ({ ".": { left, attr } });
const context = (...path: string[]): Json => path.reduce<Json>((left, attr) => dot(left, attr), { Var: "context" });
const binary = (node: string, left: Json, right: Json): Json => ({ [node]: { left, right } });

/** What the gateway found of a call. */
const known = (...paths: readonly string[][]): Json[] => paths.map((path) => context(...path));

type Type = "bool" | "long" | "string" | "decimal" | "datetime" | "duration" | "entity" | "set" | "record";
const types: readonly Type[] = ["bool", "long", "string", "decimal", "datetime", "duration", "entity", "set", "record"];

const leaves: Record<Type, (random: Random) => Json> = {
  bool: (random) => oneOf(random, [v(true), v(false), context("input", "b"), ...known(["facts", "sql", "unbounded"])]),
  long: (random) => oneOf(random, [v(oneOf(random, longs)), v(random(4)), context("input", "n"), context("input", "m"), context("session", "depth"), ...known(["facts", "sql", "statements"], ["facts", "money", "minor"]), context("input", "r", "n"), context("input", "u", "long")]),
  string: (random) =>
    oneOf(random, [v(oneOf(random, texts)), v(oneOf(random, texts)), context("input", "s"), context("input", "t"), context("input", "r", "s"), context("input", "u", "string"), context("session", "purpose"), context("session", "id"), context("session", "isolation"), context("reversibility"), ...known(["facts", "sql", "class"], ["facts", "path", "common"])]),
  decimal: (random) => oneOf(random, [{ decimal: [v(oneOf(random, decimals))] }, context("input", "d")]),
  datetime: (random) => oneOf(random, [{ datetime: [v(oneOf(random, times))] }, context("now")]),
  duration: (random) => ({ duration: [v(oneOf(random, spans))] }),
  entity: (random) =>
    oneOf(random, [
      ...[{ Var: "principal" }, { Var: "action" }, { Var: "resource" }, context("user"), dot({ Var: "resource" }, "owner")],
      ...[entity("Agent", "ann"), entity("Team", "red"), entity("AgentClass", "c1"), entity("User", "u1"), entity("Group", "g1"), entity("Group", "g2")],
      ...[entity("Action", "s/many"), entity("Action", "write"), entity("Server", "s"), entity("Table", "orders")],
    ]),
  set: (random) => oneOf(random, [context("input", "ss"), context("input", "ns"), context("input", "bs"), context("input", "rs"), context("session", "labels"), context("approvals"), context("remedies"), ...known(["facts", "sql", "tables"], ["facts", "url", "ports"], ["facts", "effects"], ["labels"], ["origins", "any"], ["origins", "recipient"], ["origins", "input", "s"], ["budget", "over"]), dot({ Var: "resource" }, "labels")]),
  record: (random) => oneOf(random, [context("input"), context("input", "r"), context("session"), context("input", "u"), { Record: { s: v("a"), n: v(1) } }]),
};

const make = (random: Random, wanted: Type, depth: number): Json => {
  const type = random(14) === 0 ? oneOf(random, types) : wanted;
  if (depth <= 0) return leaves[type](random);
  const of = (other: Type): Json => make(random, other, depth - 1);
  switch (type) {
    case "bool":
      return makeBool(random, of);
    case "long":
      return oneOf(random, [() => leaves.long(random), () => binary(oneOf(random, ["+", "-"]), of("long"), of("long")), () => binary("*", of("long"), v(oneOf(random, longs))), () => ({ neg: { arg: of("long") } }), () => ({ [oneOf(random, ["toMilliseconds", "toSeconds", "toMinutes", "toHours", "toDays"])]: [of("duration")] })])();
    case "datetime":
      return oneOf(random, [() => leaves.datetime(random), () => ({ offset: [of("datetime"), of("duration")] }), () => ({ toDate: [of("datetime")] })])();
    case "duration":
      return oneOf(random, [() => leaves.duration(random), () => ({ durationSince: [of("datetime"), of("datetime")] }), () => ({ toTime: [of("datetime")] })])();
    case "set":
      return oneOf(random, [() => leaves.set(random), () => ({ Set: Array.from({ length: random(4) }, () => of(oneOf(random, ["string", "string", "long", "bool", "entity"]))) }), () => ({ "if-then-else": { if: of("bool"), then: of("set"), else: of("set") } })])();
    case "record":
      return oneOf(random, [() => leaves.record(random), () => ({ Record: { s: of("string"), n: of("long") } })])();
    default:
      return oneOf(random, [() => leaves[type](random), () => ({ "if-then-else": { if: of("bool"), then: of(type), else: of(type) } })])();
  }
};

const makeBool = (random: Random, of: (type: Type) => Json): Json =>
  oneOf(random, [
    () => leaves.bool(random),
    () => binary(oneOf(random, ["&&", "||"]), of("bool"), of("bool")),
    () => binary(oneOf(random, ["&&", "||"]), of("bool"), of("bool")),
    () => ({ "!": { arg: of("bool") } }),
    () => {
      const type = oneOf(random, types);
      return binary(oneOf(random, ["==", "!="]), of(type), of(type));
    },
    () => binary(oneOf(random, ["<", "<=", ">", ">="]), of("long"), of("long")),
    () => {
      const type = oneOf(random, ["datetime", "duration"] as const);
      return binary(oneOf(random, ["<", "<=", ">", ">="]), of(type), of(type));
    },
    () => ({ [oneOf(random, ["lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"])]: [of("decimal"), of("decimal")] }),
    () => ({ like: { left: of("string"), pattern: oneOf(random, patterns) as Json } }),
    () => binary("in", of("entity"), random(3) === 0 ? { Set: [of("entity"), of("entity")] } : of("entity")),
    () => ({ is: { left: of("entity"), entity_type: oneOf(random, ["Agent", "User", "Server", "Table"]), ...(random(2) === 0 && { in: of("entity") }) } }),
    () => binary("contains", of("set"), of(oneOf(random, ["string", "long", "entity", "bool"]))),
    () => binary(oneOf(random, ["containsAll", "containsAny"]), of("set"), of("set")),
    () => ({ isEmpty: { arg: of("set") } }),
    () => ({ has: { left: of("record"), attr: oneOf(random, ["n", "s", "b", "d", "u", "r", "string", "long", "hidden"]) } }),
    () => ({ has: { left: { Var: "context" }, attr: ["input", oneOf(random, ["r", "u"]), oneOf(random, ["s", "n", "long"])] } }),
    () => ({ has: { left: { Var: "resource" }, attr: oneOf(random, ["owner", "labels"]) } }),
  ])();

export const policyOf = (random: Random, index: number): Policy => {
  const effect = random(3) === 0 ? "forbid" : "permit";
  const approvers = effect === "forbid" && random(2) === 0 ? [oneOf(random, ["g1", "g2"])] : [];
  const conditions: Condition[] = Array.from({ length: random(3) }, () => ({ kind: random(3) === 0 ? "unless" : "when", body: make(random, "bool", random(4)) }));
  return {
    id: `p${index}`,
    effect,
    team: "",
    file: "p.cedar",
    line: 1,
    column: 1,
    text: "",
    keyword: 0,
    reason: "",
    severity: "",
    remedy: approvers.length > 0 ? `approval:${approvers[0]}` : "",
    approvers,
    unconditional: conditions.length === 0,
    reads: readsOf({ conditions }),
    conditions,
    head: {
      principal: random(3) === 0 ? { op: "in", entity: { type: "Team", id: "red" } } : { op: "All" },
      action: { op: "All" },
      resource: oneOf(random, [{ op: "All" }, { op: "All" }, { op: "==", entity: { type: "Table", id: "orders" } }, { op: "is", entity_type: "Table" }]),
    },
  };
};

const someOf = <T>(random: Random, items: readonly T[]): T[] => items.filter(() => random(3) === 0);

/** What could have been found in the arguments of a call. */
const foundOf = (random: Random): Pick<DecisionInput, "effects" | "facts" | "budget"> => {
  const argument = (role: ArgumentFacts["role"]): ArgumentFacts => ({
    role,
    labels: someOf(random, texts),
    origins: someOf(random, valueOrigins),
    ...(random(2) === 0 && { sql: { class: oneOf(random, ["read", "write", "unknown"] as const), statements: random(3), tables: someOf(random, texts), writes: [], functions: [], unbounded: random(3) === 0 } }),
    ...(random(3) === 0 && { path: { class: oneOf(random, ["plain", "unknown"] as const), paths: [], common: oneOf(random, ["", "a", "ab/"]), folders: [], names: [], kinds: [] } }),
    ...(random(3) === 0 && { money: { class: "plain" as const, minor: random(200), currencies: ["EUR"] } }),
    ...(random(3) === 0 && { url: { class: "public" as const, hosts: [], domains: [], schemes: [], ports: someOf(random, [0, 1, 2]), userinfo: false } }),
  });
  if (random(4) === 0) return {};
  return { facts: { s: argument("recipient"), ...(random(2) === 0 && { t: argument("other") }) }, effects: someOf(random, callEffects), budget: { warn: [], ask: [], over: someOf(random, texts) } };
};

/** A call as an agent could make it; now and then with an argument that the tool never declared. */
export const callOf = (random: Random, agent: DecisionInput["agent"], action: ActionShape): DecisionInput | null => {
  const maybe = (name: string, make: () => Json): JsonObject => (random(4) === 0 ? {} : { [name]: make() });
  const word = (): Json => oneOf(random, [...texts, "zzz", "abxc"]);
  const long = (): Json => oneOf(random, [...longs.slice(0, 8), random(8), -3]);
  const args: JsonObject = {
    ...maybe("n", long),
    ...maybe("s", word),
    ...(action.name === "s/tables" && maybe("ss", () => [word()])),
    ...(action.name === "s/many" && {
      ...maybe("m", long),
      ...maybe("t", word),
      ...maybe("b", () => random(2) === 0),
      ...maybe("d", () => oneOf(random, [0, 1.5, -2.0001, 12.34, 7])),
      ...maybe("ss", () => someOf(random, texts)),
      ...maybe("ns", () => someOf(random, longs.slice(0, 6))),
      ...maybe("bs", () => someOf(random, [true, false])),
      ...maybe("rs", () => [{ s: word() }]),
      ...maybe("r", () => ({ ...maybe("s", word), ...maybe("n", long) })),
      ...maybe("u", () => oneOf(random, [word(), long(), { s: "a" }, {}])),
    }),
    ...(random(5) === 0 && { hidden: 1 }),
  };
  try {
    const resources = resourcesOf(action.contract ?? { effects: [], reversibility: "unknown" }, registry.resources, args);
    return {
      agent,
      user: { id: oneOf(random, ["u1", "u2"]), groups: someOf(random, ["g1", "g2", "g3"]) },
      session: { id: oneOf(random, texts), purpose: oneOf(random, texts), depth: random(3), labels: someOf(random, texts), isolation: oneOf(random, isolations) },
      reversibility: oneOf(random, reversibilities),
      action: action.name,
      definition: action.definition,
      ...(resources.length > 0 && { resources }),
      ...foundOf(random),
      args,
      approvals: someOf(random, ["g1", "g2", "g3"]),
      nowMs: oneOf(random, [0, Date.UTC(2026, 0, 5), Date.UTC(2026, 0, 5, 12, 30), 1]),
    };
  } catch {
    return null; // a call that does not say what it touches is not decided
  }
};
