import { Fault, type Effect, type Registry } from "@lanyard/contract";
import type { ActionShape, PolicyFile, Snapshot } from "@lanyard/policy";
import { adaptTo, walk, type NotReplayable } from "../calls.ts";
import { answering, type AnsweringDeps } from "../history-answers.ts";
import { compareTraffic, type CallExample } from "../traffic.ts";
import { cedarComment } from "../../base/cedar-text.ts";
import { permitFor, type SeenCall, type SuggestedPolicy } from "./write.ts";

/** Calls that the suggestion does not make allowed: what a forbid or a missing fact keeps back. A suggestion never lifts a forbid. */
export interface StandingRule {
  readonly action: string;
  readonly effect: Effect;
  readonly policies: readonly string[];
  readonly approvers: readonly string[];
  readonly calls: number;
  readonly seqs: readonly number[];
}

/** Policies written from what a session did, and what they come to when they are put beside those in force. */
export interface Suggestion {
  readonly session: string;
  readonly agent: string;
  /** Name of the file to put `text` into. */
  readonly file: string;
  readonly text: string;
  readonly policies: readonly Omit<SuggestedPolicy, "text">[];
  readonly calls: number;
  /** Calls that the policies in force allow already; calls that they and the suggestion allow. */
  readonly allowed: { readonly before: number; readonly after: number };
  readonly standing: readonly StandingRule[];
  readonly skipped: readonly NotReplayable[];
  /** Other recorded calls, of other sessions, that the suggestion would allow too. */
  readonly beyond: { readonly calls: number; readonly examples: readonly CallExample[] };
  /** Why the suggestion does not compile beside the policies in force; empty when it does. */
  readonly errors: readonly string[];
}

export interface SuggestDeps extends AnsweringDeps {
  /** The policies in force. */
  readonly current: Snapshot;
  readonly registry: Registry;
  /** Compiles files of policies against what there is now, or says why not. */
  readonly compile: (policies: readonly PolicyFile[]) => Promise<Snapshot | readonly string[]>;
  /** Most calls that are looked at. */
  readonly most: number;
}

export interface SuggestQuery {
  readonly session: string;
  /** Only calls that were decided so. */
  readonly effect?: Effect;
  /** Other calls decided since then are looked at for what the suggestion would allow too. */
  readonly sinceMs: number;
}

/**
 * The narrowest policies that allow what a recorded session did, verified by deciding its calls again with them beside the policies in force.
 * Throws Fault `not_found` when the session made no call, `limit_exceeded` when it made more than `most`.
 */
export const suggest = async (deps: SuggestDeps, query: SuggestQuery): Promise<Suggestion> => {
  const { calls, skipped } = await callsOf(deps, query);
  const byAction = Map.groupBy(calls, ({ input }) => input.action);
  const bundle = deps.current.bundle;
  const taken = new Set(bundle.policies.map(({ id }) => id));
  const policies = [...byAction].sort(([left], [right]) => (left < right ? -1 : 1)).map(([name, own]) => {
    const written = permitFor(deps.current.action(name) as ActionShape, own, query.session, taken);
    taken.add(written.id);
    return written;
  });
  const { agent } = (calls[0] as SeenCall).input;
  const present = filesOf(bundle.policies);
  const file = freeFile(agent.team === "" ? "" : `teams/${agent.team}/`, present);
  const heading = cedarComment(`Suggested from session ${query.session} of agent ${agent.id}: ${calls.length === 1 ? "1 call" : `${calls.length} calls`}. Read it before you keep it.`);
  const text = `${[heading, ...policies.map((policy) => policy.text)].join("\n\n")}\n`;
  const after = await deps.compile([...present, { file, text }]);
  const result = { session: query.session, agent: agent.id, file, text, policies: policies.map(({ text: _text, ...rest }) => rest), calls: calls.length, skipped };
  const before = calls.filter(({ input }) => deps.current.decide(input).effect === "allow").length;
  if (!("decide" in after)) return { ...result, allowed: { before, after: before }, standing: [], beyond: { calls: 0, examples: [] }, errors: after };
  const { standing, allowed } = verified(after, calls);
  return { ...result, allowed: { before, after: allowed }, standing, beyond: await beyond(deps, query, agent.id, after), errors: [] };
};

