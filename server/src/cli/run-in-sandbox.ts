import { existsSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { Fault } from "@lanyard/contract";
import { systemClock } from "../base/clock.ts";
import type { Config } from "../base/config/config.ts";
import { settings, type Environment } from "../base/config/environment.ts";
import { loadConfig } from "../base/config/read.ts";
import { isWithin } from "../stages/execution/sandbox/bubblewrap.ts";
import { chooseDriver, driverNames, forgetChoice, type ChoiceOptions, type DriverName } from "../stages/execution/sandbox/choice.ts";
import type { SandboxSpec } from "../stages/execution/sandbox/driver.ts";
import { WorkspaceFolder } from "../stages/execution/workspace/folder.ts";
import type { Client } from "./client.ts";
import type { Context } from "./context.ts";
import { progressLine } from "./progress.ts";
import { runIsolated } from "./run-isolated.ts";
import { minutesOf, runApi, type RunVerbOptions } from "./run-session.ts";
import { HeldWorkspace } from "./workspace/held.ts";
import { tellOfChanges } from "./workspace/ending.ts";
import { takeBackInterrupted } from "./workspace/settle.ts";

/** One `lanyard run` whose command is put into a sandbox. */
interface SandboxedRun {
  readonly context: Context;
  readonly options: RunVerbOptions;
  readonly environment: Environment;
  /** Who opens its session, and a client that speaks as whoever has this token. */
  readonly opener: Client;
  as(token: string): Promise<Client>;
  /** The token or credential it is opened with; undefined for the operator. */
  readonly bearer: string | undefined;
  readonly command: string;
  readonly args: readonly string[];
}

/** Runs the command on a copy of its workspace, in the strongest sandbox that works here or the one that was named. Resolves with its exit code. Throws Fault `invalid_request`, `isolation_unavailable`. */
export async function runInSandbox({ context, options, environment, opener, as, bearer, command, args }: SandboxedRun): Promise<number> {
  const isolation = driverNamed(options.isolation);
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
  const code = await runIsolated({
    ...{ api: runApi(opener, as, options, { isolation: tier, held: true }), driver, places, held, limits: config.limits, authorityTermMs: config.stop.authorityTermMs, speak: async ({ token: own }) => (bearer === undefined ? opener : as(own)) },
    ...{ wallMs: minutes === undefined ? config.limits.session_ms : Math.min(minutes * 60_000, config.limits.session_ms) },
    ...{ environment, pass: options.pass ?? [], say: context.err, command, args, stdio },
  }).catch((error: unknown) => {
    if (error instanceof Fault && error.code === "isolation_unavailable") forgetChoice(machine); // The next run looks anew.
    throw error;
  });
  await tellOfChanges(held, { api: opener, config, driver: () => driver, say: context.err }, bearer === undefined);
  return code;
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
