import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Sandbox } from "../../server/src/stages/execution/sandbox/driver.ts";
import { groupFolders } from "../../server/src/stages/execution/sandbox/cgroup.ts";
import { heldName, reapOrphans } from "../../server/src/stages/execution/sandbox/orphans.ts";
import { processState, treeOf } from "../../server/src/stages/execution/sandbox/usage.ts";
import { until } from "../daemon.ts";
import { SandboxGround, shell, smallLimits } from "../kits/sandbox.ts";
import { ownTraces, SessionTraces } from "../kits/traces.ts";

const drivers = ["microvm", "gvisor", "process"] as const;
const ground = new SandboxGround();
const lacking = Object.fromEntries(await Promise.all(drivers.map(async (name) => [name, await ground.lacking(name, "the overload suite")] as const)));
afterAll(() => ground[Symbol.dispose]());

/** Control groups of sessions anywhere on the machine. */
const groups = (): string[] => spawnSync("find", ["/sys/fs/cgroup", "-name", "lanyard-sbx*"], { encoding: "utf8" }).stdout.split("\n").filter(Boolean);
describe.each(drivers)("driver %s", (name) => {
  const test = it.skipIf(lacking[name] !== null);
  const held: Duplex[] = [];
  let before: ReturnType<typeof ownTraces>;
  let sandbox: Sandbox;

  beforeAll(async () => {
    if (lacking[name] !== null) return;
    before = ownTraces();
    const doors = new Map([[7420, (connection: Duplex) => void held.push(connection)]]);
    ({ sandbox } = await ground.open(ground.drivers[name], { doors, limits: { ...smallLimits, processes: 48, files: 2048 } }));
  });
  afterAll(async () => {
    if (lacking[name] !== null) return;
    using traces = new SessionTraces(ground.folder, before);
    expect(traces.left()).not.toEqual([]);
    await sandbox.destroy();
    expect(traces.left()).toEqual([]);
    expect(ground.leftovers()).toEqual([]);
  });
  const sees = async (line: string): Promise<string> => (await shell(sandbox, line)).out.trim();

  test("what a command leaves behind dies with it: daemons, and children nobody waits for", async () => {
    await shell(sandbox, "setsid sleep 987 & (setsid nohup sleep 987 &) ; python3 -c 'import os\nfor n in range(20):\n  if os.fork() == 0: os._exit(0)'");
    expect(await sees("cat /proc/[0-9]*/comm 2>/dev/null | grep -c sleep; grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l")).toBe("0\n0");
  });

  test("a fork bomb and a full disk are survived", async () => {
    const bomb = await shell(sandbox, "for n in $(seq 300); do sleep 2 & done 2>/dev/null; echo through");
    expect(bomb.out).toBe("");
    const full = await shell(sandbox, "cat /dev/zero > full; cat /dev/zero > /tmp/full; stat -c %s full; rm full /tmp/full");
    expect(Number(full.out)).toBeLessThanOrEqual(smallLimits.diskBytes);
    await sandbox.ping();
    expect(await sees("echo alive > file && cat file")).toBe("alive");
  });

  test("a thousand connections to a door that never answers take no more than there is room for", async () => {
    await shell(sandbox, `python3 -c '
import socket
open_ones = []
for n in range(1000):
  it = socket.socket(); it.setblocking(False)
  try: it.connect(("127.0.0.1", 7420))
  except BlockingIOError: pass
  open_ones.append(it)
import time; time.sleep(0.5)'`);
    expect(held.length).toBeGreaterThan(50);
    // Those that waited in line come once there is room, and take it again.
    const alive = async (): Promise<boolean> => {
      for (const connection of held.splice(0)) connection.destroy();
      return (await shell(sandbox, "echo alive").catch(() => ({ out: "" }))).out === "alive\n" && held.length === 0;
    };
    await sandbox.ping();
    await until(alive, "there is room again, and nobody waits in line");
  });

  test("two sessions see nothing of each other", async () => {
    const other = await ground.open(ground.drivers[name]);
    await using _ = other.sandbox;
    const places = `/tmp /dev/shm /home/agent ${sandbox.workspace}`;
    const hold = sandbox.exec({ command: "sh", args: ["-c", `for p in ${places}; do echo ours > $p/mark-of-one; done; exec python3 -c 'import socket\ns = socket.socket(); s.bind(("127.0.0.1", 9000)); s.listen(); print("ready", flush=True); s.accept()'`], environment: { PATH: "/usr/bin:/bin" } });
    hold.stderr.resume();
    let out = "";
    hold.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
    await until(() => out.includes("ready"), "one session listens");
    const look = `for p in ${places}; do ls $p/mark-of-one; done; cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 9000; python3 -c 'import socket\nsocket.create_connection(("127.0.0.1", 9000))\nprint("through")'`;
    const seen = await shell(other.sandbox, look.replace("grep -c 9000", "grep -o bind | wc -l"));
    expect(seen.out).not.toMatch(/mark-of-one|through/);
    expect(seen.err).toContain("ConnectionRefused");
    expect(await sees("ls /tmp/mark-of-one")).toBe("/tmp/mark-of-one"); // The look can find it.
    hold.signal(9);
    await hold.ended;
  });

  test("a folder for sessions that is full refuses a session, and leaves nothing", async ({ skip }) => {
    if (process.geteuid?.() !== 0) {
      process.stderr.write("\n  SKIPPED: a full disk of the host takes root to make\n\n");
      skip();
    }
    const narrow = new SandboxGround();
    expect(spawnSync("mount", ["-t", "tmpfs", "-o", "size=4k", "tmpfs", narrow.folder]).status).toBe(0);
    try {
      writeFileSync(join(narrow.folder, "full"), Buffer.alloc(4096));
      await expect(narrow.open(narrow.drivers[name])).rejects.toMatchObject({ code: "isolation_unavailable" });
      expect(readdirSync(narrow.folder)).toEqual(["full"]);
    } finally {
      spawnSync("umount", [narrow.folder]);
      narrow[Symbol.dispose]();
    }
  });
});

