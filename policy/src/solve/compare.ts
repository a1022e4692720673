import type { Decision, DecisionInput, Effect, Registry } from "@lanyard/contract";
import { decodeBundle, type Bundle, type Policy } from "../bundle.ts";
import { openSnapshot, type Snapshot } from "../decide/snapshot.ts";
import type { ActionShape } from "../schema/schema.ts";
import { actionsIn, agentsIn, Encoding, Heads, type Effects, type Numbered } from "./cell.ts";
import { doubtOf, mergeDoubts, type Doubt } from "./doubt.ts";
import { Inquiry, type Assignment, type Solved } from "./inquiry.ts";
import { solveLikely } from "./likely.ts";
import { Names } from "./names.ts";
import { strangersLeftOut, withStrangers } from "./stranger.ts";
import { and, no, or, type Term } from "./term.ts";
import { witnessOf } from "./witness.ts";
import type { CallSpace } from "./call-space.ts";
import type { Z3 } from "./z3.ts";

/** A call on which two bundles differ, and what both decide about it. Confirmed: these are decisions, not predictions. */
export interface ChangeExample {
  readonly input: DecisionInput;
  readonly before: Decision;
  readonly after: Decision;
}

/** Calls that the second bundle decides otherwise than the first, for the same policies' sake. */
export interface SolvedChange {
  readonly change: "newly allowed" | "newly denied" | "newly asked";
  readonly from: Effect;
  readonly to: Effect;
  /** Ids of agents and names of actions for which a call like the example was confirmed, sorted. */
  readonly agents: readonly string[];
  readonly actions: readonly string[];
  /** The policies that only one of the two bundles has and that speak about these calls, sorted. */
  readonly policies: readonly string[];
  readonly example: ChangeExample;
}

/** How two bundles differ over all calls of the model. */
export interface Comparison {
  readonly changes: readonly SolvedChange[];
  /** True when `changes` is certainly complete: whatever is not in it is decided alike by both. */
  readonly proved: boolean;
  readonly cannotSay: readonly Doubt[];
}

export interface CompareOptions {
  /** Also agents that nobody registered yet: of every team, with any of the classes that policies name. */
  readonly strangers?: boolean;
  /** The actions that are looked at; all by default. */
  readonly among?: (action: ActionShape) => boolean;
  readonly progress?: (done: number, total: number) => void;
}

const pairs: readonly (readonly [Effect, Effect])[] = [
  ["deny", "allow"],
  ["ask", "allow"],
  ["deny", "ask"],
  ["allow", "ask"],
  ["allow", "deny"],
  ["ask", "deny"],
];

const words = { allow: "newly allowed", ask: "newly asked", deny: "newly denied" } as const;

/** The calls of one agent to one action, as two bundles see them. */
interface Pair {
  readonly space: CallSpace;
  readonly before: Effects;
  readonly after: Effects;
  readonly changed: readonly Policy[];
}

interface Goal {
  readonly pair: Pair;
  readonly from: Effect;
  readonly to: Effect;
  readonly term: Term;
}

/** Compares two bundles. Throws Fault `invalid_config` when the bytes are no bundles. */
export const compareBundles = (z3: Z3, beforeBytes: Uint8Array, afterBytes: Uint8Array, registry: Registry, { strangers = false, among = () => true, progress = () => {} }: CompareOptions = {}): Comparison => {
  const [before, after] = [decodeBundle(beforeBytes), decodeBundle(afterBytes)];
  const names = new Names();
  const inquiry = new Inquiry(names, z3);
  const { pairs: found, doubts } = differing(new Encoding(names, registry.resources), before, after, registry, { strangers, among });
  const goals = found.flatMap((pair) => pairs.map(([from, to]): Goal => ({ pair, from, to, term: and(pair.before[from], pair.after[to]) })).filter(({ term }) => term !== no));
  const placed = goals.map(({ pair, term, from, to }) => ({ space: pair.space, term, sides: [pair.before, pair.after], key: keyOf(from, to, pair) }));
  const solved = solveLikely(inquiry, placed, registry.users, (done) => progress(done, goals.length));
  const report = new Report(openSnapshot(beforeBytes), openSnapshot(afterBytes), registry, doubts);
  // What a call comes to once its arguments are changed is not in the model, so wherever they may be the two may differ unseen.
  const changing = found.filter(({ before: { changes: one }, after: { changes: other } }) => one !== no || other !== no);
  const changed = inquiry.solve(changing.map(({ before: { changes: one }, after: { changes: other } }) => or(one, other)));
  changing.forEach((pair, index) => report.doubt(pair, changed[index] ?? "unknown"));
  goals.forEach((goal, index) => report.add(goal, solved[index] ?? "unknown"));
  return report.comparison();
};

