import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { release } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { groupsThere } from "../../server/src/stages/execution/sandbox/cgroup.ts";
import type { Sandbox } from "../../server/src/stages/execution/sandbox/driver.ts";
import { treeOf } from "../../server/src/stages/execution/sandbox/usage.ts";
import { SandboxGround, textOf } from "../kits/sandbox.ts";
import { ownTraces, SessionTraces, traceKinds } from "../kits/traces.ts";

const isRoot = process.geteuid?.() === 0;
const drivers = ["microvm", "gvisor", "process"] as const;
const ground = new SandboxGround();
const lacking = Object.fromEntries(await Promise.all(drivers.map(async (name) => [name, await ground.lacking(name, "the escape suite")] as const)));

/** What of the host the attacks are after. Below /var/tmp, for sandboxes have a /tmp of their own. */
class Host implements Disposable {
  readonly folder = mkdtempSync("/var/tmp/lanyard-escape-");
  readonly shown = join(this.folder, "shown");
  readonly #servers: Server[] = [];
  readonly #sleeper: ChildProcess;
  readonly #settings = settings();
  readonly facts: Record<string, unknown>;

  private constructor(port: number) {
    this.#sleeper = spawn("sleep", ["98765"], { stdio: "ignore", env: { ESCAPE: "a-secret-of-the-host" } });
    const routes = (path: string, line: RegExp): boolean => existsSync(path) && line.test(readFileSync(path, "latin1"));
    const has = (code: string): boolean => spawnSync("python3", ["-c", code], { stdio: "ignore" }).status === 0;
    this.facts = {
      marker: join(this.folder, "marker"),
      secret: "a-secret-of-the-host",
      sleeper: "sleep\x0098765",
      sleeper_pid: this.#sleeper.pid,
      port,
      abstract: this.#abstract,
      readable: this.shown,
      release: release(),
      // Whether a control can succeed on this host at all.
      routed: routes("/proc/net/route", /^\w+\t00000000\t/m),
      routed6: routes("/proc/net/ipv6_route", /^0{32} 00 .* (?!lo)\w+$/m),
      vsock: has("import socket; socket.socket(40, 1)"),
      modules: existsSync("/proc/modules"),
      uring: has("import ctypes,sys; sys.exit(ctypes.CDLL(None).syscall(425, 1, ctypes.create_string_buffer(256)) < 0)"),
      log: spawnSync("dmesg", ["--notime"], { encoding: "utf8" }).stdout?.trim().split("\n").at(-1) ?? "",
    };
  }

  readonly #abstract = `lanyard-escape-${process.pid}`;

  static async open(): Promise<Host> {
    const talker = () => createServer((connection) => connection.on("error", () => {}).end("through"));
    const port = talker();
    await new Promise<void>((done) => port.listen(0, "127.0.0.1", done));
    const host = new Host((port.address() as { port: number }).port);
    chmodSync(host.folder, 0o755);
    mkdirSync(host.shown);
    writeFileSync(String(host.facts["marker"]), "a file of the host");
    host.#servers.push(port);
    for (const path of [`\0${host.#abstract}`, join(host.shown, "socket")]) {
      const server = talker();
      await new Promise<void>((done) => server.listen(path, done));
      host.#servers.push(server);
    }
    chmodSync(join(host.shown, "socket"), 0o777);
    return host;
  }

  /** Settings of the kernel that an attack may have changed; they are put back. */
  changed(): string[] {
    return Object.entries(this.#settings).flatMap(([path, value]) => (readFileSync(path, "latin1") === value ? [] : [path]));
  }

  [Symbol.dispose](): void {
    if (isRoot) for (const path of this.changed()) writeFileSync(path, this.#settings[path] ?? "");
    for (const server of this.#servers) server.close();
    this.#sleeper.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const settings = (): Record<string, string> =>
  Object.fromEntries(["kernel/core_pattern", "kernel/sysrq", "kernel/hostname", "net/ipv4/ip_forward"].map((name) => `/proc/sys/${name}`).filter((path) => existsSync(path)).map((path) => [path, readFileSync(path, "latin1")]));

interface Verdict {
  readonly name: string;
  readonly control: boolean;
  readonly through: boolean;
  readonly how: string;
}

const script = readFileSync(join(import.meta.dirname, "attacks.py"), "utf8");
const names = [...script.matchAll(/^@attack\("([^"]+)"/gm)].map(([, name]) => name);

async function attacked(sandbox: Sandbox, facts: object): Promise<Verdict[]> {
  const { stdin, stdout, stderr, ended } = sandbox.exec({ command: "python3", args: ["-", JSON.stringify({ ...facts, workspace: sandbox.workspace })], environment: { PATH: "/usr/local/bin:/usr/bin:/bin" }, timeoutMs: 60_000 });
  stdin.end(script);
  const [out, err, ending] = await Promise.all([textOf(stdout), textOf(stderr), ended]);
  expect({ ending, err }).toEqual({ ending: { kind: "exited", value: 0 }, err: "" });
  return out.trim().split("\n").map((line) => JSON.parse(line) as Verdict);
}

let host: Host;
beforeAll(async () => void (host = await Host.open()));
afterAll(() => {
  host[Symbol.dispose]();
  ground[Symbol.dispose]();
});

it("every attack with a control gets through where there is no sandbox", async ({ skip }) => {
  if (!isRoot) {
    process.stderr.write("\n  SKIPPED: the controls of the escape suite need root\n\n");
    skip();
  }
  const { sandbox } = await ground.open(ground.drivers.none);
  await using _ = sandbox;
  const agent = treeOf(process.pid).find(({ pid }) => readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("guest-agent"));
  const verdicts = await attacked(sandbox, { ...host.facts, control: true, agent_pid: agent?.pid });
  expect(verdicts.filter(({ through }) => !through)).toEqual([]);
  const untried = names.filter((name) => !verdicts.some((one) => one.name === name));
  process.stderr.write(`\n  escape suite: ${verdicts.length} attacks get through without a sandbox; no control here for: ${untried.join("; ")}\n\n`);
  expect(untried).toContain("setting the clock");
  expect(verdicts.length).toBeGreaterThan(names.length * 0.8);
});

describe.each(drivers)("driver %s", (name) => {
  const test = it.skipIf(lacking[name] !== null);

  test("every attack is blocked, each with how, and of the session that tried nothing is left", async () => {
    const before = ownTraces();
    const { sandbox } = await ground.open(ground.drivers[name], { readable: [host.shown] });
    await using _ = sandbox;
    const verdicts = await attacked(sandbox, { ...host.facts, control: false });
    expect(verdicts.map((one) => one.name)).toEqual(names);
    expect(verdicts.filter(({ through, how }) => through || how === "")).toEqual([]);
    if (name === "process") expect(verdicts.filter(({ how }) => how.startsWith("contained"))).toEqual([]);
    mkdirSync("results", { recursive: true });
    writeFileSync(`results/escape-${name}.txt`, verdicts.map(({ name: attack, how }) => `${attack}: ${how}\n`).join(""));
    await sandbox.ping();
    expect(host.changed()).toEqual([]);

    using traces = new SessionTraces(ground.folder, before);
    const kinds = new Set(traces.left().map(({ kind }) => kind));
    expect(traceKinds.filter((kind) => !kinds.has(kind) && !(kind === "cgroup" && groupsThere().length === 0))).toEqual([]); // Whatever there is to find, is found while it is there.
    await sandbox.destroy();
    expect(traces.left()).toEqual([]);
  });
});
