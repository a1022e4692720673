import { execFileSync, spawn } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, readSync, rmSync, truncateSync, utimesSync, writeFileSync, writeSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../server/src/base/clock.ts";
import type { Sandbox, SandboxEvent, SandboxSpec } from "../../server/src/stages/execution/sandbox/driver.ts";
import { guestAgentPath } from "../../server/src/stages/execution/sandbox/guest.ts";
import { guestImagePath } from "../../server/src/stages/execution/sandbox/microvm/image.ts";
import { microvmDriver } from "../../server/src/stages/execution/sandbox/microvm/microvm.ts";
import { reapOrphans } from "../../server/src/stages/execution/sandbox/orphans.ts";
import { processState, treeOf } from "../../server/src/stages/execution/sandbox/usage.ts";
import { until } from "../daemon.ts";
import { shell, smallLimits } from "../kits/sandbox.ts";

const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
const folder = mkdtempSync(join(tmpdir(), "lanyard-machines-"));
const templates = join(cache, "lanyard", "templates");
const options = { clock: systemClock, folder, agent: guestAgentPath(cache), image: guestImagePath(cache), templates, acceleration: "tcg" } as const;
const driver = microvmDriver(options);
const lacking = await driver.probe();
if (lacking) process.stderr.write(`\n  SKIPPED: virtual machines were not tried: ${lacking}\n\n`);

const open = async (more: Partial<SandboxSpec> = {}): Promise<Sandbox> => {
  const sandbox = await driver.create({ workspace: "/work/project", readable: [], doors: new Map(), limits: smallLimits, ...more });
  await sandbox.start();
  return sandbox;
};

const commandName = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8");
  } catch {
    return ""; // It has ended.
  }
};

/** A sandbox and the process that emulates it. */
const opened = async (): Promise<{ sandbox: Sandbox; pid: number }> => {
  const emulators = () => treeOf(process.pid).flatMap(({ pid }) => (commandName(pid).startsWith("qemu") ? pid : []));
  const before = new Set(emulators());
  const sandbox = await open();
  return { sandbox, pid: emulators().find((pid) => !before.has(pid)) ?? -1 };
};

