import type { Command } from "commander";
import { settings, systemEnvironment } from "../base/config/environment.ts";
import type { Context } from "./context.ts";
import { leaveNoDumps } from "./dumps.ts";
import { runApi, type RunVerbOptions } from "./run-session.ts";
import { run } from "./run.ts";

export function runVerb(program: Command, context: Context): void {
  program
    .command("run")
    .description("starts a command inside a session of its own; the session ends with it")
    .option("--agent <name>", "which agent it is")
    .option("--on-behalf-of <user>", "the user it works for")
    .option("--purpose <text>", "what the session is for")
    .option("--tool <action...>", "narrow the session to these actions, `server/tool` or `server/*`")
    .option("--minutes <n>", "its longest life")
    .option("--isolation <driver>", "the sandbox: `microvm`, `gvisor` or `process`; default: the strongest that works here; `none`, for development: without")
    .option("--workspace <folder>", "with a sandbox: the folder it works on a copy of; default: this one")
    .option("--readable <path...>", "with a sandbox: what else it can read; of the machine it sees /usr")
    .option("--pass <variable...>", "with a sandbox: further variables of the environment it gets")
    .argument("<command...>", "what to start, after --")
    .passThroughOptions()
    .addHelpText(
      "after",
      "\nThe command finds LANYARD_MCP_URL, LANYARD_TOKEN, LANYARD_SESSION and LANYARD_MCP_CONFIG (an .mcp.json-style file).\n" +
        "Inside `lanyard run`, it opens a child session that can only narrow its parent.\n\n" +
        'Example:\n  lanyard run --agent coder --on-behalf-of ana --purpose "fix the build" -- claude',
    )
    .action(async (words: string[], options: RunVerbOptions) => {
      leaveNoDumps();
      const environment = systemEnvironment();
      const { token, credential } = settings(environment);
      const bearer = token ?? credential ?? undefined;
      const opener = await context.reach({ daemonOnly: true, ...(bearer !== undefined && { token: bearer }) });
      const [command = "", ...args] = words;
      const as = (own: string) => context.reach({ daemonOnly: true, token: own });
      if (options.isolation === "none") {
        context.err("warning: isolation: none, tier none; nothing holds the command back but what it asks of Lanyard");
        process.exitCode = await run({ api: runApi(opener, as, options, { held: true }), environment, say: context.err, command, args });
        return;
      }
      const { runInSandbox } = await import("./run-in-sandbox.ts"); // All of the sandboxes: a run without one does not wait for it.
      process.exitCode = await runInSandbox({ context, options, environment, opener, as, bearer, command, args });
    });
}
