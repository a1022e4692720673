import type { Command } from "commander";
import { settings, systemEnvironment } from "../base/config/environment.ts";
import { loadConfig } from "../base/config/read.ts";
import { stayingAwake, systemClock } from "../base/clock.ts";
import { logger } from "../base/log.ts";
import { compose } from "../compose.ts";
import type { Context } from "./context.ts";
import { leaveNoDumps } from "./dumps.ts";
import { json } from "./terminal.ts";

export function serveVerb(program: Command, context: Context): void {
  program
    .command("serve")
    .description("runs the daemon until SIGTERM or Ctrl-C")
    .option("--json", "print where it listens as one JSON object")
    .addHelpText("after", "\nLog lines go to standard error as JSON (LANYARD_LOG=debug|info|warn|error).\n\nExample:\n  lanyard serve --config lanyard.yaml")
    .action(async (options: { json?: boolean }) => {
      const environment = systemEnvironment();
      const log = logger({ clock: systemClock, write: (line) => void process.stderr.write(line), level: settings(environment).logLevel });
      const lacking = leaveNoDumps();
      if (lacking) log.warn("dumps.possible", { message: `a crash may leave a file with secrets in it: ${lacking}` });
      const config = loadConfig(context.configPath());
      const stopped = new Promise<string>((resolve) => {
        for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve(signal));
      });
      using _ = stayingAwake(); // Let go of after the daemon: a process that ends in the midst of closing has not closed.
      await using daemon = await compose({ config, environment, log });
      context.out(options.json ? json({ url: daemon.url, data: config.data, pid: process.pid }) : `lanyard listens at ${daemon.url}/mcp, data in ${config.data}`);
      log.info("serve.stopping", { signal: await stopped });
    });
}
