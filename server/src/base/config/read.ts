import { createHash } from "node:crypto";
import { dirname, resolve } from "node:path";
import { Fault, webServer } from "@lanyard/contract";
import { endpointText, parseAuthority } from "../host.ts";
import { defaultLimits, limits } from "../limits.ts";
import { alertRules, checkAlerts } from "./alerts.ts";
import { budgetsOf, checkBudgets } from "./budgets.ts";
import type { AgentEntry, Config, IsolatedServer, OauthServer, ServerDefinition } from "./config.ts";
import { channelEntry, checkChannels } from "./channels.ts";
import { argumentsOfAll, askedByOfAll, checkContracts, toolContracts, undoContracts, yieldsOfAll } from "./contracts.ts";
import { credentialEntry, neededBy } from "./credentials.ts";
import { credentialsIn } from "./environment.ts";
import { dataFolder, readConfigBytes, tooLarge } from "./file.ts";
import { hint, tellIssues } from "./issues.ts";
import { checkLabels, ownLabels } from "./labels.ts";
import { isBeginning, resourceTrust } from "./resource-trust.ts";
import { configShape, knownKeys, type ConfigFile } from "./schema.ts";
import { stopRules } from "./stop.ts";
import { yamlSource, type Path, type YamlSource } from "./source.ts";

/**
 * Reads lanyard.yaml. Throws Fault `invalid_config` with every problem there is, one `file:line:column: message` a line; a file that
 * cannot be read is one of them.
 */
export function loadConfig(path: string): Config {
  const file = resolve(path);
  return parseConfig(readConfigBytes(file), file);
}

/** The same from bytes; `file` places messages and relative paths. */
export function parseConfig(bytes: Uint8Array, file: string): Config {
  if (bytes.length > limits.config_bytes.value) throw tooLarge(file, bytes.length);
  const source = yamlSource(bytes, file);
  const shape = source.problems.length === 0 ? shapeOf(source) : null;
  if (shape) {
    checkReferences(shape, source);
    checkCredentials(shape, source);
    checkChannels(shape, (path, message, at) => source.problem(path, message, at), missingName);
    checkContracts(shape, source);
    checkLabels(shape.labels ?? {}, (path, message) => source.problem(path, message));
    checkBudgets(shape.budgets ?? {}, Object.keys(shape.servers ?? {}), (path, message, at) => source.problem(path, message, at));
    checkAlerts(shape.alerts ?? {}, { users: shape.users ?? {}, channels: shape.channels ?? {} }, (path, message, at) => source.problem(path, message, at), missingName);
  }
  const listen = shape ? listenOf(shape, source) : null;
  if (!shape || !listen || source.problems.length > 0) throw new Fault("invalid_config", source.report());
  return build(shape, listen, file, createHash("sha256").update(bytes).digest("base64url"));
}

function shapeOf(source: YamlSource): ConfigFile | null {
  const { success, data, error } = configShape.safeParse(source.value);
  if (success) return data;
  tellIssues(source, error.issues, knownKeys);
  return null;
}

