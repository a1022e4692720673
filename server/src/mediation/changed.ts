import { Fault, type Action, type Decision } from "@lanyard/contract";
import { transformArguments, type Conceal } from "@lanyard/policy";
import type { Answer } from "../base/exchange.ts";
import type { Approval } from "../base/path.ts";

const aboutResult = (text: string): boolean => text.startsWith("result.");

/**
 * The action with the changes that its decision was made on; `conceal` takes out what is of a class. Its digest stays that of the call as sent: an
 * approval is for what the agent asked and for these changes. Throws Fault `internal` when a change cannot be made, which the decision has ruled out: then nothing may happen.
 */
export const asDecided = (action: Action, { transforms: all = [] }: Decision, conceal: Conceal): Action => {
  const transforms = all.filter((text) => !aboutResult(text));
  if (transforms.length === 0) return action;
  // What goes out is the request as it was sent: to change what policy saw of it would change nothing.
  if (action.protocol === "http") throw new Fault("denied", `a policy would change \`${action.name}\`, and a request that leaves a sandbox cannot be changed on its way`);
  const args = transformArguments(action.args, transforms, null, conceal);
  if (typeof args === "string" || action.method !== "tools/call") throw new Fault("internal", "a decision asks for changes that cannot be made");
  return { ...action, args, params: { ...action.params, arguments: args } };
};

/** Tells the agent what was carried out instead of what it sent, for a model that does not know would report something untrue; and what people said who approved it. */
export const withNotice = (answer: Answer, { transforms = [], reasons }: Decision, approval: Approval | null): Answer => {
  if (!("result" in answer) || !Array.isArray(answer.result["content"])) return answer;
  const why = reasons.filter(({ remedy }) => remedy.startsWith("transform:")).map(({ policy, text }) => `Why: ${text || "the policy gives no reason."} (policy \`${policy}\`)`);
  const [back, out] = [transforms.filter(aboutResult), transforms.filter((text) => !aboutResult(text))];
  const said = [...(out.length > 0 ? [`Changed by policy before it was carried out: ${out.join(", ")}.`] : []), ...(back.length > 0 ? [`Changed by policy in this answer: ${back.join(", ")}.`] : [])];
  const changed = said.length === 0 ? [] : [...said, ...why];
  const text = [...changed, ...(approval?.said ?? []).map(({ by, comment }) => `Approved by ${by}: ${comment}`)].join("\n");
  return text === "" ? answer : { result: { ...answer.result, content: [...answer.result["content"], { type: "text", text }] } };
};
