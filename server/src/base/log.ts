import type { Clock } from "./clock.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

type Fields = Readonly<Record<string, unknown>>;

/** What happened, as an event name and fields; never a sentence with values mixed in. */
export type Log = { readonly [L in LogLevel]: (event: string, fields?: Fields) => void };

const levels: readonly LogLevel[] = ["debug", "info", "warn", "error"];
const lineChars = 16_384;
const maxDepth = 6;

const secretKey = /^(?:.*[_-])?(?:token|secret|password|passwd|authorization|cookie|credential|api[_-]?key)$/i;
const secretText = /\b(lyd_[a-z]+_)[A-Za-z0-9_-]{20,}|\b(bearer\s+)[^\s"',;]+/gi;

/** Replaces whatever looks like one of our tokens or a bearer header. A net below the rule that secrets are not logged, not the rule. */
export const redact = (text: string): string => text.replace(secretText, "$1$2[redacted]");

const plain = (value: unknown, depth: number): unknown => {
  if (typeof value === "string") return redact(value.length > lineChars ? `${value.slice(0, lineChars)}...` : value);
  if (typeof value === "bigint" || typeof value === "symbol" || typeof value === "function") return String(value).slice(0, 100);
  if (typeof value !== "object" || value === null) return value;
  if (depth >= maxDepth) return "[deep]";
  if (value instanceof Error) {
    const { name, message, stack, cause } = value;
    const code = (value as { code?: unknown }).code;
    return plain({ name, message, ...(code === undefined ? {} : { code }), stack, ...(cause === undefined ? {} : { cause }) }, depth + 1);
  }
  if (Array.isArray(value)) return value.slice(0, 100).map((item) => plain(item, depth + 1));
  const entries = Object.entries(value).slice(0, 100);
  return Object.fromEntries(entries.map(([key, item]) => [redact(key), secretKey.test(key) ? "[redacted]" : plain(item, depth + 1)]));
};

/**
 * Writes one JSON line an event: `{at, level, event, ...fields}`. Never throws: a log that cannot be written must not fail an action.
 * `write` gets the line with its newline. Default level: info.
 */
export const logger = ({ clock, write, level = "info" }: { clock: Clock; write: (line: string) => void; level?: LogLevel }): Log => {
  const from = levels.indexOf(level);
  const at = (name: LogLevel) => (event: string, fields: Fields = {}) => {
    if (levels.indexOf(name) < from) return;
    try {
      const head = { at: new Date(clock.nowMs()).toISOString(), level: name, event };
      const line = JSON.stringify({ ...head, ...(plain(fields, 0) as Fields), ...head });
      write(line.length > lineChars ? `${JSON.stringify({ ...head, cut: line.slice(0, lineChars) })}\n` : `${line}\n`);
    } catch {
      // Nothing sensible is left to do with a failure to log.
    }
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
};

const ignore = () => {};

/** Drops everything. */
export const silent: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
