import { Fault, parseJson, type JsonObject, type LedgerRecord } from "@lanyard/contract";
import { emptyFrontier, formatProof, inclusionProof, leafHash, nodeHash, openCheckpoint, parseVerifierKey, peaksAt, rootOf, sameBytes, type Frontier, type NodeSource, type Signer } from "@lanyard/ledger";
import { stateTag, storedLevel } from "./draft.ts";
import type { Head, Medium, StateRow } from "./medium.ts";
import type { Prover, StateKind } from "./port.ts";
import { afterChanges, noState, type StateDigest } from "./state-digest.ts";
import { commitmentOf } from "./vault.ts";

/** State documents by kind and key. */
export type State = Map<StateKind, Map<string, JsonObject>>;

/** What a book knows of the medium it is written on. */
export interface Recollection {
  readonly head: Head;
  readonly tree: Frontier;
  readonly digest: StateDigest;
  readonly state: State;
  /** Open intents that the medium lists. */
  readonly leftOpen: readonly number[];
  /** Open intents found behind those, which it does not list yet. */
  readonly found: readonly number[];
  /** Intents that records from `from` on conclude. */
  readonly concluded: readonly number[];
}

const block = 2 ** storedLevel;
const maxHashed = 16_384; // of 64 blocks: many proofs share the narrow nodes at the tree's edge

/** Nodes of a medium's tree: the wide ones it stores, the narrow ones from its records. Remembers one block of leaves, and narrow nodes. */
const nodesOf = (medium: Medium, size: number): NodeSource => {
  let known = -1;
  let leaves: Uint8Array[] = [];
  const hashed = new Map<string, Uint8Array>();
  const inner = (level: number, index: number): Uint8Array => {
    const key = `${level}/${index}`;
    const hash = hashed.get(key) ?? nodeHash(node(level - 1, index * 2), node(level - 1, index * 2 + 1));
    if (hashed.size >= maxHashed) hashed.clear();
    hashed.set(key, hash);
    return hash;
  };
  const node: NodeSource = (level, index) => {
    if (level >= storedLevel) return medium.node(level, index);
    if (level > 0) return inner(level, index);
    const at = Math.floor(index / block);
    if (at !== known) leaves = medium.texts(at * block, Math.min((at + 1) * block, size)).map(leafHash);
    known = at;
    return leaves[index % block] as Uint8Array;
  };
  return node;
};

/** Proofs against the checkpoint of `head`. `reading` turns what the disk throws into a Fault. */
export const proverOf = (medium: Medium, { size, checkpoint }: Head, reading: <T>(read: () => T) => T): Prover => {
  const nodes = nodesOf(medium, size);
  return {
    checkpoint,
    prove: (seq, extra = null) => {
      if (!Number.isSafeInteger(seq) || seq < 0 || seq >= size) throw new Fault("not_found", `proving record \`${seq}\`: the ledger has ${size} records`);
      return reading(() => formatProof({ extra, index: seq, path: inclusionProof(seq, size, nodes), checkpoint }));
    },
  };
};

/** Puts a document in its place, or takes it away. */
export const remember = (state: State, kind: StateKind, key: string, text: string | null): void => {
  const documents = state.get(kind) ?? new Map<string, JsonObject>();
  state.set(kind, documents);
  if (text === null) documents.delete(key);
  else documents.set(key, parseJson(text) as JsonObject);
};

// A ledger that was cut or changed at its end is not continued: what would be signed next would vouch for the change.
const tail = (medium: Medium, head: Head, signer: Signer): { readonly tree: Frontier; readonly extensions: readonly string[] } => {
  if (head.size === 0) return { tree: emptyFrontier, extensions: [noState.line] };
  const signed = openCheckpoint(head.checkpoint, [parseVerifierKey(signer.vkey)]);
  const tree = { size: head.size, peaks: peaksAt(head.size, nodesOf(medium, head.size)) };
  if (signed.size !== head.size || !sameBytes(signed.root, rootOf(tree)))
    throw new Fault("ledger_unavailable", "opening the ledger: its records are not those of its last checkpoint; see `lanyard audit verify`");
  return { tree, extensions: signed.extensions };
};

const entryOf = ({ kind, key, text, salt }: StateRow): readonly [string, string | null] => [stateTag(kind, key), text === null ? null : commitmentOf(salt, Buffer.from(text))];

/** True when the record that a document names commits to it. */
const isVouched = (medium: Medium, size: number, row: StateRow): boolean => {
  const [tag, commitment] = entryOf(row);
  if (row.seq < 0 || row.seq >= size) return false;
  const { state = [] } = parseJson(medium.texts(row.seq, row.seq + 1)[0] as string) as LedgerRecord;
  return state.some(([named, committed]) => named === tag && committed === commitment);
};

// Invariant: write access to the file gives no approval and no credential. The signed checkpoint covers every document: one that was
// edited, added, removed or put back to what it once was changes the digest, and the daemon does not start on it.
const covered = (medium: Medium, size: number, rows: readonly StateRow[], extensions: readonly string[]): StateDigest => {
  const digest = afterChanges(noState, rows.map(entryOf));
  if (extensions.includes(digest.line)) return digest;
  const stranger = rows.find((row) => !isVouched(medium, size, row));
  const what = stranger
    ? `record \`${stranger.seq}\` does not vouch for the state document of kind \`${stranger.kind}\` that names it`
    : "a state document was removed, or put back to what it was before";
  throw new Fault("ledger_unavailable", `opening the ledger: ${what}; it was changed by something else than the daemon: see \`lanyard audit verify\``);
};

/** Reads a medium from its end back to the oldest intent that may be open; records before `from` are known already. */
export const recall = (medium: Medium, signer: Signer, from: number): Recollection => {
  const head = medium.head();
  const { tree, extensions } = tail(medium, head, signer);
  const rows = [...medium.state()];
  const digest = covered(medium, head.size, rows, extensions);
  const state: State = new Map();
  for (const { kind, key, text } of rows) remember(state, kind, key, text);
  const leftOpen = medium.leftOpen();
  const listed = new Set(leftOpen);
  const found: number[] = [];
  const concluded: number[] = [];
  for (let start = Math.max(head.openFrom, from); start < head.size; start += block)
    for (const text of medium.texts(start, Math.min(start + block, head.size))) {
      const record = parseJson(text) as LedgerRecord;
      if (record.type === "outcome") concluded.push(record.of);
      if (record.type === "decision" && record.effect === "allow" && !listed.has(record.seq) && medium.outcomeOf(record.seq) === null) found.push(record.seq);
    }
  return { head, tree, digest, state, leftOpen, found, concluded };
};
