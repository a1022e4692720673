import { spawnSync } from "node:child_process";
import { systemProgram } from "../stages/execution/sandbox/bubblewrap.ts";

/**
 * Keeps secrets that this process holds out of what a crash of it would leave: it writes no core file, nor does what it starts from here on, and Node writes no
 * report (which has the environment in it; Node's own switch against that does not reach the parts about worker threads). Returns what is lacking for
 * that, null when nothing is. A core file without the memory, by `coredump_filter`, would not do: registers are in it, and there have been keys in them.
 */
export function leaveNoDumps(): string | null {
  Object.assign(process.report, { reportOnFatalError: false, reportOnUncaughtException: false, reportOnSignal: false });
  if (process.platform !== "linux") return "core files can be limited on Linux only";
  const prlimit = systemProgram("prlimit");
  if (prlimit === null) return "`prlimit` (util-linux) is not installed";
  // One byte, not none: see core(5), where they are piped to a program the kernel heeds no other limit.
  const { status, error } = spawnSync(prlimit, ["--pid", String(process.pid), "--core=1"], { stdio: "ignore" });
  return status === 0 ? null : `prlimit failed: ${error?.message ?? `code ${status}`}`;
}
