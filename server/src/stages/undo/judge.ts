import { isObject, type Json, type JsonObject } from "@lanyard/contract";
import { limits } from "../../base/limits.ts";
import type { InverseCall } from "../../base/undo/contract.ts";
import { evaluate, holds, MappingError } from "../../base/undo/mapping.ts";
import type { PlanDocument, SeenState, Settlement } from "./document.ts";
import type { Contents } from "./files/files.ts";
import { changesBetween } from "./image.ts";
import type { Changed } from "./means.ts";
import { digestOf, Unreadable, type StateSnapshot } from "./state.ts";

/** What a state is now, held against what it was before an action and right after it. */
export type StateStanding =
  /** As right after: nobody had a hand in it since. */
  | "after"
  /** As before: there is nothing to take back. */
  | "before"
  /** As neither: somebody else changed it, and that must not be overwritten. */
  | "other"
  /** Nobody knows what it was right after. */
  | "unknown";

/**
 * Compares states by name. Invariant: nothing but equal digests of all of them makes `before`. Files may be between the two, each as before or as
 * after: so an interrupted run leaves them.
 */
export const standingOf = (now: Readonly<Record<string, SeenState>>, { before, undo }: PlanDocument, after: Settlement["after"]): StateStanding => {
  const names = [...undo.state.keys()];
  if (before !== null && names.every((name) => now[name]?.digest === digestOf(before[name] ?? { there: false }))) return "before";
  if (after === null) return "unknown";
  return names.every((name) => now[name]?.digest === after[name]?.digest || isBetween(now[name], before?.[name], after[name])) ? "after" : "other";
};

const isBetween = (now: SeenState | undefined, before: StateSnapshot | undefined, after: SeenState | undefined): boolean => {
  if (!isObject(now?.value) || !isObject(after?.value) || !before?.there || !isObject(before.value)) return false;
  const still = new Set(changesBetween(before.value, now.value).map(({ place }) => place));
  return changesBetween(after.value, now.value).every(({ place }) => !still.has(place));
};

/** One call of an inverse with its arguments worked out. */
export type UndoCall = { readonly tool: string; readonly args: JsonObject } | { readonly restore: Restore };

/** Files to put back: what the action changed, and what they held. */
export interface Restore {
  readonly root: string;
  readonly changed: readonly Changed[];
  readonly contents: Contents;
}

/** What templates of an inverse and of gates may speak about. */
export const rootsOf = ({ args, root, before }: PlanDocument, { result, after }: Settlement): JsonObject => ({ args, root, before: (before ?? {}) as unknown as JsonObject, result, after: Object.fromEntries(Object.entries(after ?? {}).map(([name, { value }]) => [name, value])) });

/** The calls that take an action back, in their order. Throws Unreadable when they cannot be worked out. */
export const stepsOf = (plan: PlanDocument, now: Readonly<Record<string, SeenState>>, roots: JsonObject): UndoCall[] => {
  try {
    const steps = plan.undo.inverse.flatMap((call) => stepsOfCall(call, plan, now, roots));
    if (steps.length > limits.undo_inverse_calls.value) throw new Unreadable(`it takes more than ${limits.undo_inverse_calls.value} calls, the limit undo_inverse_calls`);
    return steps;
  } catch (error) {
    if (error instanceof MappingError) throw new Unreadable(error.message);
    throw error;
  }
};

const stepsOfCall = (call: InverseCall, plan: PlanDocument, now: Readonly<Record<string, SeenState>>, roots: JsonObject): UndoCall[] => {
  const items = call.each === null ? [null] : evaluate(call.each, roots);
  if (!Array.isArray(items)) throw new MappingError("`each` of an inverse needs a list");
  return items.flatMap((item: Json) => {
    const about = call.each === null ? roots : { ...roots, item };
    if (!holds(call.when, about)) return [];
    return [call.tool === null ? restoreOf(call.restore ?? "", plan, now) : { tool: call.tool, args: objectOf(evaluate(call.args, about)) }];
  });
};

const objectOf = (value: Json): JsonObject => {
  if (!isObject(value)) throw new MappingError("the arguments of an inverse are no object");
  return value;
};

const restoreOf = (name: string, { before, root }: PlanDocument, now: Readonly<Record<string, SeenState>>): UndoCall => {
  const [was, is] = [before?.[name], now[name]?.value];
  if (root === null || !was?.there || !isObject(was.value) || !isObject(was.kept) || !isObject(is)) throw new MappingError("what the files were is not known");
  return { restore: { root, changed: changesBetween(was.value, is), contents: was.kept as Contents } };
};
