import { existsSync, lstatSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, sep } from "node:path";
import { Fault } from "@lanyard/contract";
import type { SandboxSpec } from "./driver.ts";

/** Descriptors that bubblewrap reads its data from. */
export const dataFds = { seccomp: 3, agent: 4, passwd: 5, group: 6, hosts: 7 } as const;
export const agentInside = "/.lanyard/agent";
export const homeInside = "/home/agent";

const machineFolders = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
const machineFiles = ["/etc/alternatives", "/etc/ld.so.cache", "/etc/ssl", "/etc/ca-certificates", "/etc/nsswitch.conf", "/etc/localtime", "/etc/mime.types"];
/** Folders of many people's things: each thing may be a workspace, all of them not. */
const shared = ["/tmp", "/home", "/opt", "/srv", "/mnt", "/media"];
const neverWorkspace = ["/usr", "/etc", "/proc", "/sys", "/dev", "/boot", "/run", "/var", ...machineFolders];
const sharedMemoryBytes = 64 * 1024 * 1024;

/** Whether a path is a folder or lies below it; both absolute, and real where links must not count. */
export const isWithin = (path: string, folder: string): boolean => path === folder || path.startsWith(folder === sep ? sep : folder + sep);

/**
 * The arguments of bwrap up to the agent's. What is not named is not there: no home, no /run, no other session. Throws Fault
 * `invalid_request` when a path is missing or the workspace would let the machine in.
 */
export function bubblewrapArguments({ workspace: wanted, hidden, fixed, readable, limits }: SandboxSpec): string[] {
  const workspace = real(wanted);
  if (isWithin(realpathSync(homedir()), workspace) || shared.includes(workspace) || neverWorkspace.some((path) => isWithin(path, workspace) || isWithin(workspace, path))) {
    throw new Fault("invalid_request", `\`${workspace}\` cannot be a workspace: it holds what belongs to the machine or to your other work; choose the folder of one project`);
  }
  const shown = readable.map(real);
  const concealed = hidden.map(real).filter((path) => [workspace, ...shown].some((folder) => isWithin(path, folder)));
  const pinned = fixed.map(real).filter((path) => isWithin(path, workspace));
  if (concealed.includes(workspace) || pinned.includes(workspace)) throw new Fault("invalid_request", `\`${workspace}\` cannot be a workspace: Lanyard's own files are right there; run from a folder below or beside it`);
  const half = String(Math.max(4096, Math.floor(limits.diskBytes / 2)));
  return [
    ...["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session", "--as-pid-1", "--cap-drop", "ALL", "--uid", "1000", "--gid", "1000"],
    ...["--hostname", "sandbox", "--seccomp", String(dataFds.seccomp), "--ro-bind", "/usr", "/usr"],
    ...machineFolders.flatMap((path) => (!existsSync(path) ? [] : lstatSync(path).isSymbolicLink() ? ["--symlink", readlinkSync(path), path] : ["--ro-bind", path, path])),
    ...machineFiles.flatMap((path) => ["--ro-bind-try", path, path]),
    ...["--ro-bind-data", String(dataFds.passwd), "/etc/passwd", "--ro-bind-data", String(dataFds.group), "/etc/group", "--ro-bind-data", String(dataFds.hosts), "/etc/hosts"],
    ...["--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev", "--size", String(sharedMemoryBytes), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"],
    ...["--perms", "1777", "--size", half, "--tmpfs", "/tmp", "--size", half, "--tmpfs", homeInside],
    ...["--perms", "0555", "--ro-bind-data", String(dataFds.agent), agentInside],
    ...shown.flatMap((path) => ["--ro-bind", path, path]),
    ...["--bind", workspace, workspace],
    ...protections(workspace, pinned, concealed),
    ...["--remount-ro", "/", "--chdir", workspace, "--clearenv"],
  ];
}

/**
 * Invariant: the folders between the workspace and a protected path are mounts too, for a mount cannot be renamed; else the agent would move
 * the folder away and put another in its place, which the machine would then take for the real one.
 */
function protections(workspace: string, pinned: readonly string[], concealed: readonly string[]): string[] {
  const between = new Set<string>();
  for (const path of [...pinned, ...concealed]) for (let at = dirname(path); isWithin(at, workspace) && at !== workspace; at = dirname(at)) between.add(at);
  return [
    ...[...between].sort((a, b) => a.length - b.length).flatMap((path) => ["--bind", path, path]),
    ...pinned.flatMap((path) => ["--ro-bind", path, path]),
    ...concealed.flatMap((path) => (statSync(path).isDirectory() ? ["--tmpfs", path, "--remount-ro", path] : ["--ro-bind", "/dev/null", path])),
  ];
}

/** Where a path really is. Throws Fault `invalid_request`: what is not there could be made by the agent. */
function real(path: string): string {
  try {
    return realpathSync(path);
  } catch (cause) {
    throw new Fault("invalid_request", `\`${path}\` is not there, so the sandbox cannot show or protect it; create it first`, { cause });
  }
}

/** Where a program of the system lies; null when it is not installed. The PATH has no say: it may be somebody else's. */
export const systemProgram = (name: string): string | null => ["/usr/bin", "/usr/local/bin", "/bin"].map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null;
