import { constants } from "node:os";
import { dirname } from "node:path";
import { finished } from "node:stream/promises";
import type { Readable, Writable } from "node:stream";
import { Fault } from "@lanyard/contract";
import type { Environment } from "../base/config/environment.ts";
import type { Limits } from "../base/limits.ts";
import type { AuthorityLease } from "../edge/gateway/lease/lease.ts";
import { homeInside } from "../stages/execution/sandbox/bubblewrap.ts";
import type { Sandbox, SandboxDriver, SandboxSpec } from "../stages/execution/sandbox/driver.ts";
import { egressDoor } from "../stages/execution/sandbox/egress-door.ts";
import { mcpDoor, type DoorTarget } from "../stages/execution/sandbox/mcp-door.ts";
import { egressEnvironment, egressPort } from "../stages/execution/sandbox/egress-environment.ts";
import type { Client } from "./client.ts";
import { isolationLimits } from "../stages/execution/sandbox/isolation-limits.ts";
import { holdSession } from "./holding.ts";
import { writeInside } from "../stages/execution/sandbox/write-inside.ts";
import { borrowTerminal } from "./run-terminal.ts";
import type { HeldWorkspace } from "./workspace/held.ts";
import { mcpConfig, type RunApi, type RunSession } from "./run.ts";

export interface IsolatedOptions {
  /** `open` says what the session runs in. */
  readonly api: Pick<RunApi, "open" | "close">;
  readonly driver: SandboxDriver;
  readonly places: Pick<SandboxSpec, "workspace" | "readable">;
  /** The folder as the session works on it. */
  readonly held: HeldWorkspace;
  /** Speaks for a session to the daemon: as the operator, or with the session's own token. */
  readonly speak: (session: RunSession) => Promise<Client>;
  readonly limits: Limits;
  /** How long it may act without a word of the daemon, until the daemon has said. */
  readonly authorityTermMs: number;
  /** What the session lasts at most. */
  readonly wallMs: number;
  readonly environment: Environment;
  /** Names of further variables that the command gets. */
  readonly pass: readonly string[];
  readonly say: (line: string) => void;
  readonly command: string;
  readonly args: readonly string[];
  readonly stdio: { readonly stdin: Readable; readonly stdout: Writable; readonly stderr: Writable };
}

/** Port of the sandbox's loopback that leads to the daemon's MCP endpoint. */
const mcpPort = 7420;
const passedAlways = ["LANG", "LC_ALL", "TERM", "TZ", "NO_COLOR"];
const passedSignals = ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGINT", "SIGQUIT"] as const;
const endingSignals: ReadonlySet<string> = new Set(["SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT"]);
const heldOutside = "held-outside-the-sandbox";
const noSuchFile = 2;

/**
 * Runs a command in a sandbox of its own, whose only ways out are the daemon's MCP endpoint and its egress door. Inside there is no token: the session is known by
 * the channel. Resolves with the exit code: the command's, 128 + n when signal n ended it, 127 or 126 when it could not be started, 125 when
 * the sandbox ended under it.
 */
export async function runIsolated(options: IsolatedOptions): Promise<number> {
  const { api, driver, places, limits, wallMs, say, held } = options;
  let target: DoorTarget | null = null;
  await using sandbox = await driver.create({
    ...places,
    doors: new Map([
      [mcpPort, mcpDoor(() => target)],
      [egressPort, egressDoor(() => target)],
    ]),
    limits: isolationLimits(limits, wallMs),
  });
  sandbox.onEvent((event) => {
    if (event.kind === "limit") say(`the sandbox met its limit of ${event.limit}`);
  });
  await sandbox.start();
  await held.fill(sandbox);
  const session = await api.open(); // Only now: the tier it claims is there.
  using authority = holdSession(session, options.authorityTermMs);
  target = { url: session.url, token: session.token, authority };
  const standsStill = heed(authority, sandbox, say);
  try {
    await authority.ready();
    await held.open(session.session, sandbox, await options.speak(session));
    const code = await carry(options, sandbox, session, standsStill);
    await held.look(sandbox).catch((error: unknown) => say(`what it changed is lost: ${error instanceof Error ? error.message : "unknown error"}`));
    return code;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    say(`\`${options.command}\` was ended: ${error.message}`);
    return 125;
  } finally {
    target = null;
    authority[Symbol.dispose](); // What it would hear now is that the session ends.
    await api.close(session).catch((error: unknown) => {
      say(`session ${session.session} could not be closed (${error instanceof Error ? error.message : "unknown error"}); it ends by itself when it expires`);
    });
  }
}