describe("a guest agent that is somebody else's", () => {
  const folder = mkdtempSync("/var/tmp/lanyard-agent-");
  afterAll(() => rmSync(folder, { recursive: true }));
  const begin = "#!/usr/bin/python3\nimport os, sys, time\nout = lambda b: os.write(1, b)\nhello = b'\\0\\0\\0\\1\\x0d\\0\\0\\0\\0' + b'1'\n";
  const agents: Record<string, [script: string, why: RegExp]> = {
    "says what is no frame": ["out(b'GET / HTTP/1.1\\r\\n\\r\\n' * 10)", /unknown type|over the limit/],
    "says a frame of four gigabytes": ["out(hello); out(b'\\xff\\xff\\xff\\xff\\x02\\0\\0\\0\\2'); time.sleep(60)", /over the limit/],
    "floods a stream past its credit": ["out(hello)\nwhile True: out(b'\\0\\1\\0\\0\\x02\\0\\0\\0\\2' + bytes(65536))", /more than it was granted/],
    "opens doors that it has not": ["out(hello)\nfor n in range(1, 4001, 2): out(b'\\0\\0\\0\\4\\x0a' + n.to_bytes(4, 'big') + b'\\0\\0\\0\\x16')\nout(b'\\0\\0\\0\\0\\x63\\0\\0\\0\\0'); time.sleep(60)", /unknown type/],
    "says nothing": ["os.close(1); sys.exit(0)", /is gone|could not be started/],
  };

  it.each(Object.entries(agents))("%s: its session ends with the reason, and nothing else happens", async (_, [script, why]) => {
    const agent = join(folder, "agent");
    writeFileSync(agent, begin + script);
    chmodSync(agent, 0o755);
    for (const name of ["gvisor", "process"] as const) {
      if (lacking[name] !== null) continue; // Said above. A microvm's agent is its first program; the host's reader is the same.
      using hostile = new SandboxGround({ agent });
      const end = await hostile.open(hostile.drivers[name]).then(
        async ({ sandbox, events }) => {
          try {
            sandbox.exec({ command: "true", args: [], environment: {} }); // Nobody reads what it says.
          } catch {
            // It ended already.
          }
          await until(() => events.at(-1)?.kind === "ended", "it ended");
          return events.at(-1);
        },
        (error: Error) => ({ kind: "ended", why: error.message }),
      );
      expect(end, name).toEqual({ kind: "ended", why: expect.stringMatching(why) });
      expect(hostile.leftovers()).toEqual([]);
    }
  });
});

