import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { closeSync, lstatSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from "node:fs";
import { join } from "node:path";

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const half = (): string => Array.from({ length: 20 }, () => letters[randomInt(letters.length)]).join("");

/**
 * A secret to plant. What is looked for are its halves, so that one of which a part got away is found too; between them stands what the encodings
 * of JSON, URLs and forms write differently.
 */
export const plant = (): string => `${half()}"\\/+&=% <~${half()}`;

/** The forms that a text may be found in: itself, base64 wherever it begins in what was encoded, hexadecimal, percent signs, UTF-16. */
function formsOf(text: string): string[] {
  const bytes = Buffer.from(text, "latin1");
  const cores = [0, 1, 2].map((before) => Buffer.concat([Buffer.alloc(before), bytes]).toString("base64").slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6)));
  const hex = bytes.toString("hex");
  const percent = hex.replace(/../g, "%$&");
  return [text, ...cores, ...cores.map((core) => core.replaceAll("+", "-").replaceAll("/", "_")), hex, hex.toUpperCase(), percent, percent.toUpperCase(), Buffer.from(text, "utf16le").toString("latin1")];
}

/** The parts of a secret that are looked for, 16 characters at least. */
const partsOf = (value: string): string[] => (value.length === 50 ? [value.slice(0, 20), value.slice(30)] : [value.slice(0, 24), value.slice(-24)]);

/** Looks for many secrets in many bytes, each byte once. */
export class Search {
  readonly #needles = new Map<number, { name: string; bytes: Buffer }[]>();
  readonly #filter = new Uint8Array(1 << 16);
  readonly #found = new Set<string>();
  /** Bytes looked at so far. */
  searched = 0;

  constructor(secrets: Readonly<Record<string, string>>) {
    for (const [name, value] of Object.entries(secrets)) {
      for (const text of new Set(partsOf(value).flatMap(formsOf))) {
        const bytes = Buffer.from(text, "latin1");
        const word = bytes.readUInt32BE(0);
        this.#filter[fold(word)] = 1;
        this.#needles.set(word, [...(this.#needles.get(word) ?? []), { name, bytes }]);
      }
    }
  }

  /** `place` is a name for where the bytes lie. */
  look(place: string, bytes: Buffer): void {
    this.searched += bytes.length;
    let word = 0;
    for (let at = 0; at < bytes.length; at++) {
      word = ((word << 8) | (bytes[at] as number)) >>> 0;
      if (this.#filter[fold(word)] !== 1) continue;
      const from = at - 3;
      for (const { name, bytes: needle } of this.#needles.get(word) ?? []) {
        if (from >= 0 && bytes.compare(needle, 0, needle.length, from, Math.min(from + needle.length, bytes.length)) === 0) this.#found.add(`${name} in ${place}`);
      }
    }
  }

  /** Every file below a folder, links not followed. */
  lookBelow(place: string, folder: string, skip: (path: string) => boolean = () => false): void {
    for (const name of namesIn(folder)) {
      const path = join(folder, name);
      if (skip(path)) continue;
      this.look(place, Buffer.from(name));
      const stat = lstatSync(path, { throwIfNoEntry: false });
      if (stat?.isDirectory()) this.lookBelow(place, path, skip);
      else if (stat?.isFile()) this.look(place, contentOf(path));
      else if (stat?.isSymbolicLink()) this.look(place, Buffer.from(readlinkSync(path)));
    }
  }

  /** Command line and environment of every process of the machine. `known` is asked once they are listed, so that none is newer than what it knows, and gives each a name. */
  lookAtProcesses(known: () => (pid: number) => string): void {
    const pids = namesIn("/proc").map(Number).filter((each) => Number.isInteger(each) && each !== process.pid);
    const of = known();
    for (const pid of pids) {
      this.look(`command line of ${of(pid)}`, contentOf(`/proc/${pid}/cmdline`));
      this.look(`environment of ${of(pid)}`, contentOf(`/proc/${pid}/environ`));
    }
  }

  /** What a process can write to and has in memory, page by page as they are there. It takes the right to trace it. Returns how many bytes there were. */
  lookAtMemory(place: string, pid: number): number {
    const before = this.searched;
    const memory = openOf(`/proc/${pid}/mem`);
    const pages = openOf(`/proc/${pid}/pagemap`);
    for (const [, from = "", to = ""] of contentOf(`/proc/${pid}/maps`).toString("latin1").matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw/gm)) {
      for (const [start, end] of present(pages, Number.parseInt(from, 16), Number.parseInt(to, 16))) {
        for (let at = start; at < end; at += pieceBytes - pieceOverlap) this.look(place, bytesAt(memory, at, Math.min(pieceBytes, end - at)));
      }
    }
    for (const fd of [memory, pages]) if (fd !== null) closeSync(fd);
    return this.searched - before;
  }

  /** What was found, `<secret> in <place>`, sorted. */
  found(): string[] {
    return [...this.#found].sort();
  }
}

const fold = (word: number): number => ((word >>> 16) * 31 + (word & 0xffff)) & 0xffff;

/** Why this machine writes no core file to the folder that a process works in; null when it does. */
export function noCores(): string | null {
  const pattern = contentOf("/proc/sys/kernel/core_pattern").toString().trim();
  if (!/^core(?:\.%p)?$/.test(pattern)) return `core files go to \`${pattern || "nowhere that is known"}\` on this machine`;
  const limit = spawnSync("/bin/sh", ["-c", "ulimit -H -c"], { encoding: "utf8" }).stdout.trim();
  return limit === "unlimited" ? null : `core files may have ${limit} blocks here`;
}

const pageBytes = 4096;
const pieceBytes = 1 << 22;
/** Longer than whatever is looked for, so that none lies between two pieces. */
const pieceOverlap = 4096;

/** The stretches of an address range that are in memory or swapped out, as the kernel's page map says. */
function present(pages: number | null, from: number, to: number): [number, number][] {
  const map = bytesAt(pages, (from / pageBytes) * 8, ((to - from) / pageBytes) * 8);
  const found: [number, number][] = [];
  for (let page = 0; page * 8 < map.length; page++) {
    if (((map[page * 8 + 7] as number) & 0xc0) === 0) continue;
    const at = from + page * pageBytes;
    const last = found.at(-1);
    if (last?.[1] === at) last[1] = at + pageBytes;
    else found.push([at, at + pageBytes]);
  }
  return found;
}

function openOf(path: string): number | null {
  try {
    return openSync(path, "r");
  } catch {
    return null; // It has ended, or is not ours to look into.
  }
}

function bytesAt(fd: number | null, at: number, length: number): Buffer {
  try {
    const bytes = Buffer.alloc(fd === null ? 0 : length);
    return bytes.subarray(0, fd === null ? 0 : readSync(fd, bytes, 0, length, at));
  } catch {
    return Buffer.alloc(0); // It is gone meanwhile.
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function contentOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0); // It has ended, or is gone.
  }
}