/** Every agent and action for which the policies that only one bundle has matter. */
const differing = (encoding: Encoding, before: Bundle, after: Bundle, registry: Registry, { strangers, among }: Required<Pick<CompareOptions, "strangers" | "among">>): { pairs: Pair[]; doubts: Doubt[] } => {
  const [old, now] = [encoding.number(before), encoding.number(after)];
  const [oldNumbers, nowNumbers] = [new Set(old.map(({ number }) => number)), new Set(now.map(({ number }) => number))];
  const isChanged = ({ number }: Numbered): boolean => !(oldNumbers.has(number) && nowNumbers.has(number));
  const [oldHeads, nowHeads] = [new Heads(old), new Heads(now)];
  const changedHeads = new Heads([...old, ...now].filter(isChanged));
  const { actions, doubts } = commonActions(before, after);
  const agents = strangers ? withStrangers(agentsIn(registry), [...before.policies, ...after.policies], registry) : agentsIn(registry);
  const found = actions.filter(among).flatMap((action) =>
    agents.flatMap((agent): Pair[] => {
      const changed = changedHeads.candidates(agent, action);
      if (changed.length === 0) return [];
      const space = encoding.space(agent, action);
      const sides = { before: encoding.effects(space, oldHeads.candidates(agent, action)), after: encoding.effects(space, nowHeads.candidates(agent, action)) };
      return [{ space, ...sides, changed: changed.map(({ policy }) => policy) }];
    }),
  );
  const leftOut = strangers && found.length > 0 ? strangersLeftOut([...before.policies, ...after.policies]) : null;
  return { pairs: found, doubts: leftOut === null ? doubts : [...doubts, { why: leftOut, policies: [], actions: [] }] };
};

/** Actions that both bundles mean alike; of the others nothing can be said. */
const commonActions = (before: Bundle, after: Bundle): { actions: ActionShape[]; doubts: Doubt[] } => {
  const policies = [...before.policies, ...after.policies];
  const [old, now] = [actionsIn(before, policies), actionsIn(after, policies)];
  const keyed = new Map(old.map((action) => [action.name, JSON.stringify(action)]));
  const isOld = (action: ActionShape): boolean => keyed.get(action.name) === JSON.stringify(action);
  const declared = new Set([...before.actions, ...after.actions].map(({ name }) => name));
  const actions = now.filter((action) => isOld(action) || (!keyed.has(action.name) && !declared.has(action.name)));
  actions.sort((left, right) => Number(left.definition === "") - Number(right.definition === "")); // examples are about tools that are there
  const common = new Set(actions.map(({ name }) => name));
  const others = [...declared].filter((name) => !common.has(name)).sort();
  const doubt = { why: "the two were compiled against different definitions of these actions", policies: [], actions: others };
  return { actions, doubts: others.length === 0 ? [] : [doubt] };
};

const idsOf = ({ changed }: Pair): readonly string[] => [...new Set(changed.map(({ id }) => id))].sort();

const keyOf = (from: Effect, to: Effect, pair: Pair): string => JSON.stringify([from, to, idsOf(pair)]);

class Report {
  readonly #before: Snapshot;
  readonly #after: Snapshot;
  readonly #registry: Registry;
  readonly #doubts: Doubt[];
  readonly #changes = new Map<string, { from: Effect; to: Effect; agents: Set<string>; actions: Set<string>; policies: readonly string[]; example: ChangeExample }>();

  constructor(before: Snapshot, after: Snapshot, registry: Registry, doubts: readonly Doubt[]) {
    this.#before = before;
    this.#after = after;
    this.#registry = registry;
    this.#doubts = [...doubts];
  }

  doubt(pair: Pair, solved: Solved): void {
    if (solved !== "none") this.#doubts.push(doubtOf(pair.space, [pair.before, pair.after], pair.changed));
  }

  /** Invariant: what is reported as a change was decided by both snapshots; the solver's word alone is a doubt. */
  add({ pair, from, to }: Goal, solved: Solved): void {
    if (solved === "none") return;
    const example = solved === "unknown" ? null : this.#confirm(pair.space, solved, from, to);
    const policies = idsOf(pair);
    const { agent, action } = pair.space;
    if (example === null) {
      this.#doubts.push(doubtOf(pair.space, [pair.before, pair.after], pair.changed));
      return;
    }
    const key = keyOf(from, to, pair);
    const known = this.#changes.get(key) ?? { from, to, agents: new Set(), actions: new Set(), policies, example };
    known.agents.add(agent.id);
    known.actions.add(action.name);
    this.#changes.set(key, known);
  }

  #confirm(space: CallSpace, model: Assignment, from: Effect, to: Effect): ChangeExample | null {
    const input = witnessOf(space, model, this.#registry.resources);
    if (input === null) return null;
    const [before, after] = [this.#before.decide(input), this.#after.decide(input)];
    return before.effect === from && after.effect === to ? { input, before, after } : null;
  }

  comparison(): Comparison {
    const changes = [...this.#changes.values()].map(({ agents, actions, ...change }) => ({ change: words[change.to], ...change, agents: [...agents].sort(), actions: [...actions].sort() }));
    return { changes, proved: this.#doubts.length === 0, cannotSay: mergeDoubts(this.#doubts) };
  }
}
