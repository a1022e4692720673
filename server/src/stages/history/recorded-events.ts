import { isObject, parseJson, type DecisionInput, type Json, type LedgerRecord } from "@lanyard/contract";
import { callEvent, type HistoryEvent } from "@lanyard/policy";
import { canonicalize } from "@lanyard/ledger";
import type { Answer } from "../../base/exchange.ts";
import { limits } from "../../base/limits.ts";
import type { OutcomeStatus } from "../../base/path.ts";
import type { Store } from "../../base/store/port.ts";

/** An event as the ledger has it; `of`: the decision that it comes from. */
export interface RecordedEvent {
  readonly of: number;
  readonly event: HistoryEvent;
}

type RecordedStore = Pick<Store, "scan" | "unsealAll" | "entry">;
type DecisionRecord = Extract<LedgerRecord, { type: "decision" }>;
type OutcomeRecord = Extract<LedgerRecord, { type: "outcome" }>;

interface Reading {
  /** The first entry to read. */
  readonly from: number;
  readonly sinceMs: number;
  /** Whether events of this action are asked about; of others nothing is opened. */
  wants(action: string): boolean;
  /** What policy sees of a call. */
  seen(input: DecisionInput): Parameters<typeof callEvent>[1];
  /** Of a session that is open. */
  rootOf(session: string): string;
}

const runRecords = 64;

const breathe = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** What became of a call that ended so. */
export const endOf = (status: OutcomeStatus): { readonly kind: "response" } | { readonly kind: "error"; readonly status: Exclude<OutcomeStatus, "done"> } => (status === "done" ? { kind: "response" } : { kind: "error", status });

/**
 * Events out of the ledger, in order, some dozens at a time; live calls go first between two runs. Decisions that policy made, and ends of calls. What was
 * erased is left out.
 */
export async function* recordedEvents(store: RecordedStore, reading: Reading): AsyncGenerator<RecordedEvent[]> {
  const reader = new Reader(store, reading);
  for (const records of store.scan({ from: reading.from, sinceMs: reading.sinceMs, types: ["decision", "outcome", "session.open"] })) {
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
  readonly #open = new Map<number, DecisionInput>();
  readonly #roots = new Map<string, string>();
  #lastMs = 0;

  constructor(store: RecordedStore, reading: Reading) {
    this.#store = store;
    this.#reading = reading;
  }

  read(records: readonly LedgerRecord[]): RecordedEvent[] {
    const decisions = records.flatMap((record) => (isEvent(record) && this.#reading.wants(record.action) ? [record] : []));
    const inputs = inputsOf(this.#store, decisions);
    const found: RecordedEvent[] = [];
    for (const record of records) {
      if (record.type === "session.open" && record.parent !== null) this.#roots.set(record.session, this.#roots.get(record.parent) ?? record.parent);
      else if (record.type === "decision") found.push(...this.#request(record, inputs.get(record.seq)));
      else if (record.type === "outcome") found.push(...this.#end(record));
    }
    return found;
  }

  #request(record: DecisionRecord, input: DecisionInput | undefined): RecordedEvent[] {
    if (input === undefined || record.effect === "ask") return [];
    if (record.effect === "allow") this.#open.set(record.seq, input);
    return [{ of: record.seq, event: this.#eventOf(input, { kind: "request", atMs: input.nowMs, decision: record.effect }) }];
  }

  #end(record: OutcomeRecord): RecordedEvent[] {
    const input = this.#open.get(record.of) ?? this.#before(record.of);
    this.#open.delete(record.of);
    if (input === undefined) return [];
    const { result: commitment, payload } = record;
    const output = (): Json | undefined => {
      const [opened] = payload === null || commitment === null ? [] : this.#store.unsealAll([{ payload, commitment }]);
      return opened === undefined || typeof opened === "string" || !opened.opens ? undefined : outputOf(opened.value as unknown as Answer);
    };
    return [{ of: record.of, event: this.#eventOf(input, { ...endOf(record.status), atMs: record.at_ms, output: once(output) }) }];
  }

  /** A call that began before what is read. */
  #before(seq: number): DecisionInput | undefined {
    const record = this.#store.entry(seq);
    return record !== null && seq < this.#reading.from && isEvent(record) && this.#reading.wants(record.action) ? inputsOf(this.#store, [record]).get(seq) : undefined;
  }

  #eventOf(input: DecisionInput, happened: Omit<Parameters<typeof callEvent>[2], "rootSession">): HistoryEvent {
    this.#lastMs = Math.max(this.#lastMs, happened.atMs);
    const { id } = input.session;
    return callEvent(input, this.#reading.seen(input), { ...happened, atMs: this.#lastMs, rootSession: this.#roots.get(id) ?? this.#reading.rootOf(id) });
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
