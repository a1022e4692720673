import { hash } from "node:crypto";
import { Fault, type Action, type Decision, type ErrorCode, type Json, type NewRecord, type Principal } from "@lanyard/contract";
import { canonicalize } from "@lanyard/ledger";
import type { Clock } from "../../base/clock.ts";
import type { Answer } from "../../base/exchange.ts";
import { limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { Approval, Facts, Intent, OutcomeStatus, Reservation, Ruling } from "../../base/path.ts";
import { decisionId } from "../../base/store/decision-id.ts";
import type { Sealed, StateChange, Store } from "../../base/store/port.ts";

export interface RecordStage {
  /** Writes what is about to happen. Durable on return; throws Fault `ledger_unavailable`, and then nothing may happen (invariant I1). */
  intend(action: Action, principal: Principal, facts: Facts | null, ruling: Ruling, by: ErrorCode | "policy", approval: Approval | null, reservation: Reservation | null): Promise<Intent>;
  /**
   * Writes how an intent ended, and with it what it used of budgets. Never throws. Durable on return unless the disk refuses: then it returns and goes on trying until it is
   * written, for an answer that exists must not wait for a disk; the intent is listed as open if the process dies before. `endedMs`: when it was known, since the epoch.
   */
  conclude(endedMs: number, intent: Intent, principal: Principal, status: OutcomeStatus, code: ErrorCode | "", answer: Answer | null, startedUs: number, reservation: Reservation | null, more?: readonly StateChange[]): Promise<void>;
  /** Outcomes that are not written yet. */
  unwritten(): number;
}

const firstRetryMs = 250;
const lastRetryMs = 5000;

/** The subject whose key seals what a session did: the human on whose behalf, so that erasing them erases it. */
const subjectOf = ({ user }: Principal): string => `user:${user}`;

/** Steps 6 and 11 of the path. */
export const recordStage = ({ store, clock, log }: { store: Store; clock: Clock; log: Log }): RecordStage => {
  let unwritten = 0;

  // An answer that is no JSON (a lone surrogate) has no canonical bytes to commit to: the outcome then says that it had none.
  const sealAnswer = (principal: Principal, answer: Answer | null): Sealed | null => {
    try {
      return answer && store.seal(subjectOf(principal), kept(answer));
    } catch (error) {
      if (error instanceof Fault && error.code === "ledger_unavailable") throw error;
      log.warn("answer not sealed", { error });
      return null;
    }
  };

  const tryConclude = async (outcome: () => { record: NewRecord; sealed: Sealed | null }, of: number, reservation: Reservation | null, more: readonly StateChange[]): Promise<boolean> => {
    const carried = reservation?.settled();
    const state = [...(carried?.state ?? []), ...more];
    try {
      const { record, sealed } = outcome(); // sealed anew each time: the subject may have been erased meanwhile
      await store.append(record, { patient: true, ...(sealed && { sealed }), ...(state.length > 0 && { state }) });
      carried?.written(true);
      return true;
    } catch (error) {
      carried?.written(false);
      log.error("outcome not written", { of, error });
      // `conflict`: the subject was erased between sealing and appending. Anything else is a bug that no retry heals.
      return !(error instanceof Fault && (error.code === "ledger_unavailable" || error.code === "conflict"));
    }
  };

  const retry = (attempt: () => Promise<boolean>, waitMs: number): void => {
    clock.after(waitMs, () => {
      void attempt().then((written) => (written ? unwritten-- : retry(attempt, Math.min(waitMs * 2, lastRetryMs))));
    });
  };

  return {
    async intend(action, principal, facts, ruling, by, approval, reservation) {
      const sealed = facts && store.seal(subjectOf(principal), { input: facts.input, ...(action.beside && { beside: action.beside }) } as unknown as Json);
      const id = decisionId(clock);
      const record = intentRecord({ id, action, principal, facts, ruling, by, approval, sealed });
      // Invariant: I6, the commit that permits an effect takes away the approval that permits it; no crash can leave one without the other.
      const spent = approval ? ([{ kind: "approval", key: approval.id, value: null }] as const) : [];
      // Invariant: I14, the commit that permits an effect has what it takes of every budget.
      const taken = record.effect === "allow" ? [...spent, ...(reservation?.intended(id) ?? [])] : [];
      const { seq } = await store.append(record, { ...(sealed && { sealed }), ...(taken.length > 0 && { state: taken }) });
      return { seq, id };
    },

    async conclude(endedMs, intent, principal, status, code, answer, startedUs, reservation, more) {
      const durationUs = Math.max(0, clock.monotonicUs() - startedUs);
      reservation?.settle({ status, answer, durationUs });
      const outcome = (): { record: NewRecord; sealed: Sealed | null } => {
        const sealed = sealAnswer(principal, answer);
        return {
          record: { type: "outcome", of: intent.seq, status, code, result: sealed?.commitment ?? null, payload: sealed?.payload ?? null, duration_us: durationUs, ended_ms: endedMs, ...labelled(answer?.labels ?? []) },
          sealed,
        };
      };
      const attempt = (): Promise<boolean> => tryConclude(outcome, intent.seq, reservation, more ?? []);
      if (await attempt()) return;
      unwritten++;
      retry(attempt, firstRetryMs);
    },

    unwritten: () => unwritten,
  };
};

const intentRecord = ({ id, action, principal, facts, ruling, by, approval, sealed }: {
  id: string; action: Action; principal: Principal; facts: Facts | null; ruling: Ruling; by: ErrorCode | "policy"; approval: Approval | null; sealed: Sealed | null;
}): Extract<NewRecord, { type: "decision" }> => ({
  type: "decision",
  id,
  session: principal.session,
  agent: principal.agent,
  user: principal.user,
  action: action.name,
  digest: action.digest,
  effect: ruling.decision.effect,
  by,
  policies: determining(ruling.decision),
  ...(ruling.decision.transforms && { transforms: [...ruling.decision.transforms] }),
  ...labelled(Object.values(facts?.input.facts ?? {}).flatMap((fact) => fact.labels)),
  decision: hash("sha256", canonicalize(ruling.decision), "base64url"),
  bundle: ruling.bundle,
  input: sealed?.commitment ?? null,
  tool: facts?.pin.definition ?? null,
  reversibility: facts?.input.reversibility ?? "unknown",
  approval: approval?.id ?? null,
  payload: sealed?.payload ?? null,
});

const labelled = (labels: readonly string[]): { labels?: string[] } => (labels.length === 0 ? {} : { labels: [...new Set(labels)].sort().slice(0, 256) });

/** Ids of the policies that made the decision what it is: its reasons, and what failed to evaluate, sorted. */
const determining = ({ reasons, errors }: Decision): string[] => [...new Set([...reasons, ...errors].map(({ policy }) => policy))].sort().slice(0, 256);

/** What is kept of an answer: all of it, or past the limit result_payload_bytes its length and hash, against which a copy can be checked. */
const kept = (answer: Answer): Json => {
  const value = "result" in answer ? { result: answer.result } : answer;
  const text = canonicalize(value, "doubles");
  const bytes = Buffer.byteLength(text);
  if (bytes <= limits.result_payload_bytes.value) return value as unknown as Json;
  return { omitted: { bytes, sha256: hash("sha256", text, "base64url") } };
};
