import { isObject, parseJson, type DecisionInput, type Json, type LedgerRecord } from "@lanyard/contract";
import { callEvent, type HistoryEvent } from "@lanyard/policy";
import { canonicalize } from "@lanyard/ledger";
import type { Answer } from "../../base/exchange.ts";
import { limits } from "../../base/limits.ts";
import type { OutcomeStatus } from "../../base/path.ts";
import type { Store } from "../../base/store/port.ts";
import type { RecordedRoots } from "./roots.ts";

/** Something that happened and cannot be read any more: what its record still says of it. */
export interface LostEvent {
  /** When at the latest, milliseconds since the epoch. */
  readonly atMs: number;
  readonly action: string;
  readonly agent: string;
  readonly user: string;
  /** The first of the sessions above its own. */
  readonly session: string;
}

/** An event as the ledger has it. `at`: the entry that says so; `of`: the decision that it comes from. */
export type RecordedEvent =
  | { readonly at: number; readonly of: number; readonly event: HistoryEvent }
  | { readonly at: number; readonly of: number; readonly event: null; readonly lost: LostEvent };

type RecordedStore = Pick<Store, "scan" | "unsealAll" | "entry">;
type DecisionRecord = Extract<LedgerRecord, { type: "decision" }>;
type OutcomeRecord = Extract<LedgerRecord, { type: "outcome" }>;

interface Reading {
  /** The first entry that may be read. */
  readonly from: number;
  /** What happened since then is wanted; some of what did before is given, too. */
  readonly sinceMs: number;
  readonly roots: RecordedRoots;
  /** Whether events of this action are asked about; of others nothing is opened. */
  wants(action: string): boolean;
  /** What policy sees of a call. */
  seen(input: DecisionInput): Parameters<typeof callEvent>[1];
}

/** A call that was let through; null: what it was decided on cannot be read any more. */
interface Begun {
  readonly record: DecisionRecord;
  readonly input: DecisionInput | null;
}

const runRecords = 64;
/** Entries are found by the time of their commit. History may be ahead of it by as much as the clock was set back. */
const slackMs = 3_600_000;

const breathe = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** What became of a call that ended so. */
export const endOf = (status: OutcomeStatus): { readonly kind: "response" } | { readonly kind: "error"; readonly status: Exclude<OutcomeStatus, "done"> } => (status === "done" ? { kind: "response" } : { kind: "error", status });

/** When history has a call: by the time that it saw, or where the clock had been set back, by the one that history went on with. */
export const timeOf = ({ nowMs, history }: Pick<DecisionInput, "nowMs" | "history">): number => (typeof history?.["at"] === "number" ? history["at"] : nowMs);

/**
 * Events out of the ledger, in order, some dozens at a time; live calls go first between two runs. Decisions that policy made, and ends of calls. The one way
 * history is read again: after a restart, for questions that are new, and for calls on record that are decided again.
 */
export async function* recordedEvents(store: RecordedStore, reading: Reading): AsyncGenerator<RecordedEvent[]> {
  const reader = new Reader(store, reading);
  for (const records of store.scan({ from: reading.from, sinceMs: Math.max(0, reading.sinceMs - slackMs), types: ["decision", "outcome", "session.open"] })) {
    for (let at = 0; at < records.length; at += runRecords) {
      await breathe();
      yield reader.read(records.slice(at, at + runRecords));
    }
  }
}

/** What a decision was made on; null when there is none, or it was erased. */
export const recordedInput = (store: Pick<Store, "entry" | "unsealAll">, seq: number): DecisionInput | null => {
  const record = store.entry(seq);
  return record?.type === "decision" ? (inputsOf(store, [record]).get(seq) ?? null) : null;
};

/** The time that history had come to, by the last call on record; milliseconds since the epoch. */
export const timeReached = (store: Pick<Store, "entries" | "entry" | "unsealAll">): number => {
  const [last] = store.entries({ types: ["decision", "outcome"], newest: true, limit: 1 });
  if (last?.type === "outcome") return last.ended_ms ?? last.at_ms;
  const input = last ? recordedInput(store, last.seq) : null;
  return input ? timeOf(input) : (last?.at_ms ?? 0);
};

const inputsOf = (store: Pick<Store, "unsealAll">, records: readonly DecisionRecord[]): Map<number, DecisionInput> => {
  const sealed = records.flatMap(({ seq, payload, input }) => (payload !== null && input !== null ? [{ seq, payload, commitment: input }] : []));
  const values = store.unsealAll(sealed);
  return new Map(sealed.flatMap(({ seq }, at) => {
    const opened = values[at];
    if (opened === undefined || typeof opened === "string" || !opened.opens) return [];
    const input = isObject(opened.value) ? opened.value["input"] : null;
    return isObject(input) ? [[seq, input as unknown as DecisionInput] as const] : [];
  }));
};

