import type { Registry } from "@lanyard/contract";
import type { CallSpace } from "./call-space.ts";
import { unapproved, type Effects } from "./cell.ts";
import type { Inquiry, Solved } from "./inquiry.ts";
import { onlyOf } from "./names.ts";
import { and, not, or, same, type Term } from "./term.ts";

/** A goal about the calls of one agent to one action. */
export interface PlacedGoal {
  readonly space: CallSpace;
  readonly term: Term;
  readonly sides: readonly Effects[];
  /** Goals of one key share an example: only the first that can be reached is worth a choice. */
  readonly key: string;
}

/** Users that an example may be about, at most. */
const offered = 20;

/**
 * Solves goals, and where there are several calls prefers one that people would take for real: that nobody approved yet, with all that the tool
 * requires and nothing it does not declare, that no policy errs on or changes, by a user that there is. Only the example is chosen so; whether there is
 * one does not depend on it.
 */
export const solveLikely = (inquiry: Inquiry, goals: readonly PlacedGoal[], users: Registry["users"], progress?: (done: number) => void): Solved[] => {
  const solved = inquiry.solve(goals.map(({ term }) => term), progress);
  const wishes: ((goal: PlacedGoal) => Term)[] = [(goal) => and(proper(goal), knownUser(goal, users)), proper, ({ space }) => unapproved(space)];
  const chosen = new Set<string>();
  let open = goals.flatMap((goal, index) => {
    if (typeof solved[index] !== "object" || chosen.has(goal.key)) return [];
    chosen.add(goal.key);
    return [{ goal, index }];
  });
  for (const wish of wishes) {
    const better = inquiry.solve(open.map(({ goal }) => and(goal.term, wish(goal))));
    open = open.filter(({ index }, at) => {
      const found = better[at];
      if (typeof found !== "object") return true;
      solved[index] = found;
      return false;
    });
  }
  return solved;
};

const proper = ({ space, sides }: PlacedGoal): Term =>
  and(unapproved(space), ...space.action.input.fields.filter(({ required }) => required).map(({ name }) => space.there([name])), ...sides.flatMap(({ errs, changes }) => [not(errs), not(changes)]));

const knownUser = ({ space }: PlacedGoal, users: Registry["users"]): Term => {
  const { names, userId, userGroups } = space;
  const known = Object.keys(users).sort().slice(0, offered);
  if (known.length === 0) return "true";
  return or(
    ...known.map((id) => {
      const groups = (users[id]?.groups ?? []).map((group) => names.constant(group));
      return and(same(userId, names.constant(id)), onlyOf(names, userGroups, groups), ...groups.map((group) => names.member(userGroups, group)));
    }),
  );
};
