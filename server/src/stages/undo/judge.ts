import { isObject, type Json, type JsonObject } from "@lanyard/contract";
import { limits } from "../../base/limits.ts";
import type { InverseCall } from "../../base/undo/contract.ts";
import { evaluate, holds, MappingError } from "../../base/undo/mapping.ts";
import { isPlaces, type PlanDocument, type SeenState, type Settlement } from "./document.ts";
import type { Contents } from "./files/files.ts";
import { changesBetween, type Changed, type Image } from "./image.ts";
import { SqlRows, type RowsImage } from "./sql/rows.ts";
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
 * Compares states by name. Of files and rows only places count that the action changed; some may be as before while others are as after: so an
 * interrupted run leaves them. Of an action whose end nobody saw (not `ended`) all places count: it may have changed them after they were read.
 * Invariant: nothing but equality makes `before`.
 */
export const standingOf = (now: Readonly<Record<string, SeenState>>, { before, undo }: PlanDocument, after: Settlement["after"], ended = true): StateStanding => {
  const states = [...undo.state].map(([name, reading]) => {
    const [is, was] = [now[name], after?.[name]];
    return { standing: standingIn(isPlaces(reading), ended, is, before?.[name] ?? { there: false }, was), isAfter: isPlaces(reading) || is?.digest === was?.digest };
  });
  if (before !== null && states.every(({ standing }) => standing === "before")) return "before";
  if (after === null) return "unknown";
  // Only places are put back one by one: a call that put one state back is not made again because another state lacks.
  return states.every(({ standing, isAfter }) => standing !== "other" && isAfter) ? "after" : "other";
};

const standingIn = (places: boolean, ended: boolean, now: SeenState | undefined, before: StateSnapshot, after: SeenState | undefined): StateStanding => {
  if (now?.digest === digestOf(before)) return "before";
  if (!places || !after) return now?.digest === after?.digest ? "after" : "other";
  const changed = [...changesBetween(imageOf(before), imageIn(after)), ...(ended ? [] : changesBetween(imageOf(before), imageIn(now)))];
  const [still, gone] = [new Set(changesBetween(imageIn(now), imageIn(after)).map(({ place }) => place)), new Set(changesBetween(imageIn(now), imageOf(before)).map(({ place }) => place))];
  if (changed.every(({ place }) => !gone.has(place))) return "before";
  return changed.every(({ place }) => !still.has(place) || !gone.has(place)) ? "after" : "other";
};

const imageIn = (seen: SeenState | undefined): Image => (isObject(seen?.value) ? seen.value : {});
const imageOf = (snapshot: StateSnapshot): Image => (snapshot.there && isObject(snapshot.value) ? snapshot.value : {});

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
export const stepsOf = (plan: PlanDocument, now: Readonly<Record<string, SeenState>>, after: Settlement["after"], roots: JsonObject): UndoCall[] => {
  try {
    const steps = plan.undo.inverse.flatMap((call) => stepsOfCall(call, plan, now, after, roots));
    if (steps.length > limits.undo_inverse_calls.value) throw new Unreadable(`it takes more than ${limits.undo_inverse_calls.value} calls, the limit undo_inverse_calls`);
    return steps;
  } catch (error) {
    if (error instanceof MappingError) throw new Unreadable(error.message);
    throw error;
  }
};

const stepsOfCall = (call: InverseCall, plan: PlanDocument, now: Readonly<Record<string, SeenState>>, after: Settlement["after"], roots: JsonObject): UndoCall[] => {
  const items = call.each === null ? [null] : evaluate(call.each, roots);
  if (!Array.isArray(items)) throw new MappingError("`each` of an inverse needs a list");
  return items.flatMap((item: Json) => {
    const about = call.each === null ? roots : { ...roots, item };
    if (!holds(call.when, about)) return [];
    return call.tool === null ? restoreOf(call.restore ?? "", plan, now, after) : [{ tool: call.tool, args: objectOf(evaluate(call.args, about)) }];
  });
};

const objectOf = (value: Json): JsonObject => {
  if (!isObject(value)) throw new MappingError("the arguments of an inverse are no object");
  return value;
};

/**
 * Puts back what the action changed: files that are still as it left them; of rows all, for each of these calls finds by itself only what is still
 * so, and an interrupted run goes on by their number.
 */
const restoreOf = (name: string, { before, root, undo }: PlanDocument, now: Readonly<Record<string, SeenState>>, after: Settlement["after"]): UndoCall[] => {
  const [was, is, seen] = [before?.[name], after?.[name], now[name]];
  if (!was?.there || !is || !seen) throw new MappingError("what it was is not known");
  const reading = undo.state.get(name);
  const changed = changesBetween(imageOf(was), imageIn(is));
  if (reading?.rows && reading.tool !== null) {
    const { tool } = reading;
    return new SqlRows(reading.rows.on).back({ watches: is.kept, image: {} } as unknown as RowsImage, changed).map((sql) => ({ tool, args: { sql } }));
  }
  if (root === null || !isObject(was.kept)) throw new MappingError("what the files were is not known");
  const elsewhere = new Set(changesBetween(imageIn(seen), imageIn(is)).map(({ place }) => place));
  return [{ restore: { root, changed: changed.filter(({ place }) => !elsewhere.has(place)), contents: was.kept as Contents } }];
};
