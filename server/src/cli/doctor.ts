import { accessSync, closeSync, constants, existsSync, fsyncSync, mkdirSync, openSync, rmSync, statfsSync, statSync, writeSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, dirname, join } from "node:path";
import { Fault, isObject, parseJson, type JsonObject } from "@lanyard/contract";
import type { Clock } from "../base/clock.ts";
import type { Config } from "../base/config/config.ts";
import { loadConfig } from "../base/config/read.ts";
import type { Candidate } from "../stages/execution/sandbox/choice.ts";
import type { Client } from "./client.ts";
import { isConnected, knownClients, type ClientName, type Surroundings } from "./connect.ts";

/** One thing the doctor looked at. `todo` is what to do about it; empty when all is well. */
export interface Symptom {
  readonly name: string;
  readonly state: "ok" | "warn" | "bad";
  readonly found: string;
  readonly todo: string;
}

const ok = (name: string, found: string): Symptom => ({ name, state: "ok", found, todo: "" });
const warn = (name: string, found: string, todo: string): Symptom => ({ name, state: "warn", found, todo });
const bad = (name: string, found: string, todo: string): Symptom => ({ name, state: "bad", found, todo });

/** `version` without the leading v. */
export function checkNode(version: string): Symptom {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isRecent = major > 24 || (major === 24 && minor >= 12);
  return isRecent ? ok("node", version) : bad("node", version, "use Node 24.12 or newer; `npm start` and bin/lanyard.mjs install one by themselves");
}

export function checkConfig(path: string): { readonly check: Symptom; readonly config: Config | null } {
  try {
    const config = loadConfig(path);
    const found = `${config.file}: ${config.agents.size} agents, ${config.users.size} users, ${config.servers.size} servers`;
    if (config.servers.size === 0) return { check: warn("configuration", found, "register a server under `servers:`"), config };
    return { check: ok("configuration", found), config };
  } catch (error) {
    if (error instanceof Fault) return { check: bad("configuration", error.message, "correct the place named, or name another file with `--config`"), config: null };
    throw error;
  }
}

// Not `recursive: true`: Node's own loop never ends where a file system says ENOENT for a folder that has a parent, as /proc does.
const makeFolder = (folder: string): void => {
  const missing: string[] = [];
  for (let at = folder; !existsSync(at); at = dirname(at)) missing.unshift(at);
  for (const at of missing) mkdirSync(at, { mode: 0o700 });
};

const minFreeBytes = 256 * 1024 * 1024;

/** The data folder: ours alone, with room, and its disk keeps what it acknowledges. Makes the folder when it is missing. */
export function checkData(folder: string, clock: Clock): Symptom[] {
  try {
    makeFolder(folder);
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    return [bad("data folder", `${folder}: ${(error as Error).message}`, "make the folder writable for the user that runs Lanyard, or set `data:` in lanyard.yaml")];
  }
  const mode = statSync(folder).mode & 0o777;
  const { bavail, bsize } = statfsSync(folder);
  const free = `${Math.floor((bavail * bsize) / 1024 / 1024)} MiB free`;
  return [
    (mode & 0o077) === 0 ? ok("data folder", folder) : bad("data folder", `${folder} has mode ${mode.toString(8)}: others can enter it`, `chmod 700 ${folder}`),
    bavail * bsize >= minFreeBytes ? ok("disk space", free) : warn("disk space", free, "make room: with a full disk every call is denied"),
    checkSync(folder, clock),
  ];
}

const checkSync = (folder: string, clock: Clock): Symptom => {
  const path = join(folder, `.doctor-${clock.id("sync")}`);
  try {
    const file = openSync(path, "wx", 0o600);
    const started = clock.monotonicUs();
    for (let n = 0; n < 10; n += 1) {
      writeSync(file, Buffer.alloc(4096, n));
      fsyncSync(file);
    }
    const tookUs = Math.round((clock.monotonicUs() - started) / 10);
    closeSync(file);
    if (tookUs > 20_000) return warn("fsync", `${tookUs} us each`, "use a local disk: each decision waits for one of these");
    return ok("fsync", `${tookUs} us each`);
  } catch (error) {
    return bad("fsync", (error as Error).message, "use a file system that can sync; without it nothing is durable and every call is denied");
  } finally {
    rmSync(path, { force: true });
  }
};

/** Whether the daemon listens already, or could. */
export async function checkPort({ host, port }: { host: string; port: number }, isRunning: boolean): Promise<Symptom> {
  if (isRunning) return ok("daemon", `runs at ${host}:${port}`);
  const failure = await new Promise<NodeJS.ErrnoException | null>((done) => {
    const probe = createServer().once("error", done);
    probe.listen(port, host, () => probe.close(() => done(null)));
  });
  if (failure) return bad("daemon", `does not run, and ${host}:${port} is taken (${failure.code})`, "end the program that listens there, or set `listen:` in lanyard.yaml");
  return warn("daemon", `does not run; ${host}:${port} is free`, "start it with `lanyard serve`; the checks below use one of their own");
}

/** The sandboxes that can be had here, the strongest first. */
export function checkSandbox({ label, driver, lacking }: Candidate): Symptom {
  const name = `sandbox ${label}`;
  return lacking === null ? ok(name, `works, tier ${driver.tier}`) : warn(name, "cannot be had", lacking);
}

