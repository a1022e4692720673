import { execFileSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { verifyStore } from "../../server/src/base/store/verify.ts";
import { approveCatalog, callTool, DaemonProcess, until, World } from "../daemon.ts";
import { counter } from "./counter.ts";

// The ledger's disk fills up, or turns read-only, under a running daemon: nothing may happen unrecorded, and no operator is needed
// to go on once the disk is well again. The disks are the test's own: a small tmpfs, and files made immutable.

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "lanyard-disk-"));
  cleanups.push(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

interface Trouble {
  /** A folder for the data; null where this machine does not let the test make one. */
  disk(): string | null;
  begin(disk: string): void;
  end(disk: string): void;
}

const fullDisk: Trouble = {
  disk: () => {
    const disk = folder();
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs", disk], { stdio: "pipe" });
    } catch {
      return null;
    }
    cleanups.push(() => void execFileSync("umount", [disk]));
    return disk;
  },
  begin: (disk) => {
    const ballast = openSync(join(disk, "ballast"), "w");
    try {
      for (;;) writeSync(ballast, Buffer.alloc(65_536)); // until the disk says no
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    } finally {
      closeSync(ballast);
    }
  },
  end: (disk) => rmSync(join(disk, "ballast")),
};

// A mount with files open for writing cannot be made read-only from outside; immutable files refuse even those who have them open
// (not the -shm file: a mapped page that turns immutable ends the process with SIGBUS, which denies, but tests nothing).
const immutable = (disk: string, on: boolean): void => {
  const data = join(disk, "data");
  const files = existsSync(data) ? readdirSync(data).filter((name) => name === "ledger.db" || name === "ledger.db-wal") : [];
  for (const name of files) execFileSync("chattr", [on ? "+i" : "-i", join(data, name)], { stdio: "pipe" });
};

const readOnlyDisk: Trouble = {
  disk: () => {
    const disk = folder();
    const probe = join(disk, "probe");
    writeFileSync(probe, "");
    const open = openSync(probe, "a");
    try {
      execFileSync("chattr", ["+i", probe], { stdio: "pipe" });
      writeSync(open, "x");
      return null; // the flag means nothing to this file system
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === "EPERM" ? disk : null;
    } finally {
      closeSync(open);
      execFileSync("sh", ["-c", 'chattr -i "$0" 2>/dev/null; true', probe]);
      cleanups.push(() => immutable(disk, false));
    }
  },
  begin: (disk) => immutable(disk, true),
  end: (disk) => immutable(disk, false),
};

const troubles = { "a full disk": fullDisk, "a read-only disk": readOnlyDisk };

for (const [name, trouble] of Object.entries(troubles)) {
  test(`${name}: every call is denied, nothing is forwarded, it recovers by itself and leaves a gap entry`, async ({ skip }) => {
    const disk = trouble.disk();
    if (disk === null) return skip("this machine does not let the test make such a disk");
    const data = join(disk, "data");
    mkdirSync(data, { mode: 0o700 });
    await using upstream = await counter();
    using world = new World({
      data,
      yaml: `teams: { t: {} }\nusers: { ben: {} }\nagents: { bot: { team: t } }\nservers: { c: { url: "${upstream.url}" } }\n`,
      policies: { "all.cedar": '@id("all") @reason("All.") permit (principal, action, resource);\n' },
    });
    await using daemon = await DaemonProcess.start(world);
    const operator = world.operator();
    await approveCatalog(operator, "c");
    const { token } = await operator.call<{ token: string }>("session_open", { body: { agent: "bot", on_behalf_of: "ben", purpose: "disk" } });
    const call = (n: number): Promise<unknown> => callTool(daemon.url, token, "count", { n }).then((answer) => answer.body);
    await until(async () => JSON.stringify(await call(0)).includes("counted"), "a call went through");
    const effects = upstream.effects.length;

    trouble.begin(disk);
    const refused: unknown[] = [];
    // What was written up to now may leave a last free page or two; from the first refusal on, all must be refused.
    await until(async () => JSON.stringify(await call(1)).includes("nothing may happen unrecorded"), "the first call was refused");
    const forwarded = upstream.effects.length;
    let slowestMs = 0;
    for (let n = 0; n < 50; n++) {
      const started = performance.now();
      refused.push(await call(2));
      slowestMs = Math.max(slowestMs, performance.now() - started);
    }
    console.log(`${name}: 50 calls denied, the slowest in ${slowestMs.toFixed(1)} ms`);
    expect(refused.filter((answer) => !JSON.stringify(answer).includes("nothing may happen unrecorded"))).toEqual([]);
    expect(upstream.effects.length).toBe(forwarded);
    expect(forwarded - effects).toBeLessThan(200);

    trouble.end(disk);
    await until(async () => JSON.stringify(await call(3)).includes("counted"), "calls go through again");
    const log = await operator.text("log", { query: { type: "ledger.gap" } });
    expect(JSON.parse(log.split("\n")[0] ?? "{}")).toMatchObject({ type: "ledger.gap" });
    expect(await daemon.stop()).toBe(0);
    expect((await verifyStore(data)).findings).toEqual([]);
  });
}

test("a data folder that cannot be written at start: the daemon says so and does not listen", async ({ skip }) => {
  const disk = fullDisk.disk();
  if (disk === null) return skip("this machine does not let the test make such a disk");
  const data = join(disk, "data");
  mkdirSync(data, { mode: 0o700 });
  execFileSync("mount", ["-o", "remount,ro", disk]);
  using world = new World({ yaml: "", policies: {}, data });
  await expect(DaemonProcess.start(world)).rejects.toThrow(/disk refused|cannot be written|read-only/);
});
