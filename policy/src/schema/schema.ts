import { Fault, type Registry, type JsonObject, type ToolContract } from "@lanyard/contract";
import { shapeOfInput, type Note, type RecordShape, type Shape } from "./shape.ts";

/** An approved tool, as the catalog hands it to policy. */
export interface ApprovedTool {
  readonly server: string;
  readonly tool: string;
  /** Hash of the approved definition. */
  readonly definition: string;
  readonly inputSchema: JsonObject;
  readonly contract: ToolContract;
}

/** What policies can speak about: the upstream servers and their approved tools. */
export interface ToolSet {
  readonly servers: readonly string[];
  readonly tools: readonly ApprovedTool[];
}

/** All that policies are written against: the tools there are, and who and what there is. Plain JSON. */
export interface Ground extends ToolSet {
  readonly registry: Registry;
}

/** One Cedar action: a tool, or a request to a server that is no tool call. */
export interface ActionShape {
  readonly name: string;
  readonly server: string;
  /** Every action group it is in, sorted: `server:<name>`, `mcp` or the tool's effects. */
  readonly groups: readonly string[];
  readonly input: RecordShape;
  /** Hash of the tool's approved definition; null for anything but a tool. */
  readonly definition: string | null;
  readonly contract: ToolContract | null;
}

/** Cedar's JSON form of a schema. */
export type CedarSchema = JsonObject;

/** Groups by what an action does; a tool's contract names them. Destructive and money are kinds of write. */
const effectGroups = ["read", "write", "egress", "destructive", "money", "exec", "mcp"] as const;

/** Requests of MCP 2025-06-18 to 2026-07-28 that are no tool call and reach a server. Any other method is treated alike. */
const methods = [
  "completion/complete",
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
  for (const server of servers) for (const method of methods) actions.set(`${server}/mcp:${method}`, requestAction(server, method));
  for (const tool of catalog.tools) {
    const name = `${tool.server}/${tool.tool}`;
    // A tool that called itself `mcp:resources/read` would be permitted by policies on reading resources.
    if (tool.tool.startsWith("mcp:") || !tool.tool.isWellFormed() || actions.has(name)) {
      notes.push({ action: name, at: "", text: "a tool may not have this name; policy does not know it" });
      continue;
    }
    actions.set(name, toolAction(name, tool, notes));
  }
  const byName = (left: { name: string }, right: { name: string }): number => (left.name < right.name ? -1 : 1);
  const order = (note: Note): string => `${note.action}\0${note.at}`;
  return { actions: [...actions.values()].sort(byName), notes: notes.sort((left, right) => (order(left) < order(right) ? -1 : 1)) };
};

const toolAction = (name: string, tool: ApprovedTool, notes: Note[]): ActionShape => {
  const effects = new Set<string>(tool.contract.effects);
  if (effects.has("destructive") || effects.has("money")) effects.add("write");
  return {
    name,
    server: tool.server,
    groups: [...effects, `server:${tool.server}`].sort(),
    input: shapeOfInput(tool.inputSchema, (at, text) => notes.push({ action: name, at, text })),
    definition: tool.definition,
    contract: { effects: [...tool.contract.effects].sort(), reversibility: tool.contract.reversibility },
  };
};

/**
 * The Cedar schema of a catalog, our own generator: stable under reordering, any tool name, any JSON Schema. `unknown` are actions that
 * policies name and no catalog knows: declared without `appliesTo`, so that they validate and match nothing.
 */
export const schemaFromTools = (catalog: ToolSet, unknown: readonly string[] = []): { schema: CedarSchema; notes: Note[] } => {
  const { actions, notes } = actionsOf(catalog);
  return { schema: schemaOf(actions, unknown), notes };
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

const commonTypes: JsonObject = {
  Session: recordOf({ id: text, purpose: text, depth: { type: "Long" }, labels: setOf(text), isolation: text }),
};

/** Cedar's JSON schema over these actions. */
export const schemaOf = (actions: readonly ActionShape[], unknown: readonly string[]): CedarSchema => {
  const declared: [string, JsonObject][] = [...new Set([...effectGroups, ...actions.flatMap(({ groups }) => groups), ...unknown])].map((name) => [name, {}]);
  for (const action of actions) {
    const context = recordOf({
      input: cedarType(action.input),
      user: entity("User"),
      session: { type: "Session" },
      approvals: setOf(entity("Group")),
      remedies: setOf(text),
      now: { type: "Extension", name: "datetime" },
    });
    const memberOf = action.groups.map((id) => ({ id }));
    declared.push([action.name, { memberOf, appliesTo: { principalTypes: ["Agent"], resourceTypes: ["Server"], context } }]);
  }
  return { "": { commonTypes, entityTypes, actions: Object.fromEntries(declared) } };
};

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
