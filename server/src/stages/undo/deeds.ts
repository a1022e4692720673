import type { LedgerRecord, Reversibility } from "@lanyard/contract";
import { Fault } from "@lanyard/contract";
import { limits } from "../../base/limits.ts";
import type { OutcomeStatus } from "../../base/path.ts";
import type { Store } from "../../base/store/port.ts";

/** What became of taking an action back. `failed`: calls were made, and the state is not what it was. */
export type UndoVerdict = "restored" | "residue" | "refused" | "failed";

/** An action of a session that may have changed something. */
export interface Done {
  readonly seq: number;
  readonly session: string;
  readonly agent: string;
  readonly user: string;
  readonly action: string;
  readonly class: Reversibility;
  readonly atMs: number;
  /** `open`: it has no outcome, for the daemon died or it is still running. */
  readonly status: Exclude<OutcomeStatus, "refused"> | "open";
  /** Entry of its plan; null when none was made. */
  readonly plan: number | null;
  /** Entry about the state right after it; null when nobody looked. */
  readonly settled: { readonly seq: number; readonly state: "known" | "unread" | "disturbed" } | null;
  /** How it was taken back before; null when nobody did. */
  readonly verdict: UndoVerdict | null;
  /** Calls that were made for that; of the last of them, whether anybody knows what became of it. */
  readonly made: { readonly calls: number; readonly known: boolean };
}

type Ledger = Pick<Store, "scan" | "outcomeOf">;

/** Requests that are no tool call and ask for something, or say how much to tell. */
const asking = /\/mcp:(?:completion\/complete|prompts\/get|prompts\/list|resources\/list|resources\/read|resources\/templates\/list|resources\/subscribe|resources\/unsubscribe|subscriptions\/listen|logging\/setLevel|tasks\/get|tasks\/list|tasks\/result)$/;

/** A session and all that were opened below it. */
export const familyOf = (store: Ledger, session: string): { readonly ids: readonly string[]; readonly user: string } => {
  const found = new Set<string>();
  let user = "";
  for (const run of store.scan({ types: ["session.open"] })) {
    for (const record of run) {
      if (record.type !== "session.open" || !(record.session === session || (record.parent !== null && found.has(record.parent)))) continue;
      found.add(record.session);
      if (record.session === session) user = record.user;
    }
  }
  if (found.size === 0) throw new Fault("not_found", `there never was a session \`${session}\``);
  return { ids: [...found], user };
};

/**
 * All that a session and its children did after entry `to` (null: from the beginning) and that may have changed something, newest first.
 * Throws Fault `not_found`, `limit_exceeded`.
 */
export const doneBy = (store: Ledger, sessions: readonly string[], to: number | null): Done[] => {
  const done = sessions.flatMap((session) => doneIn(store, session, to));
  if (done.length > limits.undo_actions.value) throw new Fault("limit_exceeded", `the session did more than ${limits.undo_actions.value} things that may have changed something, the limit undo_actions; take back the latest with \`--to\``);
  return done.sort((a, b) => b.seq - a.seq);
};

const doneIn = (store: Ledger, session: string, to: number | null): Done[] => {
  const found = new Map<number, Done>();
  const note = (of: number, more: Partial<Done>): void => {
    const one = found.get(of);
    if (one) found.set(of, { ...one, ...more });
  };
  const from = to === null ? 0 : to + 1;
  for (const run of store.scan({ session, from, types: ["decision", "undo.plan", "undo.settle", "undo.call", "undo.step"] })) {
    for (const record of run) {
      if (record.type === "decision") {
        const one = doneOf(store, record);
        if (one) found.set(one.seq, one);
      }
      if (record.type === "undo.plan") note(record.of, { plan: record.seq });
      if (record.type === "undo.settle") note(record.of, { settled: { seq: record.seq, state: record.seen } });
      if (record.type === "undo.call") note(record.of, { made: { calls: record.calls, known: false } });
      if (record.type === "undo.step") note(record.of, { verdict: record.verdict, made: { calls: found.get(record.of)?.made.calls ?? 0, known: record.why !== "interrupted" } });
    }
  }
  return [...found.values()];
};

const doneOf = (store: Ledger, record: Extract<LedgerRecord, { type: "decision" }>): Done | null => {
  if (record.effect !== "allow" || record.reversibility === "read" || asking.test(record.action)) return null;
  const outcome = store.outcomeOf(record.seq);
  const status = outcome?.type === "outcome" ? outcome.status : "open";
  if (status === "refused") return null;
  const { seq, session, agent, user, action, reversibility, at_ms: atMs } = record;
  return { seq, session, agent, user, action, class: reversibility, atMs, status, plan: null, settled: null, verdict: null, made: { calls: 0, known: true } };
};
