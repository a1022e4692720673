import { spawn } from "node:child_process";
import { chmodSync, chownSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { systemProgram } from "../bubblewrap.ts";
import { filtered, jail, jailedId, sharedForReading } from "./jail.ts";

const script = `PATH=/usr/bin
chmod 666 /proc/self/fd/3 && echo mode
chown 0 /proc/self/fd/3 && echo owner
python3 -c 'import os; os.setxattr(3, "user.x", b"x")' && echo attribute
echo poison >> /proc/self/fd/3 && echo poisoned
cat /proc/self/fd/3`;

test("whoever took over a hypervisor cannot write to what all machines share, though his user owns it", async ({ skip }) => {
  if (process.platform !== "linux" || ["bwrap", "setpriv", "prlimit"].some((name) => systemProgram(name) === null)) skip();
  const folder = mkdtempSync(join(tmpdir(), "lanyard-jail-"));
  const path = join(folder, "memory");
  writeFileSync(path, "template\n", { mode: 0o644 });
  if (process.geteuid?.() === 0) {
    chownSync(path, jailedId, jailedId); // as if nobody else could be had
    chmodSync(path, 0o444);
  } else sharedForReading(path);
  expect(statSync(path).mode & 0o777).toBe(0o444);
  const fd = openSync(path, "r");
  try {
    const [command, ...before] = jail({ devices: [], fileBytes: 1024, filter: 4 });
    const child = spawn(command, [...before, "/bin/sh", "-c", script], { stdio: ["ignore", "pipe", "pipe", fd, "pipe"], env: {}, cwd: "/" });
    filtered(child);
    let [said, failed] = ["", ""];
    child.stdout?.on("data", (chunk: Buffer) => (said += chunk.toString()));
    child.stderr?.on("data", (chunk: Buffer) => (failed += chunk.toString()));
    await new Promise((resolve) => child.once("close", resolve));
    expect(said, failed).toBe("template\n");
    expect(readFileSync(path, "utf8")).toBe("template\n");
  } finally {
    closeSync(fd);
    chmodSync(path, 0o600);
    rmSync(folder, { recursive: true });
  }
});
