// What a sandbox costs: `npm run bench -- sandbox [--json]`. Medians over this run on this machine, the same command without any beside them.
//
// cold_ms      from nothing to the first command's end: a start, or for a virtual machine a boot
// restored_ms  the same where a machine wakes from a template; null where there is none
// warm_ms      the same where a machine waits already
// exec_ms      a further command
// rss_mb       memory a session, with `sessions_parallel` of them alive: anonymous and shared pages of all its processes
// disk_mb      what a session's folder takes on the disk
// destroy_ms   until nothing of it is left
// bare_ms      `sh -c true`, which all of these run, without a sandbox
import { spawn, spawnSync } from "node:child_process";
import { isolation } from "../scripts/install.mjs";
import type { Sandbox, SandboxDriver } from "../server/src/stages/execution/sandbox/driver.ts";
import { treeOf, usageOf } from "../server/src/stages/execution/sandbox/usage.ts";
import { SandboxGround, shell, smallLimits } from "../test/kits/sandbox.ts";

const runs = 20;
const boots = 5;
const parallel = 20;
const mib = 1024 * 1024;
const round = (value: number): number => Math.round(value * 10) / 10;
const median = (values: readonly number[]): number => round(values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0);

async function timed<T>(work: () => Promise<T>): Promise<[ms: number, result: T]> {
  const began = performance.now();
  const result = await work();
  return [performance.now() - began, result];
}

const bare = (): Promise<unknown> => new Promise((done) => spawn("sh", ["-c", "true"], { stdio: "ignore" }).once("close", done));

async function begun(driver: SandboxDriver): Promise<Sandbox> {
  const { sandbox } = await ground.open(driver);
  await shell(sandbox, "true");
  return sandbox;
}

/** To the first command's end, a further one, and until it is gone. */
async function lives(driver: SandboxDriver, count: number, ready: () => Promise<void> = async () => {}): Promise<{ first: number; exec: number; destroy: number; without: number }> {
  const [first, exec, destroy, without]: [number[], number[], number[], number[]] = [[], [], [], []];
  for (let run = 0; run < count; run++) {
    await ready();
    without.push((await timed(bare))[0]);
    const [ms, sandbox] = await timed(() => begun(driver));
    first.push(ms);
    exec.push((await timed(() => shell(sandbox, "true")))[0]);
    destroy.push((await timed(() => sandbox.destroy()))[0]);
  }
  return { first: median(first), exec: median(exec), destroy: median(destroy), without: median(without) };
}

/** As many as that at once: memory of each, and the disk of one. */
async function together(driver: SandboxDriver): Promise<{ sessions: number; rss: number; disk: number }> {
  const others = new Set(treeOf(process.pid).map(({ pid }) => pid));
  const open: Sandbox[] = [];
  for (let n = 0; n < parallel; n++) open.push(await begun(driver));
  const answered = await Promise.all(open.map((sandbox) => shell(sandbox, "echo alive").then(({ out }) => out === "alive\n", () => false)));
  const tops = treeOf(process.pid).filter(({ pid, parent }) => parent === process.pid && !others.has(pid));
  const bytes = tops.reduce((sum, { pid }) => sum + usageOf(treeOf(pid)).memoryBytes, 0);
  const disk = Number.parseInt(spawnSync("du", ["-sk", ground.folder], { encoding: "utf8" }).stdout, 10) / 1024;
  for (const sandbox of open) await sandbox.destroy();
  return { sessions: answered.filter(Boolean).length, rss: round(bytes / mib / parallel), disk: round(disk / parallel) };
}

process.env["LANYARD_GUEST_AGENT"] = await isolation();
using ground = new SandboxGround();
const drivers: Record<string, Record<string, number | null>> = {};
for (const name of ["microvm", "gvisor", "process"] as const) {
  const driver = ground.drivers[name];
  const lacking = await driver.probe();
  if (lacking) {
    process.stderr.write(`${name}: skipped, ${lacking}\n`);
    continue;
  }
  const usual = await lives(driver, runs);
  const machine = name === "microvm" ? await machines() : null;
  const { sessions, rss, disk } = await together(driver);
  drivers[name] = {
    cold_ms: machine ? machine.cold : usual.first,
    restored_ms: machine ? usual.first : null,
    warm_ms: machine ? machine.warm : null,
    ...{ exec_ms: usual.exec, rss_mb: rss, disk_mb: disk, sessions_parallel: sessions, destroy_ms: usual.destroy, bare_ms: usual.without },
  };
}

/** A machine that boots, and one that waits already. */
async function machines(): Promise<{ cold: number; warm: number }> {
  const cold = await lives(ground.machines({ start: "boot" }), boots);
  await using waiting = ground.machines({ warm: 1 });
  const warm = await lives(waiting, runs, () => waiting.warmUp(smallLimits));
  return { cold: cold.first, warm: warm.first };
}

if (process.argv.includes("--json")) process.stdout.write(`${JSON.stringify({ drivers })}\n`);
else for (const [name, figures] of Object.entries(drivers)) process.stdout.write(`${name}: ${Object.entries(figures).map(([key, value]) => `${key} ${value ?? "-"}`).join(", ")}\n`);
