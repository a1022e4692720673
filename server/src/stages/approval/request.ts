import { isObject, type Json, type JsonObject } from "@lanyard/contract";
import type { Approval } from "../../base/path.ts";
import type { Store } from "../../base/store/port.ts";

/**
 * A question to people about one call, and their answers.
 *
 * Invariant: I6. It is bound to one session (and so to one agent, user and purpose), one digest of action and arguments, one
 * bundle, one definition of the tool and one expiry, and what it grants is used once.
 */
export interface ApprovalRequest {
  readonly id: string;
  readonly agent: string;
  readonly user: string;
  readonly session: string;
  readonly action: string;
  readonly digest: string;
  /** Arguments as sent; null when their payload was erased since. */
  readonly args: JsonObject | null;
  /** What the call carries beside its arguments; null when there is nothing, or it was erased. */
  readonly beside: JsonObject | null;
  /** All of them must approve; sorted. */
  readonly groups: readonly string[];
  readonly bundle: string;
  readonly definition: string | null;
  /** Changes of `args` that are made before the call is carried out: what people approve is the changed call. */
  readonly transforms: readonly string[];
  /** Number of the decision that asked. */
  readonly of: number;
  readonly expiresAtMs: number;
  readonly state: "pending" | "approved" | "denied";
  readonly given: readonly { readonly by: string; readonly groups: readonly string[] }[];
}

/** A request as people are shown it: plain JSON. */
export type ApprovalCard = {
  id: string;
  state: string;
  action: string;
  args: JsonObject | null;
  beside: JsonObject | null;
  /** Changes of `args` that are made before the call is carried out. */
  transforms: string[];
  agent: string;
  user: string;
  session: string;
  groups: string[];
  /** Groups that have not approved yet. */
  missing: string[];
  given: { by: string; groups: string[] }[];
  of: number;
  expires_at_ms: number;
};

export const cardOf = (request: ApprovalRequest): ApprovalCard => ({
  id: request.id,
  state: request.state,
  action: request.action,
  args: request.args,
  beside: request.beside,
  transforms: [...request.transforms],
  agent: request.agent,
  user: request.user,
  session: request.session,
  groups: [...request.groups],
  missing: missingGroups(request),
  given: request.given.map(({ by, groups }) => ({ by, groups: [...groups] })),
  of: request.of,
  expires_at_ms: request.expiresAtMs,
});

export const missingGroups = ({ groups, given }: Pick<ApprovalRequest, "groups" | "given">): string[] =>
  groups.filter((group) => !given.some((approval) => approval.groups.includes(group)));

export const grantOf = ({ id, groups, bundle, definition, transforms }: ApprovalRequest): Approval => ({ id, groups, bundle, definition, transforms });

/** Two calls are identical when they come from one session and have one digest. */
export const keyOf = ({ session, digest }: { session: string; digest: string }): string => `${session} ${digest}`;

/** What is kept across a restart. The arguments are not in it: they lie sealed in the payload of the decision that asked. */
export const stateOf = (request: ApprovalRequest): JsonObject => {
  const { agent, user, session, action, digest, groups, bundle, definition, transforms, of, expiresAtMs, state, given } = request;
  const answers = given.map(({ by, groups: ofGroups }) => ({ by, groups: [...ofGroups] }));
  return { agent, user, session, action, digest, groups: [...groups], bundle, definition, ...(transforms.length > 0 && { transforms: [...transforms] }), of, expires_at_ms: expiresAtMs, state, given: answers };
};

export function fromState(store: Store, id: string, value: JsonObject): ApprovalRequest {
  const strings = (list: unknown): string[] => (Array.isArray(list) ? list.map(String) : []);
  const given = Array.isArray(value["given"]) ? value["given"].filter(isObject) : [];
  return {
    id,
    agent: String(value["agent"]),
    user: String(value["user"]),
    session: String(value["session"]),
    action: String(value["action"]),
    digest: String(value["digest"]),
    ...sentOf(store, Number(value["of"])),
    groups: strings(value["groups"]),
    bundle: String(value["bundle"]),
    definition: typeof value["definition"] === "string" ? value["definition"] : null,
    transforms: strings(value["transforms"]),
    of: Number(value["of"]),
    expiresAtMs: Number(value["expires_at_ms"]),
    state: value["state"] === "approved" ? "approved" : "pending",
    given: given.map(({ by, groups }) => ({ by: String(by), groups: strings(groups) })),
  };
}

function sentOf(store: Store, of: number): Pick<ApprovalRequest, "args" | "beside"> {
  const decision = store.entry(of);
  const payload = decision?.type === "decision" ? decision.payload : null;
  const opened = payload === null ? null : store.unseal(payload)?.value;
  const object = (value: Json | undefined) => (isObject(value) ? value : null);
  return { args: object(object(object(opened ?? null)?.["input"])?.["args"]), beside: object(object(opened ?? null)?.["beside"]) };
}
