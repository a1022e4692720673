import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { processState, treeOf } from "../../server/src/stages/execution/sandbox/usage.ts";
import { ambient, DaemonProcess, program, until, World } from "../daemon.ts";
import { SandboxGround } from "../kits/sandbox.ts";

// Whoever opened a session is killed, and closes nothing. The daemon ends the session, with a record; its token is worth nothing from then on, and of its sandbox
// nothing is left.

const drivers = ["none", "process", "gvisor", "microvm"] as const;
const ground = new SandboxGround();
const lacking = Object.fromEntries(await Promise.all(drivers.map(async (name) => [name, await ground.lacking(name, "sessions whose holder was killed")] as const)));
ground[Symbol.dispose]();

let world: World;
let daemon: DaemonProcess;
let home: string;
const started: { pid: number; begun: string }[] = [];

interface Row {
  readonly type: string;
  readonly session?: string;
  readonly why?: string;
}
const records = async (type: string): Promise<Row[]> => {
  const rows: Row[] = [];
  for await (const row of world.operator().lines<Row>("log", { query: { type, limit: "1000" } })) rows.push(row);
  return rows;
};
const open = async (): Promise<string[]> => (await world.operator().call<{ sessions: { session: string }[] }>("session_list")).sessions.map(({ session }) => session);
const isAlive = ({ pid, begun }: { pid: number; begun: string }): boolean => processState(pid)?.begun === begun;

function start(args: readonly string[], environment: Readonly<Record<string, string>> = {}): ChildProcess {
  const env = { ...ambient, HOME: process.env["HOME"], LANYARD_HOME: home, TMPDIR: world.folder, ...environment };
  return spawn(process.execPath, [program, "--config", world.config, ...args], { cwd: join(world.folder, "project"), env, stdio: ["pipe", "pipe", "inherit"] });
}

/** A `lanyard run` whose command says its session and token, and then waits. */
async function run(driver: string): Promise<{ child: ChildProcess; session: string; token: string }> {
  const child = start(["run", "--isolation", driver, "--agent", "bot", "--on-behalf-of", "ben", "--purpose", "wait", "--", "sh", "-c", "echo $LANYARD_SESSION $LANYARD_TOKEN; exec sleep 986"]);
  let said = "";
  child.stdout?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  await until(() => said.includes("\n"), "it runs", 120_000);
  const [session = "", token = ""] = said.trim().split(" ");
  started.push(...treeOf(child.pid ?? 0));
  return { child, session, token };
}

async function killed(child: ChildProcess): Promise<void> {
  const ended = new Promise((done) => child.once("exit", done));
  child.kill("SIGKILL");
  await ended;
}

beforeAll(async () => {
  world = new World({
    yaml: "teams: { t: {} }\nusers: { ben: {} }\nagents: { bot: { team: t } }\nauthority_term_ms: 2000\nlimits: { holder_ms: 5000 }\n",
    policies: { "all.cedar": '@id("all") @reason("All.") permit (principal, action, resource);' },
  });
  home = join(world.folder, "home");
  for (const name of ["home", "project"]) mkdirSync(join(world.folder, name));
  daemon = await DaemonProcess.start(world, { HOME: process.env["HOME"] ?? "", LANYARD_HOME: home });
});
afterAll(async () => {
  for (const one of started) if (isAlive(one)) process.kill(one.pid, "SIGKILL");
  await daemon?.[Symbol.asyncDispose]();
  world?.[Symbol.dispose]();
});

describe("a session whose holder is killed ends", () => {
  it.for(drivers)("`lanyard run`, driver %s", { timeout: 300_000 }, async (driver, { skip }) => {
    if (lacking[driver] !== null) skip();
    const { child, session, token } = await run(driver);
    const tree = treeOf(child.pid ?? 0);
    expect(await open()).toContain(session);
    await killed(child);
    await until(async () => !(await open()).includes(session), "it has ended", 60_000);
    expect((await records("session.close")).filter((row) => row.session === session).map(({ why }) => why)).toEqual(["its holder is gone"]);
    if (driver === "none") {
      // Its command goes on, and may do nothing any more.
      const answer = await fetch(`${daemon.url}/mcp`, { method: "POST", headers: { authorization: `Bearer ${token}`, "content-type": "application/json" }, body: "{}" });
      expect([answer.status, tree.filter(isAlive).length]).toEqual([401, 1]);
    } else {
      await until(() => !tree.some(isAlive), "all its processes have ended");
      await until(() => readdirSync(join(home, "sandboxes")).length === 0, "its folder is gone");
    }
  });

  it("`lanyard mcp`, of a client that opened a session by it", async () => {
    const { secret } = await world.operator().call<{ secret: string }>("credential_issue", { body: { kind: "agent", name: "bot" } });
    const before = new Set(await open());
    const child = start(["mcp", "--agent", "bot", "--on-behalf-of", "ben"], { LANYARD_CREDENTIAL: secret });
    const own = async () => (await open()).filter((session) => !before.has(session));
    await until(async () => (await own()).length === 1, "it has a session");
    const [session] = await own();
    await killed(child);
    await until(async () => (await own()).length === 0, "it has ended");
    expect((await records("session.close")).at(-1)).toMatchObject({ session, why: "its holder is gone" });
  });
});

it("a daemon that is killed and comes back goes on with the sessions that are held still, and ends the others", async () => {
  const [stays, goes] = [await run("none"), await run("none")];
  const { port } = new URL(daemon.url);
  await Promise.all([daemon.kill(), killed(goes.child)]);
  writeFileSync(world.config, readFileSync(world.config, "utf8").replace("127.0.0.1:0", `127.0.0.1:${port}`)); // Where those that hold a session look for it.
  daemon = await DaemonProcess.start(world, { HOME: process.env["HOME"] ?? "", LANYARD_HOME: home });
  expect(await open()).toEqual(expect.arrayContaining([stays.session, goes.session]));
  await until(async () => !(await open()).includes(goes.session), "the other has ended");
  expect(await open()).toContain(stays.session);
  stays.child.kill("SIGTERM");
  await until(async () => (await records("session.close")).some(({ session, why }) => session === stays.session && why === "done"), "it ended as usual");
});
