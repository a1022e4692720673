// How fast a stop is: `npm run bench -- stop --json`. A real daemon, 100 sessions of one agent that make effects one after the other (over HTTP, through
// `lanyard mcp`, and in sandboxes of `lanyard run --isolation process`), and upstreams in a process of their own that note every effect with its time.
//
// stop_p99_ms          from the order being sent to the last effect of each session, over all sessions and rounds; 0 where there was none after it
// after_stop_effects   effects noted after the order was answered
// sandbox_ended_ms     from the order being sent until the last process of all sandboxes was gone
// with_command_ms      from `lanyard stop` being typed to the last effect of all: the same and the start of a Node process under this load
// cut_off_refused_ms   from the daemon being frozen (SIGSTOP) until each shim and each door had refused by itself, the last of them
// closing_each_p99_ms  for comparison, in the same run: from the first `session close` to the last effect, when the sessions are closed one by one
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Pool } from "undici";
import { processState, treeOf } from "../server/src/stages/execution/sandbox/usage.ts";
import { approveCatalog, DaemonProcess, program, until, World } from "../test/daemon.ts";

const httpSessions = 80;
const shims = 12;
const doors = 8;
const rounds = 3;
const steadyMs = 2500;
const thinkMs = 50;
const termMs = 5000;
const band = 1_000_000;

const now = (): number => Number(process.hrtime.bigint()) / 1e6;
const pause = (ms: number): Promise<void> => new Promise((resume) => setTimeout(resume, ms));
const quantile = (values: readonly number[], q: number): number => values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN;
const round = (value: number): number => Math.round(value * 10) / 10;
const meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientInfo": { name: "bench", version: "1" }, "io.modelcontextprotocol/clientCapabilities": {} };
const isOwnRefusal = (text: string): boolean => /has not answered for|does not answer any more/.test(text);

/** What makes effects, numbered in a band of its own, until it is told to end. */
interface Load extends Disposable {
  readonly kind: "http" | "shim" | "door";
  readonly index: number;
  /** When it was first refused by its own enforcement point, since it was last asked to look. */
  refusedMs: number | null;
}

/** Calls one after the other over `call`, with a moment's thought between them. */
class Caller implements Load {
  readonly kind: "http" | "shim";
  readonly index: number;
  refusedMs: number | null = null;
  readonly #call: (n: number) => Promise<string>;
  readonly #end: () => void;
  readonly #over = new AbortController();

  constructor(kind: "http" | "shim", index: number, call: (n: number) => Promise<string>, end: () => void = () => {}) {
    this.kind = kind;
    this.index = index;
    this.#call = call;
    this.#end = end;
    void this.#work();
  }

  async #work(): Promise<void> {
    await pause(Math.random() * thinkMs);
    for (let n = this.index * band; !this.#over.signal.aborted; n++) {
      const said = await this.#call(n).catch((error: unknown) => String(error));
      if (this.refusedMs === null && isOwnRefusal(said)) this.refusedMs = now();
      await pause(thinkMs);
    }
  }

  [Symbol.dispose](): void {
    this.#over.abort();
    this.#end();
  }
}

/** What runs in each sandbox: ten requests a second through the egress door and as many calls through the MCP door, by two programs that stay the same. */
const doorLoad = `
meta='"_meta":${JSON.stringify(meta)}'
body='{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"count","arguments":{"n":'$2'},'$meta'}}'
curl -sS --rate 10/s --noproxy '' -x http://127.0.0.1:3128 -w ' web %{http_code}\\n' "http://$1/effect?n=$2&x=[1-100000]" 2>&1 &
exec curl -sS --rate 10/s -w ' mcp %{http_code}\\n' -H 'content-type: application/json' -H 'accept: application/json, text/event-stream' -H 'mcp-protocol-version: 2026-07-28' -H 'mcp-method: tools/call' -H 'mcp-name: count' -d "$body" "$LANYARD_MCP_URL?x=[1-100000]" 2>&1
`;

/** A sandbox in which programs make effects through both doors. */
class Door implements Load {
  readonly kind = "door";
  readonly index: number;
  refusedMs: number | null = null;
  readonly #works = new Set<string>();
  readonly #child: ChildProcess;

