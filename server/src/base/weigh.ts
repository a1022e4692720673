import { Fault, type Json } from "@lanyard/contract";
import type { Limits } from "./limits.ts";

const surrogate = "has a lone surrogate, which no UTF-8 text can carry";
const valueBytes = 4;

/**
 * Looks through a value that a server gave and returns its weight in bytes: its texts in UTF-8, and a little for every value in it.
 * Throws Fault `result_withheld`, its text beginning with `what`, when it is too large, too deep or has text that no UTF-8 can carry (a
 * lone surrogate would make the record and the agent see different bytes).
 */
export function weigh(limits: Limits, what: string, root: Json): number {
  const withheld = (why: string) => new Fault("result_withheld", `${what} ${why}`);
  let bytes = 0;
  // Depth first with a stack of our own: a hostile value must not reach ours.
  const open: { value: Json; depth: number }[] = [{ value: root, depth: 1 }];
  for (let at = open.pop(); at; at = open.pop()) {
    const { value, depth } = at;
    bytes += valueBytes;
    if (typeof value === "string") {
      if (!value.isWellFormed()) throw withheld(surrogate);
      bytes += Buffer.byteLength(value);
    }
    if (bytes > limits.result_bytes) throw withheld(`is over the limit result_bytes (${limits.result_bytes} bytes)`);
    if (typeof value !== "object" || value === null) continue;
    if (depth > limits.json_depth) throw withheld(`is nested deeper than the limit json_depth (${limits.json_depth} levels)`);
    if (Array.isArray(value)) for (const child of value) open.push({ value: child, depth: depth + 1 });
    else
      for (const [key, child] of Object.entries(value)) {
        if (!key.isWellFormed()) throw withheld(surrogate);
        bytes += Buffer.byteLength(key);
        open.push({ value: child, depth: depth + 1 });
      }
  }
  return bytes;
}