/** Every name that is used must be registered, or a rule would silently match nothing. */
function checkReferences(shape: ConfigFile, source: YamlSource): void {
  const known = {
    team: Object.keys(shape.teams ?? {}),
    group: Object.keys(shape.groups ?? {}),
    user: Object.keys(shape.users ?? {}),
    server: Object.keys(shape.servers ?? {}),
  };
  const check = (kind: keyof typeof known, name: string, path: Path, at: "value" | "key" = "value") => {
    if (!known[kind].includes(name)) source.problem(path, `no ${kind} \`${name}\` is registered under \`${kind}s\`${hint(name, known[kind])}`, at);
  };
  const checkAll = (kind: keyof typeof known, list: readonly string[] | undefined, path: Path) => {
    list?.forEach((name, index) => check(kind, name, [...path, index]));
  };
  checkAll("group", shape.owners, ["owners"]);
  checkAll("group", shape.undo?.by, ["undo", "by"]);
  checkAll("group", shape.origins?.declassify, ["origins", "declassify"]);
  checkAll("group", shape.stop?.may_stop, ["stop", "may_stop"]);
  checkAll("group", shape.stop?.may_resume, ["stop", "may_resume"]);
  for (const agent of Object.keys((shape.breakers || {}).agents ?? {})) {
    if (!shape.agents?.[agent]) source.problem(["breakers", "agents", agent], `no agent \`${agent}\` is registered under \`agents\`${hint(agent, Object.keys(shape.agents ?? {}))}`, "key");
  }
  shape.owners?.forEach((group, index) => {
    const team = shape.groups?.[group]?.team;
    if (team !== undefined) source.problem(["owners", index], `\`${group}\` is a group of the team \`${team}\`, and no team owns the organisation's policies`);
  });
  for (const [team, { owners }] of Object.entries(shape.teams ?? {})) checkAll("group", owners, ["teams", team, "owners"]);
  for (const [group, { team }] of Object.entries(shape.groups ?? {})) if (team !== undefined) check("team", team, ["groups", group, "team"]);
  shape.gates?.owners?.forEach((rule, index) => {
    for (const name of ownerRule(rule).names) check(name.startsWith("@") ? "group" : "user", name.replace(/^@/, ""), ["gates", "owners", index]);
  });
  for (const [type, entries] of Object.entries(shape.resources ?? {})) {
    for (const [id, { labels, owner }] of Object.entries(entries)) {
      if (owner !== undefined) check("team", owner, ["resources", type, id, "owner"]);
      if (id.slice(0, -1).includes("*")) source.problem(["resources", type, id], `a name may end with \`*\`, and \`${id}\` has one elsewhere`, "key");
      else if (isBeginning(id) && (labels ?? owner) !== undefined) source.problem(["resources", type, id], `\`${id}\` says of all that begins so whose word it is (\`yields\`); \`labels\` and \`owner\` are of one name, or of \`*\``, "key");
    }
  }
  for (const [user, { groups }] of Object.entries(shape.users ?? {})) checkAll("group", groups, ["users", user, "groups"]);
  for (const [agent, entry] of Object.entries(shape.agents ?? {})) {
    check("team", entry.team, ["agents", agent, "team"]);
    entry.servers?.forEach((name, index) => name === webServer || check("server", name, ["agents", agent, "servers", index]));
    checkAll("user", entry.on_behalf_of, ["agents", agent, "on_behalf_of"]);
    checkAll("user", entry.run_by, ["agents", agent, "run_by"]);
  }
  for (const [server, { isolated }] of Object.entries(shape.servers ?? {})) {
    const egress = typeof isolated === "object" ? isolated.egress : undefined;
    if (egress) check("user", egress.on_behalf_of, ["servers", server, "isolated", "egress", "on_behalf_of"]);
    if (egress && !shape.agents?.[egress.agent]) source.problem(["servers", server, "isolated", "egress", "agent"], `no agent \`${egress.agent}\` is registered under \`agents\`${hint(egress.agent, Object.keys(shape.agents ?? {}))}`);
  }
  for (const [action, { effects = [], reversibility }] of Object.entries(shape.tools ?? {})) {
    const server = action.slice(0, action.indexOf("/"));
    if (server === webServer) source.problem(["tools", action], "what leaves a sandbox has a contract of Lanyard's own", "key");
    else check("server", server, ["tools", action], "key");
    const changes = reversibility === "read" ? effects.find((effect) => effect === "write" || effect === "destructive" || effect === "money" || effect === "access") : undefined;
    if (changes !== undefined) source.problem(["tools", action, "reversibility"], `\`read\` is the reversibility of what changes nothing, and the effects name \`${changes}\``);
  }
}

const missingName = (kind: string, name: string, known: readonly string[]) => `no ${kind} \`${name}\` is registered under \`${kind}s\`${hint(name, known)}`;

