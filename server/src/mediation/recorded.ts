import { isObject, type DecisionInput, type LedgerRecord } from "@lanyard/contract";
import type { LogFilter, Store, Unsealed } from "../base/store/port.ts";

export type DecisionRecord = Extract<LedgerRecord, { type: "decision" }>;

/** A recorded decision with the input it was made on, or why that cannot be had; `damaged` when it should be there and is not what the record says. */
export type RecordedCall =
  | { readonly record: DecisionRecord; readonly input: DecisionInput }
  | { readonly record: DecisionRecord; readonly input: null; readonly why: string; readonly damaged: boolean };

export type RecordedStore = Pick<Store, "scan" | "unsealAll">;

const runCalls = 32;

/** Lets everything else that waits go first. */
export const breathe = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/**
 * Recorded decisions in order, with their inputs, in runs of at most 32; live calls go first between two runs, and a run is read and opened
 * in a millisecond or two. Callers append `access.read` before.
 */
export async function* recordedCalls(store: RecordedStore, filter: Omit<LogFilter, "limit" | "types" | "newest">): AsyncGenerator<RecordedCall[]> {
  for (const records of store.scan({ ...filter, types: ["decision"] })) {
    const decisions = records.filter((record) => record.type === "decision");
    for (let at = 0; at < decisions.length; at += runCalls) {
      await breathe();
      yield opened(store, decisions.slice(at, at + runCalls));
    }
  }
}

const opened = (store: RecordedStore, records: readonly DecisionRecord[]): RecordedCall[] => {
  const sealed = records.filter((record) => record.payload !== null && record.input !== null);
  const values = store.unsealAll(sealed.map(({ payload, input }) => ({ payload: payload ?? "", commitment: input ?? "" })));
  const found = new Map(sealed.map((record, at) => [record, values[at] ?? "erased"]));
  return records.map((record) => callOf(record, found.get(record)));
};

const callOf = (record: DecisionRecord, unsealed: Unsealed | undefined): RecordedCall => {
  const without = (why: string, damaged: boolean): RecordedCall => ({ record, input: null, why, damaged });
  if (unsealed === undefined) return without("its facts were never gathered", false);
  if (unsealed === "erased") return without("its facts were erased", false);
  if (unsealed === "changed") return without("its payload or the key of it was changed", true);
  if (!unsealed.opens) return without("the payload is not the one that the record commits to", true);
  const { value } = unsealed;
  const input = isObject(value) && Object.hasOwn(value, "input") ? value["input"] : null;
  if (!isObject(input)) return without("the payload holds no input of a decision", true);
  return { record, input: input as unknown as DecisionInput };
};
