import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { basename, dirname, join, normalize } from "node:path";

/** What the kernel holds a session to, whatever runs inside. Both are the last resort: what a session may use is watched, and less. */
export interface GroupCaps {
  readonly memoryBytes: number;
  /** Threads included. */
  readonly processes: number;
}

const mount = "/sys/fs/cgroup";
const prefix = "lanyard-";

/** The folders that the control groups of a session would have; nothing is made yet. `name` says who holds them, as that of the session's folder does. */
export const groupFolders = (name: string): string[] => places().map((place) => join(place, prefix + name));

/** The groups of sessions that there are where this process may make some, by the names they were given. */
export const groupsThere = (): { readonly name: string; readonly folder: string }[] =>
  places().flatMap((place) => (existsSync(place) ? readdirSync(place) : []).filter((entry) => entry.startsWith(prefix)).map((entry) => ({ name: entry.slice(prefix.length), folder: join(place, entry) })));

/**
 * Control groups of one session: version 2 where it is delegated to us, version 1 for root; of the folders some may be missing then. They lie
 * below the group of this process, or the nearest above that we may divide, so that limits of the machine's owner go on holding.
 */
export class ControlGroups {
  readonly #folders: readonly string[];

  /** Invariant: others than a session's are never touched, whatever is named. */
  constructor(folders: readonly string[]) {
    this.#folders = folders.filter((folder) => folder.startsWith(`${mount}/`) && normalize(folder) === folder && basename(folder).startsWith(prefix));
  }

  /** Makes them with their limits, as far as the machine lets us. */
  create({ memoryBytes, processes }: GroupCaps): void {
    for (const folder of this.#folders) {
      try {
        mkdirSync(folder);
        set(folder, ["memory.max", "memory.limit_in_bytes"], memoryBytes);
        set(folder, ["memory.swap.max"], 0);
        set(folder, ["memory.memsw.limit_in_bytes"], memoryBytes);
        set(folder, ["pids.max"], processes);
      } catch {
        drop(folder); // One without its limit holds nobody; the watch does it then.
      }
    }
  }

  /** The words that start a command within these groups: it, and so all it starts, can never be outside. */
  around(command: readonly string[]): string[] {
    const made = this.#made();
    if (made.length === 0) return [...command];
    return ["/bin/sh", "-c", 'until [ "$1" = -- ]; do echo 0 > "$1/cgroup.procs" || exit 126; shift; done; shift; exec "$@"', "sh", ...made, "--", ...command];
  }

  /** Takes in processes that run already. The kernel takes milliseconds for the first, so nobody stands still for that. */
  async adopt(pids: readonly number[]): Promise<void> {
    for (const folder of this.#made()) for (const pid of pids) await writeFile(join(folder, "cgroup.procs"), String(pid));
  }

  /** Which caps the kernel had to enforce so far. */
  hits(): { readonly memory: boolean; readonly processes: boolean } {
    const made = this.#made();
    return {
      memory: made.some((folder) => count(folder, ["memory.events", "memory.oom_control"], /^oom_kill (\d+)$/m) > 0),
      processes: made.some((folder) => count(folder, ["pids.events"], /^max (\d+)$/m) > 0),
    };
  }

  /** Who is in them: all of the session's processes, or nobody when no groups could be had. */
  members(): number[] {
    return [...new Set(this.#made().flatMap((folder) => (read(join(folder, "cgroup.procs")) ?? "").split("\n").filter(Boolean).map(Number)))];
  }

  /** Kills who is in them and removes them; true once they are gone. A group can be removed when the last of them was, which the kernel takes a moment for. */
  remove(): boolean {
    for (const pid of this.members()) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended meanwhile.
      }
    }
    for (const folder of this.#made()) drop(folder);
    return this.#made().length === 0;
  }

  #made(): string[] {
    return this.#folders.filter((folder) => existsSync(folder));
  }
}

function drop(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Not there, or somebody is still ending in it.
  }
}

/** Where this process may make groups that can limit something. */
function places(): string[] {
  const own = (read("/proc/self/cgroup") ?? "").split("\n").flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    return controllers === undefined || path === undefined ? [] : [{ controllers, path }];
  });
  const unified = own.find(({ controllers }) => controllers === "");
  if (unified && existsSync(join(mount, "cgroup.controllers"))) {
    for (let at = join(mount, unified.path); at.startsWith(mount); at = dirname(at)) {
      const given = (read(join(at, "cgroup.subtree_control")) ?? "").split(/\s+/);
      if (given.includes("memory") && given.includes("pids")) return isWritable(join(at, "cgroup.procs")) ? [at] : [];
    }
    return [];
  }
  return own.filter(({ controllers }) => controllers === "memory" || controllers === "pids").map(({ controllers, path }) => join(mount, controllers, path));
}

/** Sets the first of these that is there: versions have other names for the same. */
function set(folder: string, names: readonly string[], value: number): void {
  const path = names.map((name) => join(folder, name)).find((one) => existsSync(one));
  if (path) writeFileSync(path, String(value));
}

function count(folder: string, names: readonly string[], line: RegExp): number {
  return Math.max(0, ...names.map((name) => Number(line.exec(read(join(folder, name)) ?? "")?.[1] ?? 0)));
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function read(path: string): string | null {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return null;
  }
}
