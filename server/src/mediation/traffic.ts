import type { Decision, DecisionInput, Effect } from "@lanyard/contract";
import { comesToTheSame, isSameButForChanges, type Snapshot } from "@lanyard/policy";
import { judgeOf, walk, type CallQuery, type NotReplayable, type Visit } from "./calls.ts";
import { answering, type AnsweringDeps } from "./history-answers.ts";
import type { DecisionRecord } from "./recorded.ts";

/** Which recorded calls to compare by. */
export interface TrafficQuery extends CallQuery {
  /** Examples kept of each group; default 3. */
  readonly examples?: number;
}

/** One recorded call; `args` is their JSON, cut. */
export interface CallExample {
  readonly seq: number;
  readonly id: string;
  readonly at_ms: number;
  readonly args: string;
}

/** Calls that one side decides otherwise than the other, for the same reasons: of one agent, one tool, and the same determining policies. */
export interface TrafficChange {
  readonly change: "newly allowed" | "newly denied" | "newly asked" | "asked of others" | "changed otherwise";
  readonly from: Effect;
  readonly to: Effect;
  readonly agent: string;
  readonly action: string;
  /** Determining policies on each side, sorted; none where nothing permits. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** Who is asked on each side. */
  readonly approvers: { readonly before: readonly string[]; readonly after: readonly string[] };
  /** Changes of the arguments on each side. */
  readonly transforms: { readonly before: readonly string[]; readonly after: readonly string[] };
  readonly calls: number;
  readonly first_ms: number;
  readonly last_ms: number;
  readonly examples: readonly CallExample[];
}

/** What a change of policies does to recorded calls. A call that was held and repeated is one call. */
export interface TrafficComparison {
  readonly calls: number;
  readonly unchanged: number;
  /** Most calls first. */
  readonly changes: readonly TrafficChange[];
  /** Calls that changed beyond the groups listed. */
  readonly unlisted: number;
  readonly not_replayable: readonly NotReplayable[];
  /** Calls that were decided against another definition of their tool, or another contract, than the one both sides know: judged by today's. */
  readonly adapted: number;
}

const keptChanges = 1000;
const argsChars = 200;

/** Two decisions on one call; null when they come to the same. */
interface Verdicts {
  readonly before: Decision;
  readonly after: Decision;
}

/**
 * Decides recorded calls by two bundles and groups what comes out different. What they ask of history and was not asked then is answered from the ledger. Reads in
 * slices; live calls go first between them.
 */
export const compareTraffic = async (deps: AnsweringDeps, query: TrafficQuery, before: Snapshot, after: Snapshot): Promise<TrafficComparison> => {
  let wasAdapted = false;
  let [adapted, unlisted] = [0, 0];
  const context = { registry: query.registry, adapted: () => void (wasAdapted = true) };
  const [was, is] = [judgeOf(before, context), judgeOf(after, context)];
  const groups = new Map<string, Group>();
  let [done, read] = [0, 0];
  const tell = (calls: number, events: number): void => query.progress?.((done = calls), (read = events));
  const answered = answering(deps, [before, after], { progress: (events) => tell(done, events), ...(query.isOver && { isOver: query.isOver }) });
  const visit: Visit = {
    usable: async (record, input) => {
      const { definition, action } = input;
      if (definition && before.action(action) === null && after.action(action) === null) return `the catalog no longer has the tool \`${action}\``;
      return answered(record, input);
    },
    isDifferent: (record, input) => {
      wasAdapted = false;
      const verdicts = { before: was(input), after: is(input) };
      if (wasAdapted && input.approvals.length === 0) adapted += 1;
      if (comesToTheSame(verdicts.before, verdicts.after)) return false;
      if (!note(groups, record, input, verdicts, query.examples ?? 3)) unlisted += 1;
      return true;
    },
  };
  const { calls, changed, notReplayable } = await walk(deps.store, query, visit, (count) => tell(count, read));
  return {
    calls,
    unchanged: calls - changed,
    changes: [...groups.values()].sort((left, right) => right.calls - left.calls || left.first_ms - right.first_ms),
    unlisted,
    not_replayable: notReplayable,
    adapted,
  };
};

type Group = { -readonly [K in keyof TrafficChange]: TrafficChange[K] } & { examples: CallExample[] };

const policiesOf = ({ reasons, errors }: Decision): string[] => [...new Set([...reasons, ...errors].map(({ policy }) => policy))].sort();

const nameOf = ({ before, after }: Verdicts): TrafficChange["change"] => {
  const [from, to] = [before.effect, after.effect];
  if (isSameButForChanges(before, after)) return "changed otherwise";
  if (to === "ask") return from === "ask" ? "asked of others" : "newly asked";
  return to === "allow" ? "newly allowed" : "newly denied";
};

/** Adds a call to its group; false when there are too many groups to begin another. */
const note = (groups: Map<string, Group>, record: DecisionRecord, input: DecisionInput, { before, after }: Verdicts, examples: number): boolean => {
  const policies = { before: policiesOf(before), after: policiesOf(after) };
  const transforms = { before: before.transforms ?? [], after: after.transforms ?? [] };
  const key = JSON.stringify([record.agent, record.action, before.effect, after.effect, policies, before.approvers, after.approvers, transforms]);
  let group = groups.get(key);
  if (group === undefined) {
    if (groups.size >= keptChanges) return false;
    group = {
      change: nameOf({ before, after }), from: before.effect, to: after.effect, agent: record.agent, action: record.action, ...policies,
      approvers: { before: before.approvers, after: after.approvers }, transforms, calls: 0, first_ms: record.at_ms, last_ms: record.at_ms, examples: [],
    };
    groups.set(key, group);
  }
  group.calls += 1;
  group.last_ms = record.at_ms;
  if (group.examples.length < examples) group.examples.push({ seq: record.seq, id: record.id, at_ms: record.at_ms, args: cut(JSON.stringify(input.args)) });
  return true;
};

const cut = (text: string): string => (text.length > argsChars ? `${text.slice(0, argsChars - 1).toWellFormed()}…` : text);
