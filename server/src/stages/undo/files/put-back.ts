import { closeSync, constants, fchmodSync, fchownSync, fsyncSync, lchownSync, mkdirSync, openSync, readdirSync, renameSync, rmdirSync, rmSync, symlinkSync, unlinkSync, writeSync } from "node:fs";
import { Fault } from "@lanyard/contract";
import type { Anchor } from "../../../base/anchor.ts";
import { systemClock } from "../../../base/clock.ts";
import { contentHash, stateAt, type FileState } from "./snapshot.ts";

/** What one path is to become again. */
export interface PutBack {
  readonly path: string;
  /** As the action found it; null: there was nothing. */
  readonly before: FileState | null;
  /** As the action left it: the path is touched only while it is still this. */
  readonly after: FileState | null;
  /** Of a file that comes back; null when it is to come from a path that goes. */
  readonly content: Buffer | null;
}

export const sameState = (one: FileState | null, other: FileState | null): boolean =>
  one === other || (one !== null && other !== null && one.kind === other.kind && one.mode === other.mode && one.hash === other.hash && one.uid === other.uid && one.gid === other.gid);

const depth = ({ path }: PutBack): number => path.split("/").length;
const changed = (path: string, cause?: unknown): Fault => new Fault("conflict", `\`${path}\` was changed meanwhile, or holds what is not the action's; it was left as it is`, { cause });

/**
 * Puts paths back as they were, each only while it is still as the action left it: folders that went come first, then files move to where they
 * came from, then what came goes, the deepest first, then the rest comes. Throws Fault `conflict` before anything is touched when somebody else
 * has changed a path or put something into a folder that is to go; when that happens on the way, what was put back until then stays so, and reading
 * again tells.
 */
export async function putBack(anchor: Anchor, list: readonly PutBack[]): Promise<void> {
  const outside = list.toSorted((one, other) => depth(one) - depth(other));
  for (const one of outside) await expectBefore(anchor, one, outside);
  const folders = outside.filter(({ before, after }) => before?.kind === "folder" && after?.kind !== "folder");
  for (const one of folders) if (one.after) await goes(anchor, one);
  for (const one of folders) await comes(anchor, one);
  const moved = new Set(folders);
  for (const one of outside) {
    const from = list.find((other) => isMove(other, one) && !moved.has(other));
    if (!from) continue;
    await expectNow(anchor, one.path, null);
    await expectNow(anchor, from.path, from.after);
    renameSync(anchor.reach(from.path), anchor.reach(one.path));
    moved.add(from).add(one);
  }
  const rest = outside.filter((one) => !moved.has(one));
  for (const one of rest.toReversed()) if (one.after && one.before?.kind !== one.after.kind) await goes(anchor, one);
  anchor.forget();
  for (const one of rest) if (one.before) await comes(anchor, one);
}

/** Before anything is touched: all is as the action left it, and a folder that is to go holds nothing else. */
async function expectBefore(anchor: Anchor, { path, before, after }: PutBack, list: readonly PutBack[]): Promise<void> {
  // Below what is no folder now there is nothing.
  if (!list.some((one) => one.after && one.after.kind !== "folder" && path.startsWith(`${one.path}/`))) await expectNow(anchor, path, after);
  if (after?.kind !== "folder" || before?.kind === "folder") return;
  const known = new Set(list.map((one) => one.path));
  for (const name of readdirSync(anchor.reach(path))) if (!known.has(`${path}/${name}`)) throw changed(`${path}/${name}`);
}

const isMove = (from: PutBack, to: PutBack): boolean =>
  to.after === null && to.before?.kind === "file" && from.before === null && sameState(from.after, to.before);

/** Throws Fault `conflict` unless the path is so now. */
async function expectNow(anchor: Anchor, path: string, state: FileState | null): Promise<void> {
  if (!sameState(await stateAt(anchor, path), state)) throw changed(path);
}

async function goes(anchor: Anchor, { path, after }: PutBack): Promise<void> {
  await expectNow(anchor, path, after);
  try {
    if (after?.kind === "folder") rmdirSync(anchor.reach(path));
    else unlinkSync(anchor.reach(path));
  } catch (cause) {
    throw changed(path, cause);
  }
}

/** What stays of its kind is still as the action left it; in the place of anything else there is nothing by now. */
async function comes(anchor: Anchor, { path, before, after, content }: PutBack): Promise<void> {
  if (!before) return;
  const stays = after?.kind === before.kind;
  await expectNow(anchor, path, stays ? after : null);
  const place = anchor.reach(path);
  if (before.kind === "folder") {
    if (!stays) mkdirSync(place, { mode: 0o700 });
    dress(openSync(place, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW), before);
    return;
  }
  // A name that nobody can have taken, a run that was interrupted here neither.
  const stage = anchor.reach(`${path.slice(0, path.lastIndexOf("/") + 1)}.lanyard-undo-${systemClock.random(12).toString("hex")}`);
  try {
    stageAt(stage, path, before, content);
    renameSync(stage, place);
  } catch (error) {
    rmSync(stage, { force: true });
    throw error;
  }
  anchor.sync(path);
}

/** Makes what is to come under a name of its own. */
function stageAt(stage: string, path: string, state: FileState, content: Buffer | null): void {
  if (state.kind === "link") {
    symlinkSync(state.hash, stage);
    return given(() => lchownSync(stage, state.uid, state.gid));
  }
  if (!content || contentHash(path, content) !== state.hash) throw new Fault("conflict", `the content of \`${path}\` was not kept`);
  const fd = openSync(stage, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  for (let at = 0; at < content.length; ) at += writeSync(fd, content, at);
  dress(fd, state);
}

/** Owner and permissions of what is open, which is closed then. */
function dress(fd: number, { uid, gid, mode }: FileState): void {
  try {
    given(() => fchownSync(fd, uid, gid));
    fchmodSync(fd, mode);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Only root may give files away; whoever is not root was the owner already, and the next reading tells. */
function given(give: () => void): void {
  try {
    give();
  } catch (error) {
    if ((error as { code?: string }).code !== "EPERM") throw error;
  }
}
