import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Pool } from "undici";
import { approveCatalog, DaemonProcess, World } from "../test/daemon.ts";

/**
 * What Lanyard costs a tool call: the same raw HTTP client calls the same tool of the reference server (a process of its own), straight
 * and through a real daemon with policies and a durable ledger, by turns in one run, so that a noisy machine is noisy for both. Client
 * and server speak 2025-11-25, as nearly all published servers do; `--stateless` has both speak 2026-07-28.
 */
const seconds = Number(process.argv[process.argv.indexOf("--seconds") + 1]) || 8;
const era = process.argv.includes("--stateless") ? "stateless" : "stateful";
const tool = "test_simple_text";
const rounds = 20;
const warmUpMs = 6000;

const version = era === "stateless" ? "2026-07-28" : "2025-11-25";
const clientInfo = { name: "bench", version: "1.0.0" };
const stateless = { "io.modelcontextprotocol/protocolVersion": version, "io.modelcontextprotocol/clientInfo": clientInfo, "io.modelcontextprotocol/clientCapabilities": {} };

/** A caller of one endpoint over keep-alive connections: raw HTTP, no SDK. */
class Target {
  readonly #path: string;
  readonly #pool: Pool;
  readonly #headers: Record<string, string>;
  #id = 0;

  constructor(url: string, token?: string) {
    const { origin, pathname } = new URL(url);
    this.#path = pathname;
    this.#pool = new Pool(origin, { connections: 16, headersTimeout: 30_000, bodyTimeout: 30_000 });
    this.#headers = { "content-type": "application/json", accept: "application/json, text/event-stream", "mcp-protocol-version": version, ...(token && { authorization: `Bearer ${token}` }) };
  }

  async open(): Promise<this> {
    if (era === "stateless") {
      Object.assign(this.#headers, { "mcp-method": "tools/call", "mcp-name": tool });
      return this;
    }
    const { headers } = await this.#post({ jsonrpc: "2.0", id: 0, method: "initialize", params: { protocolVersion: version, capabilities: {}, clientInfo } });
    this.#headers["mcp-session-id"] = String(headers["mcp-session-id"]);
    await this.#post({ jsonrpc: "2.0", method: "notifications/initialized" });
    return this;
  }

  /** One tool call; throws unless the tool itself answered. */
  async call(): Promise<void> {
    const params = { name: tool, arguments: {}, ...(era === "stateless" && { _meta: stateless }) };
    const { text } = await this.#post({ jsonrpc: "2.0", id: ++this.#id, method: "tools/call", params });
    if (!text.includes("This is a simple text response")) throw new Error(`not the tool's answer: ${text.slice(0, 500)}`);
  }

  async #post(message: object): Promise<{ text: string; headers: Record<string, unknown> }> {
    const { headers, body } = await this.#pool.request({ path: this.#path, method: "POST", headers: this.#headers, body: JSON.stringify(message) });
    return { text: await body.text(), headers };
  }
}

const quantile = (sorted: readonly number[], q: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
const round = (value: number): number => Math.round(value * 1000) / 1000;

async function latencies(target: Target, ms: number): Promise<number[]> {
  const times: number[] = [];
  for (const end = performance.now() + ms; performance.now() < end; ) {
    const before = performance.now();
    await target.call();
    times.push(performance.now() - before);
  }
  return times;
}

/** Calls that `callers` at a time complete in a second. */
async function rate(target: Target, callers: number, ms: number): Promise<number> {
  const start = performance.now();
  let calls = 0;
  const caller = async () => {
    for (; performance.now() - start < ms; calls++) await target.call();
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return (calls / (performance.now() - start)) * 1000;
}

const server = spawn(process.execPath, [join(import.meta.dirname, "../test/conformance/serve.ts"), era], { stdio: ["pipe", "pipe", "inherit"] });
const [line] = (await once(server.stdout, "data")) as [Buffer];
const url = line.toString().trim();
using world = new World({
  yaml: `teams: { t: {} }\nusers: { ana: {} }\nagents: { bench: { team: t } }\nservers: { reference: { url: "${url}" } }\nbreakers: { loop: false }\n`,
  policies: {
    "read.cedar": '@id("simple") @reason("The simple tool is harmless.") permit (principal, action == Action::"reference/test_simple_text", resource) when { principal in Team::"t" };\n',
    "limits.cedar": '@id("depth") @reason("No grandchildren.") forbid (principal, action, resource) when { context.session.depth > 2 };\n',
  },
});
await using daemon = await DaemonProcess.start(world);
await approveCatalog(world.operator(), "reference");
const { token } = await world.operator().call<{ token: string }>("session_open", { body: { agent: "bench", on_behalf_of: "ana", purpose: "benchmark" } });

const raw = await new Target(url).open();
const through = await new Target(`${daemon.url}/mcp`, token).open();
const slice = (seconds * 1000) / rounds / 2;
// A daemon runs for weeks: what is measured is compiled code. Some ten thousand calls through it, the same time straight.
await rate(raw, 16, warmUpMs);
await rate(through, 16, warmUpMs);

const times = { raw: [] as number[], through: [] as number[] };
for (let at = 0; at < rounds; at++) {
  times.raw.push(...(await latencies(raw, slice)));
  times.through.push(...(await latencies(through, slice)));
}
const rates = { raw: [] as number[], through: [] as number[] };
for (let at = 0; at < rounds / 4; at++) {
  rates.raw.push(await rate(raw, 16, slice * 4));
  rates.through.push(await rate(through, 16, slice * 4));
}
for (const list of [times.raw, times.through, rates.raw, rates.through]) list.sort((a, b) => a - b);

const result = {
  client_and_server: version,
  raw_p50_ms: round(quantile(times.raw, 0.5)),
  p50_ms: round(quantile(times.through, 0.5)),
  added_p50_ms: round(quantile(times.through, 0.5) - quantile(times.raw, 0.5)),
  added_p99_ms: round(quantile(times.through, 0.99) - quantile(times.raw, 0.99)),
  ratio_raw_http: round(quantile(times.through, 0.5) / quantile(times.raw, 0.5)),
  calls_per_s_16: Math.round(quantile(rates.through, 0.5)),
  raw_calls_per_s_16: Math.round(quantile(rates.raw, 0.5)),
};
process.stdout.write(`${JSON.stringify(result)}\n`);
server.kill();
