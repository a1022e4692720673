import { Fault, type Action, type Json } from "@lanyard/contract";
import type { Answer } from "../../base/exchange.ts";
import type { Limits } from "../../base/limits.ts";

const surrogate = "has a lone surrogate, which no UTF-8 text can carry";

/**
 * Step 11: looks at what a server answered before the agent does. Throws Fault `result_withheld` when it is too large, too deep or has
 * text that no UTF-8 can carry (a lone surrogate would make the record and the agent see different bytes).
 */
export function inspect({ limits }: { limits: Limits }, action: Action, answer: Answer): Answer {
  const withheld = (why: string) => new Fault("result_withheld", `the answer to \`${action.name}\` ${why}`);
  let left = limits.result_bytes;
  // Depth first with a stack of our own: a hostile result must not reach ours.
  const open: { value: Json; depth: number }[] = [{ value: "result" in answer ? answer.result : (answer.error as Json), depth: 1 }];
  for (let at = open.pop(); at; at = open.pop()) {
    const { value, depth } = at;
    if (typeof value === "string") {
      left -= value.length;
      if (!value.isWellFormed()) throw withheld(surrogate);
    } else left -= 4;
    if (left < 0) throw withheld(`is over the limit result_bytes (${limits.result_bytes} bytes)`);
    if (typeof value !== "object" || value === null) continue;
    if (depth > limits.json_depth) throw withheld(`is nested deeper than the limit json_depth (${limits.json_depth} levels)`);
    if (Array.isArray(value)) for (const child of value) open.push({ value: child, depth: depth + 1 });
    else
      for (const [key, child] of Object.entries(value)) {
        left -= key.length;
        if (!key.isWellFormed()) throw withheld(surrogate);
        open.push({ value: child, depth: depth + 1 });
      }
  }
  return answer;
}
