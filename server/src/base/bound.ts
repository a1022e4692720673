import { createHash } from "node:crypto";
import type { DecisionInput, Json, ValueOrigin } from "@lanyard/contract";
import { canonicalize } from "@lanyard/ledger";
import type { Snapshot } from "@lanyard/policy";
import type { Bound, Facts, Ruling } from "./path.ts";

/** A decision of a bundle, with what an answer of people to it would be for. */
export const ruled = (snapshot: Snapshot, input: DecisionInput, decision = snapshot.decide(input)): Ruling => ({
  decision,
  bundle: snapshot.hash,
  reasons: decision.effect === "ask" || input.approvals.length > 0 ? snapshot.reasonsToAsk(input) : [],
});

/**
 * What an answer of people holds for, beside the call's own digest (invariant I6). In the facts are agent, user, what is touched, what the arguments mean,
 * and the tool's contract. Not in them is what moves without the call: the time, labels and task of the session, budgets and
 * history. Whatever these give policies to say against the call is among the reasons.
 */
export function boundOf({ input, pin }: Facts, { bundle, decision, reasons }: Ruling): Bound {
  const { args: _args, approvals: _approvals, nowMs: _nowMs, asked: _asked, budget: _budget, history: _history, facts: found = {}, session: { id: _id, labels: _labels, ...session }, ...rest } = input;
  // Where a value was seen is for people to read, and seen again it is the same value. One that somebody vouches for meanwhile is no worse than what was shown.
  const meanings = Object.fromEntries(Object.entries(found).map(([argument, { sources: _sources, origins: _origins, labels: _carried, ...meaning }]) => [argument, meaning]));
  const values = Object.entries(found).flatMap(([argument, { origins, labels }]) => [...origins.filter(isUnvouched).map((origin) => `${argument} ${origin}`), ...labels.map((label) => `${argument} label ${label}`)]).sort();
  const known = { ...rest, ...(input.facts && { facts: meanings }) };
  const facts = createHash("sha256").update(canonicalize({ ...known, session, contract: pin.contract } as unknown as Json)).digest("base64url");
  return { bundle: bundle ?? "", definition: pin.definition, transforms: decision.transforms ?? [], reasons, values, facts };
}

/** The first part that is not covered by what it was; null when all is. */
export function changedIn(before: Bound, after: Bound): keyof Bound | null {
  const other = (["definition", "bundle", "transforms", "facts"] as const).find((part) => JSON.stringify(before[part]) !== JSON.stringify(after[part]));
  return other ?? (["reasons", "values"] as const).find((part) => !after[part].every((one) => before[part].includes(one))) ?? null;
}

const isUnvouched = (origin: ValueOrigin): boolean => origin === "untrusted" || origin === "model";