/** That a credential goes only where it serves, and is made of others without a circle. */
function checkCredentials({ credentials = {}, servers = {}, agents = {} }: ConfigFile, source: YamlSource): void {
  const names = Object.keys(credentials);
  const wrong = (path: Path, message: string) => source.problem(path, message);
  const missing = missingName;
  const variables = new Map<string, string>();
  for (const [name, entry] of Object.entries(credentials)) {
    const at = ["credentials", name];
    entry.serves?.tools?.forEach((tools, index) => {
      const server = tools.slice(0, -"/*".length);
      const held = servers[server];
      if (!held) wrong([...at, "serves", "tools", index], missing("server", server, Object.keys(servers)));
      else if (entry.inject?.env !== undefined && held.command === undefined) wrong([...at, "serves", "tools", index], `\`${server}\` is reached over HTTP and has no environment; use \`\${credential:${name}}\` in its \`headers\``);
      else if (entry.inject?.env !== undefined && held.env?.[entry.inject.env] !== undefined) wrong([...at, "inject", "env"], `\`${server}\` has \`${entry.inject.env}\` in its \`env\` already`);
    });
    entry.serves?.agents?.forEach((agent, index) => {
      if (!agents[agent]) wrong([...at, "serves", "agents", index], missing("agent", agent, Object.keys(agents)));
    });
    const other = entry.as === undefined ? undefined : variables.get(entry.as);
    if (other !== undefined) wrong([...at, "as"], `\`${other}\` has the variable \`${entry.as}\` already`);
    if (entry.as !== undefined) variables.set(entry.as, name);
    for (const { name: needed, path } of neededBy(entry)) {
      if (!credentials[needed]) wrong([...at, ...path], missing("credential", needed, names));
      else if (leadsBack(credentials, needed, name)) wrong([...at, ...path], `\`${name}\` would be made of itself`);
    }
  }
  for (const [server, { env = {}, headers = {}, oauth }] of Object.entries(servers)) {
    const secret = typeof oauth === "object" ? oauth.client_secret : undefined;
    if (secret !== undefined && !credentials[secret]) wrong(["servers", server, "oauth", "client_secret"], missing("credential", secret, names));
    for (const [key, values] of [["env", env], ["headers", headers]] as const) {
      for (const [variable, template] of Object.entries(values)) {
        for (const name of credentialsIn(template)) {
          const place = ["servers", server, key, variable];
          if (!credentials[name]) wrong(place, missing("credential", name, names));
          else if (!credentials[name].serves?.tools?.includes(`${server}/*`)) wrong(place, `the credential \`${name}\` does not serve this server; write \`${server}/*\` under its \`serves: {tools: [...]}\``);
        }
      }
    }
  }
}

/** Whether making `from` needs `name`. */
function leadsBack(credentials: NonNullable<ConfigFile["credentials"]>, from: string, name: string): boolean {
  const seen = new Set<string>();
  const open = [from];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (at === name) return true;
    const entry = credentials[at];
    if (entry && !seen.has(at)) open.push(...neededBy(entry).map((needed) => needed.name));
    seen.add(at);
  }
  return false;
}

const loopback = /^(?:127(?:\.\d{1,3}){3}|localhost|::1)$/;

/** `host:port`, IPv6 in brackets. Invariant: nothing but loopback without `allow_remote: true`, for tokens travel over plain HTTP. */
function listenOf({ listen = "127.0.0.1:7420", allow_remote }: ConfigFile, source: YamlSource): Config["listen"] | null {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(listen);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || !(port <= 65_535)) {
    source.problem(["listen"], `\`${listen}\` is no address to listen on; write for example \`127.0.0.1:7420\` or \`[::1]:7420\``);
    return null;
  }
  if (!loopback.test(host) && allow_remote !== true) {
    source.problem(["listen"], `\`${host}\` can be reached from other machines; write \`allow_remote: true\` if that is meant`);
    return null;
  }
  return { host, port };
}

function build(shape: ConfigFile, listen: Config["listen"], file: string, hash: string): Config {
  const folder = dirname(file);
  const map = <V, W>(record: Record<string, V> | undefined, make: (value: V) => W): ReadonlyMap<string, W> =>
    new Map(Object.entries(record ?? {}).map(([key, value]) => [key, make(value)]));
  const lowered = Object.fromEntries(Object.entries(shape.limits ?? {}).filter(([, value]) => value !== undefined));
  return {
    file,
    hash,
    listen,
    allowRemote: shape.allow_remote ?? false,
    data: dataFolder(file, shape.data),
    policies: resolve(folder, shape.policies ?? "policies"),
    release: shape.release ?? "live",
    recheck: { share: shape.recheck?.share ?? 0.01, onDifference: shape.recheck?.on_difference ?? "alarm" },
    owners: sorted(shape.owners ?? []),
    teams: map(shape.teams, ({ owners = [] }) => ({ owners: sorted(owners) })),
    groups: map(shape.groups, ({ team = null }) => ({ team })),
    resources: map(shape.resources, (entries) => Object.fromEntries(Object.entries(entries).flatMap(([id, { labels = [], owner = null }]) => (isBeginning(id) ? [] : [[id, { labels: sorted(labels), owner }]])))),
    credentials: map(shape.credentials, (entry) => credentialEntry(entry, folder)),
    users: map(shape.users, ({ groups = [], email, slack }) => ({ groups: sorted(groups), ...(email !== undefined && { email }), ...(slack !== undefined && { slack }) })),
    agents: map(shape.agents, agentEntry),
    servers: map(shape.servers, (entry) => serverDefinition(entry, folder)),
    channels: map(shape.channels, (entry) => channelEntry(entry, folder)),
    publicUrl: shape.public_url?.replace(/\/$/, "") ?? null,
    notify: new Map(Object.entries(Array.isArray(shape.approvals?.notify) ? { "*": shape.approvals.notify } : (shape.approvals?.notify ?? {}))),
    tools: toolContracts(shape),
    yields: yieldsOfAll(shape),
    trust: map(shape.resources, resourceTrust),
    askedBy: askedByOfAll(shape),
    labels: ownLabels(shape.labels ?? {}, (path) => resolve(folder, path)),
    undo: { agent: shape.undo?.agent ?? null, by: shape.undo?.by ?? [], contracts: undoContracts(shape) },
    origins: { directory: shape.origins?.directory ?? [], declassify: sorted(shape.origins?.declassify ?? []) },
    egress: { tcp: endpoints(shape.egress?.tcp), private: endpoints(shape.egress?.private), ca: shape.egress?.ca === undefined ? null : resolve(folder, shape.egress.ca) },
    gates: gatesOf(shape.gates ?? {}),
    stop: stopRules(shape, (path) => resolve(folder, path)),
    arguments: argumentsOfAll(shape),
    alerts: alertRules(shape.alerts ?? {}),
    budgets: budgetsOf(shape.budgets ?? {}),
    rows: new Map(Object.entries(shape.tools ?? {}).flatMap(([action, { rows }]) => (rows === undefined ? [] : [[action, rows.split(".")]]))),
    limits: { ...defaultLimits, ...lowered },
  };
}

