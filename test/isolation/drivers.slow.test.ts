import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { treeOf } from "../../server/src/stages/execution/sandbox/usage.ts";
import { until } from "../daemon.ts";
import type { SandboxLimits } from "../../server/src/stages/execution/sandbox/driver.ts";
import { mib, SandboxGround, shell, smallLimits } from "../kits/sandbox.ts";

const ground = new SandboxGround();
const names = ["microvm", "gvisor", "process", "none"] as const;
const lacking = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await ground.lacking(name, "the conformance kit")] as const)));
afterAll(() => ground[Symbol.dispose]());

describe.each(names)("driver %s", (name) => {
  const driver = ground.drivers[name];
  const test = it.skipIf(lacking[name] !== null);

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

  (name === "none" ? it.skip : test)("what it may read is at its place, though only root gets there outside, and cannot be written", async () => {
    const folder = mkdtempSync("/var/tmp/lanyard-readable-");
    const shown = join(folder, "closed", "shown");
    mkdirSync(shown, { recursive: true });
    writeFileSync(join(shown, "note"), "hello");
    writeFileSync(join(folder, "closed", "secret"), "no");
    if (process.geteuid?.() === 0) chmodSync(join(folder, "closed"), 0o700);
    const { sandbox } = await ground.open(driver, { readable: name === "microvm" ? [shown] : [shown, process.execPath] });
    await using _ = sandbox;
    const { out } = await shell(sandbox, `cat ${shown}/note; cat ${folder}/closed/secret; echo x > ${shown}/note; rm ${shown}/note; ls ${shown} ${folder}/closed; ${name === "microvm" ? "node" : process.execPath} --version`); // A machine brings its own.
    expect(out).toBe(`hello${folder}/closed:\nshown\n\n${shown}:\nnote\n${process.version}\n`);
    await sandbox.destroy();
    expect(readFileSync(join(shown, "note"), "utf8")).toBe("hello");
    rmSync(folder, { recursive: true });
  });

  (name === "none" ? it.skip : test)("the workspace begins empty, is the sandbox's own to write to, ends at its size, and has what is shown in it", async () => {
    const folder = mkdtempSync("/var/tmp/lanyard-workspace-");
    chmodSync(folder, 0o755);
    mkdirSync(join(folder, "shown"), { mode: 0o755 });
    writeFileSync(join(folder, "shown/note"), "read me", { mode: 0o644 });
    const { sandbox } = await ground.open(driver, { workspace: folder, readable: [join(folder, "shown")] });
    await using _ = sandbox;
    expect((await shell(sandbox, "ls -A; cat shown/note; echo; touch shown/x 2>/dev/null || echo refused; head -c 20000000 /dev/zero > full 2>/dev/null || echo full; pwd")).out).toBe(`shown\nread me\nrefused\nfull\n${folder}\n`);
    rmSync(folder, { recursive: true });
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
    const { ended, stdout, stderr } = sandbox.exec({ command: "sh", args: ["-c", "setsid sleep 985 & sleep 985"], environment: { PATH: "/usr/bin:/bin" } });
    stdout.resume();
    stderr.resume();
    await until(async () => (await shell(sandbox, "grep -alE '^sleep.985' /proc/[0-9]*/cmdline 2>/dev/null | wc -l")).out.trim() === "2", "both sleep");
    await sandbox.destroy();
    await expect(ended).rejects.toThrow(/was ended/);
    expect(treeOf(process.pid)).toHaveLength(before);
    expect(treeOf(1).some(({ pid }) => commandOf(pid).includes("sleep\x00985"))).toBe(false);
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

it.each(["/", "/usr/share", "/etc", "/tmp", "/proc/1", "work", "/work/../etc"])("%s is no workspace", async (workspace) => {
  for (const name of ["gvisor", "process"] as const) await expect(ground.open(ground.drivers[name], { workspace }), name).rejects.toThrow(/cannot be a workspace|is not installed|is not built/);
});

it("leaves nothing", () => expect(ground.leftovers()).toEqual([]));
