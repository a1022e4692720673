import { callEffects, Fault, isObject, reservedEntityTypes, reversibilities, webServer, type Registry, type JsonObject, type ToolContract } from "@lanyard/contract";
import { budgetParts, factKindNames, fieldsOfKind, originSets, type FactField } from "./facts.ts";
import type { HistoryLeaf } from "../temporal/leaf.ts";
import { shapeOfInput, type Note, type RecordShape, type Shape } from "./shape.ts";

/** An approved tool, as the catalog hands it to policy. */
export interface ApprovedTool {
  readonly server: string;
  readonly tool: string;
  /** Hash of the approved definition. */
  readonly definition: string;
  readonly inputSchema: JsonObject;
  readonly contract: ToolContract;
  /** The server's own hints (MCP `annotations`). They may only raise caution: see {@link hintGroups}. */
  readonly annotations?: JsonObject;
}

/** What policies can speak about: the upstream servers and their approved tools. */
export interface ToolSet {
  readonly servers: readonly string[];
  readonly tools: readonly ApprovedTool[];
}

/** All that policies are written against: the tools there are, and who and what there is. Plain JSON. */
export interface Ground extends ToolSet {
  readonly registry: Registry;
  /** Names of all tools that have a contract, sorted: one of a tool that is not there puts nothing into its groups. Absent when nobody knows. */
  readonly contracts?: readonly string[];
}

/** One Cedar action: a tool, or a request to a server that is no tool call. */
export interface ActionShape {
  readonly name: string;
  readonly server: string;
  /** Every action group it is in, sorted: `server:<name>`, `mcp` or the tool's effects, `reversibility:<kind>`, `hint:<kind>`. */
  readonly groups: readonly string[];
  /** Entity type of what a call touches: by the tool's contract, else `Server`. */
  readonly resourceType: string;
  readonly input: RecordShape;
  /** Hash of the tool's approved definition; null for anything but a tool. */
  readonly definition: string | null;
  readonly contract: ToolContract | null;
}

/** Cedar's JSON form of a schema. */
export type CedarSchema = JsonObject;

/** Groups by what an action does; a tool's contract names them. Destructive and money are kinds of write. */
const effectGroups = [...callEffects, "mcp"] as const;
const reversibilityGroups = reversibilities.map((kind) => `reversibility:${kind}`);

/**
 * Groups by what a server says of its own tool. Invariant: only the head of a forbid may name one, for a server must never gain by a hint:
 * `readOnlyHint: true` and `idempotentHint` put a tool into no group, and what is not said counts for nothing.
 */
const hintGroups = ["hint:destructive", "hint:egress", "hint:write"] as const;

/** Every group of actions that there is whatever the catalog holds. */
export const standingGroups: readonly string[] = [...effectGroups, ...reversibilityGroups, ...hintGroups];

/** Requests of MCP 2025-06-18 to 2026-07-28 that are no tool call and reach a server. Any other method is treated alike. */
const methods = [
  "completion/complete",
  "lanyard/restore",
  "logging/setLevel",
  "prompts/get",
  "prompts/list",
  "resources/list",
  "resources/read",
  "resources/subscribe",
  "resources/templates/list",
  "resources/unsubscribe",
  "subscriptions/listen",
  "tasks/cancel",
  "tasks/get",
  "tasks/list",
  "tasks/result",
  "tasks/update",
] as const;

const requestInput: RecordShape = {
  kind: "record",
  fields: [
    { name: "name", shape: { kind: "string" }, required: false },
    { name: "uri", shape: { kind: "string" }, required: false },
  ],
};

/** The action of a request that is no tool call, known by name or not: every server takes any method. */
export const requestAction = (server: string, method: string): ActionShape => ({
  name: `${server}/mcp:${method}`,
  server,
  groups: ["mcp", `server:${server}`],
  resourceType: "Server",
  input: requestInput,
  definition: null,
  contract: null,
});