/** Changes one bit in the middle of a file; a second time puts it back. */
const flip = (path: string): void => {
  const fd = openSync(path, "r+");
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, 4096);
  byte.writeUInt8(byte.readUInt8() ^ 1);
  writeSync(fd, byte, 0, 1, 4096);
  closeSync(fd);
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

  it("boots every time, whenever the first tick of its clock comes", async () => {
    const booted = microvmDriver({ ...options, start: "boot" });
    for (let n = 0; n < 5; n++) expect(await booted.probe()).toBeNull();
  });

  it("commands are a user that may nothing, and their machine has no network card", async () => {
    const { out } = await shell(one, "id -u; grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status; ls /sys/class/net; cat /proc/1/environ /dev/vda 2>&1 | head -c 200; pwd");
    expect(out).toContain("1000\n");
    expect(out).toMatch(/CapEff:\s+0{16}\nCapBnd:\s+0{16}\nNoNewPrivs:\s+1\nlo\n/);
    expect(out).toMatch(/Permission denied|No such file/);
    expect(out).toMatch(/\/work\/project\n$/);
  });

  it("a command's limits hold though the process that becomes it was there before they were known", async () => {
    const { out } = await shell(one, "ulimit -n; ulimit -f; ulimit -c");
    expect(out).toBe(`${smallLimits.files}\n${smallLimits.fileBytes / 512}\n0\n`);
  });

  it("commands neither see nor end those that wait to become one, and more may run at once than wait", async () => {
    const { out } = await shell(one, "ls -d /proc/[0-9]* | wc -l; kill -KILL -1");
    expect(Number(out)).toBeLessThanOrEqual(3); // the shell, ls, wc
    const many = await Promise.all(Array.from({ length: 6 }, (_, n) => shell(one, `echo ${n}; sleep 0.5`)));
    expect(many.map((answer) => answer.out)).toEqual(many.map((_, n) => `${n}\n`));
  });

  it("whoever waits beside a command keeps none of its pipes open", async () => {
    const first = one.exec({ command: "cat", args: [], environment: { PATH: "/usr/bin:/bin" } });
    for (const stream of [first.stdout, first.stderr]) stream.resume();
    for (let n = 0; n < 3; n++) await shell(one, "sleep 0.4");
    first.stdin.end();
    expect(await first.ended).toEqual({ kind: "exited", value: 0 });
  });

  it("stands still while it is paused, and goes on", async () => {
    const beat = one.exec({ command: "sh", args: ["-c", "echo on; sleep 0.2; echo off"], environment: { PATH: "/usr/bin:/bin" } });
    beat.stderr.resume();
    let heard = "";
    beat.stdout.on("data", (chunk: Buffer) => (heard += chunk.toString()));
    await until(() => heard === "on\n", "it began");
    await one.pause?.();
    const answered = one.ping();
    expect(await Promise.race([answered, systemClock.pause(300).then(() => "silence")])).toBe("silence");
    await one.resume?.();
    await answered;
    expect(await beat.ended).toEqual({ kind: "exited", value: 0 });
    expect(heard).toBe("on\noff\n");
  });

  it("goes on as many copies from where it was, each with files of its own; never with a command half-way", async () => {
    await shell(one, "echo before > kept; sync");
    const running = one.exec({ command: "sleep", args: ["30"], environment: { PATH: "/usr/bin:/bin" } });
    await expect(one.snapshot?.()).rejects.toMatchObject({ code: "invalid_request" });
    running.signal(9); // It may not have begun yet, and gets it all the same.
    expect(await running.ended).toEqual({ kind: "signalled", value: 9 });
    using snapshot = await one.snapshot?.();
    if (!snapshot) throw new Error("it cannot be copied");
    await shell(one, "echo after > kept");
    const copies = await Promise.all([snapshot.create(new Map()), snapshot.create(new Map())]);
    await using first = copies[0] as Sandbox;
    await using second = copies[1] as Sandbox;
    await Promise.all(copies.map((copy) => copy.start()));
    const seen = await Promise.all(copies.map((copy, at) => shell(copy, `cat kept; echo ${at} >> kept; cat kept; cat /proc/sys/kernel/random/uuid; date +%s`)));
    expect(seen.map(({ out }) => out.split("\n").slice(0, 3))).toEqual([["before", "before", "0"], ["before", "before", "1"]]);
    expect(seen[0]?.out.split("\n")[3]).not.toBe(seen[1]?.out.split("\n")[3]);
    for (const { out } of seen) expect(Math.abs(Number(out.split("\n")[4]) - systemClock.nowMs() / 1000)).toBeLessThan(20);
    expect((await shell(one, "cat kept")).out).toBe("after\n");
    await first.ping();
    await second.ping();
  });

  it("shows paths of the host read-only at the same place, as they are now; below a home too, with nothing else of it", async () => {
    const shown = mkdtempSync(join(homedir(), ".lanyard-shown-"));
    try {
      writeFileSync(join(shown, "file"), "one");
      const read = async () => {
        await using sandbox = await open({ readable: [shown] });
        return (await shell(sandbox, `cat ${shown}/file; echo; (echo no > ${shown}/file) 2>&1; ls -A ${homedir()}`)).out;
      };
      expect(await read()).toMatch(/^one\n.*Read-only file system\n(\.bashrc\n|\.profile\n)*\.lanyard-shown-\w+\n$/s);
      writeFileSync(join(shown, "file"), "two!");
      expect(await read()).toMatch(/^two!\n/);
      await expect(open({ readable: [join(shown, "absent")] })).rejects.toThrow(/is not there/);
      truncateSync(join(shown, "file"), 5 * 1024 ** 3);
      await expect(open({ readable: [shown] })).rejects.toThrow(/over the limit of 200000 files or 4294967296 bytes/);
    } finally {
      rmSync(shown, { recursive: true });
    }
  });

  it("a template that was changed is refused, as is one of another's making; an untouched copy serves", async () => {
    const place = mkdtempSync(join(tmpdir(), "lanyard-templates-"));
    try {
      // Those that this very source makes; with their holes, for what is shown to a machine has 8 GiB of them.
      for (const name of readdirSync(templates).filter((name) => /^template-[0-9a-f]+$/.test(name))) execFileSync("cp", ["-a", "--sparse=always", join(templates, name), place]);
      const other = microvmDriver({ ...options, templates: place });
      const start = async () => {
        await using sandbox = await other.create({ workspace: "/w", readable: [], doors: new Map(), limits: smallLimits });
        await sandbox.start();
      };
      await start();
      for (const name of ["state", "memory", "initrd"]) {
        const files = readdirSync(place).map((folder) => join(place, folder, name));
        for (const path of files) flip(path);
        await expect(start(), name).rejects.toMatchObject({ code: "isolation_unavailable", message: expect.stringMatching(`not what was made: \`${name}\``) });
        for (const path of files) flip(path);
      }
      await start();
    } finally {
      rmSync(place, { recursive: true });
    }
  });

  it("keeps the templates made last, and not those of all versions there ever were", async () => {
    const place = mkdtempSync(join(tmpdir(), "lanyard-templates-"));
    try {
      for (let n = 0; n < 12; n++) {
        mkdirSync(join(place, `template-${n}`));
        utimesSync(join(place, `template-${n}`), n, n);
      }
      await using sandbox = await microvmDriver({ ...options, templates: place }).create({ workspace: "/w", readable: [], doors: new Map(), limits: smallLimits });
      await sandbox.start();
      const left = readdirSync(place);
      expect(left).toHaveLength(8);
      expect(left).toContain("template-11");
      expect(left).not.toContain("template-4");
    } finally {
      rmSync(place, { recursive: true });
    }
  });

  it("rejects what waits for it as soon as its emulator is gone", async () => {
    const { sandbox, pid } = await opened();
    const execution = sandbox.exec({ command: "sleep", args: ["60"], environment: { PATH: "/usr/bin:/bin" } });
    const asked = sandbox.ping();
    process.kill(pid, "SIGKILL");
    await expect(execution.ended).rejects.toMatchObject({ code: "sandbox_ended" });
    await asked.catch(() => {});
    expect(() => sandbox.exec({ command: "true", args: [], environment: {} })).toThrow(/has ended/);
    await sandbox.destroy();
  });

  it("a limit of memory ends it; others are refused inside and told", async () => {
    await using small = await driver.create({ workspace: "/w", readable: [], doors: new Map(), limits: { ...smallLimits, memoryBytes: 64 * 1024 * 1024, processes: 16, diskBytes: 1024 * 1024 } });
    const events: SandboxEvent[] = [];
    small.onEvent((event) => events.push(event));
    await small.start();
    const { out } = await shell(small, "head -c 2000000 /dev/zero > big; wc -c < big; rm big; for n in $(seq 18); do sleep 1 & done 2>&1 | head -1; sleep 0.5");
    expect(out).toMatch(/^1048576\n|^10\d{5}\n/);
    await until(() => events.some((event) => event.kind === "limit" && event.limit === "processes"), "processes told");
    const eater = small.exec({ command: "python3", args: ["-c", "x = bytearray(200 << 20); print(len(x))"], environment: { PATH: "/usr/bin:/bin" } });
    await eater.ended.catch(() => {});
    await until(() => events.some(({ kind }) => kind === "ended"), "it ended");
    expect(events).toContainEqual({ kind: "limit", limit: "memory" });
  });

  it("machines that wait are given away once, and end with their driver; a session has none of another's", async () => {
    const place = mkdtempSync(join(tmpdir(), "lanyard-machines-"));
    try {
      const warm = microvmDriver({ ...options, folder: place, warm: 1 });
      await warm.warmUp(smallLimits);
      const waiting = readdirSync(place);
      expect(waiting).toHaveLength(1);
      const begin = async () => {
        const sandbox = await warm.create({ workspace: "/w", readable: [], doors: new Map(), limits: smallLimits });
        await sandbox.start();
        return sandbox;
      };
      {
        await using first = await begin();
        expect(readdirSync(place)).toContain(waiting[0]); // It is the one that waited.
        await shell(first, "echo mine > /tmp/trace; echo mine > trace");
        await warm.warmUp(smallLimits);
        await using second = await begin();
        expect((await shell(second, "cat /tmp/trace trace 2>/dev/null; date +%s")).out).toMatch(/^\d+\n$/);
      }
      await warm[Symbol.asyncDispose]();
      expect(readdirSync(place)).toEqual([]);
      await expect(begin()).rejects.toThrow(/disposed of/);
    } finally {
      rmSync(place, { recursive: true });
    }
  });

  it("a holder that is killed leaves no process, and the next start clears its folders", async () => {
    const place = mkdtempSync(join(tmpdir(), "lanyard-machines-"));
    const here = new URL("../../server/src/", import.meta.url).href;
    const holder = `
      import { systemClock } from "${here}base/clock.ts";
      import { microvmDriver } from "${here}stages/execution/sandbox/microvm/microvm.ts";
      const driver = microvmDriver({ ...${JSON.stringify({ ...options, folder: place })}, clock: systemClock, warm: 1 });
      const limits = ${JSON.stringify(smallLimits)};
      await driver.warmUp(limits);
      const sandbox = await driver.create({ workspace: "/w", readable: ["/etc/hostname"], doors: new Map(), limits });
      await sandbox.start();
      console.log("both run");
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", holder], { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise((done) => child.stdout.once("data", done));
    const emulators = treeOf(child.pid ?? -1).filter(({ pid }) => commandName(pid).startsWith("qemu")).map(({ pid, begun }) => ({ pid, begun }));
    expect(emulators).toHaveLength(2);
    expect(reapOrphans(place)).toEqual([]); // Its holder lives.
    const ended = new Promise((done) => child.once("close", done));
    child.kill("SIGKILL");
    await ended;
    await until(() => emulators.every(({ pid, begun }) => processState(pid)?.begun !== begun), "no machine runs");
    await until(() => reapOrphans(place).length === 0 && readdirSync(place).length === 0, "nothing is left");
    rmSync(place, { recursive: true });
  });
});

const byProcessor = await Promise.all(([["Firecracker", "firecracker"], ["QEMU with KVM", "kvm"]] as const).map(async ([name, acceleration]) => {
  const hard = microvmDriver({ ...options, acceleration });
  const absent = await hard.probe();
  if (absent) process.stderr.write(`\n  SKIPPED: ${name} was not tried: ${absent}\n\n`);
  return { name, hard, absent };
}));

describe.each(byProcessor)("$name", ({ name, hard, absent }) => {
  it.skipIf(absent !== null)("wakes machines with the right time and random bytes of their own, which stand still and go on", async () => {
    const begin = async () => {
      const sandbox = await hard.create({ workspace: "/w", readable: ["/etc/hostname"], doors: new Map(), limits: smallLimits });
      await sandbox.start();
      return sandbox;
    };
    await using one = await begin();
    await using other = await begin();
    const [mine, others] = await Promise.all([one, other].map((sandbox) => shell(sandbox, "date +%s; cat /proc/sys/kernel/random/uuid; cat /etc/hostname")));
    expect(mine?.out.split("\n")[1]).not.toBe(others?.out.split("\n")[1]);
    expect(Math.abs(Number(mine?.out.split("\n")[0]) - systemClock.nowMs() / 1000)).toBeLessThan(20);
    await one.pause?.();
    await one.resume?.();
    await one.ping();
    expect([hard.tier, one.tier]).toEqual(["hardware-vm", "hardware-vm"]);
    expect(one.snapshot === undefined).toBe(name === "Firecracker");
  });

  it("where it is not there, it says why; a device that opens proves nothing", () => {
    if (absent) expect(absent).toMatch(/Firecracker is not installed|needs KVM|no \/dev\/kvm|root alone|did not come up|refused|did not answer|ended before its agent answered/);
  });
});
