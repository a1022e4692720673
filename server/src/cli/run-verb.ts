import { existsSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { Fault, type Isolation } from "@lanyard/contract";
import type { Command } from "commander";
import { systemClock } from "../base/clock.ts";
import type { Config } from "../base/config/config.ts";
import { settings, systemEnvironment, type Environment } from "../base/config/environment.ts";
import { loadConfig } from "../base/config/read.ts";
import { isWithin } from "../stages/execution/sandbox/bubblewrap.ts";
import { chooseDriver, driverNames, forgetChoice, type ChoiceOptions, type DriverName } from "../stages/execution/sandbox/choice.ts";
import type { SandboxSpec } from "../stages/execution/sandbox/driver.ts";
import { WorkspaceFolder } from "../stages/execution/workspace/folder.ts";
import type { Context } from "./context.ts";
import type { Client } from "./client.ts";
import { leaveNoDumps } from "./dumps.ts";
import { progressLine } from "./progress.ts";
import { holdSession } from "./holding.ts";
import { runIsolated } from "./run-isolated.ts";
import { run, type RunApi, type RunSession } from "./run.ts";
import { HeldWorkspace } from "./workspace/held.ts";
import { tellOfChanges } from "./workspace/ending.ts";
import { takeBackInterrupted } from "./workspace/settle.ts";

interface RunVerbOptions {
  agent?: string;
  onBehalfOf?: string;
  purpose?: string;
  tool?: string[];
  minutes?: string;
  isolation?: string;
  workspace?: string;
  readable?: string[];
  pass?: string[];
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
      const isolation = driverNamed(options.isolation);
      if (isolation === "none") {
        context.err("warning: isolation: none, tier none; nothing holds the command back but what it asks of Lanyard");
        process.exitCode = await run({ api: runApi(opener, as, options, { held: true }), environment, say: context.err, command, args });
        return;
      }
      const config = loadConfig(context.configPath());
      const machine = choiceOptions(environment, (label) => context.err(`trying ${label} on this machine (once; see \`lanyard doctor\`)`));
      const driver = await chooseDriver(machine, isolation);
      // Invariant: only the operator's word for a tier counts; whoever has a credential or token may be the agent, and the daemon refuses theirs.
      const tier = bearer === undefined ? driver.tier : "none";
      context.err(`isolation: ${driver.name}, tier ${tier}${tier === driver.tier ? "" : " (only the operator can vouch for more)"}`);
      const own = ownPlaces(config, environment);
      const places = placesOf(options, driver.name, own);
      const minutes = minutesOf(options);
      const home = settings(environment).home;
      takeBackInterrupted(WorkspaceFolder.all(home, systemClock), context.err); // Or the copy would have half of it.
      using held = new HeldWorkspace({
        origin: { folder: places.workspace, hidden: own, shown: places.readable },
        ...{ limits: config.limits, progress: progressLine("copied", "files into the sandbox") },
        folderOf: (session) => new WorkspaceFolder(home, session, systemClock),
      });
      const stdio = { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr };
      process.exitCode = await runIsolated({
        ...{ api: runApi(opener, as, options, { isolation: tier, held: true }), driver, places, held, limits: config.limits, authorityTermMs: config.stop.authorityTermMs, speak: async ({ token: own }) => (bearer === undefined ? opener : as(own)) },
        ...{ wallMs: minutes === undefined ? config.limits.session_ms : Math.min(minutes * 60_000, config.limits.session_ms) },
        ...{ environment, pass: options.pass ?? [], say: context.err, command, args, stdio },
      }).catch((error: unknown) => {
        if (error instanceof Fault && error.code === "isolation_unavailable") forgetChoice(machine); // The next run looks anew.
        throw error;
      });
      await tellOfChanges(held, { api: opener, config, driver: () => driver, say: context.err }, bearer === undefined);
    });
}

