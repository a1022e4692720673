import type { LedgerRecord } from "@lanyard/contract";
import type { LogFilter } from "./port.ts";

/** True when `name` is `pattern`, or begins with what stands before its final `*`. */
export const named = (pattern: string, name: string): boolean =>
  pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;

/** True when a record is one the filter asks for; `limit` and `newest` aside. */
export const matches = (filter: LogFilter, record: LedgerRecord): boolean => {
  const fields = record as { readonly session?: unknown; readonly agent?: unknown; readonly effect?: unknown; readonly action?: unknown };
  return (
    record.seq >= (filter.from ?? 0) &&
    record.seq <= (filter.to ?? Infinity) &&
    record.at_ms >= (filter.sinceMs ?? 0) &&
    (filter.types === undefined || filter.types.includes(record.type)) &&
    (filter.session === undefined || fields.session === filter.session) &&
    (filter.agent === undefined || fields.agent === filter.agent) &&
    (filter.effect === undefined || fields.effect === filter.effect) &&
    (filter.action === undefined || (typeof fields.action === "string" && named(filter.action, fields.action)))
  );
};
