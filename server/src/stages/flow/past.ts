import { isObject, webServer, type DecisionInput, type Effect, type Json, type JsonObject, type LedgerRecord } from "@lanyard/contract";
import type { Answer } from "../../base/exchange.ts";
import type { Store } from "../../base/store/port.ts";
import { isKnownLookup } from "./known-lookup.ts";
import { AskedAbout } from "./asked-about.ts";

/** What happened in a session and its children, as it is on record. */
export type PastEvent =
  | { readonly kind: "task"; readonly text: string }
  | { readonly kind: "vouch"; readonly value: string; readonly label: string | null }
  | { readonly kind: "mark"; readonly labels: readonly string[] }
  | { readonly kind: "decided"; readonly digest: string; readonly effect: Effect }
  | { readonly kind: "said"; readonly seq: number; readonly action: string; readonly args: JsonObject; readonly isKnown: boolean }
  /** `answer` null: something came back that is not kept. `labels`: of the session then, where they are on record. */
  | { readonly kind: "read"; readonly seq: number; readonly action: string; readonly input: DecisionInput | null; readonly answer: Answer | null; readonly labels: readonly string[] };

type DecisionRecord = Extract<LedgerRecord, { type: "decision" }>;
type Reads = Pick<Store, "entries" | "outcomeOf" | "unseal">;

const mostCalls = 10_000;

/** The past of one root session, in its order, read off the ledger as it is taken; null when it is more than can be looked through. */
export function pastOf(store: Reads, root: string): Iterable<PastEvent> | null {
  const records = recordsOf(store, root, ["decision", "session.task", "flow.declassify", "data.mark"]);
  return records && records.values().flatMap((record) => eventsOf(store, record));
}

/** The entry of the call because of which another one, decided as entry `seq`, found its session held; null when nobody can tell. */
export function heldBy(store: Reads, root: string, { seq: before, digest }: Pick<DecisionRecord, "seq" | "digest">): number | null {
  const calls = new AskedAbout();
  for (const record of recordsOf(store, root, ["decision"]) ?? []) if (record.seq < before && record.type === "decision" && record.by === "policy") calls.decided(record.digest, record.effect, record.seq);
  return calls.before(digest);
}

/** Of a root session and those below it, by seq; null when there are too many. */
function recordsOf(store: Reads, root: string, types: readonly LedgerRecord["type"][]): LedgerRecord[] | null {
  const opened = store.entries({ session: root, types: ["session.open"], limit: 1 })[0];
  if (opened?.type !== "session.open") return [];
  const own = new Set([root]);
  const opens = store.entries({ from: opened.seq + 1, types: ["session.open"], agent: opened.agent, limit: mostCalls });
  for (const record of opens) if (record.type === "session.open" && record.parent !== null && own.has(record.parent)) own.add(record.session);
  const records = [...own].flatMap((session) => store.entries({ session, types, limit: mostCalls }));
  return opens.length >= mostCalls || records.length >= mostCalls ? null : records.sort((a, b) => a.seq - b.seq);
}

function eventsOf(store: Reads, record: LedgerRecord): PastEvent[] {
  if (record.type === "session.task") {
    const text = textOf(store, record.payload);
    return text === null ? [] : [{ kind: "task", text }];
  }
  if (record.type === "flow.declassify") {
    const value = textOf(store, record.payload);
    return value === null ? [] : [{ kind: "vouch", value, label: record.label }];
  }
  if (record.type === "data.mark") return [{ kind: "mark", labels: record.labels }];
  if (record.type !== "decision") return [];
  const decided: PastEvent[] = record.by === "policy" ? [{ kind: "decided", digest: record.digest, effect: record.effect }] : [];
  return [...decided, ...callOf(store, record)];
}

function callOf(store: Reads, { seq, action, effect, payload }: DecisionRecord): PastEvent[] {
  if (effect !== "allow") return [];
  const unsealed = payload === null ? null : (store.unseal(payload)?.value ?? null);
  const input = (isObject(unsealed) ? unsealed["input"] : null) as DecisionInput | null | undefined;
  if (!input) return [];
  const isWeb = action.startsWith(`${webServer}/`);
  const said: PastEvent = { kind: "said", seq, action, args: input.args, isKnown: isKnownLookup(input.args, input.facts ?? {}) };
  const outcome = store.outcomeOf(seq);
  if (outcome?.type !== "outcome" && isWeb) return [said, { kind: "read", seq, action, input, answer: null, labels: [] }]; // what has passed of it so far is not kept
  if (outcome?.type !== "outcome" || outcome.status === "refused") return outcome ? [] : [said];
  if (outcome.payload === null && outcome.status === "uncertain") return [said]; // nothing came back
  const kept: Json = outcome.payload === null ? null : (store.unseal(outcome.payload)?.value ?? null);
  const isWhole = isObject(kept) && kept["omitted"] === undefined && !isWeb;
  return [said, { kind: "read", seq, action, input, answer: isWhole ? (kept as unknown as Answer) : null, labels: outcome.labels ?? [] }];
}

const textOf = (store: Reads, payload: string | null): string | null => {
  const value = payload === null ? null : store.unseal(payload)?.value;
  return typeof value === "string" ? value : null;
};
