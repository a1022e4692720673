import type { Policy } from "../bundle.ts";
import type { Effects } from "./cell.ts";
import type { CallSpace } from "./call-space.ts";

/** A part of a question that has no certain answer, and why. */
export interface Doubt {
  readonly why: string;
  readonly policies: readonly string[];
  readonly actions: readonly string[];
}

/** Why the solver's word is not enough: a policy says what the model cannot, or it gave up. */
export const doubtOf = ({ action }: CallSpace, sides: readonly Effects[], policies: readonly Policy[]): Doubt => {
  const gaps = sides.flatMap((side) => [...side.gaps]);
  const [first] = gaps;
  if (first === undefined) return { why: "the solver gave up", policies: [...new Set(policies.map(({ id }) => id))], actions: [action.name] };
  return { why: `a policy speaks of ${first[1][0] ?? "something"}, which the model leaves out`, policies: gaps.map(([{ id }]) => id), actions: [action.name] };
};

/** Doubts of one kind as one. */
export const mergeDoubts = (doubts: readonly Doubt[]): Doubt[] => {
  const merged = new Map<string, { why: string; policies: Set<string>; actions: Set<string> }>();
  for (const { why, policies, actions } of doubts) {
    const known = merged.get(why) ?? { why, policies: new Set(), actions: new Set() };
    policies.forEach((policy) => known.policies.add(policy));
    actions.forEach((action) => known.actions.add(action));
    merged.set(why, known);
  }
  return [...merged.values()].map(({ why, policies, actions }) => ({ why, policies: [...policies].sort(), actions: [...actions].sort() }));
};
