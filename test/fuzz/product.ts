import { argumentRoles, callEffects, codeClasses, isObject, isolations, plainClasses, reversibilities, shellClasses, sqlClasses, urlClasses, valueOrigins, type ArgumentFacts, type Decision, type DecisionInput, type Json, type JsonObject } from "@lanyard/contract";
import { encodeBundle, type Policy } from "../../policy/src/bundle.ts";
import { readsOf } from "../../policy/src/decide/reads.ts";
import { openSnapshot, type Snapshot } from "../../policy/src/decide/snapshot.ts";
import { CedarJudge } from "../../policy/src/oracle/judge.ts";
import { actionsOf, type ApprovedTool } from "../../policy/src/schema/schema.ts";
import type { Dice } from "./dice.ts";
import { expression } from "./expressions.ts";
import { policyText, type PolicyForm } from "./text.ts";
import { fields, kinds, smallNumbers, texts, type Kind, type Uid } from "./world.ts";

// The whole decision: bundles, index, context, evaluation, combination, from the outside. Policies are random, typed by the schema of the tools
// and deliberately not always; they skip validation, because what validation lets through must not be what decisions depend on.

const agents = ["bot", "cat", "ü😀"] as const;
const teams = ["shop", "hr"] as const;
const classes = ["worker", "clerk", "auditor"] as const;
const groups = ["leads", "staff"] as const;
const labels = ["pii", "secret", ...texts.slice(0, 3)] as const;
const entityIds: Readonly<Record<string, readonly string[]>> = { Agent: agents, Team: teams, AgentClass: classes, User: ["ana", "bob"], Group: groups, Server: ["files", "mail"], Folder: ["a", "b", "c"] };

/** The type of an argument by its kind, as a tool's schema declares it. */
const declared = (kind: Kind, room: number): JsonObject => {
  if (kind === "boolean") return { type: "boolean" };
  if (kind === "number") return { type: "integer" };
  if (kind === "text") return { type: "string" };
  if (kind === "numbers") return { type: "array", items: { type: "integer" } };
  if (kind === "texts") return { type: "array", items: { type: "string" } };
  if (kind === "decimal") return { type: "number" };
  return { type: "object", properties: propertiesOf(room - 1) };
};

const argumentKinds: readonly Kind[] = ["boolean", "number", "text", "numbers", "texts", "decimal", "record"];

const propertiesOf = (room: number): JsonObject =>
  Object.fromEntries(argumentKinds.flatMap((kind) => (kind === "record" && room <= 0 ? [] : fields[kind].map((name) => [name, declared(kind, room)]))));

const tools: readonly ApprovedTool[] = ["read", "write", "list"].flatMap((tool) =>
  ["files", "mail"].map((server) => ({
    server,
    tool,
    definition: "d",
    inputSchema: { type: "object", properties: propertiesOf(tool === "list" ? 1 : 2), required: ["n"] },
    contract: { effects: tool === "write" ? (["write", "money"] as const) : (["read"] as const), reversibility: "unknown", ...(tool === "list" ? { resource: { type: "Folder", argument: ["s"] } } : {}) },
  })),
);
const { actions } = actionsOf({ servers: ["files", "mail"], tools });
const actionNames = [...tools.map(({ server, tool }) => `${server}/${tool}`), "files/mcp:resources/read", "mail/mcp:custom/method"];
const actionGroups = ["read", "write", "money", "mcp", "server:files", "server:mail", "reversibility:unknown"];

const uid = (dice: Dice): Uid => {
  const type = dice.pick(Object.keys(entityIds));
  return { type, id: dice.pick(entityIds[type] ?? agents) };
};

/** What the gateway tells policies, by kind. */
const facts: Readonly<Partial<Record<Kind, readonly (readonly string[])[]>>> = {
  boolean: [["context", "facts", "sql", "unbounded"], ["context", "facts", "shell", "destructive"], ["context", "facts", "url", "userinfo"]],
  number: [["context", "session", "depth"], ["context", "facts", "sql", "statements"], ["context", "facts", "money", "minor"]],
  numbers: [["context", "facts", "url", "ports"]],
  text: [["context", "facts", "sql", "class"], ["context", "facts", "path", "common"], ["context", "facts", "money", "class"], ["context", "session", "purpose"], ["context", "session", "isolation"], ["context", "reversibility"]],
  texts: [["context", "session", "labels"], ["resource", "labels"], ["context", "labels"], ["context", "facts", "effects"], ["context", "facts", "sql", "tables"], ["context", "facts", "sql", "secrets"], ["context", "facts", "encodings"], ["context", "origins", "any"], ["context", "origins", "recipient"], ["context", "origins", "input", "n"], ["context", "budget", "over"]],
  record: [["context", "facts", "sql"], ["context", "facts"], ["context", "origins"], ["context", "budget"], ["context", "history"]],
  entities: [["context", "approvals"]],
  entity: [["context", "user"], ["resource", "owner"]],
  datetime: [["context", "now"]],
};

