// What a sandbox costs: `npm run bench -- sandbox [--json]`. Medians over runs on this machine, beside the same command without any.
import { spawn } from "node:child_process";
import { isolation } from "../scripts/install.mjs";
import { treeOf, usageOf } from "../server/src/stages/execution/sandbox/usage.ts";
import { SandboxGround, shell } from "../test/kits/sandbox.ts";

const runs = 20;
const median = (values: readonly number[]): number => Math.round((values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0) * 10) / 10;
const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const began = performance.now();
  await work();
  return performance.now() - began;
};
const bare = (): Promise<unknown> => new Promise((done) => spawn("sh", ["-c", "true"], { stdio: "ignore" }).once("close", done));

process.env["LANYARD_GUEST_AGENT"] = await isolation();
using ground = new SandboxGround();
const drivers: Record<string, Record<string, number>> = {};
for (const driver of Object.values(ground.drivers)) {
  const lacking = await driver.probe();
  if (lacking) {
    process.stderr.write(`${driver.name}: skipped, ${lacking}\n`);
    continue;
  }
  const [cold, exec, destroy, without, memory]: [number[], number[], number[], number[], number[]] = [[], [], [], [], []];
  for (let run = 0; run < runs; run++) {
    without.push(await timed(bare));
    const opened = Promise.withResolvers<Awaited<ReturnType<SandboxGround["open"]>>>();
    cold.push(
      await timed(async () => {
        const one = await ground.open(driver);
        await shell(one.sandbox, "true");
        opened.resolve(one);
      }),
    );
    const { sandbox } = await opened.promise;
    exec.push(await timed(() => shell(sandbox, "true")));
    const tops = treeOf(process.pid).filter(({ parent }) => parent === process.pid);
    memory.push(Math.max(...tops.map(({ pid }) => usageOf(pid).memoryBytes)) / 1024 / 1024);
    destroy.push(await timed(() => sandbox.destroy()));
  }
  drivers[driver.name] = { cold_ms: median(cold), exec_ms: median(exec), ...(driver.tier !== "none" && { rss_mb: median(memory) }), destroy_ms: median(destroy), bare_ms: median(without) };
}
if (process.argv.includes("--json")) process.stdout.write(`${JSON.stringify({ drivers })}\n`);
else for (const [name, figures] of Object.entries(drivers)) process.stdout.write(`${name}: ${Object.entries(figures).map(([key, value]) => `${key} ${value}`).join(", ")}\n`);
