// Structure test: with stages/execution this is the one place that starts processes, for `lanyard run` IS the start of the agent's process.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import type { Environment } from "../base/config/environment.ts";

/** A session as the daemon opened it. */
export interface RunSession {
  readonly session: string;
  readonly token: string;
  /** Where the gateway answers, e.g. `http://127.0.0.1:7420/mcp`. */
  readonly url: string;
  /** The authority that a sandbox of the session must trust, in PEM. */
  readonly egress_ca: string;
  /** What stands for credentials inside, by variable. */
  readonly placeholders: Readonly<Record<string, string>>;
}

/** What `run` needs of the daemon. `open` uses the caller's right to open a session: operator, agent's credential, or parent's token. */
export interface RunApi {
  open(): Promise<RunSession>;
  close(session: RunSession): Promise<void>;
  /** Holds it, until disposed of: a session whose `lanyard run` was killed must not outlive it. */
  hold(session: RunSession): Disposable;
}

export interface RunOptions {
  readonly api: RunApi;
  /** The environment the command inherits. */
  readonly environment: Environment;
  /** Prints one line for the person at the terminal. */
  readonly say: (line: string) => void;
  readonly command: string;
  readonly args: readonly string[];
}

// SIGINT and SIGQUIT typed at a terminal reach the whole foreground group, the command included: passing them on would double them.
const passed = ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGINT", "SIGQUIT"] as const;
const fromTerminal: ReadonlySet<string> = new Set(["SIGINT", "SIGQUIT"]);

/**
 * Runs a command inside a session of its own and ends the session with it. The command finds LANYARD_MCP_URL, LANYARD_TOKEN,
 * LANYARD_SESSION and, for clients that read one, LANYARD_MCP_CONFIG: the path of an `.mcp.json`-style file only its user can read,
 * removed at the end. Resolves with the exit code: the command's, 128 + n when signal n ended it, 127 when there is no such command,
 * 126 when it cannot be run.
 *
 * Invariant: I10, no secret is in an argument; and the command never gets the credential that opened its session.
 */
export async function run({ api, environment, say, command, args }: RunOptions): Promise<number> {
  const session = await api.open();
  using line = api.hold(session);
  const folder = mkdtempSync(join(tmpdir(), "lanyard-run-")); // mkdtemp makes it 0700.
  try {
    const config = join(folder, "mcp.json");
    writeFileSync(config, mcpConfig(session), { mode: 0o600, flag: "wx" });
    const { LANYARD_CREDENTIAL: _, ...inherited } = environment;
    return await finish(command, args, {
      ...inherited,
      LANYARD_MCP_URL: session.url,
      LANYARD_MCP_CONFIG: config,
      LANYARD_TOKEN: session.token,
      LANYARD_SESSION: session.session,
    }, say);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    line[Symbol.dispose](); // It would dial anew when the daemon hangs up, with the token of a session that has ended.
    await api.close(session).catch((error: unknown) => {
      say(`session ${session.session} could not be closed (${error instanceof Error ? error.message : "unknown error"}); it ends by itself when it expires`);
    });
  }
}

/** The file most MCP clients read: one server, Lanyard. */
export const mcpConfig = ({ url, token }: Pick<RunSession, "url" | "token">): string =>
  `${JSON.stringify({ mcpServers: { lanyard: { type: "http", url, headers: { Authorization: `Bearer ${token}` } } } }, null, 2)}\n`;

function finish(command: string, args: readonly string[], env: Environment, say: (line: string) => void): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  // Heard before the command starts, or a signal in between would end us and leave the session open.
  let child: ReturnType<typeof spawn> | null = null;
  const listeners = passed.map((signal) => {
    const pass = () => {
      if (!(fromTerminal.has(signal) && process.stdin.isTTY)) child?.kill(signal);
    };
    process.on(signal, pass);
    return () => process.off(signal, pass);
  });
  try {
    child = spawn(command, [...args], { stdio: "inherit", env });
    child.once("error", (error: NodeJS.ErrnoException) => {
      say(`\`${command}\` could not be started: ${error.code === "ENOENT" ? "there is no such command" : (error.code ?? error.message)}`);
      resolve(error.code === "ENOENT" ? 127 : 126);
    });
    child.once("close", (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  } catch (error) {
    say(`\`${command}\` could not be started: ${error instanceof Error ? error.message : "unknown error"}`);
    resolve(126);
  }
  return promise.finally(() => {
    for (const stop of listeners) stop();
  });
}
