import { hash } from "node:crypto";
import { Fault, isObject, type Decision, type DecisionInput, type Json, type JsonObject, type LedgerRecord } from "@lanyard/contract";
import { canonicalize } from "@lanyard/ledger";
import { openSnapshot, type Snapshot } from "@lanyard/policy";
import type { Store } from "../base/store/port.ts";

type DecisionRecord = Extract<LedgerRecord, { type: "decision" }>;

/** What is compared of a decision; `decision` is the base64url SHA-256 of its RFC 8785 bytes. */
interface Compared {
  readonly effect: string;
  readonly policies: readonly string[];
  readonly decision: string;
}

/** How one record came out when decided again; `differs` means a broken promise, and `why` says which. */
export type Replayed =
  | { readonly seq: number; readonly kind: "same" }
  | { readonly seq: number; readonly kind: "differs"; readonly why: string; readonly recorded: Compared; readonly now: (Compared & { readonly full: Decision }) | null }
  | { readonly seq: number; readonly kind: "not replayable"; readonly why: string };

interface ReplayDeps {
  readonly store: Pick<Store, "entry" | "entries" | "unseal" | "opens" | "getObject">;
}

const batch = 64;

/**
 * Decides the recorded decisions from `from` to `to` (sequence numbers, both included) again, from the record, its payload and its bundle
 * alone, and compares the bytes (invariant I3). Yields one result a decision, in order; for a single entry of another type, why there is none.
 */
export async function* replay(deps: ReplayDeps, from: number, to: number): AsyncGenerator<Replayed> {
  if (from === to) {
    const record = deps.store.entry(from);
    if (record?.type !== "decision") {
      yield { seq: from, kind: "not replayable", why: record === null ? "there is no such entry" : `the entry is no decision but \`${record.type}\`` };
      return;
    }
  }
  const snapshotOf = snapshots(deps.store);
  for (let next = from; next <= to; ) {
    const records = deps.store.entries({ types: ["decision"], from: next, to, limit: batch }).filter((record) => record.type === "decision");
    for (const record of records) yield again(deps.store, snapshotOf, record);
    next = records.length < batch ? to + 1 : (records.at(-1)?.seq ?? to) + 1;
  }
}

/** The snapshot of a bundle; null when the store lacks its bytes. Throws Fault `invalid_config`. */
type SnapshotOf = (bundle: string) => Snapshot | null;

const keptSnapshots = 32;

const snapshots = (store: ReplayDeps["store"]): SnapshotOf => {
  const open = new Map<string, Snapshot>();
  return (bundle) => {
    const known = open.get(bundle);
    if (known) return known;
    const bytes = store.getObject(bundle);
    if (bytes === null) return null;
    const snapshot = openSnapshot(bytes);
    if (open.size >= keptSnapshots) open.delete(open.keys().next().value ?? "");
    open.set(bundle, snapshot);
    return snapshot;
  };
};

const again = (store: ReplayDeps["store"], snapshotOf: SnapshotOf, record: DecisionRecord): Replayed => {
  const { seq } = record;
  const impossible = (why: string): Replayed => ({ seq, kind: "not replayable", why });
  if (record.by !== "policy") return impossible(`refused before policy was asked: ${record.by}`);
  if (record.bundle === null || record.payload === null || record.input === null) return impossible("denied while no valid policies were loaded");
  const recorded: Compared = { effect: record.effect, policies: record.policies, decision: record.decision };
  const broken = (why: string): Replayed => ({ seq, kind: "differs", why, recorded, now: null });
  const unsealed = store.unseal(record.payload);
  if (unsealed === null) return impossible("its facts were erased");
  if (!store.opens(record.input, unsealed.salt, unsealed.value)) return broken("the payload is not the one that the record commits to");
  const input = inputOf(unsealed.value);
  if (input === null) return broken("the payload holds no input of a decision");
  try {
    const snapshot = snapshotOf(record.bundle);
    if (snapshot === null) return broken("the bundle that decided is not in the store");
    if (snapshot.hash !== record.bundle) return broken("the bundle's bytes do not have the address that the record names");
    const full = snapshot.decide(input);
    const now = { effect: full.effect, policies: full.reasons.map(({ policy }) => policy), decision: hashOf(full), full };
    if (now.decision !== recorded.decision) return { seq, kind: "differs", why: "the same facts now decide otherwise", recorded, now };
    const untrue = contradiction(record, input, full);
    return untrue === null ? { seq, kind: "same" } : { seq, kind: "differs", why: `the record's \`${untrue}\` is not what was decided`, recorded, now };
  } catch (error) {
    if (error instanceof Fault && error.code === "invalid_config") return broken("the bundle cannot be read");
    if (error instanceof Fault) return impossible(error.message);
    throw error;
  }
};

/** The first field of a record that tells something else than its input and its decision. */
const contradiction = (record: DecisionRecord, { agent, user, session, action, approvals, definition }: DecisionInput, { effect, reasons, errors }: Decision): string | null => {
  const told: Partial<Record<keyof DecisionRecord, Json>> = {
    agent: agent.id,
    user: user.id,
    session: session.id,
    action,
    effect,
    policies: [...new Set([...reasons, ...errors].map(({ policy }) => policy))].sort().slice(0, 256),
    ...(definition !== undefined && { tool: definition }),
    ...(approvals.length === 0 && { approval: null }),
  };
  const fields = record as unknown as JsonObject;
  return Object.keys(told).find((name) => JSON.stringify(fields[name]) !== JSON.stringify(told[name as keyof DecisionRecord])) ?? null;
};

const hashOf = (decision: Decision): string => hash("sha256", canonicalize(decision), "base64url");

const inputOf = (value: Json): DecisionInput | null => {
  const input = isObject(value) && Object.hasOwn(value, "input") ? value["input"] : null;
  return isObject(input) ? (input as unknown as DecisionInput) : null;
};
