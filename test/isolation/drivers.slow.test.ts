import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { treeOf } from "../../server/src/stages/execution/sandbox/usage.ts";
import { until } from "../daemon.ts";
import type { SandboxLimits } from "../../server/src/stages/execution/sandbox/driver.ts";
import { mib, SandboxGround, shell, smallLimits } from "../kits/sandbox.ts";

const ground = new SandboxGround();
const lacking = await ground.drivers.process.probe();
// Said aloud: a suite that quietly tests nothing would pass.
if (lacking) process.stderr.write(`\n  SKIPPED: the sandbox suites did not run for the driver \`process\`: ${lacking}\n\n`);
afterAll(() => ground[Symbol.dispose]());

describe.each(["gvisor", "process", "none"] as const)("driver %s", (name) => {
  const driver = ground.drivers[name];
  const test = it.skipIf(lacking !== null);

  test("runs commands with their input, both outputs and exit codes", async () => {
    const { sandbox } = await ground.open(driver);
    await using _ = sandbox;
    expect(await shell(sandbox, "cat; echo no >&2; exit 3", { input: "yes" })).toEqual({ ending: { kind: "exited", value: 3 }, out: "yes", err: "no\n" });
    expect((await shell(sandbox, "kill -9 $$")).ending).toEqual({ kind: "signalled", value: 9 });
    expect(await sandbox.exec({ command: "/nothing", args: [], environment: {} }).ended).toEqual({ kind: "failed", value: 2 });
    await sandbox.ping();
  });

  test("a command can have a terminal, which takes its size from outside and signals from its keys", async () => {
    const { sandbox } = await ground.open(driver);
    await using _ = sandbox;
    const { stdin, stdout, stderr, ended, resize } = sandbox.exec({ command: "sh", args: ["-c", "stty size; read line; stty size; echo got $line; cat"], environment: { PATH: "/usr/bin:/bin" }, terminal: { columns: 91, rows: 17 } });
    stderr.resume();
    let out = "";
    stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
    await until(() => out.includes("17 91"), "it has its first size");
    resize({ columns: 40, rows: 12 });
    stdin.write("hello\n");
    await until(() => /12 40\r\ngot hello/.test(out), "it has its second size");
    stdin.write("\x03");
    expect(await ended).toEqual({ kind: "signalled", value: 2 });
    for (let run = 0; run < 10; run++) {
      const { ended: atEnd, stdin: input, stdout: output, stderr: none } = sandbox.exec({ command: "cat", args: [], environment: { PATH: "/usr/bin:/bin" }, terminal: { columns: 80, rows: 25 } });
      output.resume();
      none.resume();
      input.end();
      expect(await atEnd).toEqual({ kind: "exited", value: 0 });
    }
  });

  test("a command past its time dies with all it started", async () => {
    const { sandbox } = await ground.open(driver);
    await using _ = sandbox;
    const { ending } = await shell(sandbox, "setsid sleep 987 & (sleep 987 &) ; sleep 987", { timeoutMs: 200 });
    expect(ending).toEqual({ kind: "signalled", value: 9 });
    const sleeping = treeOf(process.pid).filter(({ pid }) => commandOf(pid).includes("sleep\x00987"));
    expect(sleeping).toEqual([]);
  });

  test("a flood waits for its reader, and the sandbox answers meanwhile", async () => {
    const { sandbox } = await ground.open(driver);
    await using _ = sandbox;
    const { stdout, stderr, ended } = sandbox.exec({ command: "sh", args: ["-c", "head -c 8000000 /dev/zero"], environment: { PATH: "/usr/bin:/bin" } });
    stderr.resume();
    await until(() => stdout.readableLength > 60_000, "the window was full");
    await sandbox.ping();
    expect(stdout.readableLength).toBeLessThanOrEqual(256 * 1024);
    let bytes = 0;
    for await (const chunk of stdout) bytes += (chunk as Buffer).length;
    expect({ bytes, ending: await ended }).toEqual({ bytes: 8_000_000, ending: { kind: "exited", value: 0 } });
  });

  test("files go in and come out as tar streams", async () => {
    const { sandbox } = await ground.open(driver);
    await using _ = sandbox;
    await shell(sandbox, "mkdir -p a b && echo hello > a/note");
    await sandbox.put("b", sandbox.get("a"));
    expect((await shell(sandbox, "cat b/note; rm -r a b")).out).toBe("hello\n");
    await expect(sandbox.put("missing", sandbox.get("."))).rejects.toThrow(/tar exited with 2/);
  });

  test("its end takes everything with it, and rejects what waits", async () => {
    const before = treeOf(process.pid).length;
    const { sandbox, events } = await ground.open(driver);
    const { ended, stdout, stderr } = sandbox.exec({ command: "sh", args: ["-c", "setsid sleep 986 & sleep 986"], environment: { PATH: "/usr/bin:/bin" } });
    stdout.resume();
    stderr.resume();
    await until(async () => (await shell(sandbox, "cat /proc/[0-9]*/comm 2>/dev/null | grep -c sleep")).out === "2\n", "both sleep");
    await sandbox.destroy();
    await expect(ended).rejects.toThrow(/was ended/);
    expect(treeOf(process.pid)).toHaveLength(before);
    expect(treeOf(1).some(({ pid }) => commandOf(pid).includes("sleep\x00986"))).toBe(false);
    expect(ground.leftovers()).toEqual([]);
    expect(events.at(-1)).toEqual({ kind: "ended", why: "" });
  });

  test("memory, processor time and wall time end the session, with an event", async () => {
    const over = async (limit: "memory" | "cpu" | "wall", limits: Partial<SandboxLimits>, line: string): Promise<void> => {
      const { sandbox, events } = await ground.open(driver, { limits: { ...smallLimits, ...limits } });
      await using _ = sandbox;
      await expect(shell(sandbox, line), limit).rejects.toThrow(`over its limit of ${limit}`);
      await until(() => events.at(-1)?.kind === "ended", "it ended");
      expect(events.slice(-2)).toEqual([{ kind: "limit", limit }, { kind: "ended", why: `it is over its limit of ${limit}` }]);
    };
    await over("memory", { memoryBytes: 64 * mib }, "python3 -c 'x = b\"x\" * 600_000_000; input()'; sleep 60");
    await over("cpu", { cpuMs: 500 }, "while :; do :; done");
    await over("wall", { wallMs: 100 }, "sleep 60");
  });

  (name === "none" ? it.skip : test)("processes, disk and files are refused inside, with an event", async () => {
    const { sandbox, events } = await ground.open(driver, { limits: { ...smallLimits, processes: 24, files: 32, fileBytes: 4 * mib } });
    await using _ = sandbox;
    const met = async (limit: string, line: string): Promise<string> => {
      const { out } = await shell(sandbox, line);
      await until(() => events.some((event) => event.kind === "limit" && event.limit === limit), `${limit} was met`);
      return out;
    };
    expect(await met("processes", "python3 -c 'import os, time\nn = 0\ntry:\n  while n < 100:\n    if os.fork() == 0: time.sleep(1); os._exit(0)\n    n += 1\nexcept OSError as e: print(e.errno, n)\ntime.sleep(0.6)'")).toMatch(/^11 (1\d|2\d)\n$/);
    expect(await met("files", "python3 -c 'import os, time\nn = 0\ntry:\n  while n < 100: os.open(\"/usr\", 0); n += 1\nexcept OSError as e: print(e.errno, n)\ntime.sleep(0.6)'")).toBe("24 29\n");
    expect((await shell(sandbox, "head -c 6000000 /dev/zero > big; stat -c %s big; rm big")).out).toBe(`${4 * mib}\n`);
    expect(await met("disk", "cat /dev/zero > /tmp/a; cat /dev/zero > /tmp/b; stat -c %s /tmp/a; sleep 0.6; rm /tmp/*")).toBe(`${4 * mib}\n`);
    await sandbox.ping();
  });
});

const commandOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
};

/** Attacks: what is tried, what blocks it, and what it prints where nothing does. `harmless`: also tried without a sandbox, and must get through. */
const python = (code: string): string => `python3 -c '${code}' 2>&1 | tail -1`;
const system = (number: number, ...args: (number | string)[]): string => python(`import ctypes,os; l=ctypes.CDLL(None,use_errno=True); r=l.syscall(${[number, ...args].join(",")}); print("through" if r>=0 else os.strerror(ctypes.get_errno()))`);
const socket = (family: number, type = 1): string => python(`import socket; socket.socket(${family},${type}); print("through")`);
const attacks: readonly { readonly name: string; readonly line: string; readonly blocked: RegExp; readonly harmless: boolean }[] = [
  { name: "files of the machine", line: "ls -d /root /var 2>/dev/null | grep -q . && echo through || echo absent", blocked: /^absent/, harmless: true },
  { name: "processes of the machine", line: "[ $(ls -d /proc/[0-9]* | wc -l) -gt 12 ] && echo through || echo few", blocked: /^few/, harmless: true },
  { name: "environment of the agent", line: "cat /proc/1/environ >/dev/null 2>&1 && echo through || echo denied", blocked: /^denied/, harmless: false },
  { name: "the agent's channel", line: "ls /proc/1/fd/ >/dev/null 2>&1 && echo through || echo denied", blocked: /^denied/, harmless: true },
  { name: "core_pattern, with the value it has", line: 'v=$(cat /proc/sys/kernel/core_pattern); echo "$v" 2>/dev/null > /proc/sys/kernel/core_pattern && echo through || echo denied', blocked: /denied/, harmless: false },
  { name: "writing to /usr", line: "touch /usr/x 2>/dev/null && echo through || echo denied", blocked: /^denied/, harmless: false },
  { name: "writing to /dev", line: "touch /dev/x 2>/dev/null && echo through || echo denied", blocked: /^denied/, harmless: false },
  { name: "vsock: only socket(), never connected", line: socket(40), blocked: /not supported/, harmless: false },
  { name: "a socket of the machine in a folder that is shown", line: `python3 -c "import socket; s = socket.socket(socket.AF_UNIX); s.connect('host.sock'); print('through')" 2>&1 | tail -1`, blocked: /not supported/, harmless: false },
  { name: "packet socket", line: socket(17, 3), blocked: /not supported/, harmless: false },
  { name: "raw socket", line: socket(2, 3), blocked: /not (permitted|supported)/, harmless: false },
  { name: "a route out", line: "[ $(tail -n +2 /proc/net/route | wc -l) -gt 0 ] && echo through || echo none", blocked: /^none/, harmless: false },
  { name: "a namespace of its own", line: "unshare -U true 2>&1 && echo through", blocked: /not permitted/, harmless: true },
  { name: "ptrace", line: system(101, 0, 0, 0, 0), blocked: /not permitted/, harmless: true },
  { name: "keyctl", line: system(250, 0, -3, 0), blocked: /not permitted/, harmless: false },
  { name: "bpf", line: system(321, 0, 0, 0), blocked: /not permitted/, harmless: false },
  { name: "perf", line: system(298, 0, 0, -1, -1, 0), blocked: /not permitted/, harmless: false },
  { name: "io_uring", line: system(425, 1, "ctypes.create_string_buffer(256)"), blocked: /not implemented/, harmless: false },
  { name: "memory without a name", line: system(319, "b\"x\"", 0), blocked: /not permitted/, harmless: true },
  { name: "kernel log", line: "dmesg >/dev/null 2>&1 && echo through || echo denied", blocked: /^denied/, harmless: false },
  { name: "a fork bomb of 500", line: "for i in $(seq 500); do sleep 2 & done 2>/dev/null; echo through", blocked: /^$/, harmless: false },
  { name: "a full disk", line: "head -c 20000000 /dev/zero > /tmp/full 2>/dev/null && echo through || echo full; rm -f /tmp/full", blocked: /^full/, harmless: false },
];