/** Every action of a catalog, sorted by name, and what its author should know about each. Throws Fault `invalid_config` on a server's name. */
export const actionsOf = (catalog: ToolSet): { actions: ActionShape[]; notes: Note[] } => {
  const notes: Note[] = [];
  const servers = [...new Set([...catalog.servers, ...catalog.tools.map((tool) => tool.server)])];
  for (const server of servers) {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(server)) throw new Fault("invalid_config", `cannot name an action after the server \`${server}\``);
  }
  const actions = new Map<string, ActionShape>();
  for (const server of servers) for (const method of server === webServer ? [] : methods) actions.set(`${server}/mcp:${method}`, requestAction(server, method));
  for (const tool of catalog.tools) {
    const name = `${tool.server}/${tool.tool}`;
    // A tool that called itself `mcp:resources/read` would be permitted by policies on reading resources.
    if (tool.tool.startsWith("mcp:") || !tool.tool.isWellFormed() || actions.has(name)) {
      notes.push({ action: name, at: "", text: "a tool may not have this name; policy does not know it" });
      continue;
    }
    actions.set(name, toolAction(name, tool, tool.server === webServer ? [] : notes)); // Of our own schema nobody needs to be told.
  }
  const byName = (left: { name: string }, right: { name: string }): number => (left.name < right.name ? -1 : 1);
  const order = (note: Note): string => `${note.action}\0${note.at}`;
  return { actions: [...actions.values()].sort(byName), notes: notes.sort((left, right) => (order(left) < order(right) ? -1 : 1)) };
};

const toolAction = (name: string, tool: ApprovedTool, notes: Note[]): ActionShape => {
  const { effects, reversibility, classes, resource } = tool.contract;
  const groups = new Set<string>(effects);
  if (groups.has("destructive") || groups.has("money") || groups.has("access")) groups.add("write");
  if (resource !== undefined && !isResourceType(resource.type)) throw new Fault("invalid_config", `the contract of \`${name}\` names a resource of the type \`${resource.type}\`, which cannot be one`);
  return {
    name,
    server: tool.server,
    groups: [...groups, `reversibility:${reversibility}`, ...hintsOf(tool.annotations), `server:${tool.server}`].sort(),
    resourceType: resource?.type ?? "Server",
    input: shapeOfInput(tool.inputSchema, (at, text) => notes.push({ action: name, at, text })),
    definition: tool.definition,
    contract: { effects: [...effects].sort(), reversibility, ...(classes && { classes: [...classes] }), ...(resource && { resource: { type: resource.type, argument: [...resource.argument] } }) },
  };
};

/** What a server's hints say explicitly, and only where it is a reason for caution. */
const hintsOf = (annotations: JsonObject | undefined): string[] => {
  if (!isObject(annotations)) return [];
  const says = (hint: string, value: boolean): boolean => Object.hasOwn(annotations, hint) && annotations[hint] === value;
  const isDestructive = says("destructiveHint", true);
  return [
    ...(isDestructive ? ["hint:destructive"] : []),
    ...(says("openWorldHint", true) ? ["hint:egress"] : []),
    ...(isDestructive || says("readOnlyHint", false) ? ["hint:write"] : []),
  ];
};

const isResourceType = (type: string): boolean => /^[A-Z][A-Za-z0-9]{0,63}$/.test(type) && !reservedEntityTypes.includes(type);

/**
 * The Cedar schema of a catalog, our own generator: stable under reordering, any tool name, any JSON Schema. `unknown` are actions that
 * policies name and no catalog knows: declared without `appliesTo`, so that they validate and match nothing.
 */
export const schemaFromTools = (catalog: ToolSet, unknown: readonly string[] = []): { schema: CedarSchema; notes: Note[] } => {
  const { actions, notes } = actionsOf(catalog);
  return { schema: schemaOf(actions, { unknown }), notes };
};

const text: JsonObject = { type: "String" };
const entity = (name: string): JsonObject => ({ type: "Entity", name });
const setOf = (element: JsonObject): JsonObject => ({ type: "Set", element });
const recordOf = (attributes: JsonObject): JsonObject => ({ type: "Record", attributes });

const entityTypes: JsonObject = {
  Agent: { memberOfTypes: ["AgentClass", "Team"] },
  AgentClass: {},
  Group: {},
  Server: {},
  Team: {},
  User: { memberOfTypes: ["Group"] },
};

/** What is known of whatever a call touches, beside its name: labels, and the team that owns it. */
const resourceType: JsonObject = { memberOfTypes: ["Server"], shape: recordOf({ labels: setOf(text), owner: { ...entity("Team"), required: false } }) };

