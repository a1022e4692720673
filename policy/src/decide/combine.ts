import type { Decision } from "@lanyard/contract";
import type { ReadyPolicy } from "./ready.ts";
import { sameTexts } from "./texts.ts";

/** What is told of a policy that is satisfied. */
export type Determining = Pick<ReadyPolicy, "effect" | "approvers" | "transform" | "reason">;

/** No decision yet: the call would come through if its arguments were changed so. */
export interface Change {
  /** Sorted, each once; never empty. */
  readonly transforms: readonly string[];
  /** The policies that ask for them, sorted by id. */
  readonly reasons: Decision["reasons"];
}

/** What one round comes to. */
export type RoundResult = Decision | Change;

export const isChange = (outcome: RoundResult): outcome is Change => !("effect" in outcome);

/** What has been given for a call: approvals, and changes of its arguments that were made. */
interface Given {
  readonly approvals: readonly string[];
  readonly remedies?: readonly string[];
}

/** A policy that could not be evaluated, and why. */
type Failure = Decision["errors"][number];

const nobody: readonly string[] = [];
const nothing: readonly Failure[] = [];

/**
 * From what evaluation found to what the round comes to, one pass:
 *
 * 1. any error is a deny (stock Cedar skips a forbid that errs, and so fails open);
 * 2. a satisfied forbid without remedy is a deny, and so is one that still holds though the change it asks for was made;
 * 3. no satisfied permit is a deny: a remedy lifts a forbid, it never creates a permit;
 * 4. satisfied forbids that a change of arguments lifts ask for the change: what people approve is the changed call;
 * 5. satisfied forbids that an approval lifts ask, for the union of the groups that have not approved yet;
 * 6. else allow.
 */
export const combine = (satisfied: readonly Determining[], errors: readonly Failure[], { approvals, remedies = [] }: Given): RoundResult => {
  let [permits, forbids, final, changes] = [0, 0, 0, 0];
  for (const { effect, approvers, transform } of satisfied) {
    if (effect === "permit") permits += 1;
    else {
      forbids += 1;
      if (approvers.length > 0) continue;
      if (transform === "" || remedies.includes(transform)) final += 1;
      else changes += 1;
    }
  }
  const failures = errors.length === 0 ? nothing : errors.toSorted(byPolicy);
  const told = (effect: Decision["effect"], by: readonly Determining[], approvers: readonly string[]): Decision => ({
    effect,
    reasons: by.length < 2 ? by.map(reasonOf) : by.map(reasonOf).sort(byPolicy),
    approvers,
    errors: failures,
  });
  if (errors.length > 0 || final > 0 || permits === 0) return told("deny", final === 0 ? [] : satisfied.filter((one) => isFinal(one, remedies)), nobody);
  if (forbids === 0) return told("allow", satisfied, nobody);
  if (changes > 0) {
    const wishing = satisfied.filter(({ effect, transform }) => effect === "forbid" && transform !== "");
    return { transforms: [...new Set(wishing.map(({ transform }) => transform))].sort(), reasons: wishing.map(reasonOf).sort(byPolicy) };
  }
  const asking = satisfied.filter(({ effect }) => effect === "forbid");
  const missing = [...new Set(asking.flatMap(({ approvers }) => approvers))].filter((group) => !approvals.includes(group)).sort();
  // All have approved and yet a forbid holds: then no approval can lift it.
  return missing.length > 0 ? told("ask", asking, missing) : told("deny", asking, nobody);
};

const reasonOf = ({ reason }: Determining): Decision["reasons"][number] => reason;

const isFinal = ({ effect, approvers, transform }: Determining, remedies: readonly string[]): boolean => effect === "forbid" && approvers.length === 0 && (transform === "" || remedies.includes(transform));

export const byPolicy = (left: { readonly policy: string }, right: { readonly policy: string }): number => (left.policy < right.policy ? -1 : left.policy > right.policy ? 1 : 0);

const severity = { deny: 2, ask: 1, allow: 0 } as const;

/**
 * One outcome of several, one for each resource of a call: a deny if any denies, else all changes that any asks for, else an ask of
 * everybody who is asked by any, else an allow. The reasons are those of the resources that decided so.
 */
export const unite = (outcomes: readonly RoundResult[]): RoundResult => {
  const [first, ...more] = outcomes;
  if (first === undefined) return denyUnasked("lanyard.arguments", "the call names no resource");
  if (more.length === 0) return first;
  const changes = outcomes.filter(isChange);
  const decisions = outcomes.filter((one): one is Decision => !isChange(one));
  const denies = decisions.some(({ effect }) => effect === "deny");
  if (changes.length > 0 && !denies) return { transforms: [...new Set(changes.flatMap(({ transforms }) => transforms))].sort(), reasons: eachOnce(changes) };
  return uniteDecisions(decisions);
};

/** The reasons of several, each policy's once, sorted by id. */
export const eachOnce = (of: readonly Pick<Decision, "reasons">[]): Decision["reasons"] => [...new Map(of.flatMap(({ reasons }) => reasons).map((reason) => [reason.policy, reason])).values()].sort(byPolicy);

const uniteDecisions = (decisions: readonly Decision[]): Decision => {
  const effect = decisions.reduce<Decision["effect"]>((worst, one) => (severity[one.effect] > severity[worst] ? one.effect : worst), "allow");
  const deciding = decisions.filter((one) => one.effect === effect);
  const errors = new Map(decisions.flatMap((one) => one.errors).map((error) => [`${error.policy}\0${error.message}`, error]));
  return {
    effect,
    reasons: eachOnce(deciding),
    approvers: [...new Set(deciding.flatMap(({ approvers }) => approvers))].sort(),
    errors: [...errors.keys()].sort().flatMap((key) => errors.get(key) ?? []),
  };
};

/** True when two decisions come to the same for the agent: what happens, whom people must ask, and with which changes. */
export const comesToTheSame = (left: Decision, right: Decision): boolean => isSameButForChanges(left, right) && sameTexts(left.transforms ?? [], right.transforms ?? []);

/** True when two decisions differ in the changes of arguments at most. */
export const isSameButForChanges = (left: Decision, right: Decision): boolean => left.effect === right.effect && sameTexts(left.approvers, right.approvers);

/** A deny that no policy made; `policy` is one of the names under `lanyard.` that no author can take. */
export const denyUnasked = (policy: "lanyard.arguments" | "lanyard.catalog" | "lanyard.bundle" | "lanyard.engine", message: string): Decision => ({
  effect: "deny",
  reasons: [],
  approvers: [],
  errors: [{ policy, message }],
});
