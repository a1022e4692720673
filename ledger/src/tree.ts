import { nodeHash, rootOf } from "./verify.ts";

/**
 * Hash of a whole subtree: the `index`-th of those 2^`level` leaves wide (level 0: leaf hashes). Whoever stores the tree gives it;
 * called only for subtrees that are complete at the size asked for.
 */
export type NodeSource = (level: number, index: number) => Uint8Array;

/** The largest power of two below `size`, as an exponent: where RFC 6962 section 2.1 splits a tree. */
const splitLevel = (size: number): number => {
  let level = 0;
  while (2 ** (level + 1) < size) level++;
  return level;
};

/** Merkle Tree Hash of leaves `start` to `end` (exclusive), where `start` is a multiple of a power of two of at least their number. */
const subtree = (start: number, end: number, node: NodeSource): Uint8Array => {
  const width = end - start;
  if (width === 1) return node(0, start);
  const level = splitLevel(width);
  if (2 ** (level + 1) === width) return node(level + 1, start / width);
  return nodeHash(node(level, start / 2 ** level), subtree(start + 2 ** level, end, node));
};

/** Merkle Tree Hash of the first `size` leaves. */
export const rootAt = (size: number, node: NodeSource): Uint8Array => (size === 0 ? rootOf({ size: 0, peaks: [] }) : subtree(0, size, node));

/** Roots of the whole subtrees that make up the first `size` leaves, largest first: what a frontier is restored from. */
export const peaksAt = (size: number, node: NodeSource): Uint8Array[] => {
  const peaks: Uint8Array[] = [];
  for (let start = 0; start < size; ) {
    let level = 0;
    while (2 ** (level + 1) <= size - start) level++;
    peaks.push(node(level, start / 2 ** level));
    start += 2 ** level;
  }
  return peaks;
};

/** Audit path of RFC 6962 section 2.1.1 for leaf `index` of a tree of `size`: siblings from the leaf up. Throws RangeError. */
export const inclusionProof = (index: number, size: number, node: NodeSource): Uint8Array[] => {
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) throw new RangeError(`no leaf ${index} in a tree of size ${size}`);
  const path: Uint8Array[] = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    const middle = start + 2 ** splitLevel(end - start);
    if (index < middle) {
      path.push(subtree(middle, end, node));
      end = middle;
    } else {
      path.push(subtree(start, middle, node));
      start = middle;
    }
  }
  return path.reverse();
};

/** Consistency proof of RFC 6962 section 2.1.2 from the tree of `from` leaves to the one of `size`. Throws RangeError. */
export const consistencyProof = (from: number, size: number, node: NodeSource): Uint8Array[] => {
  if (!Number.isSafeInteger(from) || from < 0 || from > size) throw new RangeError(`no tree of size ${from} in a tree of size ${size}`);
  if (from === 0 || from === size) return [];
  const path: Uint8Array[] = [];
  let [start, end] = [0, size];
  let whole = true; // the old tree is all of what is looked at: its root is known to the reader
  while (from !== end) {
    const middle = start + 2 ** splitLevel(end - start);
    if (from <= middle) {
      path.push(subtree(middle, end, node));
      end = middle;
    } else {
      path.push(subtree(start, middle, node));
      start = middle;
      whole = false;
    }
  }
  if (!whole) path.push(subtree(start, end, node));
  return path.reverse();
};
