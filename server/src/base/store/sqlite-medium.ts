import { closeSync, fdatasync, fdatasyncSync, fsyncSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { parseJson, type LedgerRecord } from "@lanyard/contract";
import { systemClock } from "../clock.ts";
import type { Batch, Head, Leaf, Medium, StateRow } from "./medium.ts";
import { packRow, unpackRow } from "./pack.ts";
import type { LogFilter, StateKind } from "./port.ts";
import { migrate } from "./schema.ts";
import { statements, type Statements } from "./statements.ts";
import { wordsOf, type WordBook } from "./words.ts";
import { packZone, unpackZone, zoneValues } from "./zone.ts";

/** Records of one zone, and of one tile. */
const block = 256;
/** Pages written to the log after which they are copied into the database, about 16 MB. */
const checkpointPages = 4096;
/** Longer than this the event loop waits for no sync. */
const quickSyncUs = 800;
/** SQLite's codes after which the connection itself is sound: busy, full. */
const passing = new Set([5, 13]);

const syncFile = promisify(fdatasync);

const syncFolder = (folder: string): void => {
  const opened = openSync(folder, "r");
  try {
    fsyncSync(opened);
  } finally {
    closeSync(opened);
  }
};

/**
 * A book on an SQLite database with a write-ahead log. The event loop waits for no sync that somebody else could feel: a commit writes to the
 * log, which is then synced by a thread of the system's pool, and copied back by a worker with a connection of its own.
 */
export class SqliteMedium implements Medium {
  readonly #path: string;
  readonly #lock: Disposable;
  #database: DatabaseSync;
  #sql: Statements;
  #words: WordBook;
  /** The write-ahead log's file, for syncing. */
  #log = -1;
  /** How long the last sync took. */
  #syncUs = 0;
  #inode: string;
  #broken = false;
  #size = 0;
  /** Words of the block being filled; null when it must be read again. */
  #zone: Set<number> | null = null;
  #subjects = new Map<string, number>();
  #pages = 0;
  #checkpointer: Worker | null = null;
  #copying = false;

  /** `path` of the database file, created when missing; `lock` is let go of when the medium is closed. */
  constructor(path: string, lock: Disposable) {
    this.#path = path;
    this.#lock = lock;
    [this.#database, this.#sql, this.#words] = this.#open();
    this.#inode = this.#identity();
    this.#size = this.head().size;
  }

  #open(): [DatabaseSync, Statements, WordBook] {
    const database = new DatabaseSync(this.#path, { timeout: 20 });
    try {
      // Invariant: I1, every commit is followed by a sync of the log before anybody hears of it. That is what `synchronous=FULL` adds to
      // NORMAL, done by `sync` instead, since SQLite would hold up the event loop for it; NORMAL keeps the log and its copying in order.
      database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0; PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON");
      migrate(database);
      const sql = statements(database);
      this.#log = openSync(`${this.#path}-wal`, "r+");
      fdatasyncSync(this.#log);
      syncFolder(dirname(this.#path)); // or the names of database and log may not outlive a power cut
      return [database, sql, wordsOf(sql)];
    } catch (cause) {
      database.close();
      throw cause;
    }
  }

  // A file that was removed or covered by a mount stays writable through its old descriptor: what is written there is lost.
  #identity(): string {
    const [file, log] = [statSync(this.#path), statSync(`${this.#path}-wal`, { throwIfNoEntry: false })];
    return `${file.dev}:${file.ino}:${log?.ino ?? 0}`;
  }

  commit(batch: Batch): void {
    if (this.#identity() !== this.#inode) {
      this.#broken = true;
      throw new Error("the database file is not the one that was opened");
    }
    try {
      this.#sql.begin.run();
      this.#write(batch);
      this.#sql.commit.run();
    } catch (cause) {
      this.#rollBack(cause);
      throw cause;
    }
    this.#size = batch.head.size;
    if (batch.erase) this.#scrub();
    this.#pages += 6 + batch.leaves.length / 3;
    if (this.#pages > checkpointPages) this.#copyBack();
  }

  async sync(alone: boolean): Promise<void> {
    const startedUs = systemClock.monotonicUs();
    try {
      // A hop to another thread and back costs as much as half a sync of a quick disk; nobody else waits while a lone caller does.
      if (alone && this.#syncUs < quickSyncUs) fdatasyncSync(this.#log);
      else await syncFile(this.#log);
    } catch (cause) {
      this.#broken = true;
      throw cause;
    }
    this.#syncUs = systemClock.monotonicUs() - startedUs;
  }

  #close(): void {
    if (this.#log >= 0) closeSync(this.#log);
    this.#log = -1;
    if (this.#database.isOpen) this.#database.close();
  }

  #rollBack(cause: unknown): void {
    this.#words.forget();
    this.#subjects.clear();
    this.#zone = null;
    if (!passing.has(((cause as { errcode?: number }).errcode ?? 0) & 0xff)) this.#broken = true;
    try {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
    } catch {
      this.#broken = true; // SQLite rolled back by itself, or cannot: either way a new connection reads what is on disk
    }
  }

  #write({ leaves, nodes, state, head, leftOpen, ended, erase }: Batch): void {
    const sql = this.#sql;
    if (erase) this.#erase(erase);
    for (const leaf of leaves) this.#writeLeaf(leaf);
    for (const { level, index, hash } of nodes) sql.addNode.run(level, index, hash);
    for (const { kind, key, text, salt, seq } of state) {
      if (text === null) sql.dropState.run(kind, key);
      else sql.putState.run(kind, key, text, salt, seq);
    }
    for (const seq of leftOpen) sql.addLeft.run(seq);
    for (const seq of ended) sql.dropLeft.run(seq);
    sql.putHead.run(head.size, head.atMs, head.checkpoint, head.openFrom);
  }

  #writeLeaf({ record, hash, box }: Leaf): void {
    const sql = this.#sql;
    const { seq } = record;
    sql.addEntry.run(seq, packRow(record, hash, this.#words));
    if (record.type === "outcome") sql.addOutcome.run(record.of, seq);
    if (box) sql.addPayload.run(box.number, this.#subjectId(box.subject.tag, box.subject.wrapped), box.bytes);
    const zone = (this.#zone ??= this.#zoneFrom(seq - (seq % block), seq));
    for (const value of zoneValues(record)) zone.add(this.#words.idOf(value));
    if (seq % block !== block - 1) return;
    sql.addZone.run((seq + 1) / block - 1, packZone(zone));
    this.#zone = new Set();
  }

  #zoneFrom(from: number, to: number): Set<number> {
    return new Set(this.texts(from, to).flatMap((text) => zoneValues(parseJson(text) as LedgerRecord).map((value) => this.#words.idOf(value))));
  }

  #subjectId(tag: Buffer, wrapped: Uint8Array): number {
    const name = tag.toString("latin1");
    const cached = this.#subjects.get(name);
    if (cached !== undefined) return cached;
    const found = this.#sql.findSubject.get(tag) as { id: number } | undefined;
    const id = found?.id ?? Number(this.#sql.addSubject.run(tag, wrapped).lastInsertRowid);
    if (this.#subjects.size > 4096) this.#subjects.clear();
    this.#subjects.set(name, id);
    return id;
  }

  #erase(tag: Uint8Array): void {
    const found = this.#sql.findSubject.get(tag) as { id: number } | undefined;
    if (!found) return;
    this.#sql.eraseBoxes.run(found.id);
    this.#sql.dropSubject.run(found.id);
    this.#subjects.clear();
  }

  // `secure_delete` overwrites the erased in the database; only a truncated log holds no older copy.
  #scrub(): void {
    try {
      this.#database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      this.#inode = this.#identity();
    } catch {
      this.#pages = checkpointPages; // a reader is in the way: the next copy tries again
    }
  }

  #copyBack(): void {
    if (this.#copying) return;
    this.#copying = true;
    this.#pages = 0;
    this.#checkpointer ??= this.#startCheckpointer();
    this.#checkpointer.postMessage("copy");
  }

  #startCheckpointer(): Worker {
    const worker = new Worker(new URL("./checkpointer.ts", import.meta.url), { workerData: this.#path });
    worker.unref();
    // What was committed while the worker copied is a few pages. With these copied too, the next commit begins the log anew.
    worker.on("message", () => {
      this.#copying = false;
      try {
        if (!this.#broken) this.#database.exec("PRAGMA wal_checkpoint(PASSIVE)");
      } catch {
        this.#pages = 0; // the disk is full: the log stays, commits say so themselves
      }
    });
    worker.on("error", () => {
      this.#copying = false;
      this.#checkpointer = null;
    });
    return worker;
  }

  recover(): void {
    if (!this.#broken) return;
    this.#close();
    statSync(this.#path); // never begin a new ledger where one was lost
    [this.#database, this.#sql, this.#words] = this.#open();
    this.#inode = this.#identity();
    this.#size = this.head().size;
    this.#broken = false;
  }

  head(): Head {
    const { size, at_ms: atMs, checkpoint, open_from: openFrom } = this.#sql.head.get() as { size: number; at_ms: number; checkpoint: string; open_from: number };
    return { size, atMs, checkpoint, openFrom };
  }

  leftOpen(): number[] {
    return (this.#sql.leftOpen.all() as { seq: number }[]).map(({ seq }) => seq);
  }

  texts(from: number, to: number): string[] {
    const rows = this.#sql.entries.all(from, to) as { seq: number; body: Uint8Array }[];
    if (rows.length !== Math.max(0, to - from)) throw new RangeError(`records ${from} to ${to} are not all there`);
    return rows.map(({ body }) => unpackRow(body, this.#words));
  }

  node(level: number, index: number): Uint8Array {
    const found = this.#sql.node.get(level, index) as { hash: Uint8Array } | undefined;
    if (!found) throw new RangeError(`tree node ${index} of level ${level} is missing`);
    return found.hash;
  }

  outcomeOf(seq: number): number | null {
    return (this.#sql.outcome.get(seq) as { seq: number } | undefined)?.seq ?? null;
  }

  *candidates(filter: LogFilter): Iterable<number> {
    const from = Math.max(filter.from ?? 0, filter.sinceMs === undefined ? 0 : this.#firstSince(filter.sinceMs));
    const to = Math.min(filter.to ?? Infinity, this.#size - 1);
    const wanted = this.#wanted(filter);
    if (wanted.some((words) => words.size === 0) || from > to) return;
    const [first, last] = [Math.floor(from / block), Math.floor(to / block)];
    for (let step = 0; step <= last - first; step++) {
      const at = filter.newest ? last - step : first + step;
      if (!this.#mayHold(at, wanted)) continue;
      const [low, high] = [Math.max(from, at * block), Math.min(to, at * block + block - 1)];
      for (let seq = low; seq <= high; seq++) yield filter.newest ? low + high - seq : seq;
    }
  }

  /** For each thing the filter asks for, the words that would satisfy it. */
  #wanted({ types, session, agent, effect, action }: LogFilter): Set<number>[] {
    const one = (text: string): number[] => [this.#words.known(text)].filter((id) => id !== null);
    const wanted: Set<number>[] = [];
    if (types) wanted.push(new Set(types.flatMap(one)));
    for (const text of [session, agent, effect]) if (text !== undefined) wanted.push(new Set(one(text)));
    if (action?.endsWith("*")) {
      const prefix = action.slice(0, -1);
      wanted.push(new Set((this.#sql.wordsFrom.all(prefix, `${prefix}\u{10ffff}`) as { id: number }[]).map(({ id }) => id)));
    } else if (action !== undefined) wanted.push(new Set(one(action)));
    return wanted;
  }

  #mayHold(at: number, wanted: readonly Set<number>[]): boolean {
    if (wanted.length === 0) return true;
    const row = this.#sql.zone.get(at) as { words: Uint8Array } | undefined;
    if (!row) return true; // the block is not full yet
    const zone = unpackZone(row.words);
    return wanted.every((words) => words.values().some((word) => zone.has(word)));
  }

  #firstSince(sinceMs: number): number {
    let [low, high] = [0, this.#size];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const { at_ms } = parseJson(this.texts(middle, middle + 1)[0] as string) as LedgerRecord;
      if (at_ms < sinceMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  *state(): Iterable<StateRow> {
    for (const row of this.#sql.state.iterate()) {
      const { kind, key, text, salt, seq } = row as { kind: StateKind; key: string; text: string; salt: Uint8Array; seq: number };
      yield { kind, key, text, salt, seq };
    }
  }

  nextPayload(): number {
    return (this.#sql.nextPayload.get() as { next: number }).next;
  }

  payloadsOf(tag: Uint8Array): number {
    return (this.#sql.countPayloads.get(tag) as { count: number }).count;
  }

  subject(tag: Uint8Array): Uint8Array | null {
    return (this.#sql.findSubject.get(tag) as { wrapped: Uint8Array } | undefined)?.wrapped ?? null;
  }

  payload(number: number): { box: Uint8Array; tag: Uint8Array; wrapped: Uint8Array } | null {
    return (this.#sql.payload.get(number) as { box: Uint8Array; tag: Uint8Array; wrapped: Uint8Array } | undefined) ?? null;
  }

  payloads(numbers: readonly number[]): { id: number; box: Uint8Array; tag: Uint8Array; wrapped: Uint8Array }[] {
    return this.#sql.payloads.all(JSON.stringify(numbers)) as { id: number; box: Uint8Array; tag: Uint8Array; wrapped: Uint8Array }[];
  }

  putObject(hash: Uint8Array, bytes: Uint8Array, lazily = false): void {
    if (this.#identity() !== this.#inode) throw new Error("the database file is not the one that was opened");
    this.#sql.putObject.run(hash, bytes);
    if (!lazily) fdatasyncSync(this.#log);
  }

  object(hash: Uint8Array): Uint8Array | null {
    return (this.#sql.object.get(hash) as { bytes: Uint8Array } | undefined)?.bytes ?? null;
  }

  [Symbol.dispose](): void {
    void this.#checkpointer?.terminate();
    this.#close();
    this.#lock[Symbol.dispose]();
  }
}

