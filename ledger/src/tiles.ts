import type { NodeSource } from "./tree.ts";
import { VerifyError } from "./verify.ts";

/** Hashes in a full tile, and entries in a full bundle (C2SP tlog-tiles). */
export const tileWidth = 256;

/** One resource of a tiled log: `level` 0 to 63, or `entries`; `width` is 256 unless the tile is partial. */
export interface Tile {
  readonly level: number | "entries";
  readonly index: number;
  readonly width: number;
}

/** `tile/<L>/<N>[.p/<W>]` with N in groups of three digits, all but the last beginning with `x`. */
export const tilePath = ({ level, index, width }: Tile): string => {
  const groups = [String(index % 1000).padStart(3, "0")];
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) groups.unshift(`x${String(rest % 1000).padStart(3, "0")}`);
  return `tile/${level}/${groups.join("/")}${width < tileWidth ? `.p/${width}` : ""}`;
};

/** Reads a tile's path; null when it is not the one spelling the standard allows. */
export const parseTilePath = (path: string): Tile | null => {
  const [, level = "", digits = "", partial] = /^tile\/(entries|[0-9]{1,2})\/((?:x[0-9]{3}\/)*[0-9]{3})(?:\.p\/([0-9]{1,3}))?$/.exec(path) ?? [];
  const tile: Tile = {
    level: level === "entries" ? level : Number(level),
    index: Number(digits.replaceAll(/[x/]/g, "")),
    width: partial === undefined ? tileWidth : Number(partial),
  };
  const known = level !== "" && (tile.level === "entries" || tile.level < 64) && tile.width > 0 && Number.isSafeInteger(tile.index);
  return known && tilePath(tile) === path ? tile : null;
};

/** Every tile a tree of `size` consists of, hash tiles from the leaves up, then entry bundles. */
export const tilesOf = (size: number): Tile[] => {
  const row = (level: Tile["level"], count: number): Tile[] =>
    Array.from({ length: Math.ceil(count / tileWidth) }, (_, index) => ({ level, index, width: Math.min(tileWidth, count - index * tileWidth) }));
  const tiles: Tile[] = [];
  for (let [level, count] = [0, size]; count > 0; [level, count] = [level + 1, Math.floor(count / tileWidth)]) tiles.push(...row(level, count));
  return [...tiles, ...row("entries", size)];
};

/** Bytes of a hash tile: its hashes one after the other. */
export const tileBytes = ({ level, index, width }: Tile, node: NodeSource): Uint8Array => {
  if (level === "entries") throw new VerifyError("an entry bundle is no hash tile");
  const bytes = new Uint8Array(32 * width);
  for (let at = 0; at < width; at++) bytes.set(node(level * 8, index * tileWidth + at), at * 32);
  return bytes;
};

/** Bytes of an entry bundle: each entry behind its length as a big-endian uint16. Throws {@link VerifyError} on one of 64 KiB or more. */
export const bundleBytes = (entries: readonly Uint8Array[]): Uint8Array => {
  const bytes = new Uint8Array(entries.reduce((sum, entry) => sum + 2 + entry.length, 0));
  let at = 0;
  for (const entry of entries) {
    if (entry.length > 0xffff) throw new VerifyError(`an entry of ${entry.length} bytes does not fit a bundle`);
    bytes.set([entry.length >> 8, entry.length & 0xff], at);
    bytes.set(entry, at + 2);
    at += 2 + entry.length;
  }
  return bytes;
};