  constructor(index: number, upstream: string) {
    this.index = index;
    this.#child = lanyard(["run", "--isolation", "process", ...who("bot"), "--", "sh", "load.sh", upstream, String(index * band)]);
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      const [, way] = /counted.* (web|mcp) 200$/.exec(line) ?? [];
      if (way !== undefined) this.#works.add(way);
      if (this.refusedMs === null && isOwnRefusal(line)) this.refusedMs = now();
    });
  }

  get works(): boolean {
    return this.#works.size === 2;
  }

  /** Resolves with when the last process of its sandbox was gone. */
  async gone(): Promise<number> {
    const inside = treeOf(this.#child.pid ?? 0).filter(({ pid }) => pid !== this.#child.pid);
    while (inside.some(({ pid, begun }) => processState(pid)?.begun === begun)) await pause(10);
    return now();
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGTERM");
  }
}

const who = (agent: string): string[] => ["--agent", agent, "--on-behalf-of", "ana", "--purpose", "benchmark"];

function lanyard(args: readonly string[], environment: Readonly<Record<string, string>> = {}): ChildProcess {
  const env = { PATH: process.env["PATH"], HOME: process.env["HOME"], LANYARD_HOME: join(world.folder, "home"), LANYARD_LOG: "error", ...environment };
  return spawn(process.execPath, [program, "--config", world.config, ...args], { cwd: join(world.folder, "project"), env, stdio: ["pipe", "pipe", "ignore"] });
}

const open = async (agent: string): Promise<{ session: string; token: string }> => operator.call("session_open", { body: { agent, on_behalf_of: "ana", purpose: "benchmark" } });

async function overHttp(index: number, agent = "bot"): Promise<{ load: Caller; session: string }> {
  const { session, token } = await open(agent);
  let id = 0;
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream", "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "count", authorization: `Bearer ${token}` };
  const call = async (n: number): Promise<string> => {
    const body = JSON.stringify({ jsonrpc: "2.0", id: ++id, method: "tools/call", params: { name: "count", arguments: { n }, _meta: meta } });
    return (await pool.request({ path: "/mcp", method: "POST", headers, body })).body.text();
  };
  return { session, load: new Caller("http", index, call) };
}

async function overShim(index: number): Promise<Caller> {
  const { token } = await open("bot");
  const child = lanyard(["mcp"], { LANYARD_TOKEN: token });
  const waiting = new Map<number, (line: string) => void>();
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) => waiting.get((JSON.parse(line) as { id: number }).id)?.(line));
  let id = 0;
  const call = (n: number): Promise<string> => {
    const mine = ++id;
    const answered = new Promise<string>((resolve) => waiting.set(mine, resolve));
    child.stdin?.write(`${JSON.stringify({ jsonrpc: "2.0", id: mine, method: "tools/call", params: { name: "count", arguments: { n }, _meta: meta } })}\n`);
    return answered.finally(() => waiting.delete(mine));
  };
  return new Caller("shim", index, call, () => child.stdin?.end());
}

async function openDoors(first: number): Promise<Door[]> {
  const made = Array.from({ length: doors }, (_, at) => new Door(first + at, `127.0.0.1:${upstreamPort}`));
  await until(() => made.every(({ works }) => works), "every sandbox works", 180_000);
  return made;
}

const takeEffects = async (): Promise<[n: number, atMs: number][]> => (await (await fetch(`http://127.0.0.1:${upstreamPort}/effects`)).json()) as [number, number][];

/** From `sentMs` to the last effect of each load, and how many came after `answeredMs`. */
function judge(loads: readonly Load[], effects: readonly (readonly [number, number])[], sentMs: number, answeredMs: number): { times: number[]; after: number } {
  const last = new Map<number, number>();
  for (const [n, atMs] of effects) last.set(Math.floor(n / band), Math.max(last.get(Math.floor(n / band)) ?? 0, atMs));
  const times = loads.map(({ index }) => Math.max(0, (last.get(index) ?? 0) - sentMs));
  return { times, after: effects.filter(([, atMs]) => atMs > answeredMs).length };
}

const resume = (): Promise<unknown> => operator.call("stop_lift", { body: { subject: "agent", name: "bot" } });

interface Stopped {
  readonly times: readonly number[];
  readonly after: number;
  readonly sandboxMs: number;
  readonly rate: number;
}

/** One round: load, the order, and what came after it. `give` gives the order. */
async function stopUnder(loads: readonly Load[], inSandboxes: readonly Door[], give: () => Promise<unknown>): Promise<Stopped> {
  await takeEffects();
  await pause(steadyMs);
  const before = await takeEffects();
  const gone = Promise.all(inSandboxes.map((door) => door.gone()));
  const sentMs = now();
  await give();
  const answeredMs = now();
  await pause(1500);
  const goneMs = Math.max(...(await gone));
  const effects = await takeEffects();
  const all = [...loads, ...inSandboxes];
  return { ...judge(all, effects, sentMs, answeredMs), sandboxMs: goneMs - sentMs, rate: before.length / (steadyMs / 1000) };
}

