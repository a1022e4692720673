import type { ValueOrigin } from "@lanyard/contract";
import { PrintTable } from "./table.ts";

// What is known of a fingerprint, in 32 bits: its origin, the set of labels it carries, whether records of several people have it, whether somebody has pointed at it, and the place where it was read.

/** Origins as they are packed, best first; 0 is nothing known. */
export const origin = { task: 1, directory: 2, trusted: 3, untrusted: 4, model: 5 } as const;
export type OriginCode = (typeof origin)[keyof typeof origin];
const names: readonly ValueOrigin[] = ["task", "directory", "trusted", "untrusted", "model"];
export const originName = (code: number): ValueOrigin => names[code - 1] ?? "model";

const labelBits = 5;
const placeBits = 24;
const sharedBit = 2 ** 23;
const pointedBit = 2 ** 22;
const flags = sharedBit | pointedBit;
const allLabels = 2 ** labelBits - 1;

export const originOf = (value: number): number => value >>> (labelBits + placeBits);
export const labelsOf = (value: number): number => (value >>> placeBits) & allLabels;
export const placeOf = (value: number): number => value & (pointedBit - 1);
/** Whether records of several people have it, so that it is of none of them. */
export const isShared = (value: number): boolean => (value & sharedBit) !== 0;
/** Whether a text that nobody vouches for has spoken of it after somebody who is trusted told it. */
export const isPointed = (value: number): boolean => (value & pointedBit) !== 0;
export const packed = (code: OriginCode, labels = 0, place = 1): number => ((code << (labelBits + placeBits)) | (labels << placeBits) | place) >>> 0;

const noParent = 0xffff_ffff;
const isIndex = 0x8000_0000;
const longestKey = 64;
const mostKeys = 4096;

/**
 * Where values were read, as nodes of the results' trees: a parent and a key, 8 bytes each. A place is a node's number; the pointer is written out
 * only when somebody asks for it.
 */
export class ReadingPlaces {
  readonly #most: number;
  #parents = new Uint32Array(256);
  #keys = new Uint32Array(256);
  #count = 2; // 0 is no place, 1 a place without a result
  readonly #names: string[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #seqs: number[] = [];

  constructor(most: number) {
    this.#most = Math.min(most, pointedBit - 1);
  }

  get bytes(): number {
    return this.#parents.length * 8 + this.#seqs.length * 8;
  }

  /** The root of what a decision's call gave back. */
  root(seq: number): number {
    return this.#add(noParent, this.#seqs.push(seq) - 1);
  }

  /** Below `parent`; `parent` itself where there is no more room. */
  child(parent: number, key: string | number): number {
    return parent < 2 ? parent : this.#add(parent, typeof key === "number" ? (key | isIndex) >>> 0 : this.#number(key));
  }

