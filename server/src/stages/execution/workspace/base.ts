import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { Fault } from "@lanyard/contract";
import { byteOrder, type Manifest, type TreeEntry } from "./tree.ts";
import { tarEnd, tarHeader, tarPadding } from "./tar-write.ts";

export interface BaseOptions {
  /** Absolute and real. */
  readonly folder: string;
  /** Absolute and real paths that stay out of the copy, and of everything that comes back. */
  readonly hidden: readonly string[];
  readonly limits: { readonly workspace_files: number; readonly workspace_bytes: number };
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
      yield tarEnd();
      resolve({ entries: copy.entries, left: copy.left });
    } catch (error) {
      reject(error);
      throw error;
    }
  }
  return { tar: Readable.from(bytes(), { objectMode: false, highWaterMark: 4 * pieceBytes }), manifest: promise };
}

class Copy {
  readonly entries = new Map<string, TreeEntry>();
  readonly left = new Map<string, string>();
  readonly #options: BaseOptions;
  readonly #hidden: ReadonlySet<string>;
  #bytes = 0;

  constructor(options: BaseOptions) {
    this.#options = options;
    this.#hidden = new Set(options.hidden);
  }

  async *folder(path: string): AsyncGenerator<Buffer> {
    const here = join(this.#options.folder, path);
    for (const raw of readdirSync(here, { encoding: "buffer" }).sort(byteOrder)) {
      const name = raw.toString();
      const below = path === "" ? name : `${path}/${name}`;
      if (!Buffer.from(name).equals(raw)) this.left.set(below, "its name is not UTF-8");
      else yield* this.#member(below);
    }
  }

  async *#member(path: string): AsyncGenerator<Buffer> {
    const place = join(this.#options.folder, path);
    if (this.#hidden.has(place)) return void this.left.set(path, "Lanyard's own, or shown as it is");
    const found = lstatSync(place);
    const modifiedAt = found.mtimeMs / 1000;
    if (found.isDirectory()) {
      const mode = (found.mode & 0o777) | 0o700; // What its owner may not read could not come out again.
      this.#count(path, { kind: "folder", mode, size: 0, hash: "" }, 0);
      yield tarHeader({ path, kind: "folder", mode, size: 0, modifiedAt, target: "" });
      yield* this.folder(path);
    } else if (found.isSymbolicLink()) {
      const target = readlinkSync(place);
      this.#count(path, { kind: "link", mode: 0o777, size: 0, hash: target }, 0);
      yield tarHeader({ path, kind: "link", mode: 0o777, size: 0, modifiedAt, target });
    } else if (found.isFile()) yield* this.#file(path, place);
    else this.left.set(path, "it is no file, folder or link");
  }

  async *#file(path: string, place: string): AsyncGenerator<Buffer> {
    const fd = openQuietly(place);
    if (fd === null) return void this.left.set(path, "it cannot be read");
    try {
      const { mode: bits, size, mtimeMs } = fstatSync(fd);
      const mode = (bits & 0o777) | 0o600;
      this.#count(path, null, size);
      const hash = createHash("sha256");
      yield tarHeader({ path, kind: "file", mode, size, modifiedAt: mtimeMs / 1000, target: "" });
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
