import type { Decision, DecisionInput } from "@lanyard/contract";
import type { ActionShape } from "../schema/schema.ts";
import { denyUnasked, eachOnce, isChange, type Change, type RoundResult } from "./combine.ts";
import { carriedOn, changedFacts } from "./facts.ts";
import { parseTransform, transformArguments } from "./transform.ts";

/** What one round is asked: the input, in the second round with changed arguments and the names of the changes that were made. */
export type RoundInput = DecisionInput & {
  /** Sorted; absent in the first round. */
  readonly remedies?: readonly string[];
};

/**
 * The second of two rounds. When nothing stands in the way of a call but forbids that a change of its arguments lifts, the changes are made and
 * everything is asked again about the changed call: what it then comes to is the decision. Invariant: no policy is lifted by a change that
 * was not made, and none is left out because arguments have changed.
 */
export const decideChanged = (action: ActionShape | null, input: DecisionInput, first: Change, once: (input: RoundInput) => RoundResult): Decision => {
  const next = nextRound(action, input, first);
  if (typeof next === "string") return { ...denyUnasked("lanyard.arguments", next), reasons: first.reasons };
  const second = once(next);
  // Whoever asks for more changes of what has been changed already would never end.
  if (isChange(second)) return { effect: "deny", reasons: second.reasons, approvers: [], errors: [] };
  if (second.effect === "deny") return second;
  return { ...second, reasons: eachOnce([first, second]), transforms: first.transforms };
};

/** What the second round is asked, or in words why the changes cannot be made. */
export const nextRound = (action: ActionShape | null, input: DecisionInput, { transforms }: Change): RoundInput | string => {
  if (action === null) return "policies ask for a change of a request that is not known";
  if (action.definition === null && !transforms.every((change) => parseTransform(change)?.of === "result")) return "policies ask for a change of a request that is no tool call";
  const args = transformArguments(input.args, transforms, { input: action.input, fixed: action.contract?.resource?.argument ?? null });
  if (typeof args === "string") return args;
  const facts = changedFacts(input.facts, transforms);
  const left = carriedOn(facts, transforms);
  if (left !== null) return `\`${left}\` is not enough: another argument of this call carries the label too`;
  return { ...input, args, ...(facts && { facts }), remedies: transforms };
};