/** Every registered server, as the daemon sees it. */
export function checkServers(status: JsonObject): Symptom[] {
  const servers = Array.isArray(status["servers"]) ? status["servers"].filter(isObject) : [];
  return servers.map((server) => {
    const name = `server ${String(server["server"])}`;
    const hint = "run its command by hand; the daemon's log has what it wrote to standard error";
    if (typeof server["version"] !== "string") return bad(name, "never answered", hint);
    if (Number(server["failures"]) > 0) return warn(name, `answers, after ${String(server["failures"])} failures`, hint);
    return ok(name, `answers, MCP ${server["version"]}`);
  });
}

/** What decides: that there is something, that it fits what there is now, and that two engines read it alike. */
export function checkPolicies(status: JsonObject): Symptom[] {
  const name = "policies";
  const { bundle, policy_errors: errors, rechecks } = status;
  const [first] = Array.isArray(errors) ? errors : [];
  const differences = isObject(rechecks) ? Number(rechecks["differences"]) : 0;
  const found: Symptom[] = [];
  if (first !== undefined) {
    const where = String(first).split("\n")[0];
    found.push(bad(name, `do not fit what there is now: ${where}`, isObject(bundle) ? "correct that: until then decides what was compiled before it went wrong" : "correct that: until then every call is denied"));
  } else if (!isObject(bundle)) found.push(warn(name, "none are in force", "every call is denied; `lanyard policy check` the folder, and with `release: reviewed` activate a version"));
  if (differences > 0) found.push(bad(name, `two engines decided ${differences} calls differently`, "report this; `lanyard log --json` has them as engine.difference"));
  return found.length > 0 ? found : [ok(name, isObject(bundle) ? `${String(bundle["policies"] ?? "some")} in force` : "in force")];
}

export function checkClients(around: Surroundings): Symptom[] {
  const folders = (around.environment["PATH"] ?? "").split(delimiter).filter(Boolean);
  return (Object.keys(knownClients) as ClientName[]).map((name) => {
    const where = folders.map((folder) => join(folder, knownClients[name].program)).find((path) => existsSync(path));
    if (!where) return ok(`client ${name}`, "not installed");
    if (isConnected(name, around)) return ok(`client ${name}`, `${where}, connected`);
    return warn(`client ${name}`, `${where}, not connected`, `\`lanyard connect ${name}\`; until then its tools do not come through here`);
  });
}

/** How the doctor reaches a daemon: its API as the operator, and the gateway's door as an agent. */
export interface Patient {
  readonly api: Client;
  /** One MCP request of 2026-07-28 to a door of the gateway; resolves with the JSON-RPC message that answers it. */
  send(url: string, token: string, request: JsonObject): Promise<JsonObject>;
}

/**
 * The proof that a denied action is denied: a session that may do nothing calls a real tool. The answer must be a refusal the model can
 * read, and the ledger must hold a denial and no outcome for it.
 */
export async function checkDenial({ api, send }: Patient, config: Config): Promise<Symptom> {
  const name = "denial";
  const [agent] = config.agents.keys();
  const user = agent && (config.agents.get(agent)?.onBehalfOf ?? [...config.users.keys()])[0];
  if (!agent || !user) return warn(name, "not tried: no agent with a user to act for", "register an agent and a user in lanyard.yaml");
  const { tools } = await api.call<{ tools: { server: string; tool: string; state: string }[] }>("catalog_list");
  const target = tools.find(({ state }) => state === "approved") ?? tools[0];
  if (!target) return warn(name, "not tried: no server showed a tool", "register a server, and see that it starts");
  const opened = await api.call<{ session: string; token: string; url: string }>("session_open", {
    body: { agent, on_behalf_of: user, purpose: "lanyard doctor: prove a denial", minutes: 1, tools: [`${target.server}/lanyard-doctor`] },
  });
  try {
    const answer = await send(`${opened.url}/${target.server}`, opened.token, toolCall(target.tool));
    const records: JsonObject[] = [];
    for await (const record of api.lines("log", { query: { session: opened.session } })) records.push(record);
    const denial = records.find((record) => record["type"] === "decision" && record["effect"] === "deny");
    const called = `${target.server}/${target.tool}`;
    const result = answer["result"];
    const isRefused = isObject(result) && result["isError"] === true;
    if (!isRefused || !denial || records.some((record) => record["type"] === "outcome")) {
      return bad(name, `a session without any permission called \`${called}\` and was not refused: ${JSON.stringify(answer).slice(0, 300)}`, "stop the daemon and report this: the gateway does not enforce");
    }
    return ok(name, `\`${called}\` by a session without permission was refused and recorded as entry ${String(denial["seq"])}`);
  } finally {
    await api.call("session_close", { at: { id: opened.session } });
  }
}

const toolCall = (tool: string): JsonObject => ({
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: {
    name: tool,
    arguments: {},
    _meta: {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientInfo": { name: "lanyard-doctor", version: "1" },
      "io.modelcontextprotocol/clientCapabilities": {},
    },
  },
});

/** Reads the answer to request 1 from a body that is JSON or an event stream. */
export function answerIn(body: string): JsonObject {
  const lines = body.startsWith("{") ? [body] : body.split("\n").flatMap((line) => (line.startsWith("data:") ? [line.slice(5)] : []));
  const answer = lines.map((line) => parseJson(line) as JsonObject).find((message) => message["id"] === 1 || "error" in message);
  if (!answer) throw new Fault("upstream_unavailable", `the gateway gave no answer: \`${body.slice(0, 200)}\``);
  return answer;
}

/** True when nothing is bad. Warnings do not fail. */
export const isHealthy = (checks: readonly Symptom[]): boolean => checks.every(({ state }) => state !== "bad");

