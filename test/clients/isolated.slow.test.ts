import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "@lanyard/contract";
import { programs } from "../../scripts/install.mjs";
import { ambient, approveCatalog, DaemonProcess, program, World } from "../daemon.ts";
import { SandboxGround, textOf } from "../kits/sandbox.ts";
import { startModel, type Model, type PlannedCall } from "./model.ts";

// Real agents in a sandbox: their model is reached through the egress door with a key they do not have, their tools through the MCP door.

// A machine whose processor is emulated takes minutes for what these programs are: it has its turn in the soak.
const drivers = process.env["LANYARD_SOAK"] ? (["process", "gvisor", "microvm"] as const) : (["process"] as const);
const ground = new SandboxGround();
const lacking = Object.fromEntries(await Promise.all(drivers.map(async (name) => [name, await ground.lacking(name, "real agents")] as const)));
const notes = join(import.meta.dirname, "../journeys/world");
const yaml = readFileSync(join(notes, "lanyard.yaml"), "utf8").replace(/^(version|listen|data|policies):.*\n/gm, "").replace("notes.mjs", join(notes, "notes.mjs"));
const plan: PlannedCall[] = [
  { tool: /read_note$/, args: { name: "plan" } },
  { tool: /write_note$/, args: { name: "plan", text: "rest" } },
];
const host = "127.0.0.2"; // of this machine, and not one of those that programs reach past a proxy
const key = "sk-real-key-that-no-sandbox-sees-0123456789";

/** An agent's files in its folder, and how it is started there; `$KEY` is the variable with the placeholder. */
interface CagedAgent {
  readonly name: string;
  readonly packages: readonly string[];
  readonly header: { readonly name: string; readonly prefix: string };
  files(model: Model): Readonly<Record<string, string>>;
  command(installed: string, model: Model): string;
}

const agents: readonly CagedAgent[] = [
  {
    name: "claude",
    packages: [`@anthropic-ai/claude-code-${process.platform}-${process.arch}`],
    header: { name: "x-api-key", prefix: "" },
    files: () => ({}),
    command: (installed, { url }) =>
      `ANTHROPIC_BASE_URL=${url} ANTHROPIC_API_KEY=$KEY ENABLE_TOOL_SEARCH=false CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 DISABLE_TELEMETRY=1 DISABLE_ERROR_REPORTING=1 DISABLE_AUTOUPDATER=1 ` +
      `${installed}/@anthropic-ai/claude-code-${process.platform}-${process.arch}/claude -p go --output-format json --mcp-config $LANYARD_MCP_CONFIG --strict-mcp-config --allowedTools mcp__lanyard`,
  },
  {
    name: "codex",
    packages: ["@openai"],
    header: { name: "authorization", prefix: "Bearer " },
    files: ({ url }) => ({
      ".codex/config.toml": `model = "mock"\nmodel_provider = "mock"\napproval_policy = "never"\nsandbox_mode = "read-only"\ncheck_for_update_on_startup = false\n[analytics]\nenabled = false\n[model_providers.mock]\nname = "mock"\nbase_url = "${url}/v1"\nwire_api = "responses"\nenv_key = "KEY"\n[features]\nplugins = false\napps = false\nremote_plugin = false\n[mcp_servers.lanyard]\nurl = "http://127.0.0.1:7420/mcp"\ndefault_tools_approval_mode = "approve"\n`,
    }),
    command: (installed) => `CODEX_HOME=$PWD/.codex node ${installed}/@openai/codex/bin/codex.js exec --skip-git-repo-check go`,
  },
  {
    name: "gemini",
    packages: ["@google"],
    header: { name: "x-goog-api-key", prefix: "" },
    files: () => ({
      ".gemini/settings.json": JSON.stringify({
        mcpServers: { lanyard: { httpUrl: "$LANYARD_MCP_URL" } },
        security: { auth: { selectedType: "gemini-api-key" }, folderTrust: { enabled: false } },
        privacy: { usageStatisticsEnabled: false },
        telemetry: { enabled: false },
        general: { enableAutoUpdate: false, enableAutoUpdateNotification: false },
      }),
    }),
    command: (installed, { url }) => `GEMINI_API_KEY=$KEY GOOGLE_GEMINI_BASE_URL=${url} GEMINI_CLI_NO_RELAUNCH=true GEMINI_CLI_TRUST_WORKSPACE=true node ${installed}/@google/gemini-cli/bundle/gemini.js -p go -m gemini-2.5-flash --approval-mode yolo`,
  },
];

