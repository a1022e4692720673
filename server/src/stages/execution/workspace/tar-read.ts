import { Fault } from "@lanyard/contract";
import { blockBytes, checksum } from "./tar-write.ts";

/** A member of an archive that was made where nobody is trusted: its words are as they came. */
export interface TarEntry {
  /** Null when it is not UTF-8. */
  readonly path: string | null;
  /** `other`: something that no workspace holds; `type` says what. */
  readonly kind: "folder" | "file" | "link" | "other";
  readonly type: string;
  /** All twelve bits. */
  readonly mode: number;
  readonly size: number;
  /** Null when it is not UTF-8. */
  readonly target: string | null;
  /** Can be read once, before the next entry is asked for; what is not read is skipped. */
  content(): AsyncGenerator<Buffer>;
}

/** A name or a pax header; real ones are at most a few path lengths. */
const maxExtraBytes = 64 * 1024;
/** Headers in a row that speak of one member; real ones are at most three. */
const maxExtras = 8;
const kinds: Readonly<Record<string, TarEntry["kind"]>> = { "0": "file", "\0": "file", "7": "file", "2": "link", "5": "folder" };
const others: Readonly<Record<string, string>> = { "1": "a hard link", "3": "a device", "4": "a device", "6": "a fifo", "S": "a sparse file" };

/**
 * Reads an archive (ustar, pax, GNU long names) member by member. Throws Fault `invalid_request` where it is none, or uses what no honest tar
 * writes here; whatever it holds, at most one header and one piece of content are in memory.
 */
export async function* readTar(source: AsyncIterable<Buffer>): AsyncGenerator<TarEntry> {
  const bytes = new Pieces(source);
  let extra = new Map<string, Buffer>();
  let extras = 0;
  for (let block = await bytes.exactly(blockBytes); block && !isEmpty(block); block = await bytes.exactly(blockBytes)) {
    if (numberAt(block, 148, 8) !== checksum(block)) throw nonsense("a header's checksum is wrong");
    const type = block.toString("latin1", 156, 157);
    const size = extra.has("size") ? decimal(extra.get("size") as Buffer) : numberAt(block, 124, 12);
    if (type === "x" || type === "L" || type === "K") {
      if (++extras > maxExtras) throw nonsense("a member has too many headers");
      const content = await extraOf(bytes, numberAt(block, 124, 12));
      if (type === "x") for (const [key, value] of paxRecords(content)) extra.set(key, value);
      else extra.set(type === "L" ? "path" : "linkpath", untilNul(content));
      continue;
    }
    if ([...extra.keys()].some((key) => key.startsWith("GNU.sparse"))) throw nonsense("it has a sparse file");
    const kind = kinds[type] ?? "other";
    if (kind === "other" && !(type in others)) throw nonsense(`it has a member of the unknown type ${type.charCodeAt(0)}`);
    if (type === "S") throw nonsense("it has a sparse file");
    // Links and folders have no content, whatever their size says; a reader that believed otherwise would lose its place.
    const held = kind === "file" ? size : 0;
    if (kind !== "file" && type !== "1" && size !== 0) throw nonsense("a member without content says it has some");
    let rest = held;
    const content = async function* (): AsyncGenerator<Buffer> {
      while (rest > 0) {
        const piece = await bytes.some(rest);
        rest -= piece.length;
        yield piece;
      }
    };
    const path = extra.get("path") ?? shortName(block);
    const target = extra.get("linkpath") ?? untilNul(block.subarray(157, 257));
    yield { path: text(path), kind, type: others[type] ?? "", mode: numberAt(block, 100, 8) & 0o7777, size: held, target: text(target), content };
    extra = new Map();
    extras = 0;
    for await (const _ of content());
    await bytes.skip((blockBytes - (held % blockBytes)) % blockBytes);
  }
  if (extra.size > 0) throw nonsense("it ends in the middle of a member");
  await bytes.drain();
}