const path = ([first = "", ...more]: readonly string[]): JsonObject => more.reduce<JsonObject>((left, attr) => ({ ".": { left, attr } }), { Var: first });

/** Expressions of the abstract world, moved into the one of tools. */
const moved = (dice: Dice, json: Json): Json => {
  if (Array.isArray(json)) return json.map((item) => moved(dice, item));
  if (!isObject(json)) return json;
  if (isObject(json["__entity"])) return { __entity: { ...uid(dice) } };
  if (json["Var"] === "context") return dice.chance(90) ? path(["context", "input"]) : json;
  const access = json["."];
  if (isObject(access)) {
    const kind = kinds.find((one) => fields[one].includes(String(access["attr"])));
    const known = kind && facts[kind];
    if (known !== undefined && dice.chance(argumentKinds.includes(kind ?? "entity") ? 25 : 90)) return path(dice.pick(known));
  }
  const inner: JsonObject = {};
  for (const [key, item] of Object.entries(json)) inner[key] = key === "entity_type" ? dice.pick(Object.keys(entityIds)) : moved(dice, item);
  return inner;
};

const headOf = (dice: Dice): PolicyForm["head"] => {
  const agent = (): JsonObject => ({ ...(dice.chance(90) ? dice.pick<() => Uid>([() => ({ type: "Agent", id: dice.pick(agents) }), () => ({ type: "Team", id: dice.pick(teams) }), () => ({ type: "AgentClass", id: dice.pick(classes) })])() : uid(dice)) });
  const thing = (): JsonObject => ({ ...(dice.chance(60) ? { type: "Folder", id: dice.pick(["a", "b", "c"]) } : { type: "Server", id: dice.pick(["files", "mail"]) }) });
  const action = (): JsonObject => ({ type: "Action", id: dice.pick([...actionNames, ...actionGroups]) });
  const about = (entity: () => JsonObject, types: readonly string[]): JsonObject =>
    dice.pick<() => JsonObject>([() => ({ op: "All" }), () => ({ op: "==", entity: entity() }), () => ({ op: "in", entity: entity() }), () => ({ op: "is", entity_type: dice.pick(types) }), () => ({ op: "is", entity_type: dice.pick(types), in: { entity: entity() } })])();
  return {
    principal: dice.chance(40) ? { op: "All" } : about(agent, ["Agent", "User"]),
    action: dice.pick<() => JsonObject>([() => ({ op: "All" }), () => ({ op: "==", entity: action() }), () => ({ op: "in", entity: action() }), () => ({ op: "in", entities: dice.some(0, 3, action) })])(),
    resource: dice.chance(60) ? { op: "All" } : about(thing, ["Server", "Folder"]),
  };
};

/** Changes of arguments: some fit, some fit some calls, some are in each other's way or touch the resource. */
const changes: readonly string[] = [
  ...Object.values(fields).flat().slice(0, 12).flatMap((name) => [`drop(${name})`, `mask(${name})`, `set(${name}, 3)`]),
  ...fields.text.flatMap((name) => [`set(${name}, "x")`, `mask(${name})`, `redact(${name}, secret)`, `tokenise(${name}, pii)`, `tokenise(${name}, secret)`]),
  ...["result.redact(secret)", "result.tokenise(pii)", "result.mask(a.b)"],
  ...fields.record.flatMap((name) => [`drop(${name}.${fields.number[0] ?? ""})`, `set(${name}.${fields.boolean[0] ?? ""}, true)`]),
];

