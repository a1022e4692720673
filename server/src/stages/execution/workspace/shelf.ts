import { closeSync, constants, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../../base/clock.ts";

/** One content on its way to a shelf: small ones stay in memory until it is clear that they are kept. */
export interface ShelfBox {
  add(piece: Uint8Array): void;
  drop(): void;
  close(hash: string): void;
}

const memoryBytes = 1024 * 1024;

/** Contents of files in a folder, each under its hash. */
export class ObjectShelf {
  readonly #folder: string;
  readonly #clock: Clock;

  constructor(folder: string, clock: Clock) {
    this.#folder = folder;
    this.#clock = clock;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** Where a content lies; it need not be there. `hash`: base64url SHA-256. */
  place(hash: string): string {
    return join(this.#folder, hash);
  }

  box(): ShelfBox {
    let pieces: Uint8Array[] = [];
    let held = 0;
    let file: { readonly fd: number; readonly path: string } | null = null;
    const spill = (): { readonly fd: number; readonly path: string } => {
      const path = join(this.#folder, this.#clock.id("new"));
      file ??= { path, fd: openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600) };
      for (const piece of pieces) writeWhole(file.fd, piece);
      pieces = [];
      return file;
    };
    return {
      add: (piece) => {
        pieces.push(Buffer.from(piece));
        held += piece.length;
        if (file || held > memoryBytes) spill();
      },
      drop: () => {
        pieces = [];
        if (!file) return;
        closeSync(file.fd);
        rmSync(file.path);
      },
      close: (hash) => {
        if (!file && existsSync(this.place(hash))) return;
        const { fd, path } = spill();
        fsyncSync(fd);
        closeSync(fd);
        renameSync(path, this.place(hash));
      },
    };
  }
}

/** Writes all of it: a disk that is nearly full takes a part. */
export function writeWhole(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}
