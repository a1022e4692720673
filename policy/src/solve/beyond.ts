import { isObject, type Json } from "@lanyard/contract";
import { addressOf, type Bundle, type Condition, type Policy } from "../bundle.ts";
import { readsOf } from "../decide/reads.ts";

/**
 * A bundle as it speaks of tools of which nothing is known, not even what arguments and resources they have: every clause and every head
 * that asks about those is replaced by a yes or no that nobody can foresee, the same wherever the same is asked. So what such a clause
 * guards counts as possible, and a clause that changed as another one. Null when no policy asks.
 */
export const unforeseeable = (bundle: Bundle): Bundle | null => {
  const policies = bundle.policies.map(withoutKnowledge);
  return policies.some((policy, at) => policy !== bundle.policies[at]) ? { ...bundle, policies } : null;
};

const withoutKnowledge = (policy: Policy): Policy => {
  const { head, conditions } = policy;
  const resource: Condition[] = head.resource.op === "All" ? [] : [anyone("when", head.resource as unknown as Json)];
  if (resource.length === 0 && !conditions.some(asksOfTools)) return policy;
  const open = conditions.map((clause) => (asksOfTools(clause) ? anyone(clause.kind, clause.body) : clause));
  return { ...policy, head: { ...head, resource: { op: "All" } }, conditions: [...resource, ...open], reads: [], unconditional: false };
};

const asksOfTools = (clause: Condition): boolean => readsOf({ conditions: [clause] }).length > 0 || mentionsCalled(clause.body);

const mentionsCalled = (value: Json): boolean => {
  if (Array.isArray(value)) return value.some(mentionsCalled);
  return isObject(value) && (value["Var"] === "resource" || value["Var"] === "action" || Object.values(value).some(mentionsCalled));
};

/**
 * A yes or no that depends on nothing else: whether a group approved that there is not. Of approvals nothing can be asked but whether they
 * hold a group by its name (a lint sees to it), so no other clause can contradict it.
 */
const anyone = (kind: Condition["kind"], what: Json): Condition => {
  const id = `lanyard:${addressOf(new TextEncoder().encode(JSON.stringify(what)))}`;
  const approvals: Json = { ".": { left: { Var: "context" }, attr: "approvals" } };
  return { kind, body: { contains: { left: approvals, right: { Value: { __entity: { type: "Group", id } } } } } };
};
