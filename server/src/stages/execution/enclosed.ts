import { constants } from "node:os";
import { existsSync, realpathSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Duplex } from "node:stream";
import { finished } from "node:stream/promises";
import { Fault } from "@lanyard/contract";
import type { Limits } from "../../base/limits.ts";
import type { ServerCommand } from "./child.ts";
import { homeInside, isWithin } from "./sandbox/bubblewrap.ts";
import type { Execution, Sandbox, SandboxDriver } from "./sandbox/driver.ts";
import { isolationLimits } from "./sandbox/isolation-limits.ts";
import { writeInside } from "./sandbox/write-inside.ts";
import type { ServerProcess } from "./stdio.ts";

/** What a server that is a guest can reach of this machine: nothing but this. */
export interface Enclosure {
  readonly driver: SandboxDriver;
  /** Absolute paths it can read, beside those that its command names. */
  readonly readable: readonly string[];
  /** Paths that may not be among them, nor below or above one: what Lanyard itself keeps. */
  readonly kept: readonly string[];
  readonly doors: ReadonlyMap<number, (connection: Duplex) => void>;
  /** Variables and files that make programs inside use the doors. */
  readonly environment: Readonly<Record<string, string>>;
  readonly files: ReadonlyMap<string, string>;
  readonly wallMs: number;
  /** Told when the sandbox is gone. */
  ended(): void;
}

const workspace = "/workspace";

/**
 * Starts a server in a sandbox of its own: it has an empty folder to work in, reads what it was given and what its command names, and reaches no
 * network, no other process and no variable of this machine. Throws Fault `upstream_unavailable`, `isolation_unavailable`, `invalid_config`.
 */
export async function startEnclosed(server: ServerCommand, enclosure: Enclosure, limits: Limits): Promise<ServerProcess> {
  let sandbox: Sandbox | null = null;
  try {
    const { words, readable } = placesOf(server, enclosure);
    sandbox = await enclosure.driver.create({ workspace, readable, doors: enclosure.doors, limits: isolationLimits(limits, enclosure.wallMs) });
    await sandbox.start();
    for (const [path, text] of enclosure.files) await writeInside(sandbox, path, text);
    const own = { PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`, HOME: homeInside, TMPDIR: "/tmp" };
    const [command = "", ...args] = words;
    const execution = sandbox.exec({ command, args, environment: { ...own, ...server.environment, ...enclosure.environment }, folder: sandbox.workspace });
    return processOf(server.name, sandbox, execution, enclosure);
  } catch (error) {
    await sandbox?.destroy();
    enclosure.ended();
    throw error;
  }
}

/** The command as it is inside, and what it can read there. Throws Fault `invalid_config` for what is Lanyard's own. */
function placesOf(server: ServerCommand, enclosure: Enclosure): { readonly words: readonly string[]; readonly readable: readonly string[] } {
  const { name, command, args } = server;
  const { readable, kept } = enclosure;
  const words = [command.includes("/") ? pathOf(command, server) : { word: command, path: null }, ...args.map((word) => pathOf(word, server))];
  const shown = [...new Set([...words.flatMap(({ path }) => path ?? []), ...readable, ...ownRuntime(enclosure)])];
  for (const path of shown) {
    if (!existsSync(path)) throw new Fault("invalid_config", `server \`${name}\` is isolated and would read \`${path}\`, which does not exist`);
    const own = kept.filter((one) => existsSync(one)).find((one) => isWithin(realpathSync(path), realpathSync(one)) || isWithin(realpathSync(one), realpathSync(path)));
    if (own !== undefined) throw new Fault("invalid_config", `server \`${name}\` is isolated and would read \`${path}\`, where Lanyard keeps what is its own (\`${own}\`)`);
  }
  return { words: words.map(({ word }) => word), readable: shown };
}

/** A word of the command that is a path on this machine means the same one inside, where the working folder is another. */
function pathOf(word: string, { cwd = "." }: ServerCommand): { readonly word: string; readonly path: string | null } {
  const path = resolve(cwd, word);
  const isPath = word !== "" && !word.startsWith("-") && existsSync(path);
  return isPath ? { word: path, path } : { word, path: null };
}

/** Node, where it is not one of the system's; a virtual machine brings its own. */
const ownRuntime = ({ driver }: Enclosure): string[] => (driver.name === "microvm" || process.execPath.startsWith("/usr/") ? [] : [dirname(process.execPath)]);

function processOf(name: string, sandbox: Sandbox, execution: Execution, { ended }: Enclosure): ServerProcess {
  const over = execution.ended.then(
    ({ kind, value }) => (kind === "failed" ? new Fault("upstream_unavailable", `server \`${name}\` could not be started in its sandbox: ${value === constants.errno.ENOENT ? "there is no such command inside; see `readable`" : `error ${value}`}`) : new Error(`server \`${name}\` exited (${kind === "exited" ? `code ${value}` : `signal ${value}`})`)),
    (error: unknown) => new Error(`server \`${name}\` lost its sandbox: ${error instanceof Fault ? error.message : "an internal error"}`),
  );
  const closed = Promise.allSettled([finished(execution.stdout), finished(execution.stderr)]).then(() => {});
  const exited = over.then(async (why) => {
    await closed; // what it said last is still on its way
    await sandbox.destroy().catch(() => {});
    ended();
    return why;
  });
  return {
    ...{ stdin: execution.stdin, stdout: execution.stdout, stderr: execution.stderr, exited, closed },
    kill: (signal) => (signal === "SIGKILL" ? void sandbox.destroy().catch(() => {}) : execution.signal(constants.signals[signal])),
  };
}
