import { createHash } from "node:crypto";
import type { Json } from "@lanyard/contract";
import { canonicalize } from "@lanyard/ledger";
import type { Bound, Facts, Ruling } from "./path.ts";

/**
 * What an answer of people holds for, beside the call's own digest (invariant I6). In the facts are agent, user, session (without its id), what
 * is touched and the tool's contract; not the time, which always differs, nor what was approved, nor budgets and history, which move by themselves and are looked at anew.
 */
export function boundOf({ input, pin }: Facts, { bundle, decision }: Ruling): Bound {
  const { args: _args, approvals: _approvals, nowMs: _nowMs, budget: _budget, history: _history, facts: found = {}, session: { id: _id, ...session }, ...rest } = input;
  // Where a value was seen is for people to read, and seen again it is the same value.
  const meanings = Object.fromEntries(Object.entries(found).map(([argument, { sources: _sources, ...meaning }]) => [argument, meaning]));
  const known = { ...rest, ...(input.facts && { facts: meanings }) };
  const facts = createHash("sha256").update(canonicalize({ ...known, session, contract: pin.contract } as unknown as Json)).digest("base64url");
  return { bundle: bundle ?? "", definition: pin.definition, transforms: decision.transforms ?? [], facts };
}

/** The first part that is not as it was; null when all is. */
export const changedIn = (before: Bound, after: Bound): keyof Bound | null =>
  (["definition", "bundle", "transforms", "facts"] as const).find((part) => JSON.stringify(before[part]) !== JSON.stringify(after[part])) ?? null;
