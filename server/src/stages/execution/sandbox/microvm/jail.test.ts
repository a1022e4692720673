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

test("the hypervisor's user gets the group of a device, and never root's", ({ skip }) => {
  if (process.geteuid?.() !== 0 || ["bwrap", "setpriv", "prlimit"].some((name) => systemProgram(name) === null)) skip();
  const folder = mkdtempSync(join(tmpdir(), "lanyard-jail-"));
  const device = join(folder, "kvm");
  writeFileSync(device, "");
  const groupsAt = (mode: number, group: number): string => {
    chmodSync(device, mode);
    chownSync(device, 0, group);
    return jail({ devices: [device], fileBytes: 1024, filter: 4 }).join(" ");
  };
  try {
    expect(groupsAt(0o660, 104)).toContain(" --groups 104 ");
    for (const group of [0, 104]) expect(groupsAt(0o666, group)).toContain(" --clear-groups ");
    for (const [mode, group] of [[0o600, 0], [0o660, 0], [0o600, 104], [0o640, 104]] as const) expect(() => groupsAt(mode, group)).toThrow(/may be opened by root alone/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
