import { hash } from "node:crypto";
import { Fault, type LedgerRecord, type NewRecord, type RecordType } from "@lanyard/contract";
import { recordBodies } from "@lanyard/contract/records";
import { canonicalize, checkpointText, grow, leafHash, rootOf, signNote, VerifyError, type Frontier, type Signer } from "@lanyard/ledger";
import type { Clock } from "../clock.ts";
import { limits } from "../limits.ts";
import type { Batch, Leaf, StateRow, TreeNode } from "./medium.ts";
import type { Receipt, StateChange } from "./port.ts";
import { afterChanges, type StateDigest } from "./state-digest.ts";
import { commitmentOf, type Box, type Vault } from "./vault.ts";

/** An append that waits for its commit. */
export interface Item {
  readonly record: NewRecord;
  readonly box: Box | null;
  readonly state: readonly Pick<StateRow, "kind" | "key" | "text">[];
  /** The subject whose key and payloads go with this record. */
  readonly erase: { readonly subject: string; readonly tag: Buffer } | null;
  readonly resolve: (receipt: Receipt) => void;
  readonly reject: (fault: Fault) => void;
}

/** The entry that says since when, and how often, the ledger could not write. */
export const gapItem = ({ fromMs, refused, why }: { fromMs: number; refused: number; why: string }, atMs: number): Item => ({
  record: { type: "ledger.gap", from_ms: fromMs, to_ms: Math.max(fromMs, atMs), refused, why },
  box: null, state: [], erase: null,
  resolve: () => undefined,
  reject: () => undefined,
});

/** What a `ledger.gap` says of the error that began it. */
export const gapReason = (cause: unknown): string => {
  const text = (cause as { readonly errstr?: unknown; readonly code?: unknown } | null)?.errstr ?? (cause instanceof Error ? cause.message : "unknown");
  return String(text).slice(0, 200).toWellFormed() || "unknown";
};

/** Nodes narrower than this many levels are recomputed from the records rather than stored. */
export const storedLevel = 8;

/** Which field of a record commits to its payload. */
export const committedField: { readonly [type: string]: string } = {
  decision: "input", outcome: "result", "approval.approve": "comment", "approval.deny": "comment", "grant.give": "scope", "session.open": "purpose", "session.task": "text", "flow.declassify": "value", "workspace.diff": "paths", "notice.post": "notice", "data.tokenise": "hidden",
  "undo.plan": "plan", "undo.piece": "piece", "undo.settle": "after", "held.stage": "call",
};

/** Name of a state document inside a record: SHA-256 of kind and key, base64url. */
export const stateTag = (kind: string, key: string): string => hash("sha256", `${kind}/${key}`, "base64url");

/** Checks a record against its schema and gives a copy of its own. Throws Fault `internal`: whoever appends it has a bug. */
export const checked = (record: NewRecord): NewRecord => {
  const { type, ...body } = record;
  const parsed = recordBodies[type]?.safeParse(body);
  if (!parsed?.success) throw new Fault("internal", `appending a record \`${type}\`: it does not have that type's form`, { cause: parsed?.error });
  return { type, ...parsed.data } as NewRecord;
};

/** Refuses an attachment that is not what the record says it is. Throws Fault `internal`. */
export const checkBox = (record: NewRecord, box: Box | null): void => {
  const fields = record as { readonly payload?: string | null; readonly [field: string]: unknown };
  if ((fields.payload ?? null) !== (box?.payload ?? null)) throw new Fault("internal", `appending a record \`${record.type}\`: it names another payload than it brings`);
  const field = committedField[record.type];
  if (box && (field === undefined || fields[field] !== box.commitment)) throw new Fault("internal", `appending a record \`${record.type}\`: it does not commit to its payload`);
};

/** State changes as they will be written, so that nobody changes them while they wait. Throws Fault `limit_exceeded`, `internal`. */
export const written = (type: RecordType, changes: readonly StateChange[]): Item["state"] => {
  if (changes.length > limits.state_changes.value) throw new Fault("limit_exceeded", `appending a record \`${type}\`: more than state_changes, ${limits.state_changes.value}`);
  try {
    return changes.map(({ kind, key, value }) => ({ kind, key, text: value === null ? null : canonicalize(value, "doubles") }));
  } catch (cause) {
    throw new Fault("internal", `appending a record \`${type}\`: a state document is no JSON`, { cause });
  }
};

const commitments = (rows: readonly StateRow[]): [string, string | null][] =>
  rows.map(({ kind, key, text, salt }) => [stateTag(kind, key), text === null ? null : commitmentOf(salt, Buffer.from(text))]);