/**
 * A stop kills the sandbox. Without the daemon's word its doors are closed, which is all the ways it has; where the driver can, it stands still
 * meanwhile, so that it finds as little as possible changed when it goes on. Returns whether it stands still now.
 */
function heed(authority: AuthorityLease, sandbox: Sandbox, say: (line: string) => void): () => boolean {
  let waits = false;
  let isStopped = false;
  const pass = (turn: (() => Promise<void>) | undefined) => void turn?.().catch(() => {}); // It may have ended meanwhile.
  authority.onChange((state, why) => {
    if (isStopped) return;
    if (state === "stopped") {
      isStopped = true;
      say(`${why}: the sandbox is ended`);
      void sandbox.destroy();
    } else if (state === "lost") {
      say(`${why || "the Lanyard daemon does not answer"}: nothing leaves the sandbox until it does`);
      pass(sandbox.pause);
    } else if (waits) {
      say("the Lanyard daemon answers again");
      pass(sandbox.resume);
    }
    waits = state === "lost";
  });
  return () => waits && sandbox.pause !== undefined;
}

async function carry({ command, args, environment, pass, say, stdio }: IsolatedOptions, sandbox: Sandbox, { session, egress_ca: authority, placeholders }: RunSession, standsStill: () => boolean): Promise<number> {
  const url = `http://127.0.0.1:${mcpPort}/mcp`;
  const config = `${homeInside}/.lanyard-mcp.json`;
  const path = { PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin` };
  const ca = `${homeInside}/.lanyard-ca.pem`;
  await writeInside(sandbox, ca, authority);
  await writeInside(sandbox, config, mcpConfig({ token: heldOutside, url }));
  const kept = [...passedAlways, ...pass].flatMap((name) => (environment[name] === undefined ? [] : [[name, environment[name]]]));
  using terminal = borrowTerminal(stdio);
  const execution = sandbox.exec({
    ...(terminal && { terminal: terminal.size() }),
    command,
    args,
    environment: { HOME: homeInside, TMPDIR: "/tmp", ...path, ...egressEnvironment(ca), ...placeholders, ...Object.fromEntries(kept), LANYARD_MCP_URL: url, LANYARD_MCP_CONFIG: config, LANYARD_TOKEN: heldOutside, LANYARD_SESSION: session },
  });
  let endedBy = 0;
  const listeners = passedSignals.map((name) => {
    const hear = () => {
      const number = constants.signals[name];
      if (!standsStill() || !endingSignals.has(name)) return execution.signal(number);
      endedBy = number; // What stands still hears nothing, and whoever sends this wants it ended.
      void sandbox.destroy();
    };
    process.on(name, hear);
    return () => process.off(name, hear);
  });
  terminal?.onResize((size) => execution.resize(size));
  stdio.stdin.pipe(execution.stdin);
  execution.stdout.pipe(stdio.stdout, { end: false });
  execution.stderr.pipe(stdio.stderr, { end: false });
  try {
    const { kind, value } = await execution.ended;
    await Promise.allSettled([finished(execution.stdout), finished(execution.stderr)]);
    if (kind === "failed") say(`\`${command}\` could not be started in the sandbox: ${value === noSuchFile ? "there is no such command inside; see --readable" : `error ${value}`}`);
    return kind === "exited" ? value : kind === "signalled" ? 128 + value : value === noSuchFile ? 127 : 126;
  } catch (error) {
    if (endedBy > 0) return 128 + endedBy;
    throw error;
  } finally {
    stdio.stdin.unpipe(execution.stdin);
    stdio.stdin.pause();
    for (const stop of listeners) stop();
  }
}
