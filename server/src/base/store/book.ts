import { hash } from "node:crypto";
import { Fault, parseJson, type Json, type JsonObject, type LedgerRecord, type NewRecord } from "@lanyard/contract";
import { emptyFrontier, VerifyError, type Frontier, type Signer } from "@lanyard/ledger";
import type { Clock } from "../clock.ts";
import { limits } from "../limits.ts";
import { checkBox, checked, draft, gapItem, gapReason, written, type Draft, type Item } from "./draft.ts";
import type { Head, Medium } from "./medium.ts";
import { Objects } from "./objects.ts";
import { notaryOf, type Notary } from "./notary.ts";
import type { LogFilter, Prover, Receipt, Sealed, StateChange, StateKind, Store, Unsealed } from "./port.ts";
import { proverOf, recall, remember, type State } from "./recall.ts";
import { scan, search, seqOfDecision } from "./search.ts";
import { noState, type StateDigest } from "./state-digest.ts";
import { commitmentOf, opens, Vault } from "./vault.ts";

/** Told of trouble that no caller hears of. */
export type Alarm = (event: string, fields: Readonly<Record<string, unknown>>) => void;

export interface BookOptions {
  readonly clock: Clock;
  readonly medium: Medium;
  /** Signs checkpoints; its name is the ledger's name. */
  readonly signer: Signer;
  /** Secret of 32 bytes that wraps every subject's key. */
  readonly tenant: Buffer;
  /** Program version, for `ledger.open`. */
  readonly version: string;
  readonly alarm?: Alarm;
}

const retryMs = 1000;
/** A commit of so few records is one caller's: an intent, with the outcome of the call before it. */
const aloneRecords = 2;

/**
 * The store's one implementation over any medium: group commit, the tree, state, recovery. Everything between two turns of the event
 * loop, or arrives during the sync before, goes into one commit; memory follows it once it is durable, so no reader sees half of one.
 */
export class Book implements Store {
  readonly notary: Notary;
  readonly #clock: Clock;
  readonly #medium: Medium;
  readonly #signer: Signer;
  readonly #vault: Vault;
  readonly #alarm: Alarm;
  readonly #objects: Objects;
  #state: State = new Map();
  readonly #listeners = new Set<(record: LedgerRecord) => void>();
  /** Allow decisions of this run without an outcome, ascending; their calls run in this process. */
  readonly #openNow = new Set<number>();
  /** Those of earlier runs. */
  readonly #leftOpen = new Set<number>();
  #newlyLeft: number[] = [];
  #queue: Item[] = [];
  /** True from the moment a commit is due until nothing waits any more. */
  #scheduled = false;
  /** Runs while nothing but patient records wait. */
  #patience: { cancel(): void } | null = null;
  /** Those who wait for the queue to be empty. */
  #waiting: (() => void)[] = [];
  /** Records that shared the last commit. */
  #lastBatch = 0;
  #closed = false;
  #tree: Frontier = emptyFrontier;
  #digest: StateDigest = noState;
  #head: Head = { size: 0, atMs: 0, checkpoint: "", openFrom: 0 };
  #gap: { readonly fromMs: number; refused: number; readonly why: string } | null = null;
  #retry: { cancel(): void } | null = null;

  private constructor({ clock, medium, signer, tenant, alarm }: BookOptions) {
    this.#clock = clock;
    this.#medium = medium;
    this.#signer = signer;
    this.notary = notaryOf(signer);
    this.#alarm = alarm ?? (() => undefined);
    this.#objects = new Objects(medium, this.#alarm);
    this.#vault = new Vault({ clock, shelf: medium, tenant, next: medium.nextPayload() });
  }

  /**
   * Opens a book and appends `ledger.open` with the intents a crash left open. Throws Fault `ledger_unavailable` when the medium
   * refuses, or when what lies on it is not what its last checkpoint says.
   */
  static async open(options: BookOptions): Promise<Book> {
    const book = new Book(options);
    book.#reading(() => book.#recall(0));
    const open = book.openIntents();
    const key = hash("sha256", options.signer.vkey, "base64url");
    await book.append({ type: "ledger.open", key, version: options.version, open_intents: open.slice(0, 1024), more: Math.max(0, open.length - 1024) });
    return book;
  }

