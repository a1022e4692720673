import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Fault, parseJson, type JsonObject, type ToolContract, type ToolDefinition } from "@lanyard/contract";
import { compile, describeProblem, newMemory, openSnapshot, type ApprovedTool, type CompilerMemory, type Ground, type PolicyFile, type Snapshot } from "@lanyard/policy";
import { registryOf, type Config, type ServerDefinition } from "../../base/config/config.ts";
import type { YieldsFile } from "../../base/config/labels.ts";
import { loadConfig, parseConfig } from "../../base/config/read.ts";
import { loadExtractors } from "../../base/extract/sql/sql.ts";
import type { AskedBy } from "../../base/extract/asked.ts";
import { typedSchema, type DeclaredArguments } from "../../base/extract/declared.ts";
import { chosenPacks, packConfig, packPolicies, type GuardrailPack } from "../../base/packs.ts";
import type { Pin } from "../../base/path.ts";
import { readPolicies } from "../../base/policies.ts";
import { glanceAt } from "../../base/store/glance.ts";
import { ledgerFile } from "../../base/store/sqlite.ts";
import type { UndoContract } from "../../base/undo/contract.ts";
import { approvedIn } from "../../stages/facts/catalog.ts";
import { pinnedBytes } from "../../stages/facts/definition.ts";
import { webGround } from "../../stages/facts/web-tools.ts";
import type { Context } from "../context.ts";
import { readGround, type DraftOptions } from "../policy/draft.ts";
import { definitionsOf, toolsShape } from "./line.ts";

const unknownContract: ToolContract = { effects: [], reversibility: "unknown" };
/** What stands for a server that nobody will reach. */
const nowhere: ServerDefinition = { kind: "http", url: "", headers: {}, oauth: null };

/** What a trace is tried against: configuration, tools, policies. Nothing in it runs. */
export class TrialWorld {
  readonly config: Config;
  readonly policies: readonly PolicyFile[];
  readonly #servers: Map<string, ServerDefinition>;
  readonly #contracts: Map<string, ToolContract>;
  readonly #said: { readonly arguments: Map<string, DeclaredArguments>; readonly yields: Map<string, YieldsFile>; readonly askedBy: Map<string, AskedBy>; readonly undo: Map<string, UndoContract> };
  readonly #tools = new Map<string, ApprovedTool>();
  /** One for each tool, for as long as it stays as it is: what is read off it is remembered by it. */
  readonly #definitions = new Map<string, ToolDefinition>();
  readonly #memory: CompilerMemory;
  #snapshot: Snapshot | null = null;

