import type { LedgerRecord } from "@lanyard/contract";
import type { LogFilter, StateKind } from "./port.ts";
import type { Box, Shelf } from "./vault.ts";

/** A committed record on its way to the medium. */
export interface Leaf {
  readonly record: LedgerRecord;
  /** Canonical JSON of `record`: what the tree hashes. */
  readonly text: string;
  /** RFC 6962 leaf hash of `text`. */
  readonly hash: Uint8Array;
  readonly box: Box | null;
}

/** A state document as it lies on the medium. The record `seq` holds the commitment to it in its `state`. */
export interface StateRow {
  readonly kind: StateKind;
  readonly key: string;
  /** Canonical JSON; null removes the document. */
  readonly text: string | null;
  readonly salt: Uint8Array;
  readonly seq: number;
}

/** Where the ledger ends: what the last commit left. */
export interface Head {
  readonly size: number;
  readonly atMs: number;
  /** Signed checkpoint of the tree of `size`; empty on a new medium. */
  readonly checkpoint: string;
  /** Seq of the oldest allow decision of this run without an outcome, or `size`: where a crash makes the next run look from. */
  readonly openFrom: number;
}

/** An inner node of the tree at least 2^8 leaves wide; narrower ones are recomputed from the records. */
export interface TreeNode {
  readonly level: number;
  readonly index: number;
  readonly hash: Uint8Array;
}

/** One commit, all or nothing. */
export interface Batch {
  readonly leaves: readonly Leaf[];
  readonly nodes: readonly TreeNode[];
  readonly state: readonly StateRow[];
  readonly head: Head;
  /** Intents that an earlier run left open, found now. */
  readonly leftOpen: readonly number[];
  /** Those of them that an outcome of this batch ends. */
  readonly ended: readonly number[];
  /** Tag of a subject to erase: its key and boxes go. */
  readonly erase: Uint8Array | null;
}

/** What a book is written on. Reads are synchronous; every method may throw, and then nothing of the call happened. */
export interface Medium extends Shelf, Disposable {
  /** Writes a batch, all or nothing; it is durable once {@link Medium.sync} has resolved. */
  commit(batch: Batch): void;
  /** Rejects when what was committed may not be on disk; then the medium has failed. `alone`: nothing else waits for the event loop to go on. */
  sync(alone: boolean): Promise<void>;
  /** Makes a medium that failed usable again if it can be; throws while it cannot. */
  recover(): void;
  head(): Head;
  /** Open intents of earlier runs, ascending. */
  leftOpen(): number[];
  /** Canonical texts of the records from `from` to `to` (exclusive). */
  texts(from: number, to: number): string[];
  node(level: number, index: number): Uint8Array;
  outcomeOf(seq: number): number | null;
  /** Seqs that may match a filter within its bounds, ascending or (newest) descending; the caller checks each. */
  candidates(filter: LogFilter): Iterable<number>;
  state(): Iterable<StateRow>;
  /** First payload number never used. */
  nextPayload(): number;
  payloadsOf(tag: Uint8Array): number;
  /** Durable on return, or with `lazily` once the next {@link Medium.sync} has resolved. */
  putObject(hash: Uint8Array, bytes: Uint8Array, lazily?: boolean): void;
  object(hash: Uint8Array): Uint8Array | null;
}