const gateMinutes = 10;

/** Sizes that a person can still read about; what is larger is rarely meant. */
const gatesOf = ({ commands = [], protected: patterns = [], owners = [], max_bytes = 64 * 1024 * 1024, max_files = 10_000 }: NonNullable<ConfigFile["gates"]>): Config["gates"] => ({
  commands: commands.map((command) => (typeof command === "string" ? { run: command, ms: gateMinutes * 60_000 } : { run: command.run, ms: (command.minutes ?? gateMinutes) * 60_000 })),
  protected: patterns,
  owners: owners.map(ownerRule),
  maxBytes: max_bytes,
  maxFiles: max_files,
});

/** `pattern name name ...`, as a line of CODEOWNERS. */
function ownerRule(text: string): { readonly pattern: string; readonly names: readonly string[] } {
  const [pattern = "", ...names] = text.trim().split(/\s+/);
  return { pattern, names };
}

const sorted = (names: readonly string[]): readonly string[] => [...new Set(names)].sort();

const endpoints = (list: readonly string[] = []): ReadonlySet<string> => new Set(list.map((text) => endpointText(parseAuthority(text, null) ?? { host: "", port: 0 })));

const agentEntry = (entry: NonNullable<ConfigFile["agents"]>[string]): AgentEntry => ({
  team: entry.team,
  classes: sorted(entry.classes ?? []),
  servers: entry.servers ?? null,
  onBehalfOf: entry.on_behalf_of ?? null,
  runBy: sorted(entry.run_by ?? []),
  sessionMinutes: entry.session_minutes ?? null,
});

function serverDefinition(entry: NonNullable<ConfigFile["servers"]>[string], folder: string): ServerDefinition {
  if (entry.url !== undefined) return { kind: "http", url: entry.url, headers: entry.headers ?? {}, oauth: oauthOf(entry.oauth) };
  return { kind: "stdio", command: entry.command ?? "", args: entry.args ?? [], cwd: resolve(folder, entry.cwd ?? "."), env: entry.env ?? {}, isolated: isolatedOf(entry.isolated, folder) };
}

function oauthOf(entry: NonNullable<ConfigFile["servers"]>[string]["oauth"]): OauthServer | null {
  if (entry === undefined) return null;
  const { grant = "authorization_code", issuer = null, client_id: clientId = null, client_secret: clientSecret = null, scope = null } = entry === true ? {} : entry;
  return { grant, issuer, clientId, clientSecret, scope };
}

function isolatedOf(entry: NonNullable<ConfigFile["servers"]>[string]["isolated"], folder: string): IsolatedServer | null {
  if (entry === undefined || entry === false) return null;
  const { driver = null, readable = [], egress } = entry === true ? {} : entry;
  return { driver, readable: readable.map((path) => resolve(folder, path)), egress: egress ? { agent: egress.agent, onBehalfOf: egress.on_behalf_of } : null };
}
