import { Fault, type Decision, type DecisionInput, type Json } from "@lanyard/contract";
import { combine, denyUnasked } from "./combine.ts";
import type { Rules } from "./head.ts";
import { measure, requestArguments, typedInput } from "./input.ts";
import type { Match } from "../oracle/matcher.ts";
import { unseenRead } from "./reads.ts";

/**
 * Decides one input against one bundle: the same two always give the same decision (invariant I3). Arguments that policy cannot be
 * shown exactly, and actions the bundle does not know, are denied before any policy is asked. Throws only what `match` throws.
 */
export const decide = (match: Match, rules: Rules, input: DecisionInput): Decision => {
  const action = rules.action(input.action);
  if (action === null) return denyUnasked("lanyard.catalog", `action \`${input.action.slice(0, 256).toWellFormed()}\` is not in the catalog that policies were compiled against`);
  if (input.definition !== undefined && input.definition !== action.definition) {
    return denyUnasked("lanyard.catalog", `the policies in force were compiled against another definition of \`${input.action.slice(0, 256).toWellFormed()}\``);
  }
  try {
    measure({ ...input, args: null } as unknown as Json);
    if (!Number.isFinite(new Date(input.nowMs).getTime())) throw new Fault("malformed_call", "`nowMs` is no time");
    measure(input.args);
    const typed = typedInput(action.input, action.definition === null ? requestArguments(input.args) : input.args);
    const found = rules.candidates(input.agent, action);
    const unseen = unseenRead(found, action.input, input.args);
    if (unseen !== null) {
      return denyUnasked("lanyard.arguments", `policy \`${unseen.policy}\` speaks about the argument \`${unseen.path.join(".")}\`, which the action's schema does not let policy see`);
    }
    return combine(found, match(found, action, input, typed), input.approvals);
  } catch (cause) {
    if (cause instanceof Fault) return denyUnasked("lanyard.arguments", cause.message);
    throw cause;
  }
};
