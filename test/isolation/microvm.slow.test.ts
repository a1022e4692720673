import { homedir, tmpdir } from "node:os";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../server/src/base/clock.ts";
import type { Sandbox, SandboxSpec } from "../../server/src/stages/execution/sandbox/driver.ts";
import { guestAgentPath } from "../../server/src/stages/execution/sandbox/guest.ts";
import { guestImagePath } from "../../server/src/stages/execution/sandbox/microvm/image.ts";
import { microvmDriver } from "../../server/src/stages/execution/sandbox/microvm/microvm.ts";
import { shell, smallLimits } from "../kits/sandbox.ts";

const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
const folder = mkdtempSync(join(tmpdir(), "lanyard-machines-"));
const driver = microvmDriver({ clock: systemClock, folder, agent: guestAgentPath(cache), image: guestImagePath(cache), templates: join(cache, "lanyard", "templates"), acceleration: "tcg" });
const lacking = await driver.probe();
if (lacking) process.stderr.write(`\n  SKIPPED: virtual machines were not tried: ${lacking}\n\n`);

const open = async (more: Partial<SandboxSpec> = {}): Promise<Sandbox> => {
  const sandbox = await driver.create({ workspace: "/work/project", readable: [], doors: new Map(), limits: smallLimits, ...more });
  await sandbox.start();
  return sandbox;
};

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe.skipIf(lacking !== null)("a virtual machine", () => {
  let one: Sandbox;
  beforeAll(async () => {
    one = await open();
  });
  afterAll(async () => {
    await one.destroy();
    expect(readdirSync(folder)).toEqual([]);
  });

  it("two copies of a template have the right time, and random bytes of their own", async () => {
    await using other = await open();
    const look = async (sandbox: Sandbox) => (await shell(sandbox, "date +%s; head -c 16 /dev/urandom | od -An -tx1; cat /proc/sys/kernel/random/uuid")).out.split("\n");
    const before = Math.floor(systemClock.nowMs() / 1000);
    const [mine, others] = await Promise.all([look(one), look(other)]);
    const after = Math.ceil(systemClock.nowMs() / 1000);
    for (const [seconds] of [mine, others]) {
      expect(Number(seconds)).toBeGreaterThanOrEqual(before - 1);
      expect(Number(seconds)).toBeLessThanOrEqual(after + 1);
    }
    expect(mine.slice(1, 3)).not.toEqual(others.slice(1, 3));
    expect(new Set([...mine.slice(1, 3), ...others.slice(1, 3)]).size).toBe(4);
  });

  it("commands are a user that may nothing, and their machine has no network card", async () => {
    const { out } = await shell(one, "id -u; grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status; ls /sys/class/net; cat /proc/1/environ /dev/vda 2>&1 | head -c 200; pwd");
    expect(out).toContain("1000\n");
    expect(out).toMatch(/CapEff:\s+0{16}\nCapBnd:\s+0{16}\nNoNewPrivs:\s+1\nlo\n/);
    expect(out).toMatch(/Permission denied|No such file/);
    expect(out).toMatch(/\/work\/project\n$/);
  });
});
