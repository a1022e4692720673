import type { ChildProcess } from "node:child_process";
import { chmodSync, existsSync, lstatSync, readlinkSync, statSync } from "node:fs";
import type { Writable } from "node:stream";
import { Fault } from "@lanyard/contract";
import { systemProgram } from "../bubblewrap.ts";
import { modesKeptProgram } from "../seccomp.ts";

/** The user of a hypervisor that root starts: one that owns nothing. */
export const jailedId = 65_532;
const machineFolders = ["/bin", "/sbin", "/lib", "/lib64"];

/**
 * What comes before a hypervisor's own command. A guest that breaks out of an emulator is still nobody, in namespaces without a network, with
 * no file but /usr and what was opened for it before: it gets kernel, disks and memory as open files, never as paths. Who is not root has no
 * other user to be, and those files are his; so they must be {@link sharedForReading}, and `filter`, a descriptor of `modesKeptProgram`, keeps them so.
 */
export function jail({ devices, fileBytes, filter }: { readonly devices: readonly string[]; readonly fileBytes: number; readonly filter: number }): [command: string, ...args: string[]] {
  const bwrap = systemProgram("bwrap");
  const setpriv = systemProgram("setpriv");
  const prlimit = systemProgram("prlimit");
  if (!bwrap || !setpriv || !prlimit) throw new Fault("isolation_unavailable", "bubblewrap, setpriv and prlimit, which hold the hypervisor, are not installed; `npm run isolation` installs them");
  const cage = [
    ...["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv", "--seccomp", String(filter)],
    ...["--ro-bind", "/usr", "/usr", ...machineFolders.flatMap((path) => (existsSync(path) ? (lstatSync(path).isSymbolicLink() ? ["--symlink", readlinkSync(path), path] : ["--ro-bind", path, path]) : []))],
    ...["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache", "--ro-bind-try", "/etc/alternatives", "/etc/alternatives"],
    ...["--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev", ...devices.flatMap((path) => ["--dev-bind", path, path])],
    ...["--size", "1048576", "--tmpfs", "/tmp", "--remount-ro", "/", "--chdir", "/", "--"],
  ];
  const limits = [`--fsize=${fileBytes}`, "--core=0", "--"];
  if (process.geteuid?.() !== 0) return [prlimit, ...limits, bwrap, ...cage];
  const groups = devices.flatMap(groupsOf);
  return [prlimit, ...limits, setpriv, "--reuid", String(jailedId), "--regid", String(jailedId), ...(groups.length > 0 ? ["--groups", groups.join(",")] : ["--clear-groups"]), "--", bwrap, ...cage];
}

/** The group that the hypervisor's user must have to open a device; none where everybody may. Throws Fault `isolation_unavailable`: one that only root may open is no reason to give root's group away. */
function groupsOf(device: string): number[] {
  const { gid, mode } = statSync(device);
  if ((mode & 0o006) === 0o006) return [];
  if (gid === 0 || (mode & 0o060) !== 0o060) throw new Fault("isolation_unavailable", `${device} may be opened by root alone, and the hypervisor is not root; \`chgrp kvm ${device} && chmod 660 ${device}\` opens it to a group`);
  return [gid];
}

/** Hands bubblewrap its filter over the last of the descriptors. */
export function filtered({ stdio }: ChildProcess): void {
  const to = stdio.at(-1) as Writable;
  to.on("error", () => {}); // It has ended, which is told elsewhere.
  to.end(modesKeptProgram(process.arch));
}

/** A file that machines share, and that none of them may write to: one of root's is safe as it is, since the hypervisor's user is another. */
export function sharedForReading(path: string): void {
  const [{ uid, mode }, own] = [statSync(path), process.geteuid?.()];
  if (own !== 0 && uid === own && (mode & 0o222) !== 0) chmodSync(path, mode & 0o444);
}
