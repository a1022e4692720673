import { existsSync, lstatSync, readlinkSync, realpathSync } from "node:fs";
import { isAbsolute, join, normalize, sep } from "node:path";
import { Fault } from "@lanyard/contract";
import type { SandboxSpec } from "./driver.ts";

/** Descriptors that bubblewrap reads its data from. */
export const dataFds = { seccomp: 3, agent: 4, passwd: 5, group: 6, hosts: 7 } as const;
export const agentInside = "/.lanyard/agent";
export const homeInside = "/home/agent";

const machineFolders = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
const machineFiles = ["/etc/alternatives", "/etc/ld.so.cache", "/etc/ssl", "/etc/ca-certificates", "/etc/nsswitch.conf", "/etc/localtime", "/etc/mime.types"];
/** Where the sandbox has something of its own: a workspace may lie beside or, but for these, below. */
const taken = ["/tmp", homeInside];
const neverWorkspace = ["/usr", "/etc", "/proc", "/sys", "/dev", "/.lanyard", ...machineFolders];
export const sharedMemoryBytes = 64 * 1024 * 1024;

/** Whether a path is a folder or lies below it; both absolute, and real where links must not count. */
export const isWithin = (path: string, folder: string): boolean => path === folder || path.startsWith(folder === sep ? sep : folder + sep);

/**
 * What a session can read beside the system, as it really lies. Throws Fault `invalid_request` when a path is missing or the workspace would lie
 * where the system is.
 */
export function shownPaths({ workspace, readable }: SandboxSpec): string[] {
  if (!isAbsolute(workspace) || normalize(workspace) !== workspace || taken.some((path) => isWithin(path, workspace)) || neverWorkspace.some((path) => isWithin(path, workspace) || isWithin(workspace, path))) {
    throw new Fault("invalid_request", `\`${workspace}\` cannot be a workspace: the sandbox has things of its own there; choose the folder of one project`);
  }
  return readable.map(real);
}

/** Programs of the machine, below `root`, read-only. */
export const systemView = (root = ""): string[] => [
  ...["--ro-bind", "/usr", `${root}/usr`],
  ...machineFolders.flatMap((path) => (!existsSync(path) ? [] : lstatSync(path).isSymbolicLink() ? ["--symlink", readlinkSync(path), root + path] : ["--ro-bind", path, root + path])),
];

/** What programs look up in /etc, below `root`, and the agent. The descriptors are those of `dataFds`. */
export const ownFiles = (root = ""): string[] => [
  ...machineFiles.flatMap((path) => ["--ro-bind-try", path, root + path]),
  ...(["passwd", "group", "hosts"] as const).flatMap((name) => ["--ro-bind-data", String(dataFds[name]), `${root}/etc/${name}`]),
  ...["--perms", "0555", "--ro-bind-data", String(dataFds.agent), root + agentInside],
];

/** Contents for these of `dataFds`. */
export const dataFiles = { passwd: `agent:x:1000:1000::${homeInside}:/bin/sh\n`, group: "agent:x:1000:\n", hosts: "127.0.0.1 localhost\n::1 localhost\n" };

/**
 * The arguments of bwrap up to the agent's; `source` says where what is shown lies. What is not named is not there: no home, no /run, no other session. Throws Fault
 * `invalid_request`.
 */
export function bubblewrapArguments(spec: SandboxSpec, source: (path: string) => string): string[] {
  const { workspace, limits } = spec;
  const shown = shownPaths(spec);
  const inWorkspace = shown.filter((path) => isWithin(path, workspace));
  const half = String(Math.max(4096, Math.floor(limits.diskBytes / 2)));
  return [
    ...["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session", "--as-pid-1", "--cap-drop", "ALL", "--uid", "1000", "--gid", "1000"],
    ...["--hostname", "sandbox", "--seccomp", String(dataFds.seccomp)],
    ...systemView(),
    ...ownFiles(),
    ...["--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev", "--size", String(sharedMemoryBytes), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"],
    ...["--perms", "1777", "--size", half, "--tmpfs", "/tmp", "--size", half, "--tmpfs", homeInside],
    ...shown.filter((path) => !inWorkspace.includes(path)).flatMap((path) => ["--ro-bind", source(path), path]),
    ...["--size", String(Math.max(4096, limits.diskBytes)), "--tmpfs", workspace],
    ...inWorkspace.flatMap((path) => ["--ro-bind", source(path), path]),
    ...["--remount-ro", "/", "--chdir", workspace, "--clearenv"],
  ];
}

/** Where a path really is. Throws Fault `invalid_request`. */
function real(path: string): string {
  try {
    return realpathSync(path);
  } catch (cause) {
    throw new Fault("invalid_request", `\`${path}\` is not there, so the sandbox cannot show it; create it first`, { cause });
  }
}

/** Where a program of the system lies; null when it is not installed. The PATH has no say: it may be somebody else's. */
export const systemProgram = (name: string): string | null => ["/usr/bin", "/usr/local/bin", "/bin"].map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null;
