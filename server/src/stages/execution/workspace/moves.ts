import { createHash } from "node:crypto";
import { closeSync, constants, fchmodSync, fchownSync, fstatSync, linkSync, lstatSync, mkdirSync, openSync, readlinkSync, readSync, renameSync, rmdirSync, statSync, unlinkSync, type Stats } from "node:fs";
import { Fault } from "@lanyard/contract";
import type { Anchor } from "../../../base/anchor.ts";
import { byPath, foldersOf, sameEntry, type TreeChange, type TreeEntry } from "./tree.ts";

/** One step of carrying out changes. `at`: number of what lies in the stage for it. */
export type Move =
  | { readonly does: "takeAway" | "place" | "replace"; readonly path: string; readonly at: number; readonly before: TreeEntry | null; readonly after: TreeEntry | null }
  | { readonly does: "removeFolder" | "makeFolder"; readonly path: string; readonly mode: number }
  | { readonly does: "setMode"; readonly path: string; readonly from: number; readonly to: number };

/** The steps in their order: what goes, deepest first; then what comes, folders first. Each can be taken back by itself. */
export function movesOf(changes: readonly TreeChange[]): Move[] {
  const sorted = [...changes].sort(byPath);
  const gone = sorted.toReversed().flatMap(({ path, before, after }, at): Move[] => {
    if (!before || (after && (before.kind === "folder") === (after.kind === "folder"))) return [];
    return before.kind === "folder" ? [{ does: "removeFolder", path, mode: before.mode }] : [{ does: "takeAway", path, at: sorted.length - 1 - at, before, after: null }];
  });
  const come = sorted.flatMap(({ path, before, after }, at): Move[] => {
    if (!after) return [];
    if (before?.kind === "folder" && after.kind === "folder") return [{ does: "setMode", path, from: before.mode, to: after.mode }];
    if (after.kind === "folder") return [{ does: "makeFolder", path, mode: after.mode }];
    if (!before || before.kind === "folder") return [{ does: "place", path, at, before: null, after }];
    if (before.kind === "file" && after.kind === "file" && before.hash === after.hash) return [{ does: "setMode", path, from: before.mode, to: after.mode }];
    return [{ does: "replace", path, at, before, after }];
  });
  return [...gone, ...come];
}

/** Places in the stage: what comes, and what went. */
export const comes = (stage: string, at: number): string => `${stage}/new-${at}`;
export const went = (stage: string, at: number): string => `${stage}/old-${at}`;

/**
 * Takes a step. Throws Fault `conflict` when what is there is not what the change was made from: then this step did nothing, or can be taken
 * back with `undo`.
 */
export function take(root: Anchor, stage: string, move: Move): void {
  const place = root.reach(move.path);
  switch (move.does) {
    case "takeAway":
      expectEntry(root, move.path, move.before);
      renameSync(place, root.reach(went(stage, move.at)));
      return expectEntry(root, went(stage, move.at), move.before, move.path);
    case "place":
      return void moveOnto(root.reach(comes(stage, move.at)), place, move.path);
    case "replace":
      expectEntry(root, move.path, move.before);
      linkSync(place, root.reach(went(stage, move.at)));
      expectEntry(root, went(stage, move.at), move.before, move.path);
      return renameSync(root.reach(comes(stage, move.at)), place);
    case "removeFolder":
      return emptied(place, move.path);
    case "makeFolder":
      return made(root, move.path, move.mode);
    case "setMode":
      return setMode(place, move.path, move.to);
  }
}

/** Takes a step back, as far as it was taken; needs no room on the disk. What others put there meanwhile stays. */
export function undo(root: Anchor, stage: string, move: Move): void {
  const place = root.reach(move.path);
  switch (move.does) {
    case "takeAway":
    case "replace": {
      const old = root.reach(went(stage, move.at));
      if (!found(old)) return;
      const there = entryAt(root, move.path);
      if (there && !sameEntry(there, move.after) && !sameEntry(there, move.before)) return; // Somebody's newer work; the old stays in the undo.
      return renameSync(old, place);
    }
    case "place":
      return takeOff(root, comes(stage, move.at), move.path, move.after);
    case "removeFolder":
      if (!found(place)) made(root, move.path, move.mode);
      return;
    case "makeFolder":
      if (found(place)?.isDirectory()) quietly(() => rmdirSync(place));
      return;
    case "setMode":
      if (found(place) && modeOf(found(place) as Stats) === move.to) setMode(place, move.path, move.from);
  }
}

