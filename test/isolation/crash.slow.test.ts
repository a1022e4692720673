import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { expect, it } from "vitest";
import { reapOrphans } from "../../server/src/stages/execution/sandbox/orphans.ts";
import { treeOf } from "../../server/src/stages/execution/sandbox/usage.ts";
import { until } from "../daemon.ts";
import { SandboxGround } from "../kits/sandbox.ts";

/** How long they sleep, by which they are known on the machine: no other file's processes sleep just so. */
const seconds = 981;

const sleepers = (): number =>
  treeOf(1).filter(({ pid }) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(`sleep\x00${seconds}`);
    } catch {
      return false;
    }
  }).length;

it("a holder that is killed leaves no process, and the next start clears its folder", async ({ skip }) => {
  using ground = new SandboxGround();
  const lacking = await ground.drivers.process.probe();
  if (lacking) {
    process.stderr.write(`\n  SKIPPED: the crash of a holder was not tried: ${lacking}\n\n`);
    skip();
  }
  const kit = new URL("../kits/sandbox.ts", import.meta.url).href;
  const holder = `
    import { SandboxGround } from ${JSON.stringify(kit)};
    const ground = new SandboxGround();
    const { sandbox } = await ground.open(ground.drivers.process);
    sandbox.exec({ command: "sh", args: ["-c", "setsid sleep ${seconds} & sleep ${seconds}"], environment: { PATH: "/usr/bin:/bin" } });
    console.log(ground.folder);
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", holder], { stdio: ["ignore", "pipe", "inherit"] });
  using _ = { [Symbol.dispose]: () => void child.kill("SIGKILL") };
  const folder = (await new Promise<string>((done) => child.stdout.once("data", (chunk: Buffer) => done(chunk.toString())))).trim();
  await until(() => sleepers() === 2, "both sleep");
  expect(reapOrphans(folder)).toEqual([]); // its holder lives
  const ended = new Promise((done) => child.once("close", done));
  child.kill("SIGKILL");
  await ended;
  await until(() => sleepers() === 0, "nobody sleeps");
  await until(() => reapOrphans(folder).length === 1, "its folder is cleared"); // a start that comes while the killed are still ending leaves it to the next
  expect(reapOrphans(folder)).toEqual([]);
  rmSync(folder, { recursive: true });
});
