import type { DecisionInput } from "@lanyard/contract";
import { callEvent, concerns, meantBy, reachOf, type HistoryLeaf, type Snapshot } from "@lanyard/policy";
import type { Limits } from "../../base/limits.ts";
import type { Store } from "../../base/store/port.ts";
import { recordedEvents, timeOf } from "./recorded-events.ts";
import { RecordedRoots } from "./roots.ts";

interface MeantCallsDeps {
  readonly store: Pick<Store, "scan" | "unsealAll" | "entry" | "entries">;
  readonly limits: Pick<Limits, "explained_records">;
}

const keptCalls = 3;

/**
 * The calls that questions of the call of entry `seq` were about, by the question's name: the entries of their decisions, the last first, a few of each. Looks back over
 * `explained_records` entries; live calls go first.
 */
export const meantCalls = async ({ store, limits }: MeantCallsDeps, snapshot: Snapshot, seq: number, input: DecisionInput, leaves: readonly HistoryLeaf[]): Promise<ReadonlyMap<string, readonly number[]>> => {
  const roots = new RecordedRoots(store);
  const call = callEvent(input, snapshot.seen(input), { kind: "request", atMs: timeOf(input), rootSession: roots.ofCall(input, seq) });
  const found = leaves.map((leaf) => ({ id: leaf.id, isMeant: meantBy(leaf, call), calls: [] as number[] }));
  const wants = (action: string): boolean => leaves.some((leaf) => concerns(leaf, action, snapshot.action(action)?.groups ?? []));
  const sinceMs = call.atMs - Math.max(0, ...leaves.map(reachOf));
  for await (const events of recordedEvents(store, { from: Math.max(0, seq - limits.explained_records), sinceMs, roots, wants, seen: (earlier) => snapshot.seen(earlier) })) {
    for (const { at, of, event } of events) {
      if (at >= seq) return new Map(found.map(({ id, calls }) => [id, calls]));
      if (event === null) continue;
      for (const one of found) if (one.isMeant(event)) one.calls = [of, ...one.calls.filter((other) => other !== of)].slice(0, keptCalls);
    }
  }
  return new Map(found.map(({ id, calls }) => [id, calls]));
};