  /** `ground` given by name takes the place of what lanyard.yaml says of agents, users and contracts. `memory`: what is known of policies already; tools that come later cost only what they change. */
  constructor({ config, ground, named, policies, memory = newMemory() }: { config: Config; ground: Ground | null; named: boolean; policies: readonly PolicyFile[]; memory?: CompilerMemory }) {
    this.#memory = memory;
    this.#servers = new Map(config.servers);
    this.#contracts = new Map(config.tools);
    this.#said = { arguments: new Map(config.arguments), yields: new Map(config.yields), askedBy: new Map(config.askedBy), undo: new Map(config.undo.contracts) };
    this.policies = policies;
    this.config = { ...(ground && named ? registered(config, ground) : config), servers: this.#servers, tools: this.#contracts, arguments: this.#said.arguments, yields: this.#said.yields, askedBy: this.#said.askedBy, undo: { ...config.undo, contracts: this.#said.undo } };
    for (const server of ground?.servers ?? []) this.#servers.set(server, this.#servers.get(server) ?? nowhere);
    for (const tool of ground?.tools ?? []) this.#add(tool, named ? tool.contract : undefined);
    for (const tool of webGround) this.#add(tool, tool.contract);
  }

  /** Tools as their server shows them; they count as approved, and their server as registered. Throws Fault `invalid_request` on one that cannot be pinned. */
  learn(server: string, definitions: readonly ToolDefinition[]): void {
    for (const definition of definitions) {
      const name = `${server}/${definition.name}`;
      if (name.length > this.config.limits.name_chars || definition.name.startsWith("mcp:")) throw new Fault("invalid_request", `a tool cannot be named \`${name.slice(0, 300)}\``);
      const { inputSchema, annotations } = definition;
      this.#add({ server, tool: definition.name, definition: hashOf(definition), inputSchema, contract: unknownContract, ...(annotations && { annotations }) });
    }
  }

  /** Contracts as lanyard.yaml has them below `tools:`; they count from now on. Throws Fault `invalid_request` on one that lanyard.yaml could not hold. */
  agree(contracts: JsonObject): void {
    const servers = Object.fromEntries(Object.keys(contracts).map((name) => [name.split("/")[0] ?? "", { command: "none" }]));
    let said: Config;
    try {
      said = parseConfig(new TextEncoder().encode(JSON.stringify({ version: 1, servers, tools: contracts })), "contracts");
    } catch (error) {
      throw error instanceof Fault ? new Fault("invalid_request", `these are no contracts: ${error.message}`, { cause: error }) : error;
    }
    for (const name of said.tools.keys()) {
      this.#said.arguments.set(name, said.arguments.get(name) ?? new Map());
      this.#said.yields.set(name, said.yields.get(name) ?? {});
      this.#said.undo.delete(name);
      this.#said.askedBy.delete(name);
    }
    for (const [name, words] of said.askedBy) this.#said.askedBy.set(name, words);
    for (const [name, undo] of said.undo.contracts) this.#said.undo.set(name, undo);
    for (const [name, contract] of said.tools) {
      this.#contracts.set(name, contract);
      const tool = this.#tools.get(name);
      if (tool) this.#tools.set(name, { ...tool, contract });
    }
    for (const server of said.servers.keys()) this.#servers.set(server, this.#servers.get(server) ?? nowhere);
    this.#snapshot = null;
  }

  knows(action: string): boolean {
    return this.#tools.has(action);
  }

  contractOf(action: string): ToolContract {
    return this.#contracts.get(action) ?? unknownContract;
  }

  /** As the catalog's: what is not known is refused whatever policy says. */
  pin(server: string, tool: string): Pick<Pin, "definition" | "refuse"> {
    const known = this.#tools.get(`${server}/${tool}`);
    if (known) return { definition: known.definition, refuse: null };
    const text = `no definition of the tool \`${server}/${tool}\` is known, and what is not known is denied; give it with --tools, --ground or a line \`{"tools":{"${server}":[..]}}\`, or try without --strict`;
    return { definition: null, refuse: { code: "not_found", text } };
  }

  /** As the catalog's. */
  definition(server: string, tool: string): ToolDefinition | null {
    return this.#definitions.get(`${server}/${tool}`) ?? null;
  }

  ground(): Ground {
    return { registry: registryOf(this.config), servers: [...this.#servers.keys()], tools: [...this.#tools].map(([name, tool]) => ({ ...tool, inputSchema: typedSchema(tool.inputSchema, this.#said.arguments.get(name)) })) };
  }

  /** The policies against what is known now, compiled when that has changed. Throws Fault `invalid_config` with every error. */
  snapshot(): Snapshot {
    return (this.#snapshot ??= this.compiled(this.ground()));
  }

  /** The policies against any ground. Throws Fault `invalid_config` with every error. */
  compiled(ground: Ground): Snapshot {
    const compiled = compile({ ...ground, policies: this.policies }, this.#memory);
    if (compiled.ok) return openSnapshot(compiled.bytes);
    throw new Fault("invalid_config", `the policies do not compile:\n${compiled.errors.map(describeProblem).join("\n")}\n`);
  }

  #add(tool: ApprovedTool, contract = this.contractOf(`${tool.server}/${tool.tool}`)): void {
    const name = `${tool.server}/${tool.tool}`;
    this.#servers.set(tool.server, this.#servers.get(tool.server) ?? nowhere);
    this.#contracts.set(name, contract);
    this.#tools.set(name, { ...tool, contract });
    this.#definitions.set(name, { name: tool.tool, inputSchema: tool.inputSchema, ...(tool.annotations && { annotations: tool.annotations }) });
    this.#snapshot = null;
  }
}

const hashOf = (definition: ToolDefinition): string => {
  try {
    return createHash("sha256").update(pinnedBytes(definition)).digest("base64url");
  } catch (cause) {
    throw new Fault("invalid_request", `the definition of \`${definition.name}\` cannot be pinned: a lone surrogate, or nested too deeply`, { cause });
  }
};

const registered = (config: Config, { registry }: Ground): Config => ({
  ...config,
  agents: new Map(Object.entries(registry.agents).map(([id, { team, classes }]) => [id, { ...(config.agents.get(id) ?? { servers: null, onBehalfOf: null, runBy: [], sessionMinutes: null }), team, classes }])),
  users: new Map(Object.entries(registry.users)),
  teams: new Map(Object.entries(registry.teams)),
  groups: new Map(Object.entries(registry.groups)),
  owners: registry.owners,
  resources: new Map(Object.entries(registry.resources)),
});

export interface TryOptions extends DraftOptions {
  /** File of tool definitions by server. */
  readonly tools?: string;
  readonly strict?: boolean;
  readonly all?: boolean;
  readonly json?: boolean;
  readonly explain?: boolean;
  /** Names of ready guardrails, or `all`, with commas between. */
  readonly packs?: string;
  /** The group that they ask. */
  readonly approvers: string;
  readonly check?: boolean;
}

/** Whom a trace speaks of that is tried with guardrails and no lanyard.yaml. */
const nobodys = `version: 1
teams: { trial: {} }
groups: { approvers: {} }
users: { user: {}, approver: { groups: [approvers] } }
agents: { agent: { team: trial } }
`;

/** Reads configuration, policies and tools; opens no session, writes nothing. Throws Fault `invalid_config`. */
export async function readWorld(context: Context, options: TryOptions): Promise<TrialWorld> {
  await loadExtractors();
  const packs = options.packs === undefined ? [] : chosenPacks(options.packs.split(","));
  const file = resolve(context.configPath());
  const hasConfig = existsSync(file) || (options.ground === undefined && options.dir === undefined && options.packs === undefined);
  const own = hasConfig ? loadConfig(file) : parseConfig(new TextEncoder().encode(packs.length === 0 ? "version: 1\n" : nobodys), file);
  const config = guarded(own, packs);
  const named = options.ground !== undefined;
  const ground = named ? await readGround(context, options) : hasConfig ? catalogOf(config) : null;
  const written = options.dir !== undefined || hasConfig ? await readPolicies(options.dir ?? config.policies, config.limits) : [];
  const world = new TrialWorld({ config, ground, named, policies: [...written, ...packPolicies(packs, options.approvers)] });
  if (options.tools !== undefined) for (const [server, tools] of readTools(options.tools)) world.learn(server, tools);
  return world;
}

/** With what guardrails bring along to lanyard.yaml; what stands there already counts. */
function guarded(config: Config, packs: readonly GuardrailPack[]): Config {
  if (packs.length === 0) return config;
  const { budgets, labels } = parseConfig(new TextEncoder().encode(JSON.stringify({ version: 1, ...packConfig(packs) })), config.file);
  return { ...config, budgets: new Map([...budgets, ...config.budgets]), labels: { ...config.labels, patterns: new Map([...labels.patterns, ...config.labels.patterns]) } };
}

/** The catalog that the data folder holds, whether or not a daemon runs on it; none where there is no folder yet. The folder is only read. */
function catalogOf(config: Config): Ground | null {
  if (!existsSync(ledgerFile(config.data))) return null;
  using glance = glanceAt(config.data);
  const tools = approvedIn(glance).map(({ server, tool, hash }): ApprovedTool => ({ server, tool: tool.name, definition: hash, inputSchema: tool.inputSchema, contract: unknownContract, ...(tool.annotations && { annotations: tool.annotations }) }));
  return { registry: registryOf(config), servers: [...config.servers.keys()], tools: tools.filter(({ server }) => config.servers.has(server)) };
}

function readTools(path: string): ReturnType<typeof definitionsOf> {
  let value: unknown;
  try {
    value = parseJson(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new Fault("invalid_config", `\`${path}\` could not be read as JSON; it holds \`{"server": [definitions]}\`, as \`tools/list\` gives them`, { cause });
  }
  const { success, data, error } = toolsShape.safeParse(value);
  if (success) return definitionsOf(data);
  const [issue] = error.issues;
  throw new Fault("invalid_config", `\`${path}\` is no file of tools: \`${issue?.path.join(".") ?? ""}\`: ${issue?.message ?? ""}`);
}
