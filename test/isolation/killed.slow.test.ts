import { spawn } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../server/src/base/clock.ts";
import { openSqlite } from "../../server/src/base/store/sqlite.ts";
import { verifyStore } from "../../server/src/base/store/verify.ts";
import type { SandboxDriver } from "../../server/src/stages/execution/sandbox/driver.ts";
import { reapOrphans } from "../../server/src/stages/execution/sandbox/orphans.ts";
import { processState, treeOf } from "../../server/src/stages/execution/sandbox/usage.ts";
import { ambient, approveCatalog, DaemonProcess, program, until, World } from "../daemon.ts";
import { freePort } from "../kits/ports.ts";
import { SandboxGround } from "../kits/sandbox.ts";
import { counter, type Counter } from "../torture/counter.ts";

// The daemon, the sandbox's process, its guest agent, and the `lanyard run` that holds the doors are killed with SIGKILL in turn, while every session makes
// effects as fast as it can, over both doors. In gvisor and in a virtual machine the guest agent is no process of this machine: what holds it is killed instead.

/** A web server whose effects one can count afterwards. It takes its time, so that requests are under way when something dies. */
async function effects(): Promise<{ endpoint: string; made: number[] } & AsyncDisposable> {
  const made: number[] = [];
  const server = createServer((incoming, outgoing) => {
    made.push(Number(new URL(incoming.url ?? "", "http://upstream").searchParams.get("n")));
    setTimeout(() => outgoing.end("counted"), 60);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const stop = () => {
    server.closeAllConnections();
    return new Promise<void>((done) => void server.close(() => done()));
  };
  return { endpoint: `127.0.0.1:${(server.address() as AddressInfo).port}`, made, [Symbol.asyncDispose]: stop };
}

/** A `lanyard run` whose command makes effects until it is ended. */
class Load {
  readonly driver: SandboxDriver["name"];
  readonly pid: number;
  readonly ended: Promise<number | null>;
  out = "";
  err = "";

  constructor(driver: SandboxDriver["name"], first: number, upstream: string) {
    const who = ["--agent", "bot", "--on-behalf-of", "ben", "--purpose", "load"];
    const args = [program, "--config", world.config, "run", "--isolation", driver, "--workspace", project, ...who, "--", "sh", "load.sh", upstream, String(first)];
    const child = spawn(process.execPath, args, { cwd: project, stdio: ["ignore", "pipe", "pipe"], env: { ...ambient, HOME: process.env["HOME"], LANYARD_HOME: home } });
    this.driver = driver;
    this.pid = child.pid ?? 0;
    this.ended = new Promise((done) => child.once("close", done));
    child.stdout.on("data", (chunk: Buffer) => (this.out += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (this.err += chunk.toString()));
  }

  /** What was read inside after the first `from` characters: one line an effect. */
  read(from: number): string[] {
    return this.out.slice(from).split("\n").slice(0, -1);
  }

  /** Resolves once both of its ways have done something more. */
  async works(): Promise<void> {
    const from = this.out.length;
    const both = () => ["web", "mcp"].every((way) => this.read(from).some((line) => line.startsWith(way) && /counted.* 200 ?$/.test(line)));
    await until(both, `\`${this.driver}\` works`, 300_000).catch((error: Error) => expect.fail(`${error.message}:\n${this.out.slice(from).slice(-2000)}\n${this.err}\n${unforeseen().join("\n")}`));
  }

  /** The first process below it that runs this program. */
  find(command: string): number {
    const found = treeOf(this.pid).find(({ pid }) => programOf(pid).includes(command));
    return found?.pid ?? expect.fail(`there is no \`${command}\` below \`lanyard run\``);
  }
}

/** What the daemons logged that none of their steps should throw. */
const unforeseen = (): string[] => [...logs, daemon.log].flatMap((log) => log.split("\n")).filter((line) => line.includes("call.unforeseen"));

function programOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0")[0] ?? "";
  } catch {
    return ""; // It has ended.
  }
}

let upstream: Awaited<ReturnType<typeof effects>>;
let calls: Counter;
let world: World;
let home: string;
let project: string;
let daemon: DaemonProcess;
/** Of daemons that are gone. */
const logs: string[] = [];
const loads: Load[] = [];
/** One more machine, which is ended while it stands still. */
const patient: Load[] = [];
/** Ids of their sandboxes. */
let sessions: string[] = [];

const ground = new SandboxGround();
const lacking = Object.fromEntries(await Promise.all((["process", "gvisor", "microvm"] as const).map(async (name) => [name, await ground.lacking(name, "kills under load")]))) as Record<"process" | "gvisor" | "microvm", string | null>;
ground[Symbol.dispose]();

beforeAll(async () => {
  [upstream, calls] = await Promise.all([effects(), counter()]);
  world = new World({ yaml: "", policies: { "all.cedar": '@id("all") @reason("All.") permit (principal, action, resource);' } });
  const registry = "teams: { t: {} }\nusers: { ben: {} }\nagents: { bot: { team: t } }\n";
  writeFileSync(world.config, `version: 1\nlisten: 127.0.0.1:${await freePort()}\ndata: ${world.data}\npolicies: policies\n${registry}servers: { c: { url: "${calls.url}" } }\negress: { private: ["${upstream.endpoint}"] }\n`);
  [home, project] = [join(world.folder, "home"), join(world.folder, "project")];
  for (const folder of [home, project]) mkdirSync(folder);
  copyFileSync(join(import.meta.dirname, "world/load.sh"), join(project, "load.sh"));
  daemon = await DaemonProcess.start(world);
  await approveCatalog(world.operator(), "c");
});

afterAll(async () => {
  for (const { pid, ended } of [...loads, ...patient]) {
    if (processState(pid)) process.kill(pid, "SIGKILL");
    await ended;
  }
  await daemon?.[Symbol.asyncDispose]();
  world?.[Symbol.dispose]();
  await Promise.all([upstream?.[Symbol.asyncDispose](), calls?.[Symbol.asyncDispose]()]);
});

describe.skipIf(lacking.process !== null)("under load, whoever is killed", () => {
  /** Who is killed in each session; the rest of its tree must go with it. */
  const victims: readonly [SandboxDriver["name"], string, (load: Load) => number][] = [
    ["process", "the sandbox", (load) => load.find("bwrap")],
    ["process", "the guest agent", (load) => load.find("/.lanyard/agent")],
    ["process", "`lanyard run`", ({ pid }) => pid],
    ["gvisor", "the sandbox", (load) => load.find("runsc-sandbox")],
    ["gvisor", "`lanyard run`", ({ pid }) => pid],
    ["microvm", "the sandbox", (load) => load.find("qemu-system")],
    ["microvm", "`lanyard run`", ({ pid }) => pid],
  ];
  const tried = victims.filter(([driver]) => lacking[driver as "process"] === null);

  it("the daemon: whoever is inside is told so or stands still, and goes on once it is back", { timeout: 1_200_000 }, async () => {
    for (const [index, [driver]] of tried.entries()) loads.push(new Load(driver, (index + 1) * 1_000_000, upstream.endpoint));
    if (lacking.microvm === null) patient.push(new Load("microvm", 90_000_000, upstream.endpoint));
    await Promise.all([...loads, ...patient].map((load) => load.works()));
    sessions = readdirSync(join(home, "sandboxes")).map((name) => name.split(".")[0] ?? "");
    const from = loads.map(({ out }) => out.length);
    await daemon.kill();
    logs.push(daemon.log);
    // A machine may stand still before it has asked for anything: whoever runs it is told.
    const heard = (load: Load, index: number) => ["web", "mcp"].every((way) => load.read(from[index] ?? 0).some((line) => line.startsWith(way) && / 50[23] ?$/.test(line)));
    const told = () => [...loads, ...patient].every((load, index) => (load.driver === "microvm" ? load.err.includes("the Lanyard daemon does not answer") : heard(load, index)));
    const missing = await until(told, "all were told", 300_000).catch((error: Error) => `${error.message}:\n${loads.map((load, index) => `${load.driver}: ${load.out.slice(from[index]).slice(-600)}${load.err}`).join("\n")}`);
    for (const { pid } of missing === undefined ? patient : []) process.kill(pid, "SIGTERM");
    const codes = await Promise.all(missing === undefined ? patient.map(({ ended }) => ended) : []);
    daemon = await DaemonProcess.start(world); // First of all, for those that come after.
    expect(missing).toBeUndefined();
    expect(codes, "what stands still can be ended all the same").toEqual(patient.map(() => 128 + 15));
    await Promise.all(loads.map((load) => load.works()));
    for (const [index, load] of loads.entries()) {
      const failed = load.read(from[index] ?? 0).filter((line) => !/ 200 ?$/.test(line));
      const unclear = failed.filter((line) => !/the Lanyard daemon (?:cannot be reached|has not answered for \d+ ms, and without it nothing is done here|went away before it answered)|the call may not have been made/.test(line));
      expect(unclear, load.driver).toEqual([]);
    }
  });

  it.each(tried.map(([driver, who, pidOf], index) => ({ driver, who, pidOf, index })))("$who of $driver: nothing of the session is left, and whoever started it is told", { timeout: 600_000 }, async ({ who, pidOf, index }) => {
    const load = loads[index] ?? expect.fail("it was never started");
    await load.works();
    const tree = treeOf(load.pid);
    process.kill(pidOf(load), "SIGKILL");
    const code = await load.ended;
    if (who !== "`lanyard run`") {
      expect(code).toBe(125);
      expect(load.err).toMatch(/`sh` was ended: /);
    }
    await until(() => tree.every(({ pid, begun }) => processState(pid)?.begun !== begun), "all its processes have ended");
    const folders = readdirSync(join(home, "sandboxes")).filter((name) => name.split(".")[1] === String(load.pid));
    expect(folders.length > 0).toBe(who === "`lanyard run`"); // A machine has one beside its session's.
    // What the next start does.
    await until(() => (reapOrphans(join(home, "sandboxes")), !readdirSync(join(home, "sandboxes")).some((name) => name.split(".")[1] === String(load.pid))), "its folders are gone");
  });

  it("no effect is without its intent, no intent without its outcome but those that are listed, and the ledger is intact", async () => {
    expect(readdirSync(join(home, "sandboxes"))).toEqual([]);
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(world.folder);
    expect(sessions.length).toBeGreaterThanOrEqual(tried.length);
    expect(foldersBelow("/sys/fs/cgroup").filter((path) => sessions.some((id) => path.includes(id)))).toEqual([]);
    expect(await daemon.stop()).toBe(0);
    expect(unforeseen()).toEqual([]);
    expect((await verifyStore(world.data)).findings).toEqual([]);
    await using store = await openSqlite({ folder: world.data, clock: systemClock, version: "test" });
    const intents = new Map<number, number>();
    for (const record of store.entries({ limit: 100_000, types: ["decision"] })) {
      if (record.type !== "decision" || record.effect !== "allow" || !record.payload) continue;
      const { value } = store.unseal(record.payload) as unknown as { value: { input: { args: { n?: number; query?: string } } } };
      const { n, query } = value.input.args;
      intents.set(n ?? Number(query?.slice("n=".length)), record.seq);
    }
    const made = [...upstream.made, ...calls.effects];
    expect(made.length).toBeGreaterThan(20);
    expect(made.filter((n) => !intents.has(n))).toEqual([]);
    expect(made.length).toBe(new Set(made).size);
    const said = loads.flatMap((load) => load.read(0)).filter((line) => /counted.* 200 ?$/.test(line)).map((line) => Number(line.split(" ")[1]));
    expect(said.filter((n) => !made.includes(n))).toEqual([]);
    const open = [...intents.values()].filter((seq) => store.outcomeOf(seq) === null).sort((a, b) => a - b);
    expect(store.openIntents()).toEqual(open);
  });
});

function foldersBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [join(folder, entry.name), ...foldersBelow(join(folder, entry.name))] : []));
  } catch {
    return []; // It is gone.
  }
}
