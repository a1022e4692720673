import type { DecisionInput } from "@lanyard/contract";
import { preparsePolicySet, statefulIsAuthorized, type CedarValueJson, type EntityUidJson } from "@cedar-policy/cedar-wasm/nodejs";
import type { Policy } from "../bundle.ts";
import type { Matches } from "../decide/combine.ts";
import type { ActionShape } from "../schema/schema.ts";

/** Evaluates candidate policies on one request. The same candidates should come as the same array: what is prepared for it is kept. */
export type Match = (candidates: readonly Policy[], action: ActionShape, input: DecisionInput, typed: CedarValueJson) => Matches;

const bounds = { slots: 256, policies: 20_000 } as const;

/**
 * A matcher on cedar-wasm. Two of its habits shape the code:
 *
 * - It answers with the determining policies only, so that a forbid hides which permits hold. All candidates are therefore loaded as
 *   permits: one evaluation names every satisfied policy and every error, and {@link combine} does the rest.
 * - It keeps a pre-parsed set for ever unless its name is used again, and its cost grows with the set. So sets hold candidates only, live in
 *   a bounded number of named slots, and the slot used longest ago is filled anew.
 *
 * A thrown error leaves the wasm instance in an unknown state: the caller must give the whole instance up.
 */
export const cedarMatcher = (): Match => {
  const slots = new Map<readonly Policy[], { readonly slot: string; readonly policies: number }>();
  const free = Array.from({ length: bounds.slots }, (_, index) => `slot${index}`);
  let held = 0;

  const evictOldest = (): void => {
    for (const [key, { slot, policies }] of slots) {
      slots.delete(key);
      preparsePolicySet(slot, { staticPolicies: {} });
      held -= policies;
      free.push(slot);
      return;
    }
  };

  const slotFor = (candidates: readonly Policy[]): string => {
    const found = slots.get(candidates);
    if (found !== undefined) {
      slots.delete(candidates); // move it to the young end
      slots.set(candidates, found);
      return found.slot;
    }
    while (slots.size > 0 && (free.length === 0 || held + candidates.length > bounds.policies)) evictOldest();
    const slot = free.pop() ?? "slot0";
    const answer = preparsePolicySet(slot, { staticPolicies: Object.fromEntries(candidates.map((policy) => [policy.id, asPermit(policy)])) });
    if (answer.type === "failure") throw new Error(answer.errors.map(({ message }) => message).join("; "));
    held += candidates.length;
    slots.set(candidates, { slot, policies: candidates.length });
    return slot;
  };

  return (candidates, action, input, typed) => {
    if (candidates.length === 0) return { satisfied: new Set(), errors: [] };
    const answer = statefulIsAuthorized({ ...requestOf(action, input, typed), preparsedPolicySetId: slotFor(candidates), validateRequest: false });
    if (answer.type === "failure") throw new Error(answer.errors.map(({ message }) => message).join("; "));
    const { reason, errors } = answer.response.diagnostics;
    return { satisfied: new Set(reason), errors: errors.map(({ policyId, error }) => ({ policy: policyId, message: error.message })) };
  };
};

/** Both words have six letters, so that every other place in the text stays where it is. */
const asPermit = ({ text, keyword }: Policy): string => `${text.slice(0, keyword)}permit${text.slice(keyword + 6)}`;

const ref = (type: string, id: string): EntityUidJson & { type: string; id: string } => ({ type, id });
const value = (type: string, id: string): CedarValueJson => ({ __entity: { type, id } });

const requestOf = (action: ActionShape, { agent, user, session, approvals, nowMs }: DecisionInput, typed: CedarValueJson) => ({
  principal: ref("Agent", agent.id),
  action: ref("Action", action.name),
  resource: ref("Server", action.server),
  context: {
    input: typed,
    user: value("User", user.id),
    session: { id: session.id, purpose: session.purpose, depth: session.depth, labels: [...session.labels], isolation: session.isolation },
    approvals: approvals.map((group) => value("Group", group)),
    remedies: [],
    now: { __extn: { fn: "datetime", arg: new Date(nowMs).toISOString() } },
  },
  entities: [
    { uid: ref("Agent", agent.id), attrs: {}, parents: [...agent.classes.map((name) => ref("AgentClass", name)), ref("Team", agent.team)] },
    { uid: ref("User", user.id), attrs: {}, parents: user.groups.map((name) => ref("Group", name)) },
    { uid: ref("Action", action.name), attrs: {}, parents: action.groups.map((name) => ref("Action", name)) },
  ],
});
