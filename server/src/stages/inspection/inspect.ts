import { Fault, type Action, type Json } from "@lanyard/contract";
import type { Answer } from "../../base/exchange.ts";
import type { Limits } from "../../base/limits.ts";
import { isModelHost, UsageScan } from "../../base/usage.ts";
import { weigh } from "../../base/weigh.ts";
import { InspectedBody } from "./body.ts";

/** Step 10: looks at what a server answered before the agent does. Throws Fault `result_withheld` when it breaks a limit. */
export function inspect({ limits }: { limits: Limits }, action: Action, answer: Answer): Answer {
  weigh(limits, `the answer to \`${action.name}\``, "result" in answer ? answer.result : (answer.error as Json));
  if ("error" in answer || !answer.web) return answer;
  const { web } = answer;
  const body = new InspectedBody(`the answer to \`${action.name}\``, limits.egress_result_bytes, isModelHost(action.args["host"]) ? new UsageScan(web.headers.find(([name]) => name === "content-encoding")?.[1] ?? "") : null);
  web.body.once("error", (error) => body.destroy(error));
  web.body.once("close", () => body.writableEnded || body.destroy(new Fault("uncertain", "the server hung up in mid-answer")));
  body.once("close", () => web.body.destroy());
  web.body.pipe(body);
  return { ...answer, web: { ...web, body, sum: () => body.sum() } };
}
