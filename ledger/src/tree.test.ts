import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { tileBytes, tilePath, tilesOf, parseTilePath, bundleBytes, tileWidth } from "./tiles.ts";
import { consistencyProof, inclusionProof, peaksAt, rootAt, type NodeSource } from "./tree.ts";
import { emptyFrontier, grow, leafHash, nodeHash, rootFromInclusion, rootOf, verifyConsistency, VerifyError } from "./verify.ts";

// RFC 6962 section 2.1 read literally, as slow as it is plain: what everything else is held against.
const sha = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(createHash("sha256").update(Buffer.concat(parts)).digest());
const naiveRoot = (entries: readonly Uint8Array[]): Uint8Array => {
  if (entries.length === 0) return sha();
  if (entries.length === 1) return sha(Uint8Array.of(0), entries[0] as Uint8Array);
  const k = naiveSplit(entries.length);
  return sha(Uint8Array.of(1), naiveRoot(entries.slice(0, k)), naiveRoot(entries.slice(k)));
};
const naiveSplit = (n: number): number => {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
};
const naivePath = (m: number, entries: readonly Uint8Array[]): Uint8Array[] => {
  if (entries.length === 1) return [];
  const k = naiveSplit(entries.length);
  return m < k ? [...naivePath(m, entries.slice(0, k)), naiveRoot(entries.slice(k))] : [...naivePath(m - k, entries.slice(k)), naiveRoot(entries.slice(0, k))];
};
const naiveSubproof = (m: number, entries: readonly Uint8Array[], whole: boolean): Uint8Array[] => {
  if (m === entries.length) return whole ? [] : [naiveRoot(entries)];
  const k = naiveSplit(entries.length);
  return m <= k ? [...naiveSubproof(m, entries.slice(0, k), whole), naiveRoot(entries.slice(k))] : [...naiveSubproof(m - k, entries.slice(k), false), naiveRoot(entries.slice(0, k))];
};

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const sourceOf = (entries: readonly Uint8Array[]): NodeSource => {
  const node: NodeSource = (level, index) => {
    if ((index + 1) * 2 ** level > entries.length) throw new Error(`node ${index} of level ${level} is not whole`);
    return level === 0 ? leafHash(entries[index] as Uint8Array) : nodeHash(node(level - 1, index * 2), node(level - 1, index * 2 + 1));
  };
  return node;
};
const bytesOf = (...values: string[]): Uint8Array[] => values.map((value) => new Uint8Array(Buffer.from(value, "hex")));