/** Freezes the daemon until all that is outside of it refuses by itself. */
async function cutOff(outside: readonly Load[]): Promise<number> {
  for (const load of outside) load.refusedMs = null;
  const frozenMs = now();
  process.kill(daemon.pid, "SIGSTOP");
  try {
    await until(() => outside.every(({ refusedMs }) => refusedMs !== null), "all refuse by themselves", termMs + 10_000);
  } finally {
    process.kill(daemon.pid, "SIGCONT");
  }
  return Math.max(...outside.map(({ refusedMs }) => (refusedMs ?? Number.NaN) - frozenMs));
}

/** What there was before: every session is closed, one after the other. */
async function closeEach(): Promise<number> {
  const opened = await Promise.all(Array.from({ length: httpSessions }, (_, at) => overHttp(500 + at, "old")));
  await takeEffects();
  await pause(steadyMs);
  await takeEffects();
  const sentMs = now();
  for (const { session } of opened) await operator.call("session_close", { at: { id: session } });
  await pause(500);
  const { times } = judge(opened.map(({ load }) => load), await takeEffects(), sentMs, now());
  for (const { load } of opened) load[Symbol.dispose]();
  return quantile(times, 0.99);
}

const upstream = spawn(process.execPath, [join(import.meta.dirname, "stop-upstream.ts")], { stdio: ["pipe", "pipe", "inherit"] });
const [line] = (await once(upstream.stdout, "data")) as [Buffer];
const upstreamPort = Number(line.toString());
using world = new World({
  yaml: `teams: { t: {} }\nusers: { ana: {} }\nagents: { bot: { team: t }, old: { team: t } }\nservers: { c: { url: "http://127.0.0.1:${upstreamPort}/mcp" } }\negress: { private: ["127.0.0.1:${upstreamPort}"] }\nauthority_term_ms: ${termMs}\nbreakers: { loop: false }\n`,
  policies: { "all.cedar": '@id("all") @reason("All.") permit (principal, action, resource);\n' },
});
for (const folder of ["home", "project"]) mkdirSync(join(world.folder, folder));
writeFileSync(join(world.folder, "project", "load.sh"), doorLoad);
await using daemon = await DaemonProcess.start(world, { HOME: process.env["HOME"] ?? "" });
const operator = world.operator();
await approveCatalog(operator, "c");
const pool = new Pool(daemon.url, { connections: httpSessions * 2, headersTimeout: 60_000, bodyTimeout: 60_000 });

const direct = await Promise.all(Array.from({ length: httpSessions }, (_, at) => overHttp(at)));
const throughShims: Caller[] = [];
for (let at = 0; at < shims; at++) throughShims.push(await overShim(httpSessions + at));
const callers = [...direct.map(({ load }) => load), ...throughShims];
let sandboxes = await openDoors(100);
const cutOffMs = await cutOff([...throughShims, ...sandboxes]);

const results: Stopped[] = [];
for (let at = 0; at < rounds; at++) {
  results.push(await stopUnder(callers, sandboxes, () => operator.call("stop_order", { body: { kind: "stop", subject: "agent", name: "bot", why: "benchmark" } })));
  await resume();
  sandboxes = await openDoors(200 + at * doors);
}
const typed = await stopUnder(callers, sandboxes, () => once(lanyard(["stop", "agent", "bot", "--why", "benchmark"]), "close"));
for (const load of callers) load[Symbol.dispose]();
const closingEachMs = await closeEach();

const times = results.flatMap((result) => result.times);
const result = {
  sessions: { http: httpSessions, shim: shims, door: doors },
  rounds,
  effects_per_s: Math.round(quantile(results.map(({ rate }) => rate), 0.5)),
  stop_p50_ms: round(quantile(times, 0.5)),
  stop_p99_ms: round(quantile(times, 0.99)),
  stop_max_ms: round(Math.max(...times)),
  after_stop_effects: results.reduce((sum, { after }) => sum + after, 0) + typed.after,
  sandbox_ended_ms: round(Math.max(...results.map(({ sandboxMs }) => sandboxMs))),
  with_command_ms: round(Math.max(...typed.times)),
  cut_off_refused_ms: round(cutOffMs),
  term_ms: termMs,
  closing_each_p99_ms: round(closingEachMs),
  processors: availableParallelism(),
};
process.stdout.write(`${JSON.stringify(result)}\n`);
await pool.destroy();
upstream.stdin.end();