/** Types of resources that some contract or the registry names, sorted. */
export const resourceTypesOf = (actions: readonly ActionShape[], registry?: Registry): string[] =>
  [...new Set([...actions.map((action) => action.resourceType), ...Object.keys(registry?.resources ?? {}).filter(isResourceType)])].filter((type) => type !== "Server").sort();

const factType = ({ kind }: FactField): JsonObject => {
  if (kind === "texts") return setOf(text);
  if (kind === "longs") return setOf({ type: "Long" });
  return kind === "sum" ? { type: "Long" } : kind === "flag" ? { type: "Boolean" } : text;
};

const same = (names: readonly string[], type: JsonObject): JsonObject => recordOf(Object.fromEntries(names.map((name) => [name, type])));

/** Those in small letters could be no type of a resource. */
const commonTypes: JsonObject = {
  Session: recordOf({ id: text, purpose: text, depth: { type: "Long" }, labels: setOf(text), isolation: text }),
  budget: same(budgetParts, setOf(text)),
  facts: recordOf({
    effects: setOf(text),
    asked: setOf(text),
    encodings: setOf(text),
    ...Object.fromEntries(factKindNames.map((kind) => [kind, recordOf(Object.fromEntries(Object.entries(fieldsOfKind(kind)).map(([name, field]) => [name, factType(field)])))])),
  }),
};

interface Extra {
  /** Names to declare without `appliesTo`: policies that name them are valid and match nothing. */
  readonly unknown?: readonly string[];
  /** The same with the groups they are in. */
  readonly mentioned?: readonly { readonly name: string; readonly groups: readonly string[] }[];
  /** What policies ask of history. */
  readonly leaves?: readonly Pick<HistoryLeaf, "id" | "type">[];
  /** Types of resources; by default those of the actions. */
  readonly types?: readonly string[];
}

/** Cedar's JSON schema over these actions. */
export const schemaOf = (actions: readonly ActionShape[], { unknown = [], mentioned = [], types = resourceTypesOf(actions), leaves = [] }: Extra): CedarSchema => {
  const bare = new Set([...standingGroups, ...[...actions, ...mentioned].flatMap(({ groups }) => groups), ...unknown]);
  const declared: [string, JsonObject][] = [...bare].map((name) => [name, {}]);
  for (const { name, groups } of mentioned) declared.push([name, { memberOf: groups.map((id) => ({ id })) }]);
  for (const action of actions) {
    const context = recordOf({
      input: cedarType(action.input),
      user: entity("User"),
      session: { type: "Session" },
      approvals: setOf(entity("Group")),
      remedies: setOf(text),
      reversibility: text,
      facts: { type: "facts" },
      labels: setOf(text),
      origins: originsType(action.input),
      budget: { type: "budget" },
      history: { type: "history" },
      now: { type: "Extension", name: "datetime" },
    });
    const memberOf = action.groups.map((id) => ({ id }));
    declared.push([action.name, { memberOf, appliesTo: { principalTypes: ["Agent"], resourceTypes: [action.resourceType], context } }]);
  }
  const resources = Object.fromEntries(types.map((type) => [type, resourceType]));
  const history = recordOf(Object.fromEntries(leaves.map(({ id, type }) => [id, { type: type === "Bool" ? "Boolean" : "Long" }])));
  return { "": { commonTypes: { ...commonTypes, history }, entityTypes: { ...entityTypes, ...resources }, actions: Object.fromEntries(declared) } };
};

/** Of every argument that policy can see, and of those of each role: nothing on the way has to be asked for with `has`. */
const originsType = ({ fields }: RecordShape): JsonObject =>
  recordOf({ ...Object.fromEntries(originSets.map((role) => [role, setOf(text)])), input: same(fields.map(({ name }) => name), setOf(text)) });

const cedarType = (shape: Shape): JsonObject => {
  switch (shape.kind) {
    case "string":
      return text;
    case "long":
      return { type: "Long" };
    case "boolean":
      return { type: "Boolean" };
    case "decimal":
      return { type: "Extension", name: "decimal" };
    case "set":
      return setOf(cedarType(shape.of));
    case "tagged":
      return recordOf(Object.fromEntries(shape.of.map((part) => [part.kind, { ...cedarType(part), required: false }])));
    case "record": // fromEntries makes own properties, of any name
      return recordOf(Object.fromEntries(shape.fields.map(({ name, shape: type, required }) => [name, { ...cedarType(type), required }])));
  }
};
