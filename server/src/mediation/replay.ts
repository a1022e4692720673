import { hash } from "node:crypto";
import type { Decision, DecisionInput } from "@lanyard/contract";
import { canonicalize } from "@lanyard/ledger";
import type { Store } from "../base/store/port.ts";
import { bundlesIn, type Opened } from "./bundles.ts";
import { recordedCalls, type DecisionRecord, type RecordedCall, type RecordedStore } from "./recorded.ts";

/** What is compared of a decision; `decision` is the base64url SHA-256 of its RFC 8785 bytes. */
interface Compared {
  readonly effect: string;
  readonly policies: readonly string[];
  readonly decision: string;
}

/** How one record came out when decided again; `differs` means a broken promise, and `why` says which. */
export type Replayed =
  | { readonly seq: number; readonly kind: "same" }
  | { readonly seq: number; readonly kind: "differs"; readonly why: string; readonly recorded: Compared; readonly now: (Compared & { readonly full: Decision }) | null }
  | { readonly seq: number; readonly kind: "not replayable"; readonly why: string };

interface ReplayDeps {
  readonly store: RecordedStore & Pick<Store, "entry" | "getObject">;
}

/**
 * Decides the recorded decisions from `from` to `to` (sequence numbers, both included) again, from the record, its payload and its bundle
 * alone, and compares the bytes (invariant I3). Yields one result a decision, in order, some dozens at a time; for a single entry of
 * another type, why there is none. Live calls go first between two runs.
 */
export async function* replay(deps: ReplayDeps, from: number, to: number): AsyncGenerator<Replayed[]> {
  if (from === to) {
    const record = deps.store.entry(from);
    if (record?.type !== "decision") {
      yield [{ seq: from, kind: "not replayable", why: record === null ? "there is no such entry" : `the entry is no decision but \`${record.type}\`` }];
      return;
    }
  }
  const shelf = bundlesIn(deps.store);
  for await (const calls of recordedCalls(deps.store, { from, to })) {
    const open = new Map<string, Opened>();
    for (const { record } of calls) {
      if (record.by !== "policy" || record.bundle === null || open.has(record.bundle)) continue;
      open.set(record.bundle, await shelf(record.bundle));
    }
    yield calls.map((call) => again(open, call));
  }
}

const again = (open: ReadonlyMap<string, Opened>, call: RecordedCall): Replayed => {
  const { record } = call;
  const { seq } = record;
  const impossible = (why: string): Replayed => ({ seq, kind: "not replayable", why });
  if (record.by !== "policy") return impossible(`refused before policy was asked: ${record.by}`);
  if (record.bundle === null || record.payload === null || record.input === null) return impossible("denied while no valid policies were loaded");
  const recorded: Compared = { effect: record.effect, policies: record.policies, decision: record.decision };
  const broken = (why: string): Replayed => ({ seq, kind: "differs", why, recorded, now: null });
  if (call.input === null) return call.damaged ? broken(call.why) : impossible(call.why);
  const snapshot = open.get(record.bundle) ?? "missing";
  if (snapshot === "missing") return broken("the bundle that decided is not in the store");
  if (snapshot === "unreadable") return broken("the bundle cannot be read");
  if (snapshot.hash !== record.bundle) return broken("the bundle's bytes do not have the address that the record names");
  const full = snapshot.decide(call.input);
  const decision = hash("sha256", canonicalize(full), "base64url");
  const untrue = decision === record.decision ? contradiction(record, call.input, full) : null;
  if (decision === record.decision && untrue === null) return { seq, kind: "same" };
  const now = { effect: full.effect, policies: full.reasons.map(({ policy }) => policy), decision, full };
  return { seq, kind: "differs", why: untrue === null ? "the same facts now decide otherwise" : `the record's \`${untrue}\` is not what was decided`, recorded, now };
};

/** The first field of a record that tells something else than its input and its decision. */
const contradiction = (record: DecisionRecord, { agent, user, session, action, approvals, definition }: DecisionInput, { effect, reasons, errors, transforms = [] }: Decision): string | null => {
  if (record.agent !== agent.id) return "agent";
  if (record.user !== user.id) return "user";
  if (record.session !== session.id) return "session";
  if (record.action !== action) return "action";
  if (record.effect !== effect) return "effect";
  if (!sameList(record.policies, determining(reasons, errors))) return "policies";
  if (!sameList(record.transforms ?? [], transforms)) return "transforms";
  if (definition !== undefined && record.tool !== definition) return "tool";
  return approvals.length === 0 && record.approval !== null ? "approval" : null;
};

const determining = (reasons: Decision["reasons"], errors: Decision["errors"]): readonly string[] => {
  if (errors.length === 0 && reasons.length === 1) return [reasons[0]?.policy ?? ""];
  return [...new Set([...reasons, ...errors].map(({ policy }) => policy))].sort().slice(0, 256);
};

const sameList = (left: readonly string[], right: readonly string[]): boolean => left.length === right.length && left.every((item, at) => item === right[at]);
