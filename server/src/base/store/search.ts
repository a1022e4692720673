import { parseJson, type LedgerRecord } from "@lanyard/contract";
import { decisionAgeMs, decisionMs } from "./decision-id.ts";
import { matches } from "./filter.ts";
import type { Medium } from "./medium.ts";
import type { LogFilter } from "./port.ts";

/** Records read at once: a slice of a millisecond. */
const runRecords = 128;

/**
 * The records that a filter asks for among the first `size` (what is committed and not synced yet, nobody sees), in runs that begin as
 * small as `first`; `limit` aside. Ascending or (newest) descending. Nothing is held open between two runs, and a run may be empty.
 */
export function* scan(medium: Medium, size: number, filter: LogFilter, first = runRecords): Generator<LedgerRecord[]> {
  const types = filter.types?.map((type) => `"type":"${type}"`);
  let most = Math.min(first, runRecords);
  let run: number[] = [];
  const read = (): LedgerRecord[] => {
    const [one = 0, other = 0] = [run[0], run.at(-1)];
    const texts = medium.texts(Math.min(one, other), Math.max(one, other) + 1);
    run = [];
    most = Math.min(most * 2, runRecords);
    // Saves parsing: a record of this type has these characters. What only looks like it is told apart by `matches`.
    const likely = types ? texts.filter((text) => types.some((mark) => text.includes(mark))) : texts;
    const found = likely.map((text) => parseJson(text) as LedgerRecord).filter((record) => matches(filter, record));
    return filter.newest ? found.reverse() : found;
  };
  for (const seq of medium.candidates(filter)) {
    if (seq >= size) continue;
    if (run.length >= most || (run.length > 0 && Math.abs(seq - (run.at(-1) as number)) !== 1)) yield read();
    run.push(seq);
  }
  if (run.length > 0) yield read();
}

/** As many records as the filter's limit allows (the newest where it says so), in ascending order. */
export const search = (medium: Medium, size: number, filter: LogFilter): LedgerRecord[] => {
  const limit = filter.limit ?? 1000;
  const found: LedgerRecord[] = [];
  for (const run of scan(medium, size, filter, limit)) {
    found.push(...run.slice(0, limit - found.length));
    if (found.length >= limit) break;
  }
  return filter.newest ? found.reverse() : found;
};

/** The seq of a decision by its id, which tells when it was made; null when there is none. */
export const seqOfDecision = (medium: Medium, size: number, id: string): number | null => {
  const madeMs = decisionMs(id);
  for (const run of scan(medium, size, { types: ["decision"], ...(madeMs !== null && { sinceMs: madeMs }) }, 1)) {
    const found = run.find((record) => record.type === "decision" && record.id === id);
    if (found) return found.seq;
    if (madeMs !== null && run.some((record) => record.at_ms > madeMs + decisionAgeMs)) break;
  }
  return null;
};
