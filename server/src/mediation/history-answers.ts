import type { DecisionInput, HistoryFacts } from "@lanyard/contract";
import type { HistoryLeaf, Snapshot } from "@lanyard/policy";
import type { Limits } from "../base/limits.ts";
import type { Store } from "../base/store/port.ts";
import { HistoryReplay, type HistoryReplayOptions } from "../stages/history/history-replay.ts";
import { timeOf } from "../stages/history/recorded-events.ts";
import { bundlesIn } from "./bundles.ts";
import type { DecisionRecord } from "./recorded.ts";

/** What it takes to answer questions to history about calls on record. */
export interface AnsweringDeps {
  readonly store: HistoryReplayOptions["store"] & Pick<Store, "getObject">;
  readonly limits: HistoryReplayOptions["limits"] & Partial<Limits>;
}

/** Gives a recorded input with the answers that its policies need, or in words why they cannot be had. Asked in the order of the record. */
export type Answering = (record: DecisionRecord, input: DecisionInput) => Promise<DecisionInput | string>;

/**
 * Answers what `snapshots` ask of history about calls on record. What was answered then stands: by the call's input, and by the bundle that decided it, which knows
 * what it asked and left out. Everything else is answered anew from the ledger, as of the call's own place in it.
 */
export const answering = (deps: AnsweringDeps, snapshots: readonly Snapshot[], more: Pick<HistoryReplayOptions, "progress" | "isOver"> = {}): Answering => {
  if (snapshots.every(({ leaves }) => leaves.length === 0)) return async (_record, input) => input;
  const open = bundlesIn(deps.store);
  const recorded = async ({ bundle }: DecisionRecord, input: DecisionInput): Promise<HistoryFacts> => {
    const decided = bundle === null ? null : (snapshots.find(({ hash }) => hash === bundle) ?? (await open(bundle)));
    return { ...input.history, ...(decided !== null && typeof decided === "object" && decided.answered(input)) };
  };
  let replay: HistoryReplay | null = null;
  return async (record, input) => {
    const asked = eachOnce(snapshots.flatMap((snapshot) => snapshot.asks(input.agent, input.action)));
    if (asked.length === 0) return input;
    const known = await recorded(record, input);
    const history = Object.fromEntries(asked.flatMap(({ id }) => (known[id] === undefined ? [] : [[id, known[id]]])));
    const missing = asked.filter(({ id }) => history[id] === undefined);
    if (missing.length === 0) return { ...input, history };
    replay ??= new HistoryReplay({ ...deps, ...more, snapshots, sinceMs: timeOf(input) });
    const found = await replay.answers(record.seq, input, missing);
    return typeof found === "string" ? found : { ...input, history: { ...history, ...found } };
  };
};

const eachOnce = (leaves: readonly HistoryLeaf[]): readonly HistoryLeaf[] => [...new Map(leaves.map((leaf) => [leaf.id, leaf])).values()];