// The eight leaves that transparency logs have tested with since Certificate Transparency.
const known = bytesOf("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f");
const knownRoots = [
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

describe("the published vectors", () => {
  test("roots of nine trees", () => {
    let tree = emptyFrontier;
    const roots = [hex(rootOf(tree))];
    for (const entry of known) roots.push(hex(rootOf((tree = grow(tree, leafHash(entry))))));
    expect(roots).toEqual(knownRoots);
  });

  test("an inclusion and a consistency proof", () => {
    const path = ["lqKW0iTyhcZ77pPDD4owkVfw2qNdxbh+QQt4YwoJz8c=", "Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4=", "a0eq8p7jwq+a+Im8H7klTavTEXfxYjLdaqsDXKOb9uQ="];
    const base64 = (hashes: Uint8Array[]): string[] => hashes.map((hash) => Buffer.from(hash).toString("base64"));
    expect(base64(inclusionProof(0, 8, sourceOf(known)))).toEqual(path);
    expect(base64(consistencyProof(1, 8, sourceOf(known)))).toEqual(path);
  });
});

test("roots, proofs and their verification are those of the plain reading of RFC 6962", () => {
  const entries = fc.array(fc.uint8Array({ maxLength: 3 }), { minLength: 1, maxLength: 70 });
  fc.assert(fc.property(entries, fc.nat(), fc.nat(), (all, some, other) => {
    const [index, from] = [some % all.length, 1 + (other % all.length)];
    const node = sourceOf(all);
    const root = naiveRoot(all);
    const tree = all.reduce((before, entry) => grow(before, leafHash(entry)), emptyFrontier);
    expect(hex(rootOf(tree))).toBe(hex(root));
    expect(hex(rootAt(all.length, node))).toBe(hex(root));
    expect(peaksAt(all.length, node)).toEqual(tree.peaks);
    const path = inclusionProof(index, all.length, node);
    expect(path.map(hex)).toEqual(naivePath(index, all).map(hex));
    expect(hex(rootFromInclusion(leafHash(all[index] as Uint8Array), index, all.length, path) ?? root.subarray(1))).toBe(hex(root));
    const steps = consistencyProof(from, all.length, node);
    expect(steps.map(hex)).toEqual(naiveSubproof(from, all, true).map(hex));
    expect(verifyConsistency(from, naiveRoot(all.slice(0, from)), all.length, root, steps)).toBe(true);
  }));
});

test("a proof with anything changed proves nothing", () => {
  fc.assert(fc.property(fc.integer({ min: 2, max: 40 }), fc.nat(), fc.nat(), fc.nat(255), (size, some, other, bit) => {
    const all = Array.from({ length: size }, (_, at) => Uint8Array.of(at));
    const [index, from] = [some % size, 1 + (other % (size - 1))];
    const [node, root, older] = [sourceOf(all), naiveRoot(all), naiveRoot(all.slice(0, from))];
    const flip = (hashes: readonly Uint8Array[], at: number): Uint8Array[] => hashes.map((hash, which) => (which === at ? hash.map((byte, place) => (place === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte)) : hash));
    const path = inclusionProof(index, size, node);
    const leaf = leafHash(all[index] as Uint8Array);
    const includes = (proof: readonly Uint8Array[], at = index, of = size): boolean => {
      const found = rootFromInclusion(leaf, at, of, proof);
      return found !== null && hex(found) === hex(root);
    };
    const steps = consistencyProof(from, size, node);
    const consistent = (proof: readonly Uint8Array[], a = from, b = size): boolean => verifyConsistency(a, older, b, root, proof);
    for (let at = 0; at < path.length; at++) expect(includes(flip(path, at))).toBe(false);
    for (let at = 0; at < steps.length; at++) expect(consistent(flip(steps, at))).toBe(false);
    expect([includes([...path, leaf]), includes([leaf, ...path]), includes(path.slice(1)), includes(path, index ^ 1), includes(path, index + size)]).toEqual([false, false, false, false, false]);
    expect([consistent([...steps, older]), consistent([older, ...steps]), consistent(steps.slice(1)), consistent([]), consistent(steps, size, from)]).toEqual([false, false, false, false, false]);
  }), { numRuns: 60 });
});

test("every proof of a small tree, from every size to every size", () => {
  const all = Array.from({ length: 20 }, (_, at) => Uint8Array.of(at));
  const node = sourceOf(all);
  for (let size = 1; size <= 20; size++)
    for (let from = 1; from <= size; from++) {
      expect(consistencyProof(from, size, node).map(hex)).toEqual(naiveSubproof(from, all.slice(0, size), true).map(hex));
      expect(inclusionProof(from - 1, size, node).map(hex)).toEqual(naivePath(from - 1, all.slice(0, size)).map(hex));
    }
});

test("a leaf past 2^32 is proved like any other", () => {
  const size = 2 ** 40 + 3;
  const filler = leafHash("x");
  const node: NodeSource = (level) => Array.from({ length: level }).reduce<Uint8Array>((below) => nodeHash(below, below), filler);
  const root = rootAt(size, node);
  for (const index of [0, 2 ** 33 + 1, 2 ** 40 - 1, 2 ** 40, size - 1]) expect(rootFromInclusion(filler, index, size, inclusionProof(index, size, node))).toEqual(root);
  expect(verifyConsistency(2 ** 33 + 5, rootAt(2 ** 33 + 5, node), size, root, consistencyProof(2 ** 33 + 5, size, node))).toBe(true);
});

test("what is not in the tree has no proof", () => {
  const node = sourceOf(known);
  for (const index of [-1, 8, 0.5, NaN]) expect(() => inclusionProof(index, 8, node)).toThrow(RangeError);
  for (const from of [-1, 9, 0.5]) expect(() => consistencyProof(from, 8, node)).toThrow(RangeError);
  expect([consistencyProof(0, 8, node), consistencyProof(8, 8, node)]).toEqual([[], []]);
});

describe("C2SP tlog-tiles", () => {
  test("paths as the standard spells them", () => {
    expect(tilePath({ level: 0, index: 1_234_067, width: 256 })).toBe("tile/0/x001/x234/067");
    expect(tilePath({ level: "entries", index: 7, width: 12 })).toBe("tile/entries/007.p/12");
    expect(parseTilePath("tile/0/x001/x234/067")).toEqual({ level: 0, index: 1_234_067, width: 256 });
  });

  test("only that spelling is read", () => {
    fc.assert(fc.property(fc.constantFrom<number | "entries">(0, 1, 63, "entries"), fc.nat(2 ** 40), fc.integer({ min: 1, max: 256 }), (level, index, width) => {
      expect(parseTilePath(tilePath({ level, index, width }))).toEqual({ level, index, width });
    }));
    for (const path of ["tile/64/000", "tile/00/000", "tile/0/0", "tile/0/x000/001", "tile/0/001/067", "tile/0/000.p/256", "tile/0/000.p/0", "tile/0/000.p/01", "/tile/0/000", "tile/0/000/"]) expect(parseTilePath(path), path).toBeNull();
  });

  test("a tree of 70,000 has the tiles of the standard's example", () => {
    const tiles = tilesOf(70_000).filter(({ level }) => level !== "entries");
    const shape = [0, 1, 2].map((level) => tiles.filter((tile) => tile.level === level).map(({ width }) => width));
    expect(shape.map((widths) => widths.filter((width) => width === tileWidth).length)).toEqual([273, 1, 0]);
    expect(shape.map((widths) => widths.filter((width) => width < tileWidth))).toEqual([[112], [17], [1]]);
    expect(tilesOf(256).map(tilePath)).toEqual(["tile/0/000", "tile/1/000.p/1", "tile/entries/000"]);
  });

  test("a tile is its hashes, a bundle its entries behind their lengths", () => {
    const all = Array.from({ length: 300 }, (_, at) => Uint8Array.of(at & 255, at >> 8));
    const node = sourceOf(all);
    expect(hex(tileBytes({ level: 1, index: 0, width: 1 }, node))).toBe(hex(naiveRoot(all.slice(0, 256))));
    const partial = tileBytes({ level: 0, index: 1, width: 44 }, node);
    expect([partial.length, hex(partial.subarray(-32))]).toEqual([44 * 32, hex(leafHash(all[299] as Uint8Array))]);
    expect(hex(bundleBytes([new Uint8Array(), Uint8Array.of(1), new Uint8Array(256)])).slice(0, 14)).toBe("00000001010100");
    expect(bundleBytes([new Uint8Array(0xffff)])).toHaveLength(0xffff + 2);
    expect(() => bundleBytes([new Uint8Array(0x1_0000)])).toThrow(VerifyError);
  });
});
