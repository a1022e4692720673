import { isObject, webServer, type Json, type JsonObject, type LedgerRecord } from "@lanyard/contract";
import { hostText } from "../../../base/host.ts";
import type { Store } from "../../../base/store/port.ts";
import { withoutSecrets } from "../../../stages/execution/workspace/secrets.ts";
import type { Rooms } from "../rooms.ts";
import { gatherIncident, inSlices } from "./collect.ts";

type DecisionRecord = Extract<LedgerRecord, { type: "decision" }>;

/** One call of the session, with what the ledger's sealed part and the policies of that time say of it. */
export interface IncidentCall {
  readonly seq: number;
  readonly at_ms: number;
  readonly session: string;
  readonly action: string;
  readonly effect: "allow" | "deny" | "ask";
  /** Error code of the step that refused; `policy` when policy decided. */
  readonly by: string;
  readonly reasons: readonly { readonly policy: string; readonly text: string; readonly file: string; readonly line: number }[];
  /** Secrets are left out, long texts shortened; null when they were never gathered or are erased. */
  readonly arguments: Json;
  /** Whether the arguments are those that were decided on. */
  readonly arguments_state: string;
  readonly resources: readonly string[];
  readonly reversibility: string;
  readonly approval: string | null;
  /** Null: nothing was carried out, or `open`. */
  readonly outcome: { readonly seq: number; readonly status: string; readonly code: string } | null;
  readonly open: boolean;
  /** What became of taking it back, the last time that was tried; null when it never was. */
  readonly undone: { readonly verdict: string; readonly why: string } | null;
}

/** A report, version 1: docs/incident.md says what each key holds. Only `records` are proven, by `proofs`; all else is drawn from them and from sealed values. */
export interface IncidentReport {
  readonly format: "lanyard-incident/v1";
  readonly session: string;
  readonly agent: string;
  readonly user: string;
  readonly purpose: string | null;
  readonly opened_at_ms: number;
  readonly closed_at_ms: number | null;
  readonly sessions: readonly string[];
  readonly calls: readonly IncidentCall[];
  readonly touched: {
    readonly servers: readonly { readonly name: string; readonly calls: number }[];
    readonly resources: readonly { readonly name: string; readonly calls: number }[];
    readonly hosts: readonly { readonly name: string; readonly calls: number }[];
    readonly credentials: readonly { readonly name: string; readonly calls: number }[];
  };
  /** What people wrote with their yes or no, by the number of its record. */
  readonly comments: Readonly<Record<string, string>>;
  readonly omitted: number;
  readonly key: string;
  readonly checkpoint: string;
  readonly records: readonly JsonObject[];
  /** A tlog-proof of each record, in the same order, without the record itself. */
  readonly proofs: readonly string[];
}

/** Everything the ledger knows of a session that went wrong. The same ledger gives the same bytes. Throws Fault `not_found`. */
export async function incidentOf(rooms: Pick<Rooms, "store" | "clock" | "limits" | "past">, session: string): Promise<IncidentReport> {
  const { store } = rooms;
  const { sessions, records, omitted } = await gatherIncident(rooms, session, rooms.limits.incident_records);
  const opened = records.find((record) => record.type === "session.open");
  const closed = records.find((record) => record.type === "session.close" && record.session === session);
  const undone = new Map(records.flatMap((record) => (record.type === "undo.step" ? [[record.of, { verdict: record.verdict, why: record.why }] as const] : [])));
  const decisions = records.flatMap((record) => (record.type === "decision" ? [record] : []));
  const calls = await inSlices(rooms.clock, decisions, (record) => callOf(rooms, record, undone.get(record.seq) ?? null));
  const proved = await proofsOf(rooms, records);
  return {
    format: "lanyard-incident/v1",
    session,
    agent: opened?.agent ?? "",
    user: opened?.user ?? "",
    purpose: opened?.payload ? textOf(store.unseal(opened.payload)?.value ?? null) : null,
    opened_at_ms: opened?.at_ms ?? 0,
    closed_at_ms: closed?.at_ms ?? null,
    sessions,
    calls,
    touched: touchedBy(calls, records),
    comments: commentsOf(store, records),
    omitted,
    key: store.verifierKey(),
    ...proved,
  };
}

/** Against one checkpoint, whatever is appended meanwhile. */
async function proofsOf({ store, clock }: Pick<Rooms, "store" | "clock">, records: readonly LedgerRecord[]): Promise<Pick<IncidentReport, "checkpoint" | "records" | "proofs">> {
  const { checkpoint, prove } = store.prover();
  return { checkpoint, records: records as unknown as JsonObject[], proofs: await inSlices(clock, records, ({ seq }) => prove(seq)) };
}

