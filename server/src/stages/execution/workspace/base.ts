import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { Fault } from "@lanyard/contract";
import type { ObjectShelf } from "./shelf.ts";
import { byPath, shownAsItIs, type Manifest, type TreeChange, type TreeEntry } from "./tree.ts";
import { tarEnd, tarHeader, tarPadding } from "./tar-write.ts";

export interface BaseOptions {
  /** Absolute and real. */
  readonly folder: string;
  /** Absolute and real paths that stay out of the copy. */
  readonly hidden: readonly string[];
  /** Those that are shown inside at their place, so need no copy. */
  readonly shown?: readonly string[];
  readonly limits: { readonly workspace_files: number; readonly workspace_bytes: number };
  /** Changes that are made on the way: the copy is of the folder as it would be with them. */
  readonly changes?: readonly TreeChange[];
  /** Where the contents of the changes lie. */
  readonly contents?: ObjectShelf;
  /** Told now and then how far it is. */
  readonly progress?: (files: number, bytes: number) => void;
}

const pieceBytes = 256 * 1024;
const progressEvery = 500;

/**
 * Copies a folder as a tar stream and writes down what it was like: `manifest` resolves once the stream has ended. The stream errors with
 * Fault `limit_exceeded`, `conflict` when a file changes while it is read.
 */
export function openBase(options: BaseOptions): { readonly tar: Readable; readonly manifest: Promise<Manifest> } {
  const { promise, resolve, reject } = Promise.withResolvers<Manifest>();
  promise.catch(() => {}); // Whoever reads the stream hears of it.
  async function* bytes(): AsyncGenerator<Buffer> {
    const copy = new Copy(options);
    try {
      yield* copy.folder("");
      yield* copy.added();
      yield tarEnd();
      resolve({ entries: copy.entries, left: copy.left });
    } catch (error) {
      reject(error);
      throw error;
    }
  }
  return { tar: Readable.from(bytes(), { objectMode: false, highWaterMark: 4 * pieceBytes }), manifest: promise };
}

/** Unpacks a copy with `put`. Where the sandbox ends under it, that is the error, not that nobody took the rest of the stream. */
export async function copyInto(put: (tar: Readable) => Promise<void>, options: BaseOptions): Promise<Manifest> {
  const { tar, manifest } = openBase(options);
  const unpacked = put(tar);
  try {
    const [copied] = await Promise.all([manifest, unpacked]);
    return copied;
  } catch (error) {
    if (!(error instanceof Fault)) await unpacked;
    throw error;
  }
}

class Copy {
  readonly entries = new Map<string, TreeEntry>();
  readonly left = new Map<string, string>();
  readonly #options: BaseOptions;
  readonly #hidden: ReadonlySet<string>;
  readonly #changed: ReadonlySet<string>;
  #bytes = 0;

  constructor(options: BaseOptions) {
    this.#options = options;
    this.#hidden = new Set(options.hidden);
    this.#changed = new Set(options.changes?.map(({ path }) => path));
  }

  async *folder(path: string): AsyncGenerator<Buffer> {
    const here = join(this.#options.folder, path);
    for (const raw of readdirSync(here, { encoding: "buffer" }).sort(Buffer.compare)) {
      const name = raw.toString();
      const below = path === "" ? name : `${path}/${name}`;
      if (!Buffer.from(name).equals(raw)) this.left.set(below, "its name is not UTF-8");
      else yield* this.#member(below);
    }
  }

  async *#member(path: string): AsyncGenerator<Buffer> {
    const place = join(this.#options.folder, path);
    if (this.#hidden.has(place)) return void this.left.set(path, "it is Lanyard's own");
    if (this.#options.shown?.includes(place)) return void this.left.set(path, shownAsItIs);
    const found = lstatSync(place);
    const modifiedAt = found.mtimeMs / 1000;
    if (this.#changed.has(path)) {
      if (found.isDirectory()) yield* this.folder(path);
    } else if (found.isDirectory()) {
      const mode = (found.mode & 0o777) | 0o700; // What its owner may not read could not come out again.
      this.#count(path, { kind: "folder", mode, size: 0, hash: "" }, 0);
      yield tarHeader({ path, kind: "folder", mode, size: 0, modifiedAt, target: "" });
      yield* this.folder(path);
    } else if (found.isSymbolicLink()) {
      const target = readlinkSync(place);
      this.#count(path, { kind: "link", mode: 0o777, size: 0, hash: target }, Buffer.byteLength(target));
      yield tarHeader({ path, kind: "link", mode: 0o777, size: 0, modifiedAt, target });
    } else if (found.isFile()) yield* this.#file(path, place, (found.mode & 0o777) | 0o600, modifiedAt);
    else this.left.set(path, "it is no file, folder or link");
  }

  /** What changes made new, folders first. */
  async *added(): AsyncGenerator<Buffer> {
    const { changes = [], contents, folder } = this.#options;
    for (const { path, before, after } of [...changes].sort(byPath)) {
      if (!after) continue;
      if (after.kind === "file") yield* this.#file(path, before?.hash === after.hash || !contents ? join(folder, path) : contents.place(after.hash), after.mode, 0);
      else {
        this.#count(path, after, 0);
        yield tarHeader({ path, kind: after.kind, mode: after.mode, size: 0, modifiedAt: 0, target: after.kind === "link" ? after.hash : "" });
      }
    }
  }

  async *#file(path: string, place: string, mode: number, modifiedAt: number): AsyncGenerator<Buffer> {
    const fd = openQuietly(place);
    if (fd === null) return void this.left.set(path, "it cannot be read");
    try {
      const { size } = fstatSync(fd);
      this.#count(path, null, size);
      const hash = createHash("sha256");
      yield tarHeader({ path, kind: "file", mode, size, modifiedAt, target: "" });
      for (let at = 0; at < size; ) {
        const piece = Buffer.allocUnsafe(Math.min(pieceBytes, size - at));
        const read = readSync(fd, piece, 0, piece.length, at);
        if (read === 0) throw new Fault("conflict", `\`${path}\` became shorter while it was copied; try again when nothing else writes to the workspace`);
        at += read;
        hash.update(piece.subarray(0, read));
        yield piece.subarray(0, read);
      }
      if (size % 512 !== 0) yield tarPadding(size);
      this.entries.set(path, { kind: "file", mode, size, hash: hash.digest("base64url") });
    } finally {
      closeSync(fd);
    }
  }

  #count(path: string, entry: TreeEntry | null, bytes: number): void {
    const { limits, progress } = this.#options;
    this.#bytes += bytes;
    if (this.entries.size >= limits.workspace_files) throw new Fault("limit_exceeded", `the workspace has more than ${limits.workspace_files} files (limit workspace_files); choose a smaller folder, or show parts of it with --readable`);
    if (this.#bytes > limits.workspace_bytes) throw new Fault("limit_exceeded", `the workspace is over ${limits.workspace_bytes} bytes (limit workspace_bytes); choose a smaller folder, or show parts of it with --readable`);
    if (entry) this.entries.set(path, entry);
    if (this.entries.size % progressEvery === 0) progress?.(this.entries.size, this.#bytes);
  }
}

/** Null when it cannot be opened, or is a link by now. */
function openQuietly(place: string): number | null {
  try {
    return openSync(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return null;
  }
}
