import { isObject, type Json, type JsonObject } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import type { StateChange } from "../../base/store/port.ts";
import type { SessionMemory } from "./memory.ts";
import { PrintTable } from "./table.ts";
import { LabelSets, labelsOf, origin, originOf, packed, type OriginCode } from "./values.ts";

/** Fingerprints of one call that are kept; the words of a longer text are known by its shingles all the same. */
const mostOfOne = 8192;
const dayMs = 24 * 3_600_000;
const printBytes = 6;

interface Kept {
  readonly atMs: number;
  readonly count: number;
}

/** Values of one call that may be read again: by their origin and labels. */
export class Writing {
  readonly groups = new Map<string, { readonly code: OriginCode; readonly labels: readonly string[]; readonly prints: number[] }>();
  count = 0;

  /** A call says a value of which a session has packed knowledge: kept is what is not known to be good, all of it once the session has read strangers' words. */
  say(low: number, high: number, known: number, { read, labels }: Pick<SessionMemory, "read" | "labels">): void {
    const code = originOf(known);
    const own = read.labels.names(labelsOf(known));
    if (code === origin.task || code === origin.directory || (code === origin.trusted && own.length === 0)) return;
    if (code === origin.trusted) this.#add(low, high, origin.trusted, own);
    else if (code === origin.untrusted || labels.has("untrusted")) this.#add(low, high, origin.untrusted, own);
  }

  #add(low: number, high: number, code: OriginCode, labels: readonly string[]): void {
    if (this.count >= mostOfOne) return;
    const key = `${code} ${labels.join(" ")}`;
    const group = this.groups.get(key) ?? { code, labels, prints: [] };
    this.groups.set(key, group);
    group.prints.push(low, high);
    this.count++;
  }
}

/**
 * What sessions have written that was not known to be good, so that it is known again when some other session reads it from a tool that is trusted.
 * Durable, with the outcomes of the calls; bounded: the oldest make room, unless they are younger than a day; then no trusted result counts as trusted
 * until they are not.
 */
export class WrittenValues {
  readonly #most: number;
  readonly #clock: Clock;
  readonly #fetch: (key: string) => JsonObject | null;
  readonly #kept = new Map<string, Kept>();
  readonly #labels = new LabelSets();
  #table: PrintTable;
  #count = 0;
  #floodedUntilMs = 0;

  constructor({ most, clock, past, fetch }: { most: number; clock: Clock; past: readonly { readonly key: string; readonly value: JsonObject }[]; fetch: (key: string) => JsonObject | null }) {
    this.#most = most;
    this.#clock = clock;
    this.#fetch = fetch;
    this.#table = new PrintTable(most * 2);
    for (const { key, value } of [...past].sort((a, b) => Number(a.value["at_ms"]) - Number(b.value["at_ms"]))) this.#take(key, value);
  }

  /** More was written within a day than is remembered. */
  get isFlooded(): boolean {
    return this.#clock.nowMs() < this.#floodedUntilMs;
  }

  /** Null when it was never written, or was good. */
  get(low: number, high: number): { readonly code: OriginCode; readonly labels: readonly string[] } | null {
    const value = this.#table.get(low, high);
    return value === 0 ? null : { code: originOf(value) as OriginCode, labels: this.#labels.names(labelsOf(value)) };
  }

  /** Remembers what a call wrote; gives what is to be stored with its outcome. */
  keep(seq: number, writing: Writing): StateChange[] {
    if (writing.count === 0) return [];
    const key = `${seq}`;
    const groups = [...writing.groups.values()].map(({ code, labels, prints }) => ({ trusted: code === origin.trusted, labels: [...labels], prints: encoded(prints) }));
    const value: JsonObject = { at_ms: this.#clock.nowMs(), count: writing.count, groups };
    const gone = this.#makeRoom(writing.count);
    this.#take(key, value);
    return [...gone.map((old) => ({ kind: "written" as const, key: old, value: null })), { kind: "written", key, value }];
  }

  #take(key: string, value: JsonObject): void {
    const count = Number(value["count"]);
    this.#kept.set(key, { atMs: Number(value["at_ms"]), count });
    this.#count += count;
    for (const group of Array.isArray(value["groups"]) ? value["groups"].filter(isObject) : []) this.#add(group);
  }

  #add({ trusted, labels, prints }: JsonObject): void {
    const number = this.#labels.number(Array.isArray(labels) ? labels.map(String) : []);
    const bytes = Buffer.from(String(prints), "base64");
    for (let at = 0; at + printBytes <= bytes.length; at += printBytes) {
      const [low, high] = [bytes.readUInt32LE(at), bytes.readUInt16LE(at + 4)];
      const known = this.#table.get(low, high);
      const code = trusted === true && originOf(known) !== origin.untrusted ? origin.trusted : origin.untrusted;
      this.#table.set(low, high, packed(code, this.#labels.union(labelsOf(known), number)));
    }
  }

  /** The keys of what was forgotten for it, at most 64 at a time. */
  #makeRoom(count: number): string[] {
    const gone: string[] = [];
    for (const [key, old] of this.#kept) {
      if (this.#count + count <= this.#most || gone.length >= 64) break;
      this.#floodedUntilMs = Math.max(this.#floodedUntilMs, old.atMs + dayMs);
      this.#kept.delete(key);
      this.#count -= old.count;
      gone.push(key);
    }
    if (gone.length > 0 && this.#table.size > this.#most) this.#rebuild();
    return gone;
  }

  #rebuild(): void {
    this.#table = new PrintTable(this.#most * 2);
    for (const key of this.#kept.keys()) {
      const groups: Json = this.#fetch(key)?.["groups"] ?? [];
      for (const group of Array.isArray(groups) ? groups.filter(isObject) : []) this.#add(group);
    }
  }
}

function encoded(prints: readonly number[]): string {
  const bytes = Buffer.alloc((prints.length / 2) * printBytes);
  for (let at = 0; at < prints.length; at += 2) {
    bytes.writeUInt32LE(prints[at] ?? 0, (at / 2) * printBytes);
    bytes.writeUInt16LE(prints[at + 1] ?? 0, (at / 2) * printBytes + 4);
  }
  return bytes.toString("base64");
}
