import { pipeline, Transform, type Readable, type TransformCallback } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from "node:zlib";
import type { Limits } from "../../base/limits.ts";
import type { WebHeaders } from "../../base/web.ts";

/** What takes note of a body. */
export interface BodyNotes {
  /** All of it, or a part; parts may overlap. */
  read(text: string): void;
  /** Something of it cannot be read. */
  missed(): void;
}

interface BodyTerms {
  readonly headers: WebHeaders;
  /** A word that may go on is not yet one that vouches. */
  readonly isTrusted: boolean;
  readonly limits: Pick<Limits, "flow_body_chars" | "flow_whole_bytes">;
}

const openers: Readonly<Record<string, () => Transform>> = { gzip: createGunzip, "x-gzip": createGunzip, deflate: createInflate, br: createBrotliDecompress, zstd: createZstdDecompress };
/** Read at a time: calls go first between two slices. */
const sliceBytes = 16 * 1024;
/** A run without an end is told in pieces, which share so much that no value is torn. */
const longestRun = 4096;
const overlap = 512;

/**
 * A body as it passes: nothing of it passes before it has been taken note of, but for the last word of a part that is trusted. A short one whose length was
 * told is held until it is whole.
 */
export class PassingBody extends Transform {
  readonly #reading: BodyReading;
  readonly #held: Buffer[] | null;

  constructor(from: Readable, terms: BodyTerms, notes: BodyNotes) {
    super();
    const length = Number(valueOf(terms.headers, "content-length") || Number.NaN);
    this.#held = length <= terms.limits.flow_whole_bytes ? [] : null;
    this.#reading = new BodyReading(terms, notes, this.#held !== null);
    pipeline(from, this, () => {}); // An error or an end of either is one of the other.
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const pass = (): void => {
      if (this.#held) this.#held.push(chunk);
      done(null, this.#held ? undefined : chunk);
    };
    this.#read(chunk).then(pass, done);
  }

  async #read(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length; at += sliceBytes) {
      if (at > 0) await setImmediate();
      await this.#reading.add(chunk.subarray(at, at + sliceBytes));
    }
  }

  override _flush(done: TransformCallback): void {
    this.#reading.end().then(() => done(null, this.#held ? Buffer.concat(this.#held) : undefined), done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#reading[Symbol.dispose]();
    done(error);
  }
}

/** Makes text of a body's bytes, in parts that end between words where they can. */
class BodyReading {
  readonly #terms: BodyTerms;
  readonly #notes: BodyNotes;
  readonly #isWhole: boolean;
  #opener: Transform | null = null;
  #opened: Promise<void> = Promise.resolve();
  /** Null once nothing more is read. */
  #decoder: InstanceType<typeof TextDecoder> | null;
  #tail = "";
  #left: number;

  constructor(terms: BodyTerms, notes: BodyNotes, isWhole: boolean) {
    this.#terms = terms;
    this.#notes = notes;
    this.#isWhole = isWhole;
    this.#left = terms.limits.flow_body_chars;
    const encoding = valueOf(terms.headers, "content-encoding").toLowerCase();
    const open = encoding === "" || encoding === "identity" ? null : openers[encoding];
    this.#decoder = decoderOf(valueOf(terms.headers, "content-type"));
    if (open === undefined || this.#decoder === null) this.#miss();
    else if (open) this.#through(open());
  }

  /** Resolves when these bytes have been taken note of, as far as they can be. */
  async add(bytes: Buffer): Promise<void> {
    const opener = this.#opener;
    if (this.#decoder === null) return;
    if (opener === null) return this.#decode(bytes);
    await Promise.race([new Promise<void>((resolve) => void opener.write(bytes, () => resolve())), this.#opened]);
  }

  async end(): Promise<void> {
    this.#opener?.end();
    await this.#opened;
    this.#decode(null);
    if (this.#tail !== "" && this.#decoder !== null && (this.#isWhole || this.#terms.isTrusted)) this.#tell(this.#tail);
  }

  [Symbol.dispose](): void {
    this.#decoder = null;
    this.#opener?.destroy();
  }

  #through(opener: Transform): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#opened = promise;
    this.#opener = opener;
    opener.on("data", (bytes: Buffer) => this.#decode(bytes));
    opener.once("error", () => this.#miss());
    opener.once("close", resolve);
  }

  /** `null`: that was all. */
  #decode(bytes: Buffer | null): void {
    if (this.#decoder === null) return;
    try {
      this.#text(bytes === null ? this.#decoder.decode() : this.#decoder.decode(bytes, { stream: true }));
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      this.#miss(); // no text
    }
  }

  #text(text: string): void {
    if (text === "") return;
    if (text.includes("\0")) return this.#miss(); // text has none, but what is in other letters than it says
    const all = this.#tail + text;
    if (this.#isWhole) {
      if (all.length > this.#left) return this.#miss();
      this.#tail = all;
      return;
    }
    const end = endOfWords(all);
    const isRun = all.length - end > longestRun;
    if (isRun && this.#terms.isTrusted) return this.#miss(); // a part of it would vouch
    this.#tail = isRun ? all.slice(-overlap) : all.slice(end);
    this.#tell(this.#terms.isTrusted ? all.slice(0, end) : all);
  }

  #tell(text: string): void {
    if (text === "") return;
    this.#left -= text.length;
    if (this.#left < 0) return this.#miss();
    this.#notes.read(text);
  }

  /** From here on nothing of it is read. */
  #miss(): void {
    this.#decoder = null;
    this.#tail = "";
    this.#opener?.destroy();
    this.#notes.missed();
  }
}

/** Null for letters that nobody here knows. */
function decoderOf(type: string): InstanceType<typeof TextDecoder> | null {
  try {
    return new TextDecoder(/charset=["']?([\w:.-]+)/i.exec(type)?.[1] ?? "utf-8", { fatal: true });
  } catch {
    return null;
  }
}

const valueOf = (headers: WebHeaders, name: string): string => headers.filter(([one]) => one.toLowerCase() === name).map(([, value]) => value.trim()).join(", ");

/** Where the last word begins that may go on. */
function endOfWords(text: string): number {
  for (let at = text.length; at > Math.max(0, text.length - longestRun - 1); at--) if (/[\s"<>{}]/.test(text[at - 1] ?? "")) return at;
  return 0;
}
