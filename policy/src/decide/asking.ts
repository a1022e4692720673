import { isObject, type DecisionInput, type Json } from "@lanyard/contract";
import type { Policy } from "../bundle.ts";
import { decide, type Rules } from "./decide.ts";

/**
 * Why people are asked about a call as long as nobody has answered: the policies that ask, each as its id, and each label of the session and each budget past
 * a threshold that such a policy names, as `<id> <name>`, since one policy can have several grounds. Sorted; empty when the call comes through by itself.
 */
export const reasonsToAsk = (rules: Rules, policyOf: (id: string) => Policy | null, input: DecisionInput): readonly string[] => {
  const { effect, reasons } = decide(rules, { ...input, approvals: [] });
  if (effect === "allow") return [];
  const { warn = [], ask = [], over = [] } = input.budget ?? {};
  const grounds = [...new Set([...input.session.labels, ...warn, ...ask, ...over])];
  return reasons.flatMap(({ policy }) => [policy, ...namedIn(policyOf(policy), grounds).map((name) => `${policy} ${name}`)]).sort();
};

/** Those of `texts` that a policy's conditions hold literally. */
const namedIn = (policy: Policy | null, texts: readonly string[]): readonly string[] => {
  if (policy === null || texts.length === 0) return [];
  const found = new Set<string>();
  const visit = (form: Json): void => {
    if (Array.isArray(form)) form.forEach(visit);
    else if (isObject(form)) Object.values(form).forEach(visit);
    else if (typeof form === "string") found.add(form);
  };
  visit(policy.conditions as unknown as Json);
  return texts.filter((text) => found.has(text));
};
