import { isObject, webServer, type DecisionInput, type Json, type JsonObject, type LedgerRecord } from "@lanyard/contract";
import type { PolicyExplanation, Snapshot } from "@lanyard/policy";
import { addressIn } from "../../base/web.ts";
import { heldBy } from "../../stages/flow/past.ts";
import { meantCalls } from "../../stages/history/meant-calls.ts";
import { RecordedRoots } from "../../stages/history/roots.ts";
import type { Rooms } from "./rooms.ts";

type DecisionRecord = Extract<LedgerRecord, { type: "decision" }>;

/**
 * Everything the ledger knows that belongs to one entry: for a decision who, for whom, what, why, with which facts, which approval, how
 * it ended, how long it took, and its proof; for any other entry the record and its proof. An outcome explains the decision it ended.
 */
export async function explain(rooms: Rooms, seq: number): Promise<JsonObject> {
  const record = rooms.store.entry(seq);
  if (record?.type === "outcome") return explain(rooms, record.of);
  if (record?.type === "approval.request") return explain(rooms, record.of);
  const base = { seq, record: record as unknown as Json, proof: proofOf(rooms, seq) };
  return record?.type === "decision" ? { ...base, ...(await explainDecision(rooms, record)) } : base;
}

async function explainDecision(rooms: Rooms, record: DecisionRecord): Promise<JsonObject> {
  const unsealed = record.payload ? rooms.store.unseal(record.payload) : null;
  const input = unsealed ? ((unsealed.value as JsonObject)["input"] ?? null) : null;
  const decided = record.by === "policy" && record.bundle && input !== null ? await rooms.past.snapshot(record.bundle) : null;
  const explained = decided?.explain(input as unknown as DecisionInput);
  const outcome = rooms.store.outcomeOf(record.seq);
  return {
    policies: record.policies.map((id) => policyIn(rooms, record.bundle, id, explained?.find(({ policy }) => policy === id))),
    nearest: (explained ?? []).filter(({ role }) => role === "nearest") as unknown as Json,
    input,
    beside: unsealed ? ((unsealed.value as JsonObject)["beside"] ?? null) : null,
    history: decided ? await historyOf(rooms, record, decided, input as unknown as DecisionInput) : [],
    held_by: heldFor(rooms, record, input as unknown as DecisionInput | null),
    sources: sourcesOf(rooms, input as unknown as DecisionInput | null),
    input_state: record.payload === null ? "never gathered" : unsealed ? stateOf(rooms, record, unsealed) : "erased",
    approval: record.approval ? approvalOf(rooms, record.approval, record.seq) : requestOf(rooms, record),
    outcome: outcome as unknown as Json,
    result: outcome?.type === "outcome" && outcome.payload ? (rooms.store.unseal(outcome.payload)?.value ?? "erased") : null,
    open: record.effect === "allow" && outcome === null,
  };
}

/** What a policy says and, where its facts are still known, why it held: see {@link PolicyExplanation}. A name under `lanyard.` is no policy and has no text. */
function policyIn(rooms: Rooms, bundle: string | null, id: string, explained: PolicyExplanation | undefined): JsonObject {
  if (explained) return { id, ...explained, facts: [...explained.facts] };
  const { text = "", reason = "", remedy = "", file = "", line = 0 } = (bundle ? rooms.past.policy(bundle, id) : null) ?? {};
  return { id, text, reason, remedy, file, line };
}

/** What the policies that made the decision asked of history and was not false or 0, with the calls that it was about. */
async function historyOf(rooms: Rooms, { seq, policies }: DecisionRecord, decided: Snapshot, input: DecisionInput): Promise<Json> {
  const answers = decided.answered(input);
  const asked = new Map(policies.flatMap((id) => (decided.policy(id)?.leaves ?? []).map((leaf) => [leaf.id, leaf])));
  const told = [...asked.values()].filter(({ id, op }) => op !== "eventually" && answers[id] !== undefined && answers[id] !== false && answers[id] !== 0);
  if (told.length === 0) return [];
  const calls = await meantCalls(rooms, decided, seq, input, told);
  return told.map(({ id, text }) => ({ question: text, answer: answers[id] ?? null, calls: [...(calls.get(id) ?? [])] })) as unknown as Json;
}

/** The call about which people had been asked and which held the session; null where none did. */
function heldFor({ store }: Rooms, record: DecisionRecord, input: DecisionInput | null): number | null {
  if (!input?.session.labels?.includes("held")) return null;
  return heldBy(store, new RecordedRoots(store).ofCall(input, record.seq), record);
}

/** The calls whose results values of the arguments came from. */
function sourcesOf({ store }: Rooms, input: DecisionInput | null): Json {
  const seqs = new Set(Object.values(input?.facts ?? {}).flatMap(({ sources = [] }) => sources.flatMap(({ seq }) => (seq === null ? [] : [seq]))));
  return [...seqs].sort((a, b) => a - b).flatMap((seq) => {
    const source = store.entry(seq);
    if (source?.type !== "decision") return [];
    const isWeb = source.action.startsWith(`${webServer}/`);
    const unsealed = isWeb && source.payload !== null ? (store.unseal(source.payload)?.value as JsonObject | undefined) : undefined;
    const args = (unsealed?.["input"] as JsonObject | undefined)?.["args"];
    return [{ seq, action: source.action, address: isObject(args) ? addressIn(args) : "" }];
  });
}

/** The payload must open the commitment that the leaf covers, or what is shown is not what was decided on. */
function stateOf(rooms: Rooms, record: DecisionRecord, unsealed: { value: Json; salt: string }): string {
  return record.input !== null && rooms.store.opens(record.input, unsealed.salt, unsealed.value) ? "matches its commitment" : "DOES NOT MATCH its commitment";
}

const approvalTypes = ["approval.request", "approval.approve", "approval.deny", "approval.expire", "approval.void", "grant.use"] as const;

const isAbout = (approval: string) => (entry: LedgerRecord): boolean => (entry.type === "grant.use" ? entry.approval === approval : "id" in entry && entry.id === approval);

/** Entries about one approval, up to the decision that used it. They lie near, so a bounded scan backwards finds them. */
function approvalOf(rooms: Rooms, id: string, before: number): Json {
  const around = rooms.store.entries({ types: approvalTypes, to: before, limit: 1000, newest: true });
  return around.filter(isAbout(id)) as unknown as Json;
}

/** For an ask: its request and what became of it so far. */
function requestOf(rooms: Rooms, record: DecisionRecord): Json {
  if (record.effect !== "ask") return [];
  const later = rooms.store.entries({ from: record.seq, limit: 1000, types: approvalTypes });
  const request = later.find((entry) => entry.type === "approval.request" && entry.of === record.seq);
  return request && "id" in request ? (later.filter(isAbout(request.id)) as unknown as Json) : [];
}

function proofOf(rooms: Rooms, seq: number): JsonObject {
  const [, size = "", root = ""] = rooms.store.checkpoint().split("\n");
  return { tree_size: Number(size), root, leaf_index: seq, file: `lanyard audit prove ${seq}` };
}
