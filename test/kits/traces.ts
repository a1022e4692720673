import { spawnSync } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { processState, treeOf } from "../../server/src/stages/execution/sandbox/usage.ts";

/** The kinds of things that a session can leave on a machine. */
export const traceKinds = ["process", "namespace", "mount", "cgroup", "socket", "file"] as const;
export interface Trace {
  readonly kind: (typeof traceKinds)[number];
  readonly what: string;
}

const namesIn = (folder: string): string[] => attempt(() => readdirSync(folder), []);
const linkOf = (path: string): string => attempt(() => readlinkSync(path), "");
const textOf = (path: string): string => attempt(() => readFileSync(path, "latin1"), "");
function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise; // It has ended, or is gone.
  }
}

/** A process that has let go of its namespaces: nothing of it runs any more, and for a moment the kernel still names it. Only root can tell for all. */
const isEnding = (pid: number): boolean => process.geteuid?.() === 0 && linkOf(`/proc/${pid}/ns/mnt`) === "";
const namespacesOf = (pid: number | "self"): string[] => namesIn(`/proc/${pid}/ns`).map((name) => linkOf(`/proc/${pid}/ns/${name}`)).filter(Boolean);
const socketsOf = (pid: number | "self"): string[] => namesIn(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`)).filter((path) => path.startsWith("socket:"));
/** Of the whole machine; one that has ended and waits for its parent to notice is none. */
const processesOfAll = (): number[] => namesIn("/proc").map(Number).filter((pid) => Number.isInteger(pid) && processState(pid) !== null);

/**
 * What a session is on this machine while it runs: its processes by number and beginning, their namespaces and mounts, its control groups, the sockets at either end of
 * its channels, its files. Made while it runs, it tells what of that is there still: everything at first, and nothing once the session is destroyed. It holds the
 * namespaces itself until it is disposed of, so that no other gets the name of one meanwhile.
 */
export class SessionTraces implements Disposable {
  readonly #processes: ReturnType<typeof treeOf>;
  readonly #namespaces = new Map<string, number>();
  readonly #sockets: ReadonlySet<string>;
  readonly #ids: readonly string[];
  readonly #folder: string;

  /** `before`: what this process and those below it had before the session. `folder`: where sessions have theirs. */
  constructor(folder: string, before: ReturnType<typeof ownTraces>) {
    const known = new Set(before.processes);
    this.#processes = treeOf(process.pid).filter(({ pid }) => !known.has(pid));
    this.#sockets = new Set([...this.#processes.flatMap(({ pid }) => socketsOf(pid)), ...socketsOf("self").filter((one) => !before.sockets.includes(one))]);
    const own = new Set(namespacesOf("self"));
    for (const { pid } of this.#processes) {
      for (const kind of namesIn(`/proc/${pid}/ns`)) {
        const name = linkOf(`/proc/${pid}/ns/${kind}`);
        if (name === "" || own.has(name) || this.#namespaces.has(name)) continue;
        const fd = attempt(() => openSync(`/proc/${pid}/ns/${kind}`, "r"), null);
        if (fd !== null) this.#namespaces.set(name, fd);
      }
    }
    this.#folder = folder;
    this.#ids = namesIn(folder).map((name) => name.split(".")[0] ?? name);
  }

  left(): Trace[] {
    const all = processesOfAll();
    const named = (text: string): boolean => text.includes(basename(this.#folder)) || this.#ids.some((id) => text.includes(id));
    const within = all.flatMap((pid) => (isEnding(pid) ? [] : namespacesOf(pid))).filter((name) => this.#namespaces.has(name));
    const found: Record<Trace["kind"], string[]> = {
      process: this.#processes.filter(({ pid, begun }) => processState(pid)?.begun === begun && !isEnding(pid)).map(({ pid }) => String(pid)),
      namespace: [...new Set(within)].filter((name) => !name.startsWith("mnt:")),
      // Those of whoever is in one of its trees, and whatever of it has got into the machine's own.
      mount: [...within.filter((name) => name.startsWith("mnt:")), ...textOf("/proc/self/mountinfo").split("\n").filter(named)],
      cgroup: spawnSync("find", ["/sys/fs/cgroup", "-type", "d", "-name", "lanyard-*"], { encoding: "utf8" }).stdout.split("\n").filter((path) => path !== "" && named(path)),
      socket: [...new Set(all.flatMap((pid) => socketsOf(pid)))].filter((one) => this.#sockets.has(one)).concat(textOf("/proc/net/unix").split("\n").filter(named)),
      file: [this.#folder, "/tmp", "/var/tmp", "/dev/shm", "/run"].flatMap((folder) => namesIn(folder).filter((name) => this.#ids.some((id) => name.includes(id))).map((name) => join(folder, name))),
    };
    return traceKinds.flatMap((kind) => found[kind].map((what) => ({ kind, what })));
  }

  [Symbol.dispose](): void {
    for (const fd of this.#namespaces.values()) closeSync(fd);
    this.#namespaces.clear();
  }
}

/** What this process has beside of sessions. */
export const ownTraces = (): { processes: number[]; sockets: string[] } => ({ processes: treeOf(process.pid).map(({ pid }) => pid), sockets: socketsOf("self") });
