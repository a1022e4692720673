import { createHash } from "node:crypto";
import { closeSync, constants, existsSync, fchmodSync, fchownSync, fsyncSync, lchownSync, mkdirSync, openSync, readFileSync, readSync, renameSync, rmSync, symlinkSync, unlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { Fault, parseJson } from "@lanyard/contract";
import { processState } from "../sandbox/usage.ts";
import { Anchor } from "../../../base/anchor.ts";
import { comes, expectEntry, movesOf, ownerOf, take, undo, type Move } from "./moves.ts";
import { writeWhole, type ObjectShelf } from "./shelf.ts";
import { foldersOf, parentOf, type TreeChange } from "./tree.ts";

export interface Application {
  /** Absolute and real: the folder that changes. */
  readonly root: string;
  readonly changes: readonly TreeChange[];
  /** Contents of files that come. */
  readonly contents: ObjectShelf;
  /** Takes the contents of files that go, before anything is changed. */
  readonly kept: ObjectShelf;
  /** Where the journal lies while it lasts. */
  readonly journal: string;
  /** What has to be so beside the changed paths. Throws Fault `conflict`. */
  check?(): void;
  /** Told of every step that is done; tests end the process there. */
  step?(name: string): void;
}

interface Journal {
  /** The process at work, by its number and when it began. */
  readonly holder: { readonly pid: number; readonly begun: string };
  readonly root: string;
  readonly stage: string;
  /** `staging`: nothing was changed yet. `moving`: take everything back. `done`: only the stage is left over. */
  readonly state: "staging" | "moving" | "done";
  readonly moves: readonly Move[];
}

const pieceBytes = 256 * 1024;

/**
 * Carries out all changes or none. What comes is written and synced beside the target, on its file system, before the first name changes; from
 * then on only names move, which needs no room. A crash on the way is taken back by {@link recover}. Throws Fault `conflict`, or what the
 * disk says; nothing is changed then.
 */
export function apply({ root, changes, contents, kept, journal, check, step = () => {} }: Application): void {
  if (existsSync(journal)) throw new Fault("conflict", `an earlier change of \`${root}\` was not finished; run the command again`);
  using anchor = new Anchor(root);
  const moves = movesOf(changes);
  const stage = `.lanyard-apply-${process.pid}`;
  if (existsSync(anchor.reach(stage))) throw new Fault("conflict", `\`${join(root, stage)}\` is left from elsewhere; remove it first`);
  const made = new Set(changes.flatMap(({ path, before, after }) => (after?.kind === "folder" && before?.kind !== "folder" ? [path] : [])));
  for (const { path, before } of changes) if (before || !foldersOf(path).some((folder) => made.has(folder))) expectEntry(anchor, path, before);
  check?.();
  const note = (state: Journal["state"]): void => {
    writeJournal(journal, { holder: { pid: process.pid, begun: begunAt(process.pid) }, root, stage, state, moves });
    step(state);
  };
  try {
    note("staging");
    mkdirSync(anchor.reach(stage), { mode: 0o700 });
    for (const move of moves) {
      prepare(anchor, stage, move, contents, kept);
      step("staged");
    }
    fsyncFolder(anchor.reach(`${stage}/.`));
    note("moving");
    for (const move of moves) {
      take(anchor, stage, move);
      if (move.does === "removeFolder" || move.does === "makeFolder" || move.does === "takeAway") anchor.forget();
      step(`${move.does} ${move.path}`);
    }
    syncAll(anchor, root, moves);
    note("done");
  } catch (error) {
    if (recover(journal) === "done") return; // All was carried out; only the tidying up was interrupted.
    if (error instanceof Fault) throw error;
    throw new Fault("conflict", `the changes could not be written to \`${root}\` (${(error as NodeJS.ErrnoException).code ?? "unknown error"}); nothing was applied`, { cause: error });
  }
  recover(journal);
}

/** Finishes what a crash interrupted: `taken back` whole, or, when all was done, tidied up; null when there was nothing. Throws Fault `conflict` while its process lives. */
export function recover(path: string): "taken back" | "done" | null {
  const journal = readJournal(path);
  if (!journal) return null;
  const { holder, root, stage, state, moves } = journal;
  if (holder.pid !== process.pid && processState(holder.pid) && begunAt(holder.pid) === holder.begun) throw new Fault("conflict", `process ${holder.pid} is applying to \`${root}\` right now; wait for it`);
  {
    using anchor = new Anchor(root);
    if (state === "moving") for (const move of moves.toReversed()) takeBack(anchor, root, stage, move);
    syncAll(anchor, root, moves);
    rmSync(join(root, stage), { recursive: true, force: true });
  }
  unlinkSync(path);
  fsyncFolder(dirname(path));
  return state === "done" ? "done" : "taken back";
}

const begunAt = (pid: number): string => processState(pid)?.begun ?? "";

function takeBack(anchor: Anchor, root: string, stage: string, move: Move): void {
  anchor.forget();
  if (!existsSync(dirname(join(root, move.path)))) return; // A step that was never taken.
  try {
    undo(anchor, stage, move);
  } catch (error) {
    // Somebody put a link where a folder was: nothing is done behind it, and what was taken from there stays in the undo.
    if (!(error instanceof Fault)) throw error;
  }
}

/** Makes the moves lasting: each folder they were in, once. */
function syncAll(anchor: Anchor, root: string, moves: readonly Move[]): void {
  anchor.forget();
  const folders = new Map(moves.map(({ path }) => [parentOf(path), path]));
  for (const path of folders.values()) {
    if (!existsSync(dirname(join(root, path)))) continue;
    try {
      anchor.sync(path);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
    }
  }
}

/** Writes what comes, and keeps what goes, before anything is changed. */
function prepare(anchor: Anchor, stage: string, move: Move, contents: ObjectShelf, kept: ObjectShelf): void {
  if (move.does !== "takeAway" && move.does !== "place" && move.does !== "replace") return;
  const { path, at, before, after } = move;
  if (before?.kind === "file" && !existsSync(kept.place(before.hash))) {
    const box = kept.box();
    const digest = createHash("sha256");
    copy(anchor.reach(path), (piece) => {
      digest.update(piece);
      box.add(piece);
    });
    box.close(digest.digest("base64url")); // Under its own hash; whether it is the one expected is asked again when it is moved.
  }
  if (!after) return;
  const place = anchor.reach(comes(stage, at));
  const owner = ownerOf(anchor, path);
  if (after.kind === "link") {
    symlinkSync(after.hash, place);
    if (owner) lchownSync(place, owner.uid, owner.gid);
    return;
  }
  const fd = openSync(place, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  try {
    copy(contents.place(after.hash), (piece) => writeWhole(fd, piece));
    if (owner) fchownSync(fd, owner.uid, owner.gid);
    fchmodSync(fd, after.mode);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  expectEntry(anchor, comes(stage, at), after, path); // What is applied is what was reviewed, whatever became of the shelf.
}

function copy(from: string, to: (piece: Buffer) => void): void {
  const fd = openSync(from, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const piece = Buffer.allocUnsafe(pieceBytes);
    for (let read = readSync(fd, piece); read > 0; read = readSync(fd, piece)) to(piece.subarray(0, read));
  } finally {
    closeSync(fd);
  }
}

function writeJournal(path: string, journal: Journal): void {
  const next = `${path}.next`;
  const fd = openSync(next, "w", 0o600);
  try {
    writeWhole(fd, Buffer.from(JSON.stringify(journal)));
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(next, path);
  fsyncFolder(dirname(path));
}

function readJournal(path: string): Journal | null {
  return existsSync(path) ? (parseJson(readFileSync(path, "utf8")) as unknown as Journal) : null;
}

function fsyncFolder(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
