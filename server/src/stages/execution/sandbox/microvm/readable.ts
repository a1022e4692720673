import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, lstatSync, mkdirSync, readdirSync, realpathSync, renameSync, rmSync, statSync, truncateSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "@lanyard/contract";
import type { Clock } from "../../../../base/clock.ts";
import { systemProgram } from "../bubblewrap.ts";
import { readableBytes } from "./hypervisor.ts";
import { sharedForReading } from "./jail.ts";

/** What a machine can be shown at most, and how many such disks are kept. */
const [maxEntries, maxBytes, keptDisks] = [200_000, 4 * 1024 ** 3, 8];

/**
 * Paths of the host as a read-only disk, packed once for each state of the files. It is made by us and only read in the guest; nothing that a
 * guest wrote is ever read as a file system here. Throws Fault `invalid_request`, `isolation_unavailable`.
 */
export async function readableDisk(paths: readonly string[], folder: string, clock: Clock): Promise<string> {
  const shown = paths.map((path) => ({ path, from: real(path) }));
  const disk = join(folder, `readable-${keyOf(shown)}`);
  if (!existsSync(disk)) await pack(shown, disk, `${disk}.${clock.id("new")}`);
  sharedForReading(disk);
  const now = clock.nowMs() / 1000;
  utimesSync(disk, now, now);
  prune(folder);
  return disk;
}

interface Shown {
  readonly path: string;
  readonly from: string;
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch (cause) {
    throw new Fault("invalid_request", `\`${path}\` is not there, so the sandbox cannot show it`, { cause });
  }
}

function keyOf(shown: readonly Shown[]): string {
  const hash = createHash("sha256");
  let [entries, bytes] = [0, 0];
  const look = (path: string): void => {
    const { mode, size, mtimeNs, ctimeNs, ino, dev } = lstatSync(path, { bigint: true });
    hash.update(`${path}\0${[mode, size, mtimeNs, ctimeNs, ino, dev].join(" ")}\n`);
    const isFolder = (Number(mode) & 0o170_000) === 0o040_000;
    bytes += isFolder ? 0 : Number(size);
    if (++entries > maxEntries || bytes > maxBytes) throw new Fault("limit_exceeded", `what the sandbox shall show is over the limit of ${maxEntries} files or ${maxBytes} bytes; show less of it`);
    if (isFolder) for (const name of readdirSync(path).sort()) look(join(path, name));
  };
  for (const { path, from } of shown) {
    hash.update(`${path}\0`);
    look(from);
  }
  return hash.digest("hex").slice(0, 24);
}

/** Not compressed: an emulated processor would unpack it slowly. The paths are bound together under one folder of a cage, so that nothing is copied; the packer sees nothing else, and no network. */
async function pack(shown: readonly Shown[], disk: string, fresh: string): Promise<void> {
  const [bwrap, packer] = [systemProgram("bwrap"), systemProgram("mkfs.erofs")];
  if (!bwrap || !packer) throw new Fault("isolation_unavailable", "mkfs.erofs, which packs what a virtual machine can read, is not installed; `npm run isolation` installs it, or `apt install erofs-utils`");
  mkdirSync(fresh, { recursive: true, mode: 0o700 });
  try {
    const cage = ["--unshare-all", "--die-with-parent", "--clearenv", "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev"];
    const bound = ["--dir", "/shown", ...shown.flatMap(({ path, from }) => ["--ro-bind", from, `/shown${path}`]), "--bind", fresh, "/made"];
    const args = [...cage, ...bound, "--", packer, "--quiet", "--force-uid=1000", "--force-gid=1000", "/made/disk", "/shown"];
    const said = await new Promise<string>((resolve) => {
      const child = spawn(bwrap, args, { stdio: ["ignore", "ignore", "pipe"], env: {}, cwd: "/" });
      let text = "";
      child.stderr.on("data", (chunk: Buffer) => (text = `${text}${chunk.toString()}`.slice(-500)));
      child.once("error", (error) => resolve(error.message)).once("close", (code) => resolve(code === 0 ? "" : `it failed with ${code}: ${text.trim()}`));
    });
    if (said) throw new Fault("isolation_unavailable", `what the sandbox shall show could not be packed: ${said}`);
    truncateSync(join(fresh, "disk"), readableBytes);
    renameSync(join(fresh, "disk"), disk);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** The ones used least lately go; a machine that has one keeps it open. */
function prune(folder: string): void {
  const disks = readdirSync(folder).filter((name) => /^readable-[0-9a-f]+$/.test(name)).map((name) => join(folder, name));
  const used = new Map(disks.map((path) => [path, statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0]));
  for (const path of disks.sort((a, b) => (used.get(b) ?? 0) - (used.get(a) ?? 0)).slice(keptDisks)) rmSync(path, { force: true });
}
