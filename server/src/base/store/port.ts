import type { Json, JsonObject, LedgerRecord, NewRecord, RecordType } from "@lanyard/contract";
import type { Notary } from "./notary.ts";

/** A document of the daemon's own state (session, credential, approval, catalog entry, published version), changed only together with a ledger record. */
export type StateKind = "session" | "credential" | "approval" | "catalog" | "setting" | "release" | "lending" | "token" | "workspace" | "notice" | "stop" | "alert" | "grant" | "undo" | "held" | "deadline" | "budget" | "pseudonym" | "written";
export interface StateChange {
  readonly kind: StateKind;
  readonly key: string;
  /** null removes the document. */
  readonly value: JsonObject | null;
}

/** Where a committed record stands: its number, and the size and root of the tree that first covers it. */
export interface Receipt {
  readonly seq: number;
  readonly atMs: number;
}

/** A value encrypted under its data subject's key, not yet written; made by `seal` of the same store only. `commitment` is HMAC-SHA256(salt, RFC 8785 bytes), base64url. */
export interface Sealed {
  readonly payload: string;
  readonly commitment: string;
}

/** Proofs against one checkpoint, which hold however the tree grows. `extra`: the record itself, where the proof is to carry it. */
export interface Prover {
  readonly checkpoint: string;
  /** Throws Fault `not_found`, `ledger_unavailable`. */
  prove(seq: number, extra?: Uint8Array | null): string;
}

/** A payload opened: its value, and whether its bytes open the commitment they were asked for with; or why it cannot be opened. */
export type Unsealed = { readonly value: Json; readonly opens: boolean } | "erased" | "changed";

export interface LogFilter {
  /** First and last seq, both included. */
  readonly from?: number;
  readonly to?: number;
  readonly sinceMs?: number;
  readonly types?: readonly RecordType[];
  readonly session?: string;
  readonly agent?: string;
  readonly effect?: string;
  /** Cedar action id or a prefix ending in `*`. */
  readonly action?: string;
  /** At most this many, the newest when `newest` is set; default 1000. */
  readonly limit?: number;
  readonly newest?: boolean;
}

/**
 * Durable memory of one daemon: the ledger, its sealed payloads, content-addressed objects, and state documents. One kit
 * (`test/kits/store.ts`) holds every implementation to this text.
 */
export interface Store extends AsyncDisposable {
  /**
   * Commits a record, the payload it names and the state it changes, all or nothing; resolves once they are on disk.
   * Rejects with Fault `ledger_unavailable` within 50 ms when the disk refuses; nothing is then kept. Recovers by itself, and then
   * first appends `ledger.gap`. Rejects with `conflict` when the payload's subject was erased after it was sealed (seal again), with
   * `limit_exceeded` past a limit, with `internal` for what is no record or an outcome of no open intent.
   */
  append(record: NewRecord, attached?: { sealed?: Sealed; state?: readonly StateChange[]; patient?: boolean }): Promise<Receipt>;
  /** Resolves once everything appended so far is on disk, or refused. */
  settled(): Promise<void>;

  /** Encrypts a value for a data subject (for example `user:ana`). Nothing is written until a record that names it is appended. */
  seal(subject: string, value: Json): Sealed;
  /** Decrypts a payload; null when its subject was erased. Callers append `access.unseal` or `access.read` first. */
  unseal(payload: string): { value: Json; salt: string } | null;
  /**
   * Decrypts payloads, in the order given, several times faster than one by one. Callers append `access.unseal` or `access.read` first.
   */
  unsealAll(wanted: readonly { readonly payload: string; readonly commitment: string }[]): Unsealed[];
  /** True when `value` and `salt` open `commitment`. */
  opens(commitment: string, salt: string, value: Json): boolean;
  /** A secret of 32 bytes for one purpose, always the same in this data folder: for what must be known again after a restart, and not be guessed. */
  derive(purpose: string): Buffer;
  /** Destroys a subject's key, payloads and salts, and appends `erase`. The tree and all proofs stay. */
  erase(subject: string, by: string, why: string): Promise<Receipt>;

  get(kind: StateKind, key: string): JsonObject | null;
  list(kind: StateKind): { key: string; value: JsonObject }[];

  /** Content-addressed bytes (bundles, schemas, tool definitions): base64url SHA-256 of the bytes. Durable on return. */
  putObject(bytes: Uint8Array): string;
  /**
   * As {@link putObject}, for large ones: the event loop goes on meanwhile. Durable no later than any record appended after it resolved.
   * Rejects with Fault `limit_exceeded`, `ledger_unavailable`.
   */
  keepObject(bytes: Uint8Array): Promise<string>;
  /** null when there is none, or when what lies there is not what was put: then an alarm is raised. */
  getObject(hash: string): Uint8Array | null;

  /** Signs statements with the ledger's own key. */
  readonly notary: Notary;

  entry(seq: number): LedgerRecord | null;
  /** The exact bytes that were hashed into the leaf. */
  entryBytes(seq: number): Uint8Array | null;
  /** Records in ascending order, also when the newest are asked for. */
  entries(filter: LogFilter): LedgerRecord[];
  /**
   * All that match of what is on record now, in runs of some hundred, for reading the whole ledger in slices: the caller may pause between two
   * runs. Ascending, or descending when `newest` is set. A run may be empty.
   */
  scan(filter: Omit<LogFilter, "limit">): Iterable<LedgerRecord[]>;
  /** The seq of a decision by its id (`d_...`), or null. */
  decisionById(id: string): number | null;
  /** The outcome of an intent, or null while it is open. */
  outcomeOf(seq: number): LedgerRecord | null;
  /** Allow decisions without an outcome whose call is no longer running in this process. */
  openIntents(): number[];
  /** Calls back for each committed record, in order, after it is durable. */
  follow(listener: (record: LedgerRecord) => void): { stop(): void };

  /** Number of records. */
  size(): number;
  /** A signed-note checkpoint (C2SP tlog-checkpoint) of the whole tree. */
  checkpoint(): string;
  /** A tlog-proof file for one record: extra data line, index, inclusion proof, checkpoint. */
  prove(seq: number): string;
  /** Proofs of many records, ask in ascending order, against the checkpoint of now. */
  prover(): Prover;
  /** The ledger's name and public key as a C2SP verifier key, `<name>+<hash>+<base64>`. */
  verifierKey(): string;
  /** False while appends are refused. */
  healthy(): boolean;
}