  /** What a place is below; 0 for a result itself. */
  above(place: number): number {
    const parent = place < 2 ? noParent : (this.#parents[place] ?? noParent);
    return parent === noParent ? 0 : parent;
  }

  /** What a place is called by what is above it; empty for an item of a list. */
  name(place: number): string {
    const key = place < 2 || this.#parents[place] === noParent ? isIndex : (this.#keys[place] ?? isIndex);
    return key & isIndex ? "" : (this.#names[key] ?? "");
  }

  /** Values are not told apart by their place any more. */
  get isFull(): boolean {
    return this.#count >= this.#most;
  }

  /** Null for a place without a result. */
  at(place: number): { readonly seq: number; readonly field: string } | null {
    let node = place;
    if (node < 2) return null;
    let field = "";
    for (; this.#parents[node] !== noParent; node = this.#parents[node] ?? 0) {
      const key = this.#keys[node] ?? 0;
      field = `/${key & isIndex ? key & ~isIndex : (this.#names[key] ?? "").replaceAll("~", "~0").replaceAll("/", "~1")}${field}`;
    }
    return { seq: this.#seqs[this.#keys[node] ?? 0] ?? 0, field };
  }

  #add(parent: number, key: number): number {
    if (this.#count >= this.#most) return parent === noParent ? 1 : parent;
    if (this.#count === this.#parents.length) {
      const wider = (array: Uint32Array): Uint32Array<ArrayBuffer> => {
        const more = new Uint32Array(Math.ceil(array.length * 1.5));
        more.set(array);
        return more;
      };
      this.#parents = wider(this.#parents);
      this.#keys = wider(this.#keys);
    }
    this.#parents[this.#count] = parent;
    this.#keys[this.#count] = key;
    return this.#count++;
  }

  /** Keys are a server's words: long ones are cut, and past so many all are `*`. */
  #number(key: string): number {
    const name = key.length > longestKey ? `${key.slice(0, longestKey)}...` : key;
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    if (name !== "*" && this.#names.length >= mostKeys) return this.#number("*");
    const number = this.#names.push(name) - 1;
    this.#numbers.set(name, number);
    return number;
  }
}

/** Sets of labels by number; past their number one set stands for all labels there are. */
export class LabelSets {
  readonly #sets: string[][] = [[]];
  readonly #all = new Set<string>();

  number(labels: readonly string[]): number {
    for (const label of labels) this.#all.add(label);
    const sorted = [...new Set(labels)].sort();
    const known = this.#sets.findIndex((set) => set.length === sorted.length && set.every((label, index) => label === sorted[index]));
    if (known >= 0) return known;
    return this.#sets.length >= allLabels ? allLabels : this.#sets.push(sorted) - 1;
  }

  names(number: number): readonly string[] {
    return number === allLabels ? [...this.#all].sort() : (this.#sets[number] ?? []);
  }

  union(a: number, b: number): number {
    return a === b || b === 0 ? a : a === 0 ? b : a === allLabels || b === allLabels ? allLabels : this.number([...this.names(a), ...this.names(b)]);
  }
}

/** What a session has read and said: fingerprints with their {@link packed} knowledge. Bounded; when it is full, what it lacks may have been read. */
export class ReadValues {
  readonly places: ReadingPlaces;
  readonly labels = new LabelSets();
  readonly #table: PrintTable;
  /** Something was read that is not in it. */
  isPartial = false;

  constructor(most: number) {
    this.#table = new PrintTable(most);
    this.places = new ReadingPlaces(most);
  }

  get bytes(): number {
    return this.#table.bytes + this.places.bytes;
  }

  get size(): number {
    return this.#table.size;
  }

  get(low: number, high: number): number {
    return this.#table.get(low, high);
  }

  /**
   * Takes note of a value. What was known first stays known so: a trusted tool that repeats what the model or something untrusted said before lends
   * it no trust, and something untrusted takes none from what was trusted before. Labels come together.
   */
  add(low: number, high: number, code: OriginCode, labels: number, place: number): void {
    const known = this.#table.get(low, high);
    if (known === 0) {
      if (!this.#table.set(low, high, packed(code, labels, place))) this.isPartial = true;
      return;
    }
    const before = originOf(known);
    const isRead = before === origin.model && code === origin.untrusted;
    const both = this.labels.union(labelsOf(known), labels);
    if (isRead) this.#table.set(low, high, packed(code, both, place));
    else if (before === origin.model && placeOf(known) < 2) this.#table.set(low, high, packed(before, both, place)); // Whose it is is told all the same.
    else if (both !== labelsOf(known)) this.#table.set(low, high, (packed(before as OriginCode, both, placeOf(known)) | (known & flags)) >>> 0);
  }

  /** A value that is known is in records of several people. */
  share(low: number, high: number): void {
    const known = this.#table.get(low, high);
    if (known !== 0) this.#table.set(low, high, (known | sharedBit) >>> 0);
  }

  /** A text that nobody vouches for speaks of a value: notes it of one that somebody who is trusted has told. */
  point(low: number, high: number): void {
    const known = this.#table.get(low, high);
    if (originOf(known) === origin.trusted) this.#table.set(low, high, (known | pointedBit) >>> 0);
  }

  /**
   * Takes note of an address or account that something trusted tells by itself, since no call has named it: that it is known there is what makes
   * somebody known, also when something untrusted told it before.
   */
  confirm(low: number, high: number, labels: number, place: number): void {
    const known = this.#table.get(low, high);
    if (originOf(known) === origin.untrusted) this.#table.set(low, high, packed(origin.trusted, this.labels.union(labelsOf(known), labels), place));
    else this.add(low, high, origin.trusted, labels, place);
  }
}