function callOf({ store, past }: Pick<Rooms, "store" | "past">, record: DecisionRecord, undone: IncidentCall["undone"]): IncidentCall {
  const { seq, at_ms, session, action, effect, by, reversibility, approval } = record;
  const unsealed = record.payload === null ? null : store.unseal(record.payload);
  const value = isObject(unsealed?.value) ? unsealed.value : {};
  const input = isObject(value["input"]) ? value["input"] : null;
  const outcome = store.outcomeOf(seq);
  return {
    seq,
    at_ms,
    session,
    action,
    effect,
    by,
    reasons: record.policies.map((policy) => {
      const { reason = "", file = "", line = 0 } = (record.bundle ? past.policy(record.bundle, policy) : null) ?? {};
      return { policy, text: reason, file, line };
    }),
    arguments: input ? scrubbed(input["args"] ?? null) : null,
    arguments_state: record.payload === null ? "never gathered" : unsealed === null ? "erased" : record.input !== null && store.opens(record.input, unsealed.salt, unsealed.value) ? "match their commitment" : "DO NOT MATCH their commitment",
    resources: resourcesOf(input),
    reversibility,
    approval,
    outcome: outcome?.type === "outcome" ? { seq: outcome.seq, status: outcome.status, code: outcome.code } : null,
    open: effect === "allow" && outcome === null,
    undone,
  };
}

/** As `Type "id"`; what leaves a sandbox is told by its host instead. */
function resourcesOf(input: JsonObject | null): string[] {
  const list = Array.isArray(input?.["resources"]) ? input["resources"] : [];
  return list.filter(isObject).map(({ type, id }) => `${String(type)} ${withoutSecrets(String(id))}`);
}

const longestText = 500;
const deepest = 8;
const mostItems = 50;
const secretName = /(?:token|secret|password|passwd|passphrase|pwd|authorization|cookie|credential|(?:api|access|private|secret|signing|encryption)[_-]?key)(?:s|[_-]?value)?$/i;

/** A value as it may leave the daemon: without secrets, and no longer than a person reads. */
function scrubbed(value: Json, depth = 0): Json {
  if (typeof value === "string") return shortened(withoutSecrets(value), longestText);
  if (typeof value !== "object" || value === null) return value;
  if (depth === deepest) return "[more levels, left out]";
  if (Array.isArray(value)) return [...value.slice(0, mostItems).map((item) => scrubbed(item, depth + 1)), ...(value.length > mostItems ? [`[${value.length - mostItems} more, left out]`] : [])];
  const entries = Object.entries(value);
  const kept = entries.slice(0, mostItems).map(([key, item]): [string, Json] => [shortened(withoutSecrets(key), longestText), secretName.test(key) ? "[left out for its name]" : scrubbed(item, depth + 1)]);
  return Object.fromEntries([...kept, ...(entries.length > mostItems ? [["...", `[${entries.length - mostItems} more, left out]`]] : [])]) as JsonObject;
}

const shortened = (text: string, chars: number): string => (text.length <= chars ? text : `${text.slice(0, chars).toWellFormed()}... [${text.length - chars} more characters, left out]`);

const textOf = (value: Json): string | null => (typeof value === "string" ? shortened(withoutSecrets(value), longestText) : null);

/** What was reached by calls that were or may have been carried out. */
function touchedBy(calls: readonly IncidentCall[], records: readonly LedgerRecord[]): IncidentReport["touched"] {
  const carried = calls.filter(({ effect, outcome }) => effect === "allow" && outcome?.status !== "refused");
  const count = (names: readonly string[]): { name: string; calls: number }[] => {
    const counts = new Map<string, number>();
    for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
    return [...counts].map(([name, times]) => ({ name, calls: times })).toSorted((a, b) => b.calls - a.calls || (a.name < b.name ? -1 : 1));
  };
  return {
    servers: count(carried.map(({ action }) => action.slice(0, Math.max(0, action.indexOf("/"))))),
    resources: count(carried.flatMap(({ resources }) => [...new Set(resources)])),
    hosts: count(carried.flatMap((call) => hostOf(call) ?? [])),
    credentials: count(records.flatMap((record) => (record.type === "credential.lend" ? record.names : []))),
  };
}

function hostOf({ action, arguments: given }: IncidentCall): string | null {
  if (!action.startsWith(`${webServer}/`) || !isObject(given) || typeof given["host"] !== "string") return null;
  return `${hostText(given["host"])}:${String(given["port"])}`;
}

/** What people said, out of the sealed payloads of their records. */
function commentsOf(store: Store, records: readonly LedgerRecord[]): Record<string, string> {
  const commented = records.flatMap((record) => ((record.type === "approval.approve" || record.type === "approval.deny") && record.payload !== null ? [{ seq: record.seq, payload: record.payload }] : []));
  return Object.fromEntries(commented.map(({ seq, payload }) => [String(seq), textOf(store.unseal(payload)?.value ?? null) ?? "erased"]));
}
