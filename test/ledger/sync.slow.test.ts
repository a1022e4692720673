import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

// Not what the program says it does, but what the kernel saw: between the write of a record to the log and the word that it is durable
// lies a sync of the log that has come back.

const appends = 60;

test("strace: no acknowledgement without a preceding sync", async ({ skip }) => {
  if (spawnSync("strace", ["-V"]).error) return skip("strace is not installed here (Debian: apt install strace)");
  const folder = mkdtempSync(join(tmpdir(), "lanyard-sync-"));
  try {
    const trace = join(folder, "trace");
    const writer = join(import.meta.dirname, "acknowledge.ts");
    execFileSync("strace", ["-f", "-y", "-e", "trace=pwrite64,write,fdatasync,fsync", "-o", trace, process.execPath, writer, join(folder, "data"), String(appends)], { stdio: ["ignore", "pipe", "inherit"] });
    expect(unsynced(readFileSync(trace, "utf8"))).toEqual({ acknowledged: appends, early: [] });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Counts acknowledgements in a trace, and names those that came while the log held writes no sync had covered. */
function unsynced(trace: string): { acknowledged: number; early: string[] } {
  const early: string[] = [];
  let acknowledged = 0;
  let isDirty = true;
  /** Threads inside a sync that began after the last write. */
  const syncing = new Set<string>();
  for (const line of trace.split("\n")) {
    const [thread = "", call = ""] = line.split(/\s+(.*)/);
    if (/^pwrite64\(\d+<[^>]*-wal>/.test(call)) {
      isDirty = true;
      syncing.clear();
    } else if (/^f(data)?sync\(\d+<[^>]*-wal>/.test(call)) {
      if (call.includes("<unfinished")) syncing.add(thread);
      else if (call.endsWith("= 0")) isDirty = false;
    } else if (/^<\.\.\. f(data)?sync resumed>/.test(call)) {
      if (syncing.delete(thread) && call.endsWith("= 0")) isDirty = false;
    } else if (/^write\(1<[^>]*>, "ack /.test(call)) {
      acknowledged++;
      if (isDirty) early.push(call);
    }
  }
  return { acknowledged, early };
}
