import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "@lanyard/contract";
import type { Command } from "commander";
import { settings, systemEnvironment, type Settings } from "../base/config/environment.ts";
import { loadConfig } from "../base/config/read.ts";
import { logger } from "../base/log.ts";
import { systemClock } from "../base/clock.ts";
import { gatewaySocket, operatorSocket } from "../base/sockets.ts";
import { AuthorityLease } from "../edge/gateway/lease/lease.ts";
import { shim } from "../edge/gateway/shim.ts";
import type { Context } from "./context.ts";
import { leaveNoDumps } from "./dumps.ts";
import { mcpLoginVerbs } from "./mcp-login.ts";

interface McpOptions {
  agent?: string;
  onBehalfOf?: string;
  purpose: string;
  server?: string;
}

export function mcpVerb(program: Command, context: Context): void {
  const mcp = program
    .command("mcp")
    .description("a stdio MCP server that is the gateway, for clients that can only spawn a process")
    .option("--agent <name>", "open a session for this agent with its credential (LANYARD_CREDENTIAL, or the file `lanyard connect` wrote)")
    .option("--on-behalf-of <user>", "the user the session is for")
    .option("--purpose <text>", "what the session is for", "interactive client")
    .option("--server <name>", "only this server, its names unprefixed")
    .addHelpText("after", "\nInside `lanyard run` it uses that session's token and needs no option.\n\nExample:\n  lanyard mcp --agent coder --on-behalf-of ana")
    .action(async (options: McpOptions) => {
      leaveNoDumps();
      const config = loadConfig(context.configPath());
      const held = settings(systemEnvironment());
      const log = logger({ clock: systemClock, write: (line) => void process.stderr.write(line), level: held.logLevel });
      const session = await sessionFor(context, held, options);
      try {
        const path = options.server ? `/mcp/${options.server}` : "/mcp";
        using authority = new AuthorityLease({ at: { socketPath: operatorSocket(config.data) }, token: session.token, termMs: config.stop.authorityTermMs, holds: session.own, clock: systemClock });
        await shim({ socket: gatewaySocket(config.data), token: session.token, path, authority, stdin: process.stdin, stdout: process.stdout, log });
      } finally {
        await session.close();
      }
    });
  mcpLoginVerbs(mcp, context);
}

/** The session this process already runs in, or one opened with the agent's credential and closed at the end. */
async function sessionFor(context: Context, { token, credential, home }: Settings, options: McpOptions): Promise<{ token: string; own: boolean; close(): Promise<void> }> {
  if (token !== null && options.agent === undefined) return { token, own: false, close: async () => {} };
  if (options.agent === undefined) throw new Fault("unauthenticated", "`lanyard mcp` needs a session: say `--agent <name>`, or start the client with `lanyard run`");
  const api = await context.reach({ daemonOnly: true, token: credential ?? credentialFile(home, options.agent) });
  const opened = await api.call<{ session: string; token: string }>("session_open", {
    body: { agent: options.agent, purpose: options.purpose, held: true, ...(options.onBehalfOf && { on_behalf_of: options.onBehalfOf }) },
  });
  const own = await context.reach({ daemonOnly: true, token: opened.token });
  return { token: opened.token, own: true, close: async () => void (await own.call("session_close", { at: { id: opened.session } }).catch(() => {})) };
}

/** Where `lanyard connect` keeps an agent's credential, mode 0600. */
export const credentialPath = (home: string, agent: string): string => join(home, "credentials", agent);

function credentialFile(home: string, agent: string): string {
  const path = credentialPath(home, agent);
  try {
    return readFileSync(path, "utf8").trim();
  } catch (cause) {
    throw new Fault("unauthenticated", `agent \`${agent}\` has no credential here: \`${path}\` cannot be read, and LANYARD_CREDENTIAL is not set`, { cause });
  }
}
