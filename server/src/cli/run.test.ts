import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { run, type RunSession } from "./run.ts";

const folder = mkdtempSync(join(tmpdir(), "lanyard-run-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

const session: RunSession = { session: "ses_1", token: `lyd_session_${"t".repeat(43)}`, url: "http://127.0.0.1:1/mcp", egress_ca: "", placeholders: {} };
const environment = { PATH: process.env["PATH"], KEPT: "yes", LANYARD_CREDENTIAL: "lyd_agent_secret" };

/** Runs a script in a session; `closed` lists what was closed. */
async function runScript(script: string, options: { command?: string; close?: () => Promise<void> } = {}) {
  const closed: string[] = [];
  const said: string[] = [];
  const api = {
    open: async () => session,
    hold: () => new DisposableStack(),
    close: options.close ?? (async ({ session: id }: RunSession) => void closed.push(id)),
  };
  const command = options.command ?? process.execPath;
  const code = await run({ api, environment, say: (line) => said.push(line), command, args: ["-e", script] });
  return { code, closed, said };
}

test("the command finds its session in its environment and in a file only its user can read, gone afterwards", async () => {
  const out = join(folder, "seen.json");
  const script = `
    const { readFileSync, statSync, writeFileSync } = require("node:fs");
    const path = process.env.LANYARD_MCP_CONFIG;
    const mode = (name) => (statSync(name).mode & 0o777).toString(8);
    writeFileSync(${JSON.stringify(out)}, JSON.stringify({
      env: Object.fromEntries(Object.entries(process.env).filter(([name]) => /^(LANYARD|KEPT)/.test(name))),
      config: JSON.parse(readFileSync(path, "utf8")), modes: [mode(path), mode(require("node:path").dirname(path))], argv: process.argv.join(" ") + process.execArgv.join(" "),
    }));`;
  expect(await runScript(script)).toEqual({ code: 0, closed: ["ses_1"], said: [] });
  const seen = JSON.parse(readFileSync(out, "utf8"));
  expect(seen.env).toEqual({
    KEPT: "yes",
    LANYARD_MCP_URL: session.url,
    LANYARD_TOKEN: session.token,
    LANYARD_SESSION: "ses_1",
    LANYARD_MCP_CONFIG: seen.env.LANYARD_MCP_CONFIG,
  });
  expect(seen.config).toEqual({ mcpServers: { lanyard: { type: "http", url: session.url, headers: { Authorization: `Bearer ${session.token}` } } } });
  expect(seen.modes).toEqual(["600", "700"]);
  expect(seen.argv).not.toContain("lyd_");
  expect(existsSync(seen.env.LANYARD_MCP_CONFIG)).toBe(false);
});

test("the exit code is the command's, or 128 and the signal that ended it", async () => {
  expect((await runScript("process.exit(7)")).code).toBe(7);
  expect((await runScript("process.kill(process.pid, 'SIGKILL')")).code).toBe(128 + constants.signals.SIGKILL);
});

test("a command that cannot be started ends the session too", async () => {
  expect(await runScript("", { command: join(folder, "nothing") })).toMatchObject({ code: 127, closed: ["ses_1"] });
  expect(await runScript("", { command: folder })).toMatchObject({ code: 126, closed: ["ses_1"] });
  expect(await runScript("", { command: "a\0b" })).toMatchObject({ code: 126, closed: ["ses_1"] });
});

test("a session that cannot be closed is said, and the exit code stays", async () => {
  const { code, said } = await runScript("process.exit(3)", { close: () => Promise.reject(new Error("no daemon")) });
  expect(code).toBe(3);
  expect(said.join()).toMatch(/ses_1 could not be closed \(no daemon\)/);
});

test("a shell is nowhere between: arguments arrive as they are", async () => {
  const out = join(folder, "argument");
  await runScript(`require("node:fs").writeFileSync(${JSON.stringify(out)}, "$(id) ; \`id\`")`);
  expect(readFileSync(out, "utf8")).toBe("$(id) ; `id`");
});

test("a signal reaches the command, and the session ends with it", async () => {
  const runModule = new URL("./run.ts", import.meta.url).href;
  const command = "process.on('SIGTERM', () => process.exit(5)); console.log('ready'); setInterval(() => {}, 1000);";
  const driver = `
    import { run } from ${JSON.stringify(runModule)};
    const api = { open: async () => (${JSON.stringify(session)}), close: async () => console.log("closed"), hold: () => new DisposableStack() };
    process.exitCode = await run({ api, environment: process.env, say: console.error, command: process.execPath, args: ["-e", ${JSON.stringify(command)}] });`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", driver], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    if (chunk.toString().includes("ready")) child.kill("SIGTERM");
  });
  const [code] = await once(child, "close");
  expect({ code, output }).toEqual({ code: 5, output: "ready\nclosed\n" });
});

test("the line that holds the session is let go of before the session is closed: it would dial anew with a token that is worth nothing any more", async () => {
  const ended: string[] = [];
  const line = new DisposableStack();
  line.defer(() => void ended.push("line"));
  const api = { open: async () => session, hold: () => line, close: async () => void ended.push("session") };
  await run({ api, environment, say: () => {}, command: process.execPath, args: ["-e", ""] });
  expect(ended).toEqual(["line", "session"]);
});
