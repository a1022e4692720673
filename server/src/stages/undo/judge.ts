import { isObject, type Json, type JsonObject } from "@lanyard/contract";
import { limits } from "../../base/limits.ts";
import type { InverseCall } from "../../base/undo/contract.ts";
import { evaluate, holds, MappingError } from "../../base/undo/mapping.ts";
import type { PlanDocument, Settlement } from "./document.ts";
import { digestOf, Unreadable, type Snapshot } from "./state.ts";

/** What a state is now, held against what it was before an action and right after it. */
export type Standing =
  /** As right after: nobody had a hand in it since. */
  | "after"
  /** As before: there is nothing to take back. */
  | "before"
  /** As neither: somebody else changed it, and that must not be overwritten. */
  | "other"
  /** Nobody knows what it was right after. */
  | "unknown";

/** Compares states by name. Invariant: nothing but equal digests of all of them makes `before`. */
export const standingOf = (now: Readonly<Record<string, string>>, { before, undo }: PlanDocument, after: Settlement["after"]): Standing => {
  const names = [...undo.state.keys()];
  if (before !== null && names.every((name) => now[name] === digestOf(before[name] ?? { there: false }))) return "before";
  if (after === null) return "unknown";
  return names.every((name) => now[name] === after[name]) ? "after" : "other";
};

/** One call of an inverse with its arguments worked out. */
export type Step = { readonly tool: string; readonly args: JsonObject } | { readonly path: string; readonly state: JsonObject };

/** What templates of an inverse and of gates may speak about. */
export const rootsOf = ({ args, root, before }: PlanDocument, { result, after }: Settlement): JsonObject => ({ args, root, before: (before ?? {}) as unknown as JsonObject, result, after: (after ?? {}) as unknown as JsonObject });

/** The calls that take an action back, in their order. Throws Unreadable when they cannot be worked out. */
export const stepsOf = ({ undo }: PlanDocument, roots: JsonObject): Step[] => {
  try {
    const steps = undo.inverse.flatMap((call) => stepsOfCall(call, roots));
    if (steps.length > limits.undo_inverse_calls.value) throw new Unreadable(`it takes more than ${limits.undo_inverse_calls.value} calls, the limit undo_inverse_calls`);
    return steps;
  } catch (error) {
    if (error instanceof MappingError) throw new Unreadable(error.message);
    throw error;
  }
};

const stepsOfCall = (call: InverseCall, roots: JsonObject): Step[] => {
  const items = call.each === null ? [null] : evaluate(call.each, roots);
  if (!Array.isArray(items)) throw new MappingError("`each` of an inverse needs a list");
  return items.flatMap((item: Json) => {
    const about = call.each === null ? roots : { ...roots, item };
    if (!holds(call.when, about)) return [];
    return [call.tool === null ? fileOf(evaluate(call.restore, about)) : { tool: call.tool, args: objectOf(evaluate(call.args, about)) }];
  });
};

const objectOf = (value: Json): JsonObject => {
  if (!isObject(value)) throw new MappingError("the arguments of an inverse are no object");
  return value;
};

const fileOf = (value: Json): Step => {
  const { path, state } = objectOf(value);
  if (typeof path !== "string" || !isObject(state) || typeof state["there"] !== "boolean") throw new MappingError("`restore` needs `{path, state}`, the state as a reading `file` found it");
  return { path, state };
};

/** States by name as digests. */
export const digestsOf = (seen: Readonly<Record<string, Snapshot>>): Record<string, string> => Object.fromEntries(Object.entries(seen).map(([name, snapshot]) => [name, digestOf(snapshot)]));
