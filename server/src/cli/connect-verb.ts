import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline/promises";
import { Fault } from "@lanyard/contract";
import { Argument, type Command } from "commander";
import type { Config } from "../base/config/config.ts";
import { settings, systemEnvironment } from "../base/config/environment.ts";
import { loadConfig } from "../base/config/read.ts";
import { applyConnect, applyUndo, diffLines, knownClients, planConnect, planUndo, type ClientName, type Edit, type Launch, type Surroundings } from "./connect.ts";
import type { Context } from "./context.ts";
import { credentialPath } from "./mcp.ts";
import { exit, printable } from "./terminal.ts";

interface ConnectOptions {
  agent?: string;
  onBehalfOf?: string;
  undo?: boolean;
  yes?: boolean;
  dryRun?: boolean;
}

export function connectVerb(program: Command, context: Context): void {
  program
    .command("connect")
    .description("writes an agent program's own configuration so that its tools come through Lanyard; shows the change first")
    .addArgument(new Argument("<client>", "which program").choices(Object.keys(knownClients)))
    .option("--agent <name>", "agent of lanyard.yaml it acts as (default: the only one there is)")
    .option("--on-behalf-of <user>", "user it acts for (default: the only one it may act for)")
    .option("--undo", "restores the file as it was")
    .option("--yes", "do not ask")
    .option("--dry-run", "only show the change")
    .addHelpText("after", "\nExample:\n  lanyard connect claude --agent coder\n  lanyard connect claude --undo")
    .action(async (client: ClientName, options: ConnectOptions) => {
      const environment = systemEnvironment();
      const around: Surroundings = { home: homedir(), cwd: process.cwd(), lanyardHome: settings(environment).home, environment };
      if (options.undo) {
        const edit = planUndo(client, around);
        if (await agreed(context, edit, options)) {
          applyUndo(client, edit, around);
          context.out(`restored ${edit.file}`);
        }
        return;
      }
      const file = resolve(context.configPath());
      const { agent, user } = whoActs(loadConfig(file), options);
      const edit = planConnect(client, launch(file, agent, user, context.variable("LANYARD_HOME")), around);
      if (edit.after === edit.before) return context.out(`${edit.file} needs no change`);
      if (!(await agreed(context, edit, options))) return;
      await ensureCredential(context, around.lanyardHome, agent);
      applyConnect(client, edit, around);
      context.out(`wrote ${edit.file}; ${knownClients[client].afterwards}`);
      context.out(`undo with: lanyard connect ${client} --undo`);
    });
}

/** The launcher in bin/ installs what is missing by itself, so the entry survives an update of Node or of Lanyard. */
const launch = (config: string, agent: string, user: string, home: string | undefined): Launch => ({
  command: join(import.meta.dirname, "../../../bin/lanyard.mjs"),
  args: ["--config", config, "mcp", "--agent", agent, "--on-behalf-of", user],
  ...(home && { env: { LANYARD_HOME: resolve(home) } }),
});

/** The one that was asked for, else the only one there is. Throws Fault `invalid_request` listing the choices. */
const only = (asked: string | undefined, choices: readonly string[], what: string, option: string): string => {
  if (asked !== undefined && choices.includes(asked)) return asked;
  const list = choices.length > 0 ? `there are ${choices.map((name) => `\`${name}\``).join(", ")}` : "lanyard.yaml registers none";
  if (asked !== undefined) throw new Fault("invalid_request", `\`${asked}\` is no ${what}: ${list}`);
  if (choices.length === 1) return choices[0] as string;
  throw new Fault("invalid_request", `say which ${what} with \`${option}\`: ${list}`);
};

const whoActs = (config: Config, { agent: asked, onBehalfOf }: ConnectOptions): { agent: string; user: string } => {
  const agent = only(asked, [...config.agents.keys()], "agent", "--agent");
  const users = config.agents.get(agent)?.onBehalfOf ?? [...config.users.keys()];
  return { agent, user: only(onBehalfOf, users, `user \`${agent}\` may act for`, "--on-behalf-of") };
};

const agreed = async (context: Context, edit: Edit, { yes, dryRun }: ConnectOptions): Promise<boolean> => {
  const { green, red, dim } = context.colour;
  const paint = { "+": green, "-": red, " ": dim };
  context.out(edit.after === null ? `${edit.file} will be removed:` : `${edit.file}:`);
  for (const line of diffLines(edit)) context.out(paint[line[0] as "+" | "-" | " "](printable(line)));
  if (dryRun || yes) return !dryRun;
  if (!process.stdin.isTTY) throw new Fault("invalid_request", "nobody is there to agree; add `--yes` after reading the change");
  using prompt = createInterface({ input: process.stdin, output: process.stderr });
  const isYes = /^y(es)?$/i.test((await prompt.question("write it? [y/N] ")).trim());
  if (!isYes) process.exitCode = exit.failed;
  return isYes;
};

/** Invariant I10: the secret goes from the daemon to a file that only this user reads; it is never shown, nor in the client's file. */
const ensureCredential = async (context: Context, lanyardHome: string, agent: string): Promise<void> => {
  const path = credentialPath(lanyardHome, agent);
  if (existsSync(path)) return;
  const issued = await (await context.reach()).call<{ secret: string }>("credential_issue", { body: { kind: "agent", name: agent } });
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, `${issued.secret}\n`, { mode: 0o600, flag: "wx" });
};
