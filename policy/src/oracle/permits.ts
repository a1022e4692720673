import type { Decision } from "@lanyard/contract";
import { preparsePolicySet, statefulIsAuthorized, type CedarValueJson, type PolicyJson, type TypeAndId } from "@cedar-policy/cedar-wasm/nodejs";

// Cedar's own evaluator. It answers with the determining policies only, so that a forbid hides which permits hold: whatever they are in truth,
// all policies are given to it as permits, and one evaluation names each that holds and each that errs.

/** What is asked, in Cedar's JSON form. */
export interface CedarRequest {
  readonly principal: TypeAndId;
  readonly action: TypeAndId;
  readonly resource: TypeAndId;
  readonly context: Readonly<Record<string, CedarValueJson>>;
  readonly entities: readonly {
    readonly uid: TypeAndId;
    readonly attrs: Readonly<Record<string, unknown>>;
    readonly tags?: Readonly<Record<string, unknown>>;
    readonly parents: readonly TypeAndId[];
  }[];
}

/** Parses policies, all of them permits, under a name; an earlier set of that name is freed. Throws an Error when Cedar does not take them. */
export const parsePermits = (slot: string, policies: readonly (readonly [id: string, policy: string | PolicyJson])[]): void => {
  const answer = preparsePolicySet(slot, { staticPolicies: Object.fromEntries(policies) });
  if (answer.type === "failure") throw new Error(answer.errors.map(({ message }) => message).join("; "));
};

/** Which of a parsed set hold, sorted, and which err. Throws an Error when Cedar does not take the request. */
export const evaluatePermits = (slot: string, request: CedarRequest): { satisfied: readonly string[]; errors: Decision["errors"] } => {
  const asked = request as unknown as Omit<Parameters<typeof statefulIsAuthorized>[0], "preparsedPolicySetId">;
  const answer = statefulIsAuthorized({ ...asked, preparsedPolicySetId: slot, validateRequest: false });
  if (answer.type === "failure") throw new Error(answer.errors.map(({ message }) => message).join("; "));
  const { reason, errors } = answer.response.diagnostics;
  return { satisfied: reason.toSorted(), errors: errors.map(({ policyId, error }) => ({ policy: policyId, message: error.message })) };
};