  append(record: NewRecord, { sealed, state = [], patient = false }: { sealed?: Sealed; state?: readonly StateChange[]; patient?: boolean } = {}): Promise<Receipt> {
    return new Promise((resolve, reject) => {
      const copy = checked(record);
      const box = sealed ? this.#vault.take(sealed) : null;
      const refuse = (fault: Fault): void => {
        if (box) this.#vault.giveBack(box);
        reject(fault);
      };
      try {
        checkBox(copy, box);
        this.#enqueue({ record: copy, box, state: written(record.type, state), erase: null, resolve, reject: refuse }, patient);
      } catch (error) {
        refuse(error as Fault);
      }
    });
  }

  erase(subject: string, by: string, why: string): Promise<Receipt> {
    return new Promise((resolve, reject) => {
      const tag = this.#vault.tag(subject);
      const record = checked({ type: "erase", subject: tag.toString("base64url"), payloads: 0, by, why });
      this.#enqueue({ record, box: null, state: [], erase: { subject, tag }, resolve, reject });
    });
  }

  #enqueue(item: Item, patient = false): void {
    if (this.#closed) throw new Fault("ledger_unavailable", `appending a record \`${item.record.type}\`: the ledger is closed`);
    if (this.#queue.length >= limits.pending_appends.value) throw new Fault("ledger_unavailable", `appending a record \`${item.record.type}\`: pending_appends, ${limits.pending_appends.value}, already wait`);
    this.#queue.push(item);
    if (!patient || this.#queue.length >= limits.batch_records.value) this.#schedule();
    else this.#patience ??= this.#clock.after(limits.patient_ms.value, () => this.#schedule());
  }

  settled(): Promise<void> {
    if (this.#queue.length === 0 && !this.#scheduled) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#patience?.cancel();
    this.#patience = null;
    setImmediate(() => void this.#drain());
  }

  /** One commit after the other until nothing waits: what arrives during a sync shares the next. */
  async #drain(): Promise<void> {
    do {
      // Under load a commit waits a moment for as many as shared the one before: that many callers are on their way again.
      if (this.#lastBatch > aloneRecords && this.#queue.length < this.#lastBatch) await this.#clock.pause(1);
      await this.#flush();
    } while (this.#queue.length > 0);
    this.#scheduled = false;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #take(): Item[] {
    const items: Item[] = [];
    for (const item of this.#queue) {
      if (items.length >= limits.batch_records.value || (item.erase && items.length > 0)) break;
      items.push(item);
      if (item.erase) break; // a commit of its own: what was committed before is counted and erased, what comes after is sealed anew
    }
    this.#queue.splice(0, items.length);
    return items;
  }

  #counted(item: Item): Item {
    if (!item.erase || item.record.type !== "erase") return item;
    return { ...item, record: { ...item.record, payloads: this.#medium.payloadsOf(item.erase.tag) } };
  }

  async #flush(): Promise<void> {
    const taken = this.#take();
    this.#lastBatch = taken.length;
    let drafted: Draft | null = null;
    try {
      if (this.#gap) this.#recover();
      const atMs = Math.max(this.#head.atMs, this.#clock.nowMs());
      const gap = this.#gap;
      const waiting = [...(gap ? [gapItem(gap, atMs)] : []), ...taken.map((item) => this.#counted(item))];
      drafted = draft({
        clock: this.#clock, signer: this.#signer, vault: this.#vault, tree: this.#tree, digest: this.#digest, atMs,
        openNow: this.#openNow, leftOpen: this.#leftOpen, newlyLeft: this.#newlyLeft,
      }, waiting);
      if (drafted.items.length === 0) return;
      this.#medium.commit(drafted.batch);
      await this.#medium.sync(taken.length <= aloneRecords);
    } catch (cause) {
      this.#refuse(drafted?.items ?? taken, cause);
      return;
    }
    this.#settle(drafted);
  }

  /** After the commit: memory follows the disk, then the callers hear, then the followers. */
  #settle({ batch, tree, digest, items }: Draft): void {
    if (this.#gap) this.#alarm("ledger recovered", { refused: this.#gap.refused });
    this.#gap = null;
    this.#newlyLeft = [];
    [this.#tree, this.#digest] = [tree, digest];
    this.#head = batch.head;
    for (const { kind, key, text } of batch.state) remember(this.#state, kind, key, text);
    for (const { erase } of items) if (erase) this.#vault.forget(erase.subject);
    for (const { record, box } of batch.leaves) {
      if (box) box.subject.stored = true;
      this.#track(record);
    }
    items.forEach((item, at) => item.resolve({ seq: batch.leaves[at]?.record.seq as number, atMs: batch.head.atMs }));
    for (const { record } of batch.leaves) this.#tell(record);
  }

  #track(record: LedgerRecord): void {
    if (record.type === "decision" && record.effect === "allow") this.#openNow.add(record.seq);
    if (record.type !== "outcome") return;
    this.#openNow.delete(record.of);
    this.#leftOpen.delete(record.of);
  }

  #tell(record: LedgerRecord): void {
    for (const listener of this.#listeners) {
      try {
        listener(record);
      } catch (error) {
        this.#alarm("ledger listener failed", { seq: record.seq, error });
      }
    }
  }

  /** Invariant: I1, a commit that failed is acknowledged to nobody. */
  #refuse(items: readonly Item[], cause: unknown): void {
    const why = cause instanceof Fault ? cause.message : "the disk refused a commit";
    if (this.#gap === null) {
      this.#gap = { fromMs: Math.max(this.#head.atMs, this.#clock.nowMs()), refused: 0, why: gapReason(cause) };
      this.#alarm("ledger unavailable", { error: cause });
    }
    for (const item of items) {
      if (item.record.type !== "ledger.gap") this.#gap.refused++;
      item.reject(new Fault("ledger_unavailable", `appending a record \`${item.record.type}\`: ${why}`, { cause }));
    }
    this.#retry?.cancel();
    this.#retry = this.#clock.after(retryMs, () => {
      if (this.#gap && !this.#closed) this.#schedule();
    });
  }

  // A commit that failed at its sync may still be on disk: then the disk is right, and its intents are open.
  #recover(): void {
    this.#medium.recover();
    const head = this.#medium.head();
    if (head.size === this.#tree.size && head.checkpoint === this.#head.checkpoint) return;
    if (head.size <= this.#tree.size) throw new Fault("ledger_unavailable", `recovering the ledger: the disk holds ${head.size} records where ${this.#tree.size} were acknowledged`);
    this.#recall(this.#tree.size);
  }

  #recall(from: number): void {
    const { head, tree, digest, state, leftOpen, found, concluded } = recall(this.#medium, this.#signer, from);
    [this.#head, this.#tree, this.#digest, this.#state] = [head, tree, digest, state];
    this.#vault.advance(this.#medium.nextPayload());
    for (const seq of [...leftOpen, ...found]) this.#leftOpen.add(seq);
    this.#newlyLeft.push(...found);
    for (const seq of concluded) {
      this.#openNow.delete(seq);
      this.#leftOpen.delete(seq);
    }
  }

  #reading<T>(read: () => T): T {
    try {
      return read();
    } catch (cause) {
      throw cause instanceof Fault ? cause : new Fault("ledger_unavailable", "reading the ledger: the disk refused", { cause });
    }
  }

  seal(subject: string, value: Json): Sealed {
    return this.#reading(() => {
      try {
        return this.#vault.seal(subject, value);
      } catch (cause) {
        throw cause instanceof VerifyError ? new Fault("invalid_request", `sealing a value: ${cause.message}`, { cause }) : cause;
      }
    });
  }

  unseal(payload: string): { value: Json; salt: string } | null {
    const opened = this.#reading(() => this.#vault.open(payload));
    return opened && { value: parseJson(opened.plain.toString()) as Json, salt: opened.salt.toString("base64url") };
  }

  unsealAll(wanted: readonly { readonly payload: string; readonly commitment: string }[]): Unsealed[] {
    const opened = this.#reading(() => this.#vault.openAll(wanted.map(({ payload }) => payload)));
    return opened.map((found, at): Unsealed => {
      if (found === null) return "erased";
      if (found === "changed") return found;
      return { value: parseJson(found.plain.toString()) as Json, opens: commitmentOf(found.salt, found.plain) === wanted[at]?.commitment };
    });
  }

  derive = (purpose: string): Buffer => this.#vault.tag(`derived:${purpose}`); // no subject's name begins so

  opens(commitment: string, salt: string, value: Json): boolean {
    return opens(commitment, salt, value);
  }

  get(kind: StateKind, key: string): JsonObject | null {
    return this.#state.get(kind)?.get(key) ?? null;
  }

  list(kind: StateKind): { key: string; value: JsonObject }[] {
    return Array.from(this.#state.get(kind) ?? [], ([key, value]) => ({ key, value }));
  }

  putObject(bytes: Uint8Array): string {
    return this.#objects.put(bytes);
  }

  keepObject(bytes: Uint8Array): Promise<string> {
    return this.#objects.keep(bytes);
  }

  getObject(address: string): Uint8Array | null {
    return this.#reading(() => this.#objects.get(address));
  }

  entry(seq: number): LedgerRecord | null {
    const text = this.#text(seq);
    return text === null ? null : (parseJson(text) as LedgerRecord);
  }

  entryBytes(seq: number): Uint8Array | null {
    const text = this.#text(seq);
    return text === null ? null : Buffer.from(text);
  }

  #text(seq: number): string | null {
    if (!Number.isSafeInteger(seq) || seq < 0 || seq >= this.#head.size) return null;
    return this.#reading(() => this.#medium.texts(seq, seq + 1)[0] ?? null);
  }

  entries(filter: LogFilter): LedgerRecord[] {
    return this.#reading(() => search(this.#medium, this.#head.size, filter));
  }

  *scan(filter: Omit<LogFilter, "limit">): Iterable<LedgerRecord[]> {
    const runs = scan(this.#medium, this.#head.size, filter);
    for (;;) {
      const { done, value } = this.#reading(() => runs.next());
      if (done) return;
      yield value;
    }
  }

  decisionById(id: string): number | null {
    return this.#reading(() => seqOfDecision(this.#medium, this.#head.size, id));
  }

  outcomeOf(seq: number): LedgerRecord | null {
    const outcome = this.#reading(() => this.#medium.outcomeOf(seq));
    return outcome === null ? null : this.entry(outcome);
  }

  openIntents(): number[] {
    return [...this.#leftOpen].sort((a, b) => a - b);
  }

  follow(listener: (record: LedgerRecord) => void): { stop(): void } {
    this.#listeners.add(listener);
    return { stop: () => this.#listeners.delete(listener) };
  }

  size(): number {
    return this.#head.size;
  }

  checkpoint(): string {
    return this.#head.checkpoint;
  }

  prove(seq: number): string {
    return this.prover().prove(seq, this.entryBytes(seq));
  }

  prover(): Prover {
    return proverOf(this.#medium, this.#head, (read) => this.#reading(read));
  }

  verifierKey(): string {
    return this.#signer.vkey;
  }

  healthy(): boolean {
    return this.#gap === null && !this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    const last = this.append({ type: "ledger.close", why: "stopped" }).catch((error: unknown) => this.#alarm("ledger not closed", { error }));
    this.#closed = true;
    this.#retry?.cancel();
    await last;
    this.#medium[Symbol.dispose]();
  }
}
