import type { Decision } from "@lanyard/contract";
import type { ReadyPolicy } from "./ready.ts";

/** What is told of a policy that is satisfied. */
export type Determining = Pick<ReadyPolicy, "effect" | "approvers" | "reason">;

/** A policy that could not be evaluated, and why. */
type Failure = Decision["errors"][number];

const nobody: readonly string[] = [];
const nothing: readonly Failure[] = [];

/**
 * From what evaluation found to a decision, one pass:
 *
 * 1. any error is a deny (stock Cedar skips a forbid that errs, and so fails open);
 * 2. a satisfied forbid without remedy is a deny;
 * 3. no satisfied permit is a deny: an approval lifts a forbid, it never creates a permit;
 * 4. satisfied forbids with remedies ask, for the union of the groups that have not approved yet;
 * 5. else allow.
 */
export const combine = (satisfied: readonly Determining[], errors: readonly Failure[], approvals: readonly string[]): Decision => {
  let [permits, forbids, final] = [0, 0, 0];
  for (const { effect, approvers } of satisfied) {
    if (effect === "permit") permits += 1;
    else {
      forbids += 1;
      if (approvers.length === 0) final += 1;
    }
  }
  const failures = errors.length === 0 ? nothing : errors.toSorted(byPolicy);
  const told = (effect: Decision["effect"], by: readonly Determining[], approvers: readonly string[]): Decision => ({
    effect,
    reasons: by.length < 2 ? by.map(reasonOf) : by.map(reasonOf).sort(byPolicy),
    approvers,
    errors: failures,
  });
  if (errors.length > 0 || final > 0 || permits === 0) return told("deny", final === 0 ? [] : satisfied.filter(isFinal), nobody);
  if (forbids === 0) return told("allow", satisfied, nobody);
  const asking = satisfied.filter(({ effect }) => effect === "forbid");
  const missing = [...new Set(asking.flatMap(({ approvers }) => approvers))].filter((group) => !approvals.includes(group)).sort();
  // All have approved and yet a forbid holds: then no approval can lift it.
  return missing.length > 0 ? told("ask", asking, missing) : told("deny", asking, nobody);
};

const reasonOf = ({ reason }: Determining): Decision["reasons"][number] => reason;

const isFinal = ({ effect, approvers }: Determining): boolean => effect === "forbid" && approvers.length === 0;

const byPolicy = (left: { readonly policy: string }, right: { readonly policy: string }): number => (left.policy < right.policy ? -1 : left.policy > right.policy ? 1 : 0);

const severity = { deny: 2, ask: 1, allow: 0 } as const;

/**
 * One decision of several, one for each resource of a call: a deny if any denies, else an ask of everybody who is asked by any, else an
 * allow. The reasons are those of the resources that decided so.
 */
export const unite = (decisions: readonly Decision[]): Decision => {
  const [first, ...more] = decisions;
  if (first === undefined) return denyUnasked("lanyard.arguments", "the call names no resource");
  if (more.length === 0) return first;
  const effect = decisions.reduce((worst, one) => (severity[one.effect] > severity[worst] ? one.effect : worst), first.effect);
  const deciding = decisions.filter((one) => one.effect === effect);
  const errors = new Map(decisions.flatMap((one) => one.errors).map((error) => [`${error.policy}\0${error.message}`, error]));
  return {
    effect,
    reasons: [...new Map(deciding.flatMap(({ reasons }) => reasons).map((reason) => [reason.policy, reason])).values()].sort(byPolicy),
    approvers: [...new Set(deciding.flatMap(({ approvers }) => approvers))].sort(),
    errors: [...errors.keys()].sort().flatMap((key) => errors.get(key) ?? []),
  };
};

/** A deny that no policy made; `policy` is one of the names under `lanyard.` that no author can take. */
export const denyUnasked = (policy: "lanyard.arguments" | "lanyard.catalog" | "lanyard.bundle" | "lanyard.engine", message: string): Decision => ({
  effect: "deny",
  reasons: [],
  approvers: [],
  errors: [{ policy, message }],
});
