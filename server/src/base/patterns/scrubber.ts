import { Transform } from "node:stream";

/** Bytes that may not pass, and what stands in their place. */
export interface Forbidden {
  readonly bytes: Buffer;
  readonly replacement: Buffer;
}

/** A stretch of the input that is covered by patterns, in offsets of the whole input; `end` is the first byte after it. */
interface Cover {
  start: number;
  end: number;
  replacement: Buffer;
  /** Its replacement has been given out. */
  told: boolean;
}

const root = 0;
const none = -1;

/** The patterns as an automaton (Aho and Corasick, 1975), which looks at each byte once, however the patterns overlap. */
export class Automaton {
  /** Children as lists of siblings, since all but the first few nodes have one child; those of the root as a table. */
  readonly #child: Int32Array;
  readonly #sibling: Int32Array;
  readonly #byte: Uint8Array;
  readonly #fail: Int32Array;
  readonly #first = new Int32Array(256).fill(none);
  readonly depth: Int32Array;
  /** The longest pattern that ends at a node, as its index; none where none does. */
  readonly longest: Int32Array;
  #size = 1;

  constructor(patterns: readonly Pick<Forbidden, "bytes">[]) {
    const most = patterns.reduce((sum, { bytes }) => sum + bytes.length, 1);
    const numbers = () => new Int32Array(most).fill(none);
    [this.#child, this.#sibling, this.#fail, this.depth, this.longest] = [numbers(), numbers(), numbers(), numbers(), numbers()];
    this.#byte = new Uint8Array(most);
    this.depth[root] = 0;
    for (const [index, { bytes }] of patterns.entries()) {
      let at = root;
      for (const byte of bytes) at = this.#grow(at, byte);
      if (this.longest[at] === none) this.longest[at] = index;
    }
    this.#link();
  }

  /** The node after one more byte: of all beginnings of patterns that end here, the longest. */
  next(from: number, byte: number): number {
    let at = from;
    for (;;) {
      const child = this.#childOf(at, byte);
      if (child !== none) return child;
      if (at === root) return root;
      at = this.#fail[at] as number;
    }
  }

  #childOf(node: number, byte: number): number {
    if (node === root) return this.#first[byte] as number;
    let child = this.#child[node] as number;
    while (child !== none && this.#byte[child] !== byte) child = this.#sibling[child] as number;
    return child;
  }

  #grow(node: number, byte: number): number {
    const known = this.#childOf(node, byte);
    if (known !== none) return known;
    const child = this.#size++;
    this.#byte[child] = byte;
    this.depth[child] = (this.depth[node] as number) + 1;
    if (node === root) this.#first[byte] = child;
    this.#sibling[child] = this.#child[node] as number;
    this.#child[node] = child;
    return child;
  }

  /** Breadth first, since a node's fall-back is shallower than the node. */
  #link(): void {
    const queue: number[] = [];
    for (let child = this.#child[root] as number; child !== none; child = this.#sibling[child] as number) {
      this.#fail[child] = root;
      queue.push(child);
    }
    for (let head = 0; head < queue.length; head++) {
      const node = queue[head] as number;
      const fail = this.#fail[node] as number;
      if (this.longest[node] === none) this.longest[node] = this.longest[fail] as number;
      for (let child = this.#child[node] as number; child !== none; child = this.#sibling[child] as number) {
        this.#fail[child] = this.next(fail, this.#byte[child] as number);
        queue.push(child);
      }
    }
  }
}

/**
 * Takes patterns out of bytes: every byte that belongs to an occurrence of any pattern goes, and each stretch of such bytes becomes the replacement of the
 * pattern that begins it (the longest of those that begin there). Made once for one set of patterns, it serves any number of texts.
 */
export class Scrubber {
  readonly patterns: readonly Forbidden[];
  readonly automaton: Automaton;

  constructor(patterns: readonly Forbidden[]) {
    this.patterns = patterns.filter(({ bytes }) => bytes.length > 0);
    this.automaton = new Automaton(this.patterns);
  }

  /** Of a whole text. */
  text(text: string): string {
    const pass = new ScrubbingPass(this);
    return Buffer.concat([pass.push(Buffer.from(text, "utf8")), pass.end()]).toString("utf8");
  }

  /** Of a stream of bytes, in whatever chunks they come. */
  stream(): Transform {
    const pass = new ScrubbingPass(this);
    const give = (bytes: Buffer, done: (error: null, data?: Buffer) => void) => (bytes.length > 0 ? done(null, bytes) : done(null));
    return new Transform({
      transform: (chunk: Buffer, _encoding, done) => give(pass.push(chunk), done),
      flush: (done) => give(pass.end(), done),
    });
  }
}

/** A scrubber's way through one text, whatever chunks it comes in. Bytes are held back only as long as they could still be the beginning of a pattern. */
export class ScrubbingPass {
  readonly #scrubber: Scrubber;
  #node = root;
  /** Bytes read so far; of them those from `given` on are held. */
  #read = 0;
  #given = 0;
  #held: Buffer = Buffer.alloc(0);
  #covers: Cover[] = [];

  constructor(scrubber: Scrubber) {
    this.#scrubber = scrubber;
  }

  push(chunk: Uint8Array): Buffer {
    const { automaton, patterns } = this.#scrubber;
    let node = this.#node;
    for (let index = 0; index < chunk.length; index++) {
      node = automaton.next(node, chunk[index] as number);
      const pattern = automaton.longest[node] as number;
      if (pattern !== none) this.#cover(this.#read + index + 1, patterns[pattern] as Forbidden);
    }
    this.#node = node;
    this.#read += chunk.length;
    this.#held = this.#held.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#held, chunk]);
    return this.#give(this.#read - (automaton.depth[node] as number));
  }

  end(): Buffer {
    return this.#give(this.#read);
  }

  /** Covers come with growing ends; one may begin before several that came earlier. */
  #cover(end: number, { bytes, replacement }: Forbidden): void {
    let cover: Cover = { start: end - bytes.length, end, replacement, told: false };
    for (let last = this.#covers.at(-1); last && last.end >= cover.start; last = this.#covers.at(-1)) {
      this.#covers.pop();
      const first = last.start < cover.start ? last : cover;
      cover = { start: first.start, end, replacement: first.replacement, told: last.told };
    }
    this.#covers.push(cover);
  }

  /** What is held before the offset `to`, without what is covered. */
  #give(to: number): Buffer {
    const from = this.#given;
    const parts: Buffer[] = [];
    let at = from;
    for (const cover of this.#covers) {
      if (cover.start >= to) break;
      if (cover.start > at) parts.push(this.#held.subarray(at - from, cover.start - from));
      if (!cover.told) parts.push(cover.replacement);
      cover.told = true;
      at = Math.max(at, Math.min(cover.end, to));
    }
    if (to > at) parts.push(this.#held.subarray(at - from, to - from));
    this.#held = this.#held.subarray(to - from);
    this.#given = to;
    // The last one stays: what follows may touch it.
    this.#covers = this.#covers.filter(({ end }, index) => end >= to || index === this.#covers.length - 1);
    return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
  }
}