class Reader {
  readonly #store: RecordedStore;
  readonly #reading: Reading;
  /** Calls that are under way at the place that is read. */
  readonly #open = new Map<number, Begun>();
  /** The first entry that was read. */
  #first: number | null = null;
  #lastMs = 0;

  constructor(store: RecordedStore, reading: Reading) {
    this.#store = store;
    this.#reading = reading;
  }

  read(records: readonly LedgerRecord[]): RecordedEvent[] {
    this.#first ??= records[0]?.seq ?? null;
    const decisions = records.flatMap((record) => (isEvent(record) && this.#reading.wants(record.action) ? [record] : []));
    const inputs = inputsOf(this.#store, decisions);
    const wanted = new Set(decisions);
    return records.flatMap((record): readonly RecordedEvent[] => {
      if (record.type === "session.open") this.#reading.roots.learn(record);
      else if (record.type === "outcome") return this.#end(record);
      else if (record.type === "decision" && wanted.has(record)) return [this.#request({ record, input: inputs.get(record.seq) ?? null })];
      return [];
    });
  }

  #request(begun: Begun): RecordedEvent {
    const { record, input } = begun;
    if (record.effect === "allow") this.#open.set(record.seq, begun);
    return this.#made(record, begun, { kind: "request", atMs: input === null ? record.at_ms : timeOf(input), decision: record.effect === "allow" ? "allow" : "deny" });
  }

  #end(record: OutcomeRecord): readonly RecordedEvent[] {
    const begun = this.#open.get(record.of) ?? this.#before(record.of);
    this.#open.delete(record.of);
    if (begun === null) return [];
    const { result: commitment, payload, ended_ms: atMs = record.at_ms } = record;
    const output = (): Json | undefined => {
      const [opened] = payload === null || commitment === null ? [] : this.#store.unsealAll([{ payload, commitment }]);
      return opened === undefined || typeof opened === "string" || !opened.opens ? undefined : outputOf(opened.value as unknown as Answer);
    };
    return [this.#made(record, begun, { ...endOf(record.status), atMs, output: once(output) })];
  }

  /** A call that began before what is read. */
  #before(seq: number): Begun | null {
    if (this.#first === null || seq >= this.#first) return null;
    const record = this.#store.entry(seq);
    return record !== null && isEvent(record) && this.#reading.wants(record.action) ? { record, input: inputsOf(this.#store, [record]).get(seq) ?? null } : null;
  }

  #made({ seq: at }: LedgerRecord, { record, input }: Begun, happened: Omit<Parameters<typeof callEvent>[2], "rootSession">): RecordedEvent {
    const { seq: of, action, agent, user } = record;
    const { roots, seen } = this.#reading;
    if (input === null) return { at, of, event: null, lost: { atMs: happened.atMs, action, agent, user, session: roots.of(record.session, of) } };
    this.#lastMs = Math.max(this.#lastMs, happened.atMs);
    return { at, of, event: callEvent(input, seen(input), { ...happened, atMs: this.#lastMs, rootSession: roots.ofCall(input, of) }) };
  }
}

/** Decisions that are events: those of policy, when the call was let through or not; one that people are asked about has not been decided yet. */
const isEvent = (record: LedgerRecord): record is DecisionRecord => record.type === "decision" && record.by === "policy" && record.effect !== "ask";

/** What conditions see of an answer: a tool's structured content, or its one text where that is JSON; of any other request the result. As long as it is kept. */
export const outputOf = (answer: Answer | null): Json | undefined => {
  if (answer === null || !("result" in answer)) return undefined;
  if (Buffer.byteLength(canonicalize({ result: answer.result }, "doubles")) > limits.result_payload_bytes.value) return undefined;
  const { structuredContent, content } = answer.result as { readonly structuredContent?: Json; readonly content?: Json };
  if (structuredContent !== undefined) return structuredContent;
  if (!Array.isArray(content)) return answer.result as Json;
  const [only] = content;
  if (content.length !== 1 || !isObject(only) || typeof only["text"] !== "string") return undefined;
  try {
    return parseJson(only["text"]) as Json;
  } catch {
    return only["text"];
  }
};

/** Works a value out when it is asked for, and keeps it. */
export const once = <T>(make: () => T): (() => T) => {
  let made: { readonly value: T } | null = null;
  return () => (made ??= { value: make() }).value;
};
