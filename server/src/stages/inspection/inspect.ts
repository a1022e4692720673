import type { Action, Json } from "@lanyard/contract";
import type { Answer } from "../../base/exchange.ts";
import type { Limits } from "../../base/limits.ts";
import { weigh } from "../../base/weigh.ts";

/** Step 10: looks at what a server answered before the agent does. Throws Fault `result_withheld` when it breaks a limit. */
export function inspect({ limits }: { limits: Limits }, action: Action, answer: Answer): Answer {
  weigh(limits, `the answer to \`${action.name}\``, "result" in answer ? answer.result : (answer.error as Json));
  return answer;
}
