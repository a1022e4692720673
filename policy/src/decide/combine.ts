import type { Decision, Reason } from "@lanyard/contract";
import type { Policy } from "../bundle.ts";

/** What evaluation found: which candidate policies are satisfied, and which could not be evaluated. */
export interface Matches {
  /** Ids of policies whose head and conditions hold. */
  readonly satisfied: ReadonlySet<string>;
  readonly errors: readonly { readonly policy: string; readonly message: string }[];
}

/**
 * From matches to a decision, one pass:
 *
 * 1. any error is a deny (stock Cedar skips a forbid that errs, and so fails open);
 * 2. a satisfied forbid without remedy is a deny;
 * 3. no satisfied permit is a deny: an approval lifts a forbid, it never creates a permit;
 * 4. satisfied forbids with remedies ask, for the union of the groups that have not approved yet;
 * 5. else allow.
 */
export const combine = (candidates: readonly Policy[], matches: Matches, approvals: readonly string[]): Decision => {
  const satisfied = candidates.filter(({ id }) => matches.satisfied.has(id));
  const forbids = satisfied.filter(({ effect }) => effect === "forbid");
  const permits = satisfied.filter(({ effect }) => effect === "permit");
  const errors = matches.errors.toSorted((left, right) => (left.policy < right.policy ? -1 : 1));
  const decided = (effect: Decision["effect"], by: readonly Policy[], approvers: readonly string[] = []): Decision => ({
    effect,
    reasons: by.map(reasonOf).sort((left, right) => (left.policy < right.policy ? -1 : 1)),
    approvers,
    errors,
  });
  const final = forbids.filter(({ approvers }) => approvers.length === 0);
  if (errors.length > 0 || final.length > 0 || permits.length === 0) return decided("deny", final);
  if (forbids.length === 0) return decided("allow", permits);
  const missing = [...new Set(forbids.flatMap(({ approvers }) => approvers))].filter((group) => !approvals.includes(group)).sort();
  // All have approved and yet a forbid holds: then no approval can lift it.
  return missing.length > 0 ? decided("ask", forbids, missing) : decided("deny", forbids);
};

const reasonOf = ({ id, reason, remedy }: Policy): Reason => ({ policy: id, text: reason, remedy });

/** A deny that no policy made; `policy` is one of the names under `lanyard.` that no author can take. */
export const denyUnasked = (policy: "lanyard.arguments" | "lanyard.catalog" | "lanyard.bundle", message: string): Decision => ({
  effect: "deny",
  reasons: [],
  approvers: [],
  errors: [{ policy, message }],
});
