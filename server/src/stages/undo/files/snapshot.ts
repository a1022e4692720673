import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readlinkSync, readSync, type Stats } from "node:fs";
import { join } from "node:path";
import { Fault } from "@lanyard/contract";
import type { Anchor } from "../../../base/anchor.ts";
import { limits } from "../../../base/limits.ts";
import { indexEntries } from "./git-index.ts";

/** One thing in a folder, as far as it can be put back. Times, hard links and extended attributes are not part of it. */
export interface FileState {
  readonly kind: "file" | "folder" | "link";
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** base64url SHA-256 of a file's content, of a git index that of its entries; where a link leads; empty for a folder. */
  readonly hash: string;
}

/** Where to look. */
export interface Top {
  /** Relative to the root, `/` between names, without `.` and `..`; empty: the root itself. */
  readonly path: string;
  /** It must be a folder, and no link in it may lead elsewhere: else what happens there would not be seen, and nothing can be promised. */
  readonly must: boolean;
  /** Also what is below it, when it is a folder. */
  readonly deep: boolean;
  /** Relative to `path`: what is left out, with all below it. */
  readonly except: readonly string[];
}

export interface FolderImage {
  /** By path relative to the root. What a top names and is not there is null. */
  readonly states: ReadonlyMap<string, FileState | null>;
  /** Contents of the files, by path; empty when they were not asked for. */
  readonly contents: ReadonlyMap<string, Buffer>;
}

const irreversible = (why: string, cause?: unknown): Fault => new Fault("irreversible", why, { cause });
const isIndex = (path: string): boolean => path === ".git/index" || path.endsWith("/.git/index");
const digest = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("base64url");

/** What the hash of a file's content is in its state. */
export const contentHash = (path: string, bytes: Buffer): string => (isIndex(path) ? `entries:${indexEntries(bytes) ?? digest(bytes)}` : digest(bytes));

interface Walk {
  readonly anchor: Anchor;
  readonly keep: boolean;
  readonly states: Map<string, FileState | null>;
  readonly contents: Map<string, Buffer>;
  bytes: number;
}

/**
 * Looks at tops and all below them, following no link. Throws Fault `irreversible` for more than can be kept, for what is neither file, folder
 * nor link, and for what cannot be read.
 */
export async function snapshot(anchor: Anchor, tops: readonly Top[], keep: boolean): Promise<FolderImage> {
  const walk: Walk = { anchor, keep, states: new Map(), contents: new Map(), bytes: 0 };
  for (const { path, deep, must, except } of tops) {
    const known = new Set(walk.states.keys());
    await look(walk, path, deep ? new Set(except.map((name) => join(path, name))) : null);
    if (!must) continue;
    if (walk.states.get(path)?.kind !== "folder") throw irreversible(`\`${path}\` is no folder`);
    for (const [found, state] of walk.states) if (state?.kind === "link" && !known.has(found)) throw irreversible(`\`${found}\` leads elsewhere`);
  }
  return walk;
}

/** What a path is now, without what is below it; null when there is nothing. Throws as {@link snapshot} does. */
export async function stateAt(anchor: Anchor, path: string): Promise<FileState | null> {
  return (await snapshot(anchor, [{ path, deep: false, must: false, except: [] }], false)).states.get(path) ?? null;
}

/** `except`: null where nothing below is looked at. */
async function look(walk: Walk, path: string, except: ReadonlySet<string> | null): Promise<void> {
  if (except?.has(path) || walk.states.get(path)) return;
  const found = entryAt(walk.anchor, path);
  if (found === null) return void walk.states.set(path, null);
  if (walk.states.size >= limits.undo_files.value) throw irreversible(`there is more to look at than ${limits.undo_files.value} files and folders (undo_files)`);
  if (walk.states.size % 256 === 255) await new Promise((resume) => setImmediate(resume));
  const { place, stats } = found;
  const about = { mode: stats.mode & 0o7777, uid: stats.uid, gid: stats.gid };
  if (stats.isSymbolicLink()) return void walk.states.set(path, { kind: "link", ...about, mode: 0, hash: readlinkSync(place) });
  if (stats.isFile()) {
    const bytes = read(walk, path, place);
    walk.states.set(path, { kind: "file", ...about, hash: contentHash(path, bytes) });
    if (walk.keep) walk.contents.set(path, bytes);
    return;
  }
  if (!stats.isDirectory()) throw irreversible(`\`${path}\` is neither a file nor a folder nor a link`);
  walk.states.set(path, { kind: "folder", ...about, hash: "" });
  if (except) for (const name of readdirSync(`${place}/`).sort()) await look(walk, path === "" ? name : `${path}/${name}`, except);
}

/** What is there now, not followed; null when there is nothing, or no folder that it could be in. */
function entryAt(anchor: Anchor, path: string): { place: string; stats: Stats } | null {
  try {
    const place = path === "" ? `${anchor.reach("")}/` : anchor.reach(path); // the slash: the folder that is held open, not the link to it
    return { place, stats: lstatSync(place) };
  } catch (error) {
    const { code, cause } = error as { code?: string; cause?: { code?: string } };
    if (code === "ENOENT" || cause?.code === "ENOENT") return null;
    throw irreversible(`\`${path}\` is reached over what is no folder, or cannot be looked at`, error);
  }
}

function read(walk: Walk, path: string, place: string): Buffer {
  let fd: number;
  try {
    fd = openSync(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    throw irreversible(`\`${path}\` cannot be read`, cause);
  }
  try {
    const { size } = fstatSync(fd);
    walk.bytes += size;
    if (walk.bytes > limits.undo_file_bytes.value) throw irreversible(`the files hold more than ${limits.undo_file_bytes.value} bytes (undo_file_bytes)`);
    const bytes = Buffer.alloc(size);
    let at = 0;
    for (let got = 1; at < size && got > 0; at += got) got = readSync(fd, bytes, at, size - at, at);
    return at === size ? bytes : bytes.subarray(0, at);
  } finally {
    closeSync(fd);
  }
}
