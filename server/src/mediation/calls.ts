import type { Decision, DecisionInput, Registry } from "@lanyard/contract";
import { resourcesOf, type Snapshot } from "@lanyard/policy";
import { recordedCalls, type DecisionRecord, type RecordedStore } from "./recorded.ts";

/** Which recorded calls to compare by. */
export interface CallQuery {
  /** Only calls decided at or after this time, milliseconds since the epoch. */
  readonly sinceMs: number;
  readonly session?: string;
  /** Not calls of this session. */
  readonly without?: string;
  /** Only calls of these agents; all when it is not given. */
  readonly agents?: ReadonlySet<string>;
  /** Names the resources of calls that were recorded when the tool's contract named others. */
  readonly registry?: Registry;
  /** Told now and then how many calls are done, and how many events of history were read for them. */
  readonly progress?: (calls: number, events: number) => void;
  /** True once nobody waits for the answer any more. */
  readonly isOver?: () => boolean;
}

const keptHeld = 10_000;

export type Judge = (input: DecisionInput) => Decision;

interface Today {
  /** Names the resources of calls that were recorded when the tool's contract named others. */
  readonly registry?: Registry | undefined;
  /** Told of each input that was changed. */
  readonly adapted?: () => void;
}

/** Makes recorded inputs what they would be today: a definition or contract that changed since is taken as the bundle has it. */
export const adaptTo =
  (snapshot: Snapshot, { registry, adapted = () => undefined }: Today): ((input: DecisionInput) => DecisionInput) =>
  (input) => {
    const action = snapshot.action(input.action);
    if (action === null) return input;
    const isOther = input.definition !== undefined && input.definition !== action.definition;
    const types = new Set((input.resources ?? []).map(({ type }) => type));
    const isElsewhere = action.resourceType === "Server" ? types.size > 0 : types.size !== 1 || !types.has(action.resourceType);
    if (!isOther && !isElsewhere) return input;
    adapted();
    const resources = isElsewhere && action.contract ? resourcesNow(action.contract, registry, input) : input.resources;
    return { ...input, ...(isOther && { definition: action.definition }), ...(resources && { resources }) };
  };

/** Decides recorded calls as a bundle would today. */
export const judgeOf = (snapshot: Snapshot, today: Today): Judge => {
  const adapt = adaptTo(snapshot, today);
  return (input) => snapshot.decide(adapt(input));
};

/** What the call touches by today's contract; as recorded where its arguments do not say, and then the bundle denies it as the gateway would. */
const resourcesNow = (contract: Parameters<typeof resourcesOf>[0], registry: Registry | undefined, input: DecisionInput): DecisionInput["resources"] => {
  try {
    return resourcesOf(contract, registry?.resources ?? {}, input.args);
  } catch {
    return input.resources;
  }
};

/** What is asked about each recorded call. */
export interface Visit {
  /** The input with all that it takes to decide it, or why nothing can be said about it. */
  usable(record: DecisionRecord, input: DecisionInput): Promise<DecisionInput | string>;
  /** Whether it comes out different: asked about the call as it was made and, unless that is different already, as it was approved. */
  isDifferent(record: DecisionRecord, input: DecisionInput): boolean;
}

/** Calls that nothing can be said about, for one reason; `first` and `last` are the entries of the first and the last of them. */
export interface NotReplayable {
  readonly why: string;
  readonly calls: number;
  readonly first: number;
  readonly last: number;
}

export interface Walked {
  readonly calls: number;
  readonly changed: number;
  /** Most calls first. */
  readonly notReplayable: readonly NotReplayable[];
}

/**
 * Walks over recorded calls. A call that was asked for is recorded more than once: as the ask (again each time it is repeated while it waits),
 * and as the decision that spends its approval. All of these have one session and one digest, and count as one call. Reads in slices; live
 * calls go first between them.
 */
export const walk = async (store: RecordedStore, { sinceMs, session, without, agents, isOver }: Omit<CallQuery, "progress">, visit: Visit, progress?: (calls: number) => void): Promise<Walked> => {
  const held = new Map<string, boolean>();
  const notReplayable = new Map<string, NotReplayable>();
  let [calls, changed] = [0, 0];
  for await (const run of recordedCalls(store, { sinceMs, ...(session !== undefined && { session }) })) {
    for (const call of run) {
      const { record } = call;
      if ((agents && !agents.has(record.agent)) || record.session === without) continue;
      const input = call.input === null ? call.why : await visit.usable(record, call.input);
      if (typeof input === "string") {
        const { calls: count = 0, first = record.seq } = notReplayable.get(input) ?? {};
        notReplayable.set(input, { why: input, calls: count + 1, first, last: record.seq });
        continue;
      }
      const key = `${record.session}\0${record.digest}`;
      const before = held.get(key);
      const goesOn = before !== undefined && (record.effect === "ask" || record.approval !== null);
      const isDifferent = (goesOn ? before : visit.isDifferent(record, { ...input, approvals: [] })) || (input.approvals.length > 0 && visit.isDifferent(record, input));
      if (!goesOn) calls += 1;
      if (isDifferent && !(goesOn && before)) changed += 1;
      if (record.effect !== "ask") held.delete(key);
      else if (held.size < keptHeld || held.delete(held.keys().next().value ?? "")) held.set(key, isDifferent);
    }
    progress?.(calls);
    if (isOver?.()) break;
  }
  return { calls, changed, notReplayable: [...notReplayable.values()].sort((left, right) => right.calls - left.calls) };
};