describe.skipIf(lacking !== null || process.arch !== "x64")("escape suite", () => {
  it("every attack is blocked, and the sandbox is alive after each", async () => {
    const { sandbox } = await ground.open(ground.drivers.process);
    await using _ = sandbox;
    for (const { name, line, blocked } of attacks) {
      const { out } = await shell(sandbox, line);
      expect.soft(out, name).toMatch(blocked);
      expect.soft(out, name).not.toMatch(/through/);
      await sandbox.ping();
    }
  });

  it.each(attacks.filter(({ harmless }) => harmless))("$name gets through where there is no sandbox", async ({ line }) => {
    const { sandbox } = await ground.open(ground.drivers.none);
    await using _ = sandbox;
    expect((await shell(sandbox, line)).out).toMatch(/through/);
  });

  it("the workspace begins empty, is the sandbox's own to write to, ends at its size, and has what is shown in it", async () => {
    using shown = new SandboxGround();
    chmodSync(shown.folder, 0o755);
    mkdirSync(join(shown.folder, "shown"), { mode: 0o755 });
    writeFileSync(join(shown.folder, "shown/note"), "read me", { mode: 0o644 });
    const { sandbox } = await ground.open(ground.drivers.process, { workspace: shown.folder, readable: [join(shown.folder, "shown")] });
    await using _ = sandbox;
    expect((await shell(sandbox, "ls -A; cat shown/note; echo; touch shown/x 2>&1; head -c 20000000 /dev/zero > full 2>/dev/null || echo full; pwd")).out).toBe(
      `shown\nread me\ntouch: cannot touch 'shown/x': Read-only file system\nfull\n${shown.folder}\n`,
    );
  });

  it.each(["/", "/usr/share", "/etc", "/tmp", "/proc/1", "work", "/work/../etc"])("%s is no workspace", async (workspace) => {
    await expect(ground.open(ground.drivers.process, { workspace })).rejects.toThrow(/cannot be a workspace/);
  });

  it("leaves nothing", () => expect(ground.leftovers()).toEqual([]));
});
