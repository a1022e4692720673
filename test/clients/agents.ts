import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { delimiter, dirname, join } from "node:path";
import { ambient } from "../daemon.ts";
import type { Model } from "./model.ts";

/** Where one run of an agent takes place; every path is below the test's own folder. */
export interface Stage {
  /** Folder the pinned agents are installed in. */
  readonly installed: string;
  readonly home: string;
  readonly project: string;
  readonly model: Model;
  /** Address of a proxy that lets nothing through. */
  readonly wall: string;
}

export interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** How a real agent is started without anybody at the terminal and told to use the model on loopback. */
export interface RealAgent {
  /** Writes what it needs beside the connection to Lanyard. */
  prepare(stage: Stage): void;
  command(stage: Stage): { readonly argv: readonly string[]; readonly env: Readonly<Record<string, string>> };
}

const write = (path: string, text: string): void => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
};

const bin = ({ installed }: Stage, ...path: string[]): string => join(installed, "node_modules", ...path);

export const claude: RealAgent = {
  prepare: () => {},
  command: (stage) => ({
    // Its launcher is put in place by an install script, which is never run; the binary itself comes as a package.
    argv: [
      ...[bin(stage, "@anthropic-ai", `claude-code-${process.platform}-${process.arch}`, "claude"), "-p", "go", "--output-format", "json"],
      ...["--mcp-config", join(stage.project, ".mcp.json"), "--strict-mcp-config", "--allowedTools", "mcp__lanyard"],
    ],
    env: {
      ANTHROPIC_BASE_URL: stage.model.url,
      ANTHROPIC_API_KEY: "none",
      ENABLE_TOOL_SEARCH: "false",
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      DISABLE_TELEMETRY: "1",
      DISABLE_ERROR_REPORTING: "1",
      DISABLE_AUTOUPDATER: "1",
    },
  }),
};

export const codex: RealAgent = {
  prepare: ({ home, model }) =>
    write(
      join(home, ".codex/config.toml"),
      `# the test's own settings, which \`lanyard connect\` must leave alone
model = "mock"
model_provider = "mock"
approval_policy = "never"
sandbox_mode = "read-only"
check_for_update_on_startup = false

[analytics]
enabled = false

[model_providers.mock]
name = "mock"
base_url = "${model.url}/v1"
wire_api = "responses"
env_key = "MOCK_KEY"

[features]
plugins = false
apps = false
remote_plugin = false
`,
    ),
  command: (stage) => ({ argv: [process.execPath, bin(stage, "@openai/codex/bin/codex.js"), "exec", "--skip-git-repo-check", "-c", `mcp_servers.lanyard.default_tools_approval_mode="approve"`, "go"], env: { MOCK_KEY: "none" } }),
};

const geminiWith = (mcpServers: object): RealAgent => ({
  prepare: ({ home }) =>
    write(
      join(home, ".gemini/settings.json"),
      JSON.stringify({
        mcpServers,
        security: { auth: { selectedType: "gemini-api-key" }, folderTrust: { enabled: false } },
        privacy: { usageStatisticsEnabled: false },
        telemetry: { enabled: false },
        general: { enableAutoUpdate: false, enableAutoUpdateNotification: false },
      }),
    ),
  command: (stage) => ({
    argv: [process.execPath, bin(stage, "@google/gemini-cli/bundle/gemini.js"), "-p", "go", "-m", "gemini-2.5-flash", "--approval-mode", "yolo"],
    env: { GEMINI_API_KEY: "none", GOOGLE_GEMINI_BASE_URL: stage.model.url, GEMINI_CLI_NO_RELAUNCH: "true", GEMINI_CLI_TRUST_WORKSPACE: "true" },
  }),
});

export const gemini = geminiWith({});

/** Over HTTP; gemini-cli fills in what `lanyard run` sets. */
export const geminiOverHttp = geminiWith({ lanyard: { httpUrl: "$LANYARD_MCP_URL", headers: { Authorization: "Bearer $LANYARD_TOKEN" } } });

export const aiSdk: RealAgent = {
  prepare: () => {},
  command: (stage) => ({
    argv: [process.execPath, join(import.meta.dirname, "ai-sdk.mjs")],
    env: { AI_SDK_FOLDER: stage.installed, MODEL_URL: stage.model.url },
  }),
};

/** A variable that says where the world is, and that nothing but loopback may be reached directly. */
const surroundings = ({ home, wall }: Stage): Record<string, string | undefined> => ({
  ...ambient,
  PATH: [dirname(process.execPath), process.env["PATH"]].join(delimiter),
  HOME: home,
  HTTP_PROXY: wall,
  HTTPS_PROXY: wall,
  http_proxy: wall,
  https_proxy: wall,
  NO_PROXY: "127.0.0.1,localhost",
  no_proxy: "127.0.0.1,localhost",
  NODE_USE_ENV_PROXY: "1",
});

const limitMs = 180_000;

/** Runs a program to its end in the stage's project folder; one that hangs is killed with all it started. */
export const runIn = (stage: Stage, [program = "", ...args]: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> =>
  new Promise((done, fail) => {
    const child = spawn(program, args, { cwd: stage.project, env: { ...surroundings(stage), ...env }, stdio: ["ignore", "pipe", "pipe"], detached: true });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
    const limit = setTimeout(() => process.kill(-(child.pid as number), "SIGKILL"), limitMs);
    child.once("error", fail);
    child.once("close", (code) => {
      clearTimeout(limit);
      done({ code, output });
    });
  });

/** A proxy that refuses everything and remembers what was asked of it: an agent that phones home is seen. */
export async function startWall(): Promise<{ readonly url: string; readonly asked: string[] } & AsyncDisposable> {
  const asked: string[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (chunk) => {
      asked.push(chunk.toString("latin1").split("\r\n")[0] ?? "");
      socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    });
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    [Symbol.asyncDispose]: () => new Promise((closed) => server.close(() => closed())),
  };
}

/** A folder of this name below `parent`, for one user only. */
export const ownFolder = (parent: string, name: string): string => {
  const folder = join(parent, name);
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o700);
  return folder;
};
