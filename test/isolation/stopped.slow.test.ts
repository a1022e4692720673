import { spawn, type ChildProcess } from "node:child_process";
import { copyFileSync, mkdirSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { processState, treeOf } from "../../server/src/stages/execution/sandbox/usage.ts";
import { ambient, approveCatalog, DaemonProcess, program, until, World } from "../daemon.ts";
import { SandboxGround } from "../kits/sandbox.ts";
import { counter, type Counter } from "../torture/counter.ts";

// What is held outside the daemon, a stdio shim and a sandbox's doors: cut off from a daemon that is frozen, and stopped by one that is not.

const ground = new SandboxGround();
const lacking = await ground.lacking("process", "stopping under load");
ground[Symbol.dispose]();
const meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" }, "io.modelcontextprotocol/clientCapabilities": {} };

let world: World;
let daemon: DaemonProcess;
let calls: Counter;
const made: string[] = [];
const upstream = createServer((incoming, outgoing) => {
  made.push(incoming.url ?? "");
  setTimeout(() => outgoing.end("counted"), 30);
});
const children: ChildProcess[] = [];

interface Answer {
  readonly result?: { readonly content?: readonly { readonly text: string }[] };
  readonly error?: { readonly message: string };
}

/** `lanyard mcp` in a process of its own, and what it answers. */
class ShimProcess {
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  readonly #child: ChildProcess;
  #id = 0;

  constructor(token: string) {
    this.#child = start(["mcp"], { LANYARD_TOKEN: token });
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      const message = JSON.parse(line) as Answer & { id: number };
      this.#waiting.get(message.id)?.(message);
      this.#waiting.delete(message.id);
    });
  }

  async count(n: number): Promise<string> {
    const id = ++this.#id;
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    this.#child.stdin?.write(`${JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params: { name: "count", arguments: { n }, _meta: meta } })}\n`);
    const { result, error } = await answered;
    return error?.message ?? result?.content?.[0]?.text ?? "";
  }
}

function start(args: readonly string[], environment: Readonly<Record<string, string>> = {}): ChildProcess {
  const env = { ...ambient, HOME: process.env["HOME"], LANYARD_HOME: join(world.folder, "home"), LANYARD_LOG: "error", ...environment };
  const child = spawn(process.execPath, [program, "--config", world.config, ...args], { cwd: join(world.folder, "project"), env, stdio: ["pipe", "pipe", "pipe"] });
  children.push(child);
  return child;
}

beforeAll(async () => {
  await new Promise<void>((done) => void upstream.listen(0, "127.0.0.1", done));
  calls = await counter();
  world = new World({
    yaml: `
teams: { t: {} }
users: { ben: {} }
agents: { bot: { team: t } }
servers: { c: { url: "${calls.url}" } }
egress: { private: ["127.0.0.1:${(upstream.address() as AddressInfo).port}"] }
authority_term_ms: 1000
`,
    policies: { "all.cedar": '@id("all") @reason("All.") permit (principal, action, resource);' },
  });
  for (const folder of ["home", "project"]) mkdirSync(join(world.folder, folder));
  copyFileSync(join(import.meta.dirname, "world/load.sh"), join(world.folder, "project", "load.sh"));
  daemon = await DaemonProcess.start(world);
  await approveCatalog(world.operator(), "c");
});

afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  process.kill(daemon.pid, "SIGCONT");
  await daemon[Symbol.asyncDispose]();
  world[Symbol.dispose]();
  upstream.closeAllConnections();
  upstream.close();
  await calls[Symbol.asyncDispose]();
});

describe.skipIf(lacking !== null)("what is held outside the daemon", () => {
  it("refuses by itself while the daemon is frozen, goes on when it is not, and ends when it is stopped", { timeout: 240_000 }, async () => {
    const { token } = await world.operator().call<{ token: string }>("session_open", { body: { agent: "bot", on_behalf_of: "ben", purpose: "shim" } });
    const shim = new ShimProcess(token);
    const run = start(["run", "--isolation", "process", "--agent", "bot", "--on-behalf-of", "ben", "--purpose", "load", "--", "sh", "load.sh", `127.0.0.1:${(upstream.address() as AddressInfo).port}`, "1000"]);
    const said = { out: "", err: "" };
    run.stdout?.on("data", (chunk: Buffer) => (said.out += chunk.toString()));
    run.stderr?.on("data", (chunk: Buffer) => (said.err += chunk.toString()));
    const ended = new Promise<number | null>((done) => run.once("close", done));
    const since = (from: number, way: string, pattern: RegExp) => said.out.slice(from).split("\n").some((line) => line.startsWith(way) && pattern.test(line));
    const works = async () => {
      const from = said.out.length;
      await until(() => since(from, "web", /counted 200/) && since(from, "mcp", /counted.* 200/), "the sandbox works", 60_000);
    };
    expect(await shim.count(1)).toBe("counted 1");
    await works();

    process.kill(daemon.pid, "SIGSTOP");
    const from = said.out.length;
    const answers = [shim.count(2), shim.count(3)];
    for (const answer of await Promise.all(answers)) expect(answer).toMatch(/does not answer any more while the request was running; it may have taken effect|has not answered/);
    expect(await shim.count(4)).toContain("the Lanyard daemon has not answered for 1000 ms");
    await until(() => since(from, "web", /has not answered for 1000 ms.* 502/) && since(from, "mcp", /has not answered for 1000 ms.* 503/), "the doors refuse", 60_000);
    expect(said.err).toContain("nothing leaves the sandbox until it does");
    process.kill(daemon.pid, "SIGCONT");
    await works();
    await until(async () => (await shim.count(5)) === "counted 5", "the shim goes on");
    expect(calls.effects).not.toContain(4);

    const tree = treeOf(run.pid ?? 0);
    expect(tree.length).toBeGreaterThan(2);
    expect(await world.operator().call("stop_order", { body: { kind: "stop", subject: "agent", name: "bot", why: "test" } })).toMatchObject({ recorded: true });
    const [web, mcp] = [made.length, calls.effects.length];
    expect(await ended).toBe(125);
    expect(said.err).toContain("agent `bot` is stopped");
    await until(() => tree.every(({ pid, begun }) => processState(pid)?.begun !== begun), "all processes of the sandbox have ended");
    expect(await shim.count(6)).toContain("agent `bot` is stopped");
    expect([made.length, calls.effects.length]).toEqual([web, mcp]);
    await expect(world.operator().call("session_open", { body: { agent: "bot", on_behalf_of: "ben", purpose: "again" } })).rejects.toMatchObject({ code: "stopped" });
  });
});