const makePolicy = (dice: Dice, index: number): Policy => {
  const effect = dice.chance(75) ? "permit" : "forbid";
  const approvers = effect === "forbid" && dice.chance(60) ? [...new Set(dice.some(1, 2, () => dice.pick(groups)))].sort() : [];
  const change = effect === "forbid" && approvers.length === 0 && dice.chance(60) ? dice.pick(changes) : "";
  const lift: { kind: "unless"; body: JsonObject }[] = change === "" ? [] : [{ kind: "unless", body: { contains: { left: path(["context", "remedies"]), right: { Value: change } } } }];
  const clauses = dice.some(0, dice.chance(50) ? 1 : 2, () => ({ kind: dice.chance(75) ? ("when" as const) : ("unless" as const), body: moved(dice, expression(dice, "boolean", 1 + dice.below(3))) as JsonObject }));
  const conditions = [...clauses, ...lift];
  const head = headOf(dice);
  const permit = policyText({ head, clauses: conditions });
  const id = `p${index}`;
  return {
    id,
    effect,
    team: "",
    file: "p.cedar",
    line: index + 1,
    column: 1,
    text: effect === "permit" ? permit : permit.replace(/^permit/, "forbid"),
    keyword: 0,
    reason: dice.pick(["", "because"]),
    severity: "",
    remedy: change !== "" ? `transform:${change}` : approvers.length === 0 ? "" : `approval:${approvers.join(",")}`,
    approvers,
    unconditional: conditions.length === 0,
    reads: readsOf({ conditions }),
    conditions,
    head: head as unknown as Policy["head"],
  };
};

const argument = (dice: Dice, kind: Kind, room: number): Json => {
  if (dice.below(400) === 0) return dice.pick<Json>([null, 1.5, 2 ** 53, 1e300, -0, "\ud800", { __entity: { type: "Agent", id: "bot" } }, { __extn: { fn: "ip", arg: "::1" } }, [[1]], [null], true, "x"]);
  switch (kind) {
    case "boolean":
      return dice.chance(50);
    case "number":
      return dice.pick(smallNumbers);
    case "text":
      return dice.pick(texts);
    case "numbers":
      return dice.some(0, 8, () => dice.below(5));
    case "texts":
      return dice.some(0, 4, () => dice.pick(texts));
    case "decimal":
      return dice.pick([0, 1, 0.1, -0.5, 0.5, 12.3456, -1.0001, 3]);
    default:
      return argumentsOf(dice, room - 1);
  }
};

const argumentsOf = (dice: Dice, room: number): JsonObject => {
  const found: JsonObject = {};
  for (const kind of argumentKinds) for (const name of fields[kind]) if (dice.chance(92) && (kind !== "record" || room > 0)) found[name] = argument(dice, kind, room);
  if (dice.chance(4)) found[dice.pick(["t", "e", "undeclared", "__entity", "__extn", "__proto__x", "uri", "name"])] = dice.pick<Json>(["x", 1, null, { a: 1 }]);
  return found;
};

const anyOf = <T>(dice: Dice, items: readonly T[]): T[] => items.filter(() => dice.chance(30));
/** A class that an extractor could give; now and then one that nobody knows. */
const worse = <T extends string>(dice: Dice, classes: readonly T[]): Exclude<T, "none"> => dice.pick([...classes.slice(1), ...classes.slice(1), "newer" as T]) as Exclude<T, "none">;

const argumentFacts = (dice: Dice): ArgumentFacts => ({
  role: dice.pick(argumentRoles),
  labels: anyOf(dice, labels),
  origins: anyOf(dice, valueOrigins),
  ...(dice.chance(20) && { payees: anyOf(dice, valueOrigins) }),
  ...(dice.chance(30) && { encodings: anyOf(dice, ["base64", "deep", ...texts.slice(0, 2)]) }),
  ...(dice.chance(40) && { sql: { class: worse(dice, sqlClasses), statements: dice.below(4), tables: anyOf(dice, texts), writes: anyOf(dice, texts), functions: [], unbounded: dice.chance(50), ...(dice.chance(50) && { secrets: anyOf(dice, texts) }) } }),
  ...(dice.chance(30) && { shell: { class: worse(dice, shellClasses), programs: anyOf(dice, texts), paths: [], hosts: [], destructive: dice.chance(50) } }),
  ...(dice.chance(30) && { url: { class: worse(dice, urlClasses), hosts: anyOf(dice, texts), domains: [], schemes: [], ports: anyOf(dice, [0, 1, 443]), userinfo: dice.chance(50) } }),
  ...(dice.chance(30) && { path: { class: worse(dice, plainClasses), paths: anyOf(dice, texts), common: dice.pick(["", "/", "/a/", "/a/b/", "/ab/", "a/"]), folders: [], names: [], kinds: [] } }),
  ...(dice.chance(30) && { money: { class: worse(dice, plainClasses), minor: dice.pick([0, 1, -1, 2 ** 52, dice.below(400) === 0 ? 0.5 : 2]), currencies: anyOf(dice, ["EUR", "USD", ""]) } }),
  ...(dice.chance(20) && { code: { class: worse(dice, codeClasses), languages: [], imports: anyOf(dice, texts) } }),
});