describe("SIGKILL of the holder", () => {
  const kit = new URL("../kits/sandbox.ts", import.meta.url).href;
  const steps = { created: "await driver.create(spec); die();", starting: "const it = await driver.create(spec); void it.start(); die();", connecting: "const it = await driver.create(spec); void it.start(); setTimeout(die, 25);", started: "const { sandbox } = await ground.open(driver); sandbox.exec({ command: 'sleep', args: ['984'], environment: { PATH: '/usr/bin:/bin' } }); setTimeout(die, 50);" };
  it.each(drivers)("at each step of a start leaves nothing: %s", async (name) => {
    if (lacking[name] !== null) return; // Said above.
    await Promise.all(Object.entries(steps).map(async ([step, code]) => {
      const script = `
        import { SandboxGround, smallLimits } from ${JSON.stringify(kit)};
        const ground = new SandboxGround();
        console.log(ground.folder);
        const die = () => process.kill(process.pid, "SIGKILL");
        const driver = ground.drivers[${JSON.stringify(name)}];
        const spec = { workspace: "/workspace", readable: [], doors: new Map(), limits: smallLimits };
        ${code}`;
      const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
      let folder = "";
      child.stdout.on("data", (chunk: Buffer) => (folder += chunk.toString().trim()));
      await new Promise((done) => child.once("close", done));
      expect(child.signalCode, step).toBe("SIGKILL");
      const left = readdirSync(folder);
      await until(() => (reapOrphans(folder), readdirSync(folder).length === 0), `${step}: the folder was cleared`);
      const ids = left.map((one) => one.split(".")[0] ?? "");
      expect(groups().filter((path) => ids.some((id) => path.includes(id))), step).toEqual([]);
      await until(() => !treeOf(1).some(({ pid }) => commandOf(pid).includes("sleep\x00984")), `${step}: nobody sleeps`);
      rmSync(folder, { recursive: true });
    }));
  });

  it("groups of a holder that is gone are cleared away, their folder or not; those of one that lives stay", async ({ skip }) => {
    const [theirs = "", mine = ""] = [groupFolders("sbx_gone.999999.1")[0], groupFolders(heldName("sbx_mine"))[0]];
    if (process.geteuid?.() !== 0 || !theirs) skip();
    for (const path of [theirs, mine]) mkdirSync(path);
    reapOrphans("/var/tmp/there-is-none");
    expect([existsSync(theirs), existsSync(mine)]).toEqual([false, true]);
    rmdirSync(mine);
  });

  it("a number that another process has by now is not killed", async () => {
    const bystander = spawn("sleep", ["983"], { stdio: "ignore" });
    const folder = mkdtempSync("/var/tmp/lanyard-reuse-");
    const own = join(folder, "sbx_x.999999.1");
    mkdirSync(own);
    writeFileSync(join(own, "session.json"), JSON.stringify({ sandbox: { pid: bystander.pid, begun: "1" }, groups: ["/sys/fs/cgroup/memory", "/etc"] }));
    expect(reapOrphans(folder)).toEqual(["sbx_x.999999.1"]);
    expect(processState(bystander.pid ?? 0)).not.toBe(null);
    bystander.kill();
    rmSync(folder, { recursive: true });
  });
});

const commandOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
};