const callsOf = async (deps: SuggestDeps, { session, effect }: SuggestQuery) => {
  const { store, current, registry, most } = deps;
  const calls: SeenCall[] = [];
  const adapt = adaptTo(current, { registry });
  const answered = answering(deps, [current]);
  let found = false;
  const { notReplayable: skipped } = await walk(store, { sinceMs: 0, session }, {
    usable: async (record, recorded) => {
      found = true;
      const input = await answered(record, recorded);
      if (typeof input === "string") return input;
      // What no policy is asked about, none can permit: a tool nobody knows, arguments that cannot be read.
      return current.decide(adapt(input)).errors.find(({ policy }) => policy.startsWith("lanyard."))?.message ?? input;
    },
    isDifferent: ({ seq, effect: decided }, input) => {
      if (input.approvals.length > 0 || (effect !== undefined && effect !== decided)) return false;
      if (calls.length >= most) throw new Fault("limit_exceeded", `session \`${session}\` made more than ${most} calls (limit suggested_calls)`);
      calls.push({ seq, effect: decided, input: adapt(input) });
      return false;
    },
  });
  if (calls.length > 0) return { calls, skipped };
  if (!found && skipped.length === 0) throw new Fault("not_found", `the ledger has no call of a session \`${session}\``);
  const why = skipped[0] ? `, e.g. ${skipped[0].why}` : "";
  throw new Fault("not_found", `session \`${session}\` made no call to suggest a policy from${why}`);
};

/** The files that policies came from, with what policies they have; comments are gone. */
const filesOf = (policies: Snapshot["bundle"]["policies"]): PolicyFile[] =>
  [...Map.groupBy(policies, ({ file }) => file)].map(([file, own]) => ({
    file,
    text: own.toSorted((left, right) => left.line - right.line || left.column - right.column).map(({ text }) => text).join("\n"),
  }));

const freeFile = (folder: string, present: readonly PolicyFile[]): string => {
  const names = new Set(present.map(({ file }) => file));
  let name = `${folder}suggested.cedar`;
  for (let n = 2; names.has(name); n++) name = `${folder}suggested-${n}.cedar`;
  return name;
};

const verified = (after: Snapshot, calls: readonly SeenCall[]): { standing: StandingRule[]; allowed: number } => {
  const groups = new Map<string, StandingRule & { seqs: number[] }>();
  let allowed = 0;
  for (const { seq, input } of calls) {
    const { effect, reasons, errors, approvers } = after.decide(input);
    if (effect === "allow") {
      allowed += 1;
      continue;
    }
    const policies = [...new Set([...reasons, ...errors].map(({ policy }) => policy))].sort();
    const key = JSON.stringify([input.action, effect, policies, approvers]);
    const group = groups.get(key) ?? { action: input.action, effect, policies, approvers, calls: 0, seqs: [] };
    groups.set(key, { ...group, calls: group.calls + 1, seqs: [...group.seqs, seq].slice(0, 20) });
  }
  return { standing: [...groups.values()], allowed };
};

const beyond = async (deps: SuggestDeps, { session, sinceMs }: SuggestQuery, agent: string, after: Snapshot): Promise<Suggestion["beyond"]> => {
  const { changes } = await compareTraffic(deps, { sinceMs, agents: new Set([agent]), without: session, registry: deps.registry }, deps.current, after);
  return { calls: changes.reduce((sum, change) => sum + change.calls, 0), examples: changes.flatMap(({ examples }) => examples).slice(0, 5) };
};