/** What the gateway found of a call; of some calls, as of those on record from before, nothing at all. */
const foundOf = (dice: Dice): Pick<DecisionInput, "effects" | "facts" | "budget" | "history"> => ({
  ...(dice.chance(70) && { effects: anyOf(dice, callEffects) }),
  ...(dice.chance(75) && { facts: Object.fromEntries(dice.some(0, 3, () => [dice.pick([...fields.text, ...fields.number, "undeclared"]), argumentFacts(dice)])) }),
  ...(dice.chance(50) && { budget: { warn: anyOf(dice, texts), ask: anyOf(dice, texts), over: anyOf(dice, texts) } }),
  ...(dice.chance(20) && { history: { [dice.pick(fields.number)]: dice.below(3), [dice.pick(fields.boolean)]: dice.chance(50) } }),
});

const makeInput = (dice: Dice): DecisionInput => {
  const action = dice.chance(98) ? dice.pick(actionNames) : "files/unknown";
  const folder = () => ({ type: "Folder", id: dice.pick(["a", "b", "c", "d"]), labels: dice.some(0, 2, () => dice.pick(labels)), owner: dice.chance(50) ? dice.pick(teams) : null });
  return {
    agent: { id: dice.pick(agents), team: dice.pick(teams), classes: [...new Set(dice.some(0, 2, () => dice.pick(classes)))] },
    user: { id: dice.pick(["ana", "bob"]), groups: dice.some(0, 2, () => dice.pick(groups)) },
    session: { id: "s", purpose: dice.pick(texts), depth: dice.below(3), labels: dice.some(0, 3, () => dice.pick(labels)), isolation: dice.pick(isolations) },
    reversibility: dice.pick(reversibilities),
    action,
    ...(action.endsWith("/list") || dice.chance(1) ? { resources: dice.chance(97) ? dice.some(1, 3, folder) : [] } : {}),
    args: action.includes("mcp:") ? { uri: dice.pick(texts), ...(dice.chance(20) ? { n: 1 } : {}) } : { n: 1, ...argumentsOf(dice, 3) },
    ...foundOf(dice),
    approvals: dice.some(0, 2, () => dice.pick(groups)),
    nowMs: dice.pick([0, 1_790_000_000_000, -1, 253402300799999, 8.64e15]),
  };
};

/** A decision that the two do not agree on. */
export interface Disagreement {
  readonly policies: readonly string[];
  readonly input: DecisionInput;
  readonly snapshot: Decision;
  readonly cedar: Decision;
}

/** Random bundles, each asked several times, of a snapshot and of Cedar; the words of errors count too. */
export const compareDecisions = (dice: Dice, { bundles, policies, inputs }: { bundles: number; policies: number; inputs: number }): { decisions: Record<string, number>; found: Disagreement[] } => {
  const judge = new CedarJudge();
  const counts: Record<string, number> = { allow: 0, ask: 0, changed: 0, deny: 0, erred: 0, refused: 0 };
  const found: Disagreement[] = [];
  for (let round = 0; round < bundles; round += 1) {
    const made = Array.from({ length: 1 + dice.below(policies) }, (_, index) => makePolicy(dice, index)).sort((left, right) => (left.id < right.id ? -1 : 1));
    const { bytes, hash } = encodeBundle({ v: 3, engine: "fuzz", policies: made, actions, schema: {}, tests: [] });
    const snapshot: Snapshot = openSnapshot(bytes);
    judge.load(hash, bytes);
    for (let turn = 0; turn < inputs; turn += 1) {
      const input = makeInput(dice);
      const [one, two] = [snapshot.decide(input), judge.judge(hash, input)];
      const kind = one.transforms ? "changed" : one.errors.length === 0 ? one.effect : one.errors[0]?.policy.startsWith("lanyard.") ? "refused" : "erred";
      counts[kind] = (counts[kind] ?? 0) + 1;
      if (JSON.stringify(one) !== JSON.stringify(two)) found.push({ policies: made.map(({ text }) => text), input, snapshot: one, cedar: two });
    }
  }
  return { decisions: counts, found };
};
