import { homedir } from "node:os";
import { basename, dirname, resolve } from "node:path";
import { Fault, webServer, type JsonObject } from "@lanyard/contract";
import { variablesIn } from "../../base/config/environment.ts";
import { readConfigBytes } from "../../base/config/file.ts";
import { parseConfig } from "../../base/config/read.ts";
import { readClientFile, type ClientEntry } from "./client-file.ts";
import { argumentProblem, urlProblem, Variables } from "./client-values.ts";

/** Servers of a client's configuration, as lanyard.yaml has them. */
export interface Imported {
  /** Below `servers:`. No value in it is a secret. */
  readonly servers: Readonly<Record<string, JsonObject>>;
  /** Names that `${env:...}` in it refers to, sorted. */
  readonly variables: readonly string[];
  /** What was not taken, and why. */
  readonly leftOut: readonly { readonly server: string; readonly why: string }[];
}

/**
 * Reads a client's configuration of MCP servers; it starts none of them. `folder`: where lanyard.yaml will lie. Throws Fault `invalid_config` with
 * the place when the file cannot be read, and when no server of it can be taken.
 */
export function importServers(given: string, folder: string): Imported {
  const file = resolve(given);
  const root = projectOf(file, folder);
  const servers: Record<string, JsonObject> = {};
  const variables = new Variables();
  const leftOut: { server: string; why: string }[] = [];
  for (const [called, entry] of readClientFile(readConfigBytes(file), file)) {
    const name = nameOf(called);
    const made = problemOf(name, entry, servers) ?? serverOf(name, entry, root, variables);
    const why = typeof made === "string" ? made : shapeProblem(name, made);
    if (why !== null) leftOut.push({ server: called, why });
    else servers[name] = made as JsonObject;
  }
  if (Object.keys(servers).length === 0) {
    const why = leftOut.map(({ server, why: reason }) => `\`${server.slice(0, 64)}\`: ${reason}`).slice(0, 20).join("; ");
    throw new Fault("invalid_config", `no MCP server of it can be taken over${why && ` (${why})`}`, { place: file, remedy: "" });
  }
  return { servers, variables: [...new Set(variablesIn(JSON.stringify(servers)))].sort(), leftOut };
}

/** A name that lanyard.yaml can hold. */
const nameOf = (called: string): string => called.slice(0, 64).replace(/[^A-Za-z0-9._-]+/g, "-").replace(/_{2,}/g, "_").replace(/^[^A-Za-z0-9]+/, "").replace(/[^A-Za-z0-9]+$/, "");

const problemOf = (name: string, { command, type, enabled, disabled }: ClientEntry, taken: Readonly<Record<string, JsonObject>>): string | null => {
  if (name === "lanyard") return "it is Lanyard itself";
  if (name === "" || name === webServer) return "a server cannot have this name in Lanyard: give it another";
  if (Object.hasOwn(taken, name)) return `there is another server \`${name}\``;
  if (enabled === false || disabled === true) return "it is switched off";
  return command === undefined && type === "sse" ? "it speaks the old HTTP+SSE transport, which Lanyard does not; most servers have a URL for Streamable HTTP too" : null;
};

/** Why lanyard.yaml cannot hold it; null when it can. */
function shapeProblem(name: string, made: JsonObject): string | null {
  try {
    parseConfig(new TextEncoder().encode(JSON.stringify({ version: 1, servers: { [name]: made } })), "");
    return null;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return error.message.split("\n")[0]?.replace(/^:\d+:\d+: /, "") ?? "lanyard.yaml cannot hold it";
  }
}

/** Where relative paths in the file start from; null where that is where lanyard.yaml lies, or nobody can know. */
function projectOf(file: string, folder: string): string | null {
  if (!["mcp.json", ".mcp.json"].includes(basename(file))) return null;
  const at = dirname(file);
  const root = basename(at).startsWith(".") ? dirname(at) : at;
  return root === resolve(folder) || root === homedir() ? null : root;
}

function serverOf(name: string, entry: ClientEntry, root: string | null, variables: Variables): JsonObject | string {
  const texts = (values: ClientEntry["env"] = {}): [string, string][] => Object.entries(values).map(([key, value]) => [key, String(value)]);
  const { command, args = [], cwd } = entry;
  if (entry.envFile !== undefined) return "its `envFile` is not read: write the variables it needs into `env`";
  if (command !== undefined) {
    const problems = [command, ...args].flatMap((text, at, all) => {
      const problem = argumentProblem(text, at === 0 ? "" : (all[at - 1] ?? ""));
      return problem === null ? [] : [`${at === 0 ? "its command" : `its argument ${at}`} ${problem}`];
    });
    if (problems[0] !== undefined) return problems[0];
    const env = [...texts(entry.env).map(([key, value]) => [key, variables.written(name, key, value)]), ...(entry.env_vars ?? []).map((key) => [key, variables.known(key)])];
    const at = cwd === undefined ? root : resolve(root ?? ".", cwd);
    return { command, ...(args.length > 0 && { args: [...args] }), ...(at !== null && { cwd: at }), ...(env.length > 0 && { env: Object.fromEntries(env) as JsonObject }) };
  }
  const url = entry.httpUrl ?? entry.url ?? entry.serverUrl;
  if (url === undefined) return "it has neither `command` nor `url`";
  const problem = urlProblem(url);
  if (problem !== null) return `its URL ${problem}`;
  const headers = texts({ ...entry.headers, ...entry.http_headers }).map(([key, value]) => [key, variables.written(name, key, value)]);
  for (const [key, variable] of Object.entries(entry.env_http_headers ?? {})) headers.push([key, variables.known(variable)]);
  if (entry.bearer_token_env_var !== undefined) headers.push(["Authorization", `Bearer ${variables.known(entry.bearer_token_env_var)}`]);
  return { url, ...(headers.length > 0 && { headers: Object.fromEntries(headers) as JsonObject }) };
}
