import { Fault } from "@lanyard/contract";
import type { Command } from "commander";
import { settings, systemEnvironment } from "../base/config/environment.ts";
import type { Context } from "./context.ts";
import type { Client } from "./client.ts";
import { run, type RunApi } from "./run.ts";

interface RunVerbOptions {
  agent?: string;
  onBehalfOf?: string;
  purpose?: string;
  tool?: string[];
  minutes?: string;
}

export function runVerb(program: Command, context: Context): void {
  program
    .command("run")
    .description("starts a command inside a session of its own; the session ends with it")
    .option("--agent <name>", "which agent it is")
    .option("--on-behalf-of <user>", "the user it works for")
    .option("--purpose <text>", "what the session is for")
    .option("--tool <action...>", "narrow the session to these actions, `server/tool` or `server/*`")
    .option("--minutes <n>", "its longest life")
    .argument("<command...>", "what to start, after --")
    .passThroughOptions()
    .addHelpText(
      "after",
      "\nThe command finds LANYARD_MCP_URL, LANYARD_TOKEN, LANYARD_SESSION and LANYARD_MCP_CONFIG (an .mcp.json-style file).\n" +
        "Inside `lanyard run`, it opens a child session that can only narrow its parent.\n\n" +
        'Example:\n  lanyard run --agent coder --on-behalf-of ana --purpose "fix the build" -- claude',
    )
    .action(async (words: string[], options: RunVerbOptions) => {
      const environment = systemEnvironment();
      const { token, credential } = settings(environment);
      const bearer = token ?? credential ?? undefined;
      const opener = await context.reach({ daemonOnly: true, ...(bearer !== undefined && { token: bearer }) });
      const [command = "", ...args] = words;
      const api = runApi(opener, (own) => context.reach({ daemonOnly: true, token: own }), options);
      process.exitCode = await run({ api, environment, say: context.err, command, args });
    });
}

/** Opens and closes the session of a run over the API; closing uses the session's own token, which may end itself and no other. */
export const runApi = (opener: Client, as: (token: string) => Promise<Client>, options: RunVerbOptions): RunApi => ({
  open: async () => {
    const minutes = options.minutes === undefined ? undefined : Number(options.minutes);
    if (minutes !== undefined && !Number.isInteger(minutes)) throw new Fault("invalid_request", `\`--minutes ${options.minutes}\` is no whole number`);
    const body = {
      ...(options.agent !== undefined && { agent: options.agent }),
      ...(options.onBehalfOf !== undefined && { on_behalf_of: options.onBehalfOf }),
      ...(options.purpose !== undefined && { purpose: options.purpose }),
      ...(options.tool && { tools: options.tool }),
      ...(minutes !== undefined && { minutes }),
    };
    return opener.call<{ session: string; token: string; url: string }>("session_open", { body });
  },
  close: async ({ session, token }) => void (await (await as(token)).call("session_close", { at: { id: session } })),
});