/** What a batch is made from; `open` tells intents that await an outcome. */
export interface Desk {
  readonly clock: Clock;
  readonly signer: Signer;
  readonly vault: Vault;
  readonly tree: Frontier;
  readonly digest: StateDigest;
  readonly atMs: number;
  readonly openNow: ReadonlySet<number>;
  readonly leftOpen: ReadonlySet<number>;
  readonly newlyLeft: readonly number[];
}

/** A batch ready to commit: what goes to disk, the tree and the state's digest after it, and the items in it beside their leaves. */
export interface Draft {
  readonly batch: Batch;
  readonly tree: Frontier;
  readonly digest: StateDigest;
  readonly items: readonly Item[];
}

/** Writes items as leaves. An item that cannot be a record is rejected alone and leaves no trace. */
export const draft = (desk: Desk, waiting: readonly Item[]): Draft => {
  const { clock, signer, atMs } = desk;
  let tree = desk.tree;
  const items: Item[] = [];
  const leaves: Leaf[] = [];
  const nodes: TreeNode[] = [];
  const state: StateRow[] = [];
  const concluded = new Set<number>();
  const opened: number[] = [];
  const whole = (level: number, index: number, node: Uint8Array): void => {
    if (level >= storedLevel) nodes.push({ level, index, hash: node });
  };
  for (const item of waiting) {
    try {
      const rows = item.state.map((change): StateRow => ({ ...change, salt: clock.random(16), seq: tree.size }));
      const leaf = leafOf(desk, item, tree.size, rows, concluded);
      leaves.push(leaf);
      items.push(item);
      state.push(...rows);
      if (leaf.record.type === "outcome") concluded.add(leaf.record.of);
      if (leaf.record.type === "decision" && leaf.record.effect === "allow") opened.push(tree.size);
      tree = grow(tree, leaf.hash, whole);
    } catch (cause) {
      item.reject(cause instanceof Fault ? cause : new Fault("internal", `appending a record \`${item.record.type}\``, { cause }));
    }
  }
  const openFrom = oldest(desk.openNow, concluded) ?? opened[0] ?? tree.size;
  const digest = afterChanges(desk.digest, leaves.flatMap(({ record }) => record.state ?? []));
  const checkpoint = signNote(checkpointText(signer.name, tree.size, rootOf(tree), [digest.line]), signer);
  const batch: Batch = {
    leaves, nodes, state,
    head: { size: tree.size, atMs, checkpoint, openFrom },
    leftOpen: desk.newlyLeft,
    ended: [...concluded].filter((seq) => desk.leftOpen.has(seq)),
    erase: items.find(({ erase }) => erase !== null)?.erase?.tag ?? null,
  };
  return { batch, tree, digest, items };
};

const oldest = (open: ReadonlySet<number>, concluded: ReadonlySet<number>): number | undefined => {
  for (const seq of open) if (!concluded.has(seq)) return seq;
  return undefined;
};

const leafOf = ({ atMs, vault, openNow, leftOpen }: Desk, { record, box }: Item, seq: number, rows: readonly StateRow[], concluded: ReadonlySet<number>): Leaf => {
  if (box && vault.stale(box)) throw new Fault("conflict", `appending a record \`${record.type}\`: its subject was erased meanwhile`);
  // Invariant: I2, an outcome ends an open intent, and each once.
  if (record.type === "outcome" && (concluded.has(record.of) || !(openNow.has(record.of) || leftOpen.has(record.of))))
    throw new Fault("internal", `recording an outcome of \`${record.of}\`: that is no open intent`);
  const envelope = inOrder({ ...record, v: 1, seq, at_ms: atMs, ...(rows.length > 0 ? { state: commitments(rows) } : {}) });
  const text = textOf(envelope);
  return { record: envelope, text, hash: leafHash(text), box };
};

const orders = new Map<string, readonly string[]>();

// Keys in canonical order from the start: what reads the record next (canonical form, packing) then need not sort them again.
const inOrder = (envelope: { readonly type: RecordType; readonly [key: string]: unknown }): LedgerRecord => {
  const order = orders.get(envelope.type) ?? ["v", "seq", "at_ms", "type", "state", ...Object.keys(recordBodies[envelope.type].shape)].sort();
  orders.set(envelope.type, order);
  const record: Record<string, unknown> = {};
  for (const key of order) if (envelope[key] !== undefined) record[key] = envelope[key];
  return record as unknown as LedgerRecord;
};

const textOf = (record: LedgerRecord): string => {
  try {
    const text = canonicalize(record);
    if (text.length * 3 > limits.record_bytes.value && Buffer.byteLength(text) > limits.record_bytes.value)
      throw new Fault("limit_exceeded", `appending a record \`${record.type}\`: it is longer than record_bytes, ${limits.record_bytes.value} bytes`);
    return text;
  } catch (cause) {
    if (cause instanceof VerifyError) throw new Fault("internal", `appending a record \`${record.type}\`: ${cause.message}`, { cause });
    throw cause;
  }
};