/** Ours is what left the stage, or lies in both places: a crash came between link and unlink. */
function takeOff(root: Anchor, staged: string, path: string, after: TreeEntry | null): void {
  const [from, there] = [found(root.reach(staged)), found(root.reach(path))];
  if (there && (from ? from.ino === there.ino : sameEntry(entryAt(root, path), after))) unlinkSync(root.reach(path));
}

/** What lies at a path now; null when nothing does. A file is read whole. */
export function entryAt(root: Anchor, path: string): TreeEntry | null {
  const place = root.reach(path);
  const stats = found(place);
  if (!stats) return null;
  if (stats.isDirectory()) return { kind: "folder", mode: modeOf(stats), size: 0, hash: "" };
  if (stats.isSymbolicLink()) return { kind: "link", mode: 0o777, size: 0, hash: readlinkSync(place) };
  if (!stats.isFile()) throw moved(path);
  const fd = openSync(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const digest = createHash("sha256");
    const piece = Buffer.allocUnsafe(256 * 1024);
    for (let read = readSync(fd, piece); read > 0; read = readSync(fd, piece)) digest.update(piece.subarray(0, read));
    const { size, mode } = fstatSync(fd);
    return { kind: "file", mode: (mode & 0o777) | 0o600, size, hash: digest.digest("base64url") };
  } finally {
    closeSync(fd);
  }
}

/**
 * Whose what comes to a path will be when root applies: it goes to who has what is there now, or else the nearest folder. Null for anybody else,
 * whose it is then.
 */
export function ownerOf(root: Anchor, path: string): Stats | null {
  if (process.getuid?.() !== 0) return null;
  for (const at of [path, ...foldersOf(path)]) {
    try {
      const stats = found(root.reach(at));
      if (stats) return stats;
    } catch (error) {
      if (!(error instanceof Fault)) throw error; // A folder on the way is yet to come.
    }
  }
  return statSync(root.reach("."));
}

/** Throws Fault `conflict` unless just this is there. */
export function expectEntry(root: Anchor, path: string, wanted: TreeEntry | null, named = path): void {
  if (!sameEntry(entryAt(root, path), wanted)) throw moved(named);
}

const moved = (path: string): Fault => new Fault("conflict", `\`${path}\` is not what the session began with, so its change does not fit any more; nothing was applied`);

const modeOf = (stats: Stats): number => (stats.mode & 0o777) | (stats.isDirectory() ? 0o700 : 0o600);

const found = (place: string): Stats | null => lstatSync(place, { throwIfNoEntry: false }) ?? null;

/** Never onto something: a link fails where a rename would replace. */
function moveOnto(from: string, place: string, path: string): void {
  try {
    linkSync(from, place);
  } catch (cause) {
    throw (cause as NodeJS.ErrnoException).code === "EEXIST" ? moved(path) : cause;
  }
  unlinkSync(from);
}

function emptied(place: string, path: string): void {
  try {
    rmdirSync(place);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw code === "ENOTEMPTY" || code === "EEXIST" || code === "ENOENT" || code === "ENOTDIR" ? moved(path) : cause;
  }
}

function made(root: Anchor, path: string, mode: number): void {
  const place = root.reach(path);
  const owner = ownerOf(root, path);
  try {
    mkdirSync(place, { mode: 0o700 });
  } catch (cause) {
    throw (cause as NodeJS.ErrnoException).code === "EEXIST" ? moved(path) : cause;
  }
  setMode(place, path, mode, owner);
}

function setMode(place: string, path: string, mode: number, owner: Stats | null = null): void {
  try {
    const fd = openSync(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      if (owner) fchownSync(fd, owner.uid, owner.gid);
      fchmodSync(fd, mode);
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    throw (cause as NodeJS.ErrnoException).code === "ELOOP" ? moved(path) : cause;
  }
}

function quietly(work: () => void): void {
  try {
    work();
  } catch {
    // Somebody has put something in.
  }
}
