import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { noCores } from "../../../test/kits/secrets.ts";

const folder = mkdtempSync(join(tmpdir(), "lanyard-crash-"));
beforeEach(() => readdirSync(folder).forEach((name) => rmSync(join(folder, name))));
afterAll(() => rmSync(folder, { recursive: true }));

/** Lets a program end itself in the folder, with what may be found in its environment; returns what the files that it leaves hold. */
function left(begin: string, end: string): Buffer[] {
  const script = `import { leaveNoDumps } from ${JSON.stringify(new URL("dumps.ts", import.meta.url).href)}; ${begin} ${end}`;
  const environment = { PLANTED: "planted-in-a-process", NODE_OPTIONS: "--report-on-signal --report-on-fatalerror --report-uncaught-exception" };
  spawnSync("/bin/sh", ["-c", 'ulimit -c "$(ulimit -H -c)"; exec "$@"', "sh", process.execPath, "--input-type=module", "-e", script], { cwd: folder, env: environment, stdio: "ignore" });
  return readdirSync(folder).map((name) => readFileSync(join(folder, name)));
}

test("a crash leaves no core file; without the precaution it would, with secrets in it", ({ skip }) => {
  const lacking = noCores();
  if (lacking) {
    process.stderr.write(`\n  SKIPPED: core files were not looked for: ${lacking}\n\n`);
    skip();
  }
  const [core] = left("", "process.abort();");
  expect(core?.includes("planted-in-a-process")).toBe(true);
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  expect(left("if (leaveNoDumps() !== null) throw new Error();", "process.abort();")).toEqual([]);
});

test.each(["throw new Error()", 'process.kill(process.pid, "SIGUSR2"); await new Promise((done) => setTimeout(done, 1000));'])("no report is written of the environment, whatever NODE_OPTIONS asks for: %s", (end) => {
  expect(left("", end).some((file) => file.includes("planted-in-a-process"))).toBe(true);
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  expect(left("leaveNoDumps();", end)).toEqual([]);
});
