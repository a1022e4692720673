import type { Registry } from "@lanyard/contract";
import { decodeBundle, type Bundle, type Policy } from "../bundle.ts";
import { actionsIn, agentsIn, Encoding, Heads, type Effects, type Numbered } from "./cell.ts";
import { doubtOf, mergeDoubts, type Doubt } from "./doubt.ts";
import { Inquiry } from "./inquiry.ts";
import { Names } from "./names.ts";
import { and, no, not, or, type Term } from "./term.ts";
import type { CallSpace } from "./call-space.ts";
import type { Z3 } from "./z3.ts";

/** A policy that could be left out, proved over all calls of the model. */
export interface IdlePolicy {
  readonly policy: string;
  readonly file: string;
  readonly line: number;
  /**
   * `unused`: its head names no registered agent or no tool that there is. `never`: its clauses never hold. `shadowed`: it permits only what
   * is denied all the same. `redundant`: the decision is always the same without it. `guard`: a forbid of what nothing permits.
   */
  readonly finding: "unused" | "never" | "shadowed" | "redundant" | "guard";
  /** Policies each of which does all that it does; empty when it takes several. */
  readonly by: readonly string[];
}

/** What a review of a bundle found. Policies that are neither here nor in `cannotSay` change some decision. */
export interface Review {
  readonly policies: number;
  readonly idle: readonly IdlePolicy[];
  readonly cannotSay: readonly Doubt[];
}

/** The calls of one agent to one action about which a policy speaks. */
interface Spot {
  readonly space: CallSpace;
  readonly holds: Term;
  readonly errs: Term;
  readonly candidates: readonly Numbered[];
  readonly all: Effects;
  readonly without: Effects;
}

/** How many policies are asked whether each of them makes another one needless. */
const askedForCause = 25;

/** Finds the policies that change no decision. Throws Fault `invalid_config` on bytes that are no bundle. */
export const reviewBundle = (z3: Z3, bytes: Uint8Array, registry: Registry, progress: (done: number, total: number) => void = () => {}): Review => {
  const bundle = decodeBundle(bytes);
  const names = new Names();
  const search = new Search(new Encoding(names, registry.resources), new Inquiry(names, z3), bundle, registry);
  bundle.policies.forEach((policy, index) => {
    search.review(policy, index);
    if (index % 10 === 0) progress(index, bundle.policies.length);
  });
  return { policies: bundle.policies.length, idle: search.idle, cannotSay: mergeDoubts(search.doubts) };
};

class Search {
  readonly idle: IdlePolicy[] = [];
  readonly doubts: Doubt[] = [];
  readonly #encoding: Encoding;
  readonly #inquiry: Inquiry;
  readonly #numbered: readonly Numbered[];
  readonly #heads: Heads;
  readonly #agents: ReturnType<typeof agentsIn>;
  readonly #actions: ReturnType<typeof actionsIn>;

  constructor(encoding: Encoding, inquiry: Inquiry, bundle: Bundle, registry: Registry) {
    this.#encoding = encoding;
    this.#inquiry = inquiry;
    this.#numbered = encoding.number(bundle);
    this.#heads = new Heads(this.#numbered);
    this.#agents = agentsIn(registry);
    this.#actions = actionsIn(bundle);
  }

  review(policy: Policy, index: number): void {
    const numbered = this.#numbered[index];
    if (numbered === undefined) return;
    const spots: Spot[] = [];
    for (const spot of this.#spots(numbered)) {
      spots.push(spot);
      // Most policies matter at the first place that is looked at.
      const [changed] = this.#inquiry.solve([difference(spot.all, spot.without)]);
      if (changed === "none") continue;
      if (changed === "unknown" || spot.all.gaps.size > 0 || spot.without.gaps.size > 0) this.doubts.push({ ...doubtOf(spot.space, [spot.all], [policy]), policies: [policy.id] });
      return;
    }
    const { id, file, line } = policy;
    this.idle.push({ policy: id, file, line, ...this.#finding(policy, spots) });
  }

  /** Each place at which something else is asked about the policy. */
  *#spots(numbered: Numbered): Generator<Spot> {
    const only = new Heads([numbered]);
    const seen = new Set<Term>();
    for (const agent of this.#agents) {
      for (const action of this.#actions) {
        if (only.candidates(agent, action).length === 0) continue;
        const space = this.#encoding.space(agent, action);
        const candidates = this.#heads.candidates(agent, action);
        const all = this.#encoding.effects(space, candidates);
        const without = this.#encoding.effects(space, candidates.filter(({ policy }) => policy !== numbered.policy));
        const { holds, errs } = this.#encoding.verdict(space, numbered);
        const key = `${holds} ${errs} ${all.allow} ${all.ask} ${all.changes} ${without.allow} ${without.ask}`;
        if (seen.has(key)) continue;
        seen.add(key);
        yield { space, holds, errs, candidates, all, without };
      }
    }
  }

  #finding(policy: Policy, spots: readonly Spot[]): Pick<IdlePolicy, "finding" | "by"> {
    if (spots.length === 0) return { finding: "unused", by: [] };
    const never = (term: (spot: Spot) => Term): boolean => this.#inquiry.solve(spots.map((spot) => and(term(spot), spot.space.always()))).every((solved) => solved === "none");
    if (never(({ holds }) => holds)) return { finding: "never", by: [] };
    const passes = ({ without }: Spot): Term => or(without.allow, without.ask);
    if (policy.effect === "permit") {
      const isShadowed = never((spot) => and(spot.holds, passes(spot)));
      return { finding: isShadowed ? "shadowed" : "redundant", by: this.#causes(policy, spots, isShadowed ? "forbid" : "permit", never) };
    }
    const isGuard = never((spot) => and(spot.holds, or(...spot.candidates.filter(({ policy: one }) => one.effect === "permit").map((one) => this.#encoding.verdict(spot.space, one).holds))));
    return isGuard ? { finding: "guard", by: [] } : { finding: "redundant", by: this.#causes(policy, spots, "forbid", never) };
  }

  /** Policies that hold wherever this one does. */
  #causes(policy: Policy, spots: readonly Spot[], effect: Policy["effect"], never: (term: (spot: Spot) => Term) => boolean): string[] {
    const [first] = spots;
    const others = (first?.candidates ?? []).filter(({ policy: one }) => one !== policy && one.effect === effect).slice(0, askedForCause);
    const covers = (other: Numbered): boolean =>
      never((spot) => (spot.candidates.some(({ policy: one }) => one === other.policy) ? and(spot.holds, not(this.#encoding.verdict(spot.space, other).holds)) : spot.holds));
    return others.filter(covers).map(({ policy: { id } }) => id).sort();
  }
}

/** Where the two may come to different decisions; what changed arguments come to nobody knows, so there they may. */
const difference = (one: Effects, other: Effects): Term => {
  const apart = (left: Term, right: Term): Term => (left === right ? no : or(and(left, not(right)), and(right, not(left))));
  return or(apart(one.allow, other.allow), apart(one.ask, other.ask), one.changes, other.changes);
};
