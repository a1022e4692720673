import { spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ambient, approveCatalog, DaemonProcess, program, World } from "../daemon.ts";
import { SandboxGround, textOf } from "../kits/sandbox.ts";

const notes = join(import.meta.dirname, "../journeys/world");
const yaml = `
teams: { support: {} }
users: { ana: {} }
agents: { clerk: { team: support } }
servers: { notes: { command: node, args: [${join(notes, "notes.mjs")}] } }
tools: { notes/read_note: { effects: [read], reversibility: read } }
`;
const policies = {
  "notes.cedar": `@id("org.read") @reason("Anybody reads.") permit (principal, action, resource);
@id("org.caged") @reason("Only from a sandbox.") forbid (principal, action == Action::"notes/read_note", resource) when { context.session.isolation == "none" };`,
};

it("a call is decided by the tier its session really has, and nothing else is reached from inside", async ({ skip }) => {
  using ground = new SandboxGround();
  const lacking = await ground.drivers.process.probe();
  if (lacking) {
    process.stderr.write(`\n  SKIPPED: \`lanyard run --isolation process\` was not tried: ${lacking}\n\n`);
    skip();
  }
  using world = new World({ yaml, policies });
  await using daemon = await DaemonProcess.start(world, { HOME: process.env["HOME"] ?? "" });
  await approveCatalog(world.operator(), "notes");
  const workspace = join(world.folder, "work");
  mkdirSync(workspace);
  copyFileSync(join(notes, "call.mjs"), join(workspace, "call.mjs"));
  const home = join(world.folder, "home");
  mkdirSync(home);

  const lanyard = async (credential: string | null, ...args: string[]): Promise<{ code: number | null; out: string; err: string }> => {
    const env = { ...ambient, HOME: process.env["HOME"], LANYARD_HOME: home, LANYARD_LOG: "error", ...(credential !== null && { LANYARD_CREDENTIAL: credential }) };
    const child = spawn(process.execPath, [program, "--config", world.config, ...args], { cwd: workspace, env, stdio: ["ignore", "pipe", "pipe"] });
    const code = new Promise<number | null>((done) => child.once("close", done));
    const [out, err] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
    return { code: await code, out, err };
  };
  const who = ["--agent", "clerk", "--on-behalf-of", "ana", "--purpose", "read"];
  const call = ["--", "node", "call.mjs", "read_note", '{"name":"plan"}'];

  expect(await lanyard(null, "run", "--isolation", "none", ...who, ...call)).toMatchObject({ code: 0, out: expect.stringContaining("Only from a sandbox.") });
  expect(await lanyard(null, "run", "--isolation", "process", ...who, ...call)).toEqual({ code: 0, out: "ship it\n", err: expect.stringMatching(/^(trying process .*\n)?isolation: process, tier namespace\n$/) });

  const { secret } = await world.operator().call<{ secret: string }>("credential_issue", { body: { kind: "agent", name: "clerk" } });
  const unvouched = await lanyard(secret, "run", "--isolation", "process", ...who, ...call);
  expect(unvouched).toMatchObject({ code: 0, out: expect.stringContaining("Only from a sandbox."), err: expect.stringContaining("tier none (only the operator can vouch") });
  await expect(world.operator(secret).call("session_open", { body: { on_behalf_of: "ana", purpose: "lie", isolation: "hardware-vm" } })).rejects.toMatchObject({ code: "forbidden" });

  const script = `
    const say = (name, value) => console.log(name, value);
    const base = new URL(process.env.LANYARD_MCP_URL).origin;
    say("token", process.env.LANYARD_TOKEN);
    say("api", (await fetch(base + "/v1/sessions", { method: "POST", body: "{}" })).status);
    say("daemon", await fetch("${daemon.url}/healthz").then(() => "reached", () => "unreachable"));`;
  const inside = await lanyard(null, "run", "--isolation", "process", ...who, "--", "node", "--input-type=module", "-e", script);
  expect(inside.out).toBe("token held-outside-the-sandbox\napi 404\ndaemon unreachable\n");
  expect((await lanyard(null, "run", "--isolation", "process", ...who, "--", "sh", "-c", "exit 7")).code).toBe(7);
  expect(existsSync(join(home, "sandboxes", "x"))).toBe(false);

  // The copy is the sandbox's to change, the folder is not; and a folder of everybody's things is no workspace.
  expect(await lanyard(null, "run", "--isolation", "process", ...who, "--", "sh", "-c", "rm call.mjs; touch mine; ls -A")).toMatchObject({ code: 0, out: "mine\n" });
  expect(readdirSync(workspace)).toEqual(["call.mjs"]);
  for (const folder of ["/", "/tmp"]) {
    expect(await lanyard(null, "run", "--isolation", "process", "--workspace", folder, ...who, "--", "true"), folder).toMatchObject({ code: 2, err: expect.stringContaining("cannot be a workspace") });
  }
  for (const path of [world.folder, join(world.folder, "data"), join(home, "sandboxes")]) {
    expect(await lanyard(null, "run", "--isolation", "process", "--readable", path, ...who, "--", "true"), path).toMatchObject({ code: 2, err: expect.stringContaining("where Lanyard keeps what is its own") });
  }
  expect(await lanyard(null, "run", "--isolation", "process", "--workspace", world.folder, ...who, "--", "ls")).toMatchObject({ code: 0, out: expect.not.stringMatching(/home|data/) });
});