/** Throws Fault `invalid_request`. */
function driverNamed(name: string | undefined): DriverName | undefined {
  const known = driverNames.find((one) => one === name);
  if (name !== undefined && !known) throw new Fault("invalid_request", `\`--isolation ${name}\` is no driver; there are ${driverNames.map((one) => `\`${one}\``).join(", ")}`);
  return known;
}

/** Where drivers find their things on this user's machine. */
export const choiceOptions = (environment: Environment, looking?: (label: string) => void): ChoiceOptions => ({
  clock: systemClock,
  home: settings(environment).home,
  cache: environment["XDG_CACHE_HOME"] || join(homedir(), ".cache"),
  ...(environment["LANYARD_GUEST_AGENT"] && { agent: environment["LANYARD_GUEST_AGENT"] }),
  ...(looking && { looking }),
});

/** Folders of many people's things, and of the machine's: one of their folders may be a workspace, all of them not. */
const shared = ["/tmp", "/home", "/opt", "/srv", "/mnt", "/media", "/var", "/root", "/run"];

/** What the sandbox sees of the machine; never a path that has Lanyard's `own` in it, above or below it. Throws Fault `invalid_request`. */
function placesOf({ workspace = ".", readable = [] }: RunVerbOptions, driver: DriverName, own: readonly string[]): Pick<SandboxSpec, "workspace" | "readable"> {
  const root = realPath(workspace);
  if (isWithin(realpathSync(homedir()), root) || shared.includes(root)) {
    throw new Fault("invalid_request", `\`${root}\` cannot be a workspace: it holds your other work too; choose the folder of one project`);
  }
  const shown = readable.map(realPath);
  for (const path of shown) {
    const kept = own.find((one) => isWithin(path, one) || isWithin(one, path));
    if (kept !== undefined) throw new Fault("invalid_request", `\`--readable ${path}\` would show \`${kept}\`, where Lanyard keeps what is its own; name less of it`);
  }
  const ours = driver !== "microvm" && !process.execPath.startsWith("/usr/") ? [dirname(process.execPath)] : []; // A machine brings its own Node.
  return { workspace: root, readable: [...shown, ...ours] };
}

/** Lanyard's own folders, and the files that credentials are kept in: they are neither copied into a sandbox nor shown there. */
const ownPlaces = ({ data, credentials }: Config, environment: Environment): string[] =>
  [data, settings(environment).home, ...[...credentials.values()].flatMap(({ from }) => (from.kind === "file" ? [from.path] : []))].flatMap((path) => (existsSync(path) ? [realpathSync(path)] : []));

function realPath(path: string): string {
  try {
    return realpathSync(resolve(path));
  } catch (cause) {
    throw new Fault("invalid_request", `\`${path}\` is not there`, { cause });
  }
}

function minutesOf({ minutes }: RunVerbOptions): number | undefined {
  if (minutes === undefined) return undefined;
  if (!Number.isInteger(Number(minutes))) throw new Fault("invalid_request", `\`--minutes ${minutes}\` is no whole number`);
  return Number(minutes);
}

/** A line that only holds a session acts on nobody's word; until the daemon has said how often it wants to hear of it, this will do. */
const untoldTermMs = 5000;

/** Opens and closes the session of a run over the API; closing uses the session's own token, which may end itself and no other. */
export const runApi = (opener: Client, as: (token: string) => Promise<Client>, options: RunVerbOptions, { isolation = "none", held = false }: { isolation?: Isolation; held?: boolean } = {}): RunApi => ({
  open: async () => {
    const minutes = minutesOf(options);
    const body = {
      ...(options.agent !== undefined && { agent: options.agent }),
      ...(options.onBehalfOf !== undefined && { on_behalf_of: options.onBehalfOf }),
      ...(options.purpose !== undefined && { purpose: options.purpose }),
      ...(options.tool && { tools: options.tool }),
      ...(minutes !== undefined && { minutes }),
      ...(isolation !== "none" && { isolation }),
      ...(held && { held }),
    };
    return opener.call<RunSession>("session_open", { body });
  },
  hold: (session) => holdSession(session, untoldTermMs),
  close: async ({ session, token }) => void (await (await as(token)).call("session_close", { at: { id: session } })),
});