const nonsense = (what: string): Fault => new Fault("invalid_request", `the archive that came out of the sandbox cannot be read: ${what}`);
const isEmpty = (block: Buffer): boolean => block.every((byte) => byte === 0);

const shortName = (block: Buffer): Buffer => {
  const name = untilNul(block.subarray(0, 100));
  const isUstar = block.toString("latin1", 257, 263) === "ustar\0"; // GNU's own form has other things where the prefix is.
  const prefix = isUstar ? untilNul(block.subarray(345, 500)) : Buffer.alloc(0);
  return prefix.length > 0 ? Buffer.concat([prefix, Buffer.from("/"), name]) : name;
};

const untilNul = (bytes: Buffer): Buffer => {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
};

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const text = (bytes: Buffer): string | null => {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
};

/** Octal digits, or GNU's form in binary, marked by the first bit. */
function numberAt(block: Buffer, at: number, length: number): number {
  const field = block.subarray(at, at + length);
  if (((field[0] ?? 0) & 0x80) !== 0) {
    let value = (field[0] ?? 0) & 0x7f;
    for (const byte of field.subarray(1)) value = value * 256 + byte;
    if (!Number.isSafeInteger(value) || field[0] === 0xff) throw nonsense("a number is too large");
    return value;
  }
  const digits = untilNul(field).toString("latin1").trim();
  if (!/^[0-7]*$/.test(digits)) throw nonsense("a number has no octal digits");
  return Number.parseInt(digits || "0", 8);
}

function decimal(value: Buffer): number {
  const digits = value.toString("latin1");
  if (!/^\d{1,15}$/.test(digits)) throw nonsense("a size is no number");
  return Number(digits);
}

async function extraOf(bytes: Pieces, size: number): Promise<Buffer> {
  if (size > maxExtraBytes) throw nonsense(`a name or header of ${size} bytes`);
  const content = await bytes.exactly(size);
  if (!content) throw nonsense("it ends in the middle of a member");
  await bytes.skip((blockBytes - (size % blockBytes)) % blockBytes);
  return content;
}

/** `length key=value\n`, again and again. */
function* paxRecords(content: Buffer): Generator<[string, Buffer]> {
  for (let at = 0; at < content.length; ) {
    const blank = content.indexOf(0x20, at);
    const length = blank < 0 ? Number.NaN : decimal(content.subarray(at, blank));
    const record = content.subarray(blank + 1, at + length);
    const equals = record.indexOf(0x3d);
    if (!(length > 0) || at + length > content.length || equals < 1 || record.at(-1) !== 0x0a) throw nonsense("a pax header is malformed");
    yield [record.toString("latin1", 0, equals), record.subarray(equals + 1, -1)];
    at += length;
  }
}

/** A stream of bytes, taken in the lengths that are wanted. */
class Pieces {
  readonly #source: AsyncIterator<Buffer>;
  #held: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Null at the very end. Throws Fault when it ends within. */
  async exactly(length: number): Promise<Buffer | null> {
    while (this.#held.length < length) {
      const next = await this.#source.next();
      if (next.done) {
        if (this.#held.length === 0) return null;
        throw nonsense("it ends in the middle of a member");
      }
      this.#held = this.#held.length === 0 ? next.value : Buffer.concat([this.#held, next.value]);
    }
    return this.#take(length);
  }

  /** At least one byte, at most `most`. */
  async some(most: number): Promise<Buffer> {
    while (this.#held.length === 0) {
      const next = await this.#source.next();
      if (next.done) throw nonsense("it ends in the middle of a member");
      this.#held = next.value;
    }
    return this.#take(Math.min(most, this.#held.length));
  }

  async skip(length: number): Promise<void> {
    for (let rest = length; rest > 0; ) rest -= (await this.some(rest)).length;
  }

  async drain(): Promise<void> {
    for (let next = await this.#source.next(); !next.done; next = await this.#source.next());
  }

  #take(length: number): Buffer {
    const taken = this.#held.subarray(0, length);
    this.#held = this.#held.subarray(length);
    return taken;
  }
}
