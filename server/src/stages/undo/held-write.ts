import { isObject, isolations, type Action, type Isolation, type JsonObject, type Principal } from "@lanyard/contract";
import type { Approval } from "../../base/path.ts";
import type { Sealed, Store } from "../../base/store/port.ts";

/** A call that waits for its time, without its arguments: they lie sealed. */
export interface HeldWrite {
  readonly id: string;
  readonly session: string;
  readonly agent: string;
  readonly user: string;
  readonly chain: readonly string[];
  readonly tools: readonly string[] | null;
  readonly labels: readonly string[];
  readonly isolation: Isolation;
  readonly action: string;
  readonly digest: string;
  readonly definition: string | null;
  /** Entry of the decision that let it be staged. */
  readonly of: number;
  readonly untilMs: number;
  readonly payload: string;
  /** What people said yes to; it counts when the time has come if nothing it was bound to has changed. */
  readonly approval: Approval | null;
}

/** What lies sealed: the call as it was sent. */
export interface HeldCall {
  readonly server: string;
  readonly method: string;
  readonly tool: string | null;
  readonly params: JsonObject;
  readonly args: JsonObject;
  readonly purpose: string;
}

/** A held write as people are shown it: plain JSON. `args` are null where they are not shown, or were erased. */
export type HeldCard = { id: string; session: string; agent: string; user: string; action: string; args: JsonObject | null; of: number; until_ms: number };

export const cardOf = ({ id, session, agent, user, action, of, untilMs }: HeldWrite, args: JsonObject | null): HeldCard => ({ id, session, agent, user, action, args, of, until_ms: untilMs });

export const sealedCall = (store: Pick<Store, "seal">, { user, purpose }: Principal, { server, method, tool, params, args }: Action): Sealed =>
  store.seal(`user:${user}`, { server, method, tool: tool ?? null, params, args, purpose });

/** The call of a held write; null when it was erased with its user. */
export const callFrom = (store: Pick<Store, "unseal">, { payload }: HeldWrite): HeldCall | null => {
  const value = store.unseal(payload)?.value;
  return isObject(value) ? (value as unknown as HeldCall) : null;
};

export const heldState = ({ id: _id, untilMs, chain, tools, labels, approval, ...same }: HeldWrite): JsonObject => ({
  ...same,
  chain: [...chain],
  tools: tools && [...tools],
  labels: [...labels],
  until_ms: untilMs,
  // The comments of whoever approved lie sealed elsewhere; the agent has read them.
  approval: approval && { id: approval.id, groups: [...approval.groups], bound: { ...approval.bound, transforms: [...approval.bound.transforms], reasons: [...approval.bound.reasons], values: [...approval.bound.values] }, given: approval.given.map(({ by, groups }) => ({ by, groups: [...groups] })) },
});

export const fromHeldState = (id: string, value: JsonObject): HeldWrite => {
  const strings = (list: unknown): string[] => (Array.isArray(list) ? list.map(String) : []);
  const kept = isObject(value["approval"]) ? ({ given: [], ...value["approval"], said: [] } as unknown as Approval) : null;
  const approval = kept && { ...kept, bound: { ...kept.bound, reasons: strings(kept.bound.reasons), values: strings(kept.bound.values) } };
  return {
    id,
    session: String(value["session"]),
    agent: String(value["agent"]),
    user: String(value["user"]),
    chain: strings(value["chain"]),
    tools: Array.isArray(value["tools"]) ? strings(value["tools"]) : null,
    labels: strings(value["labels"]),
    isolation: isolations.find((tier) => tier === value["isolation"]) ?? "none",
    action: String(value["action"]),
    digest: String(value["digest"]),
    definition: typeof value["definition"] === "string" ? value["definition"] : null,
    of: Number(value["of"]),
    untilMs: Number(value["until_ms"]),
    payload: String(value["payload"]),
    approval,
  };
};