const folder = mkdtempSync(join(tmpdir(), "lanyard-caged-"));
const shown = join(folder, "node_modules");

/** Where the sandbox's user can get to, which is not root; links cost nothing. */
beforeAll(async () => {
  const installed = join(await programs("test/clients"), "node_modules");
  spawnSync("chmod", ["755", folder]);
  for (const name of agents.flatMap(({ packages }) => packages)) {
    mkdirSync(dirname(join(shown, name)), { recursive: true });
    const linked = spawnSync("cp", ["-al", join(installed, name), join(shown, name)]);
    if (linked.status !== 0) spawnSync("cp", ["-a", join(installed, name), join(shown, name)]);
  }
});

afterAll(() => {
  ground[Symbol.dispose]();
  rmSync(folder, { recursive: true, force: true });
});

describe.each(drivers)("real agents in a sandbox by %s", (driver) => {
  it.skipIf(lacking[driver] !== null).each(agents)("$name asks its model with a key it does not have, calls tools, and reads why it was denied", async ({ name: agent, header, files, command }) => {
    const name = `${driver}-${agent}`;
    await using model = await startModel(plan, host);
    writeFileSync(join(folder, "key"), key, { mode: 0o600 });
    const endpoint = model.url.slice("http://".length);
    const inject = `{ header: { name: ${header.name}${header.prefix && `, prefix: "${header.prefix}"`} } }`;
    using world = new World({
      yaml: `${yaml}\negress: { private: ["${endpoint}"] }\ncredentials:\n  model: { from: { file: ${join(folder, "key")} }, serves: { hosts: ["${model.url}"] }, inject: ${inject}, as: KEY, shape: "sk-" }\n`,
      policies: {
        "notes.cedar": readFileSync(join(notes, "policies/notes.cedar"), "utf8"),
        "model.cedar": `@id("org.model") @reason("Agents ask their model.") permit (principal, action in [Action::"web/POST", Action::"web/GET", Action::"web/HEAD"], resource == Host::"${host}");`,
      },
    });
    await using daemon = await DaemonProcess.start(world);
    await approveCatalog(world.operator(), "notes");
    const work = join(folder, `${name}-work`);
    mkdirSync(join(folder, `${name}-home`));
    for (const [path, text] of Object.entries(files(model))) {
      mkdirSync(dirname(join(work, path)), { recursive: true });
      writeFileSync(join(work, path), text);
    }
    mkdirSync(work, { recursive: true });
    const env = { ...ambient, HOME: process.env["HOME"], LANYARD_HOME: join(folder, `${name}-home`), LANYARD_LOG: "error" };
    const argv = [program, "--config", world.config, "run", "--isolation", driver, "--readable", shown, "--agent", "clerk", "--on-behalf-of", "ben", "--purpose", "a test", "--", "sh", "-c", command(shown, model)];
    const child = spawn(process.execPath, argv, { cwd: work, env, stdio: ["ignore", "pipe", "pipe"] });
    const ended = new Promise<number | null>((done) => child.once("close", done));
    const limit = setTimeout(() => child.kill("SIGTERM"), driver === "microvm" ? 560_000 : 300_000);
    const [out, err] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
    clearTimeout(limit);

    const last = model.turns.at(-1);
    expect(last?.results, `${out}\n${err}\n${daemon.log}`).toHaveLength(2);
    expect(last?.results[0]).toContain("ship it");
    expect(last?.results[1]).toContain("The plan is not for agents to change; write your note under another name.");
    expect(await ended, `${out}\n${err}`).toBe(0);
    expect([...model.keys]).toEqual([key]);
    const decisions: JsonObject[] = [];
    for await (const record of world.operator().lines("log", { query: { type: "decision" } })) decisions.push(record);
    const web = decisions.filter(({ action }) => String(action).startsWith("web/"));
    expect(web.filter(({ action, effect }) => action === "web/POST" && effect === "allow").length).toBeGreaterThanOrEqual(3);
    expect(decisions.filter(({ action }) => String(action).startsWith("notes/")).map(({ action, effect }) => [action, effect])).toEqual([["notes/read_note", "allow"], ["notes/write_note", "deny"]]);
    expect(`${out}${err}${daemon.log}${JSON.stringify(decisions)}`).not.toContain(key);
  }, driver === "microvm" ? 600_000 : 120_000);
});
