import type { Decision, DecisionInput, HistoryFacts } from "@lanyard/contract";
import { addressOf, addressOfSlices, equalBytes, findPolicy, readBundle, readBundleSlices, type Bundle, type BundleLines, type Policy } from "../bundle.ts";
import { Expressions } from "../cedar/compile.ts";
import type { ActionShape } from "../schema/schema.ts";
import { Actions } from "./actions.ts";
import { reasonsToAsk } from "./asking.ts";
import { CandidateFinder, couldAllow, type Candidates } from "./candidates.ts";
import { denyUnasked } from "./combine.ts";
import { decide, find, roundsOf, seenCall, type Evaluation, type Rules } from "./decide.ts";
import { explain, type PolicyExplanation } from "./explain.ts";
import { Readying, type ReadyPolicy } from "./ready.ts";
import { questionsOf, ReadAnswers, type Questions } from "../temporal/answers.ts";
import type { CallView } from "../temporal/event.ts";
import type { HistoryLeaf } from "../temporal/leaf.ts";
import { IndexDraft, type ScopeIndex } from "./scope-index.ts";

/** What policies were asked for a call, and what came of each; united over the resources of the call and, where its arguments are changed, both rounds. */
export interface Judgement {
  /** Ids of the policies whose heads match, sorted. Empty when the call was denied before any was asked. */
  readonly candidates: readonly string[];
  /** Ids of those that hold, sorted. */
  readonly satisfied: readonly string[];
  readonly errors: Decision["errors"];
}

/** A bundle made ready to decide: immutable, synchronous, without clock or I/O. */
export interface Snapshot {
  /** Content address of the bundle's bytes. */
  readonly hash: string;
  /** The bundle itself. */
  readonly bytes: Uint8Array;
  /** How many policies there are. */
  readonly count: number;
  /** The whole bundle, decoded each time it is asked for: for tools, not for the path of a call. */
  readonly bundle: Bundle;
  /** The same input always gives the same decision (invariant I3). Never throws: what cannot be decided is a deny. */
  decide(input: DecisionInput): Decision;
  /** Which policies spoke, for coverage; costs what deciding costs. */
  judge(input: DecisionInput): Judgement;
  /** Why people must be asked about a call that nobody has answered for yet, see there; costs what deciding costs. */
  reasonsToAsk(input: DecisionInput): readonly string[];
  /** Why it decides so; takes a hundred times as long as deciding. */
  explain(input: DecisionInput): PolicyExplanation[];
  /**
   * Those of `actions` that some policy could allow this agent, in the order given: what to list. Judges heads only, so it errs towards
   * listing; every call is decided all the same.
   */
  visible(agent: DecisionInput["agent"], actions: readonly string[]): string[];
  /** What its policies ask of history, each question once. */
  readonly leaves: readonly HistoryLeaf[];
  /** All of them together, as answers are recorded. */
  readonly questions: Questions;
  /** What of it must be answered to decide a call of this agent and this action. */
  asks(agent: DecisionInput["agent"], action: string): readonly HistoryLeaf[];
  /**
   * What a call that this bundle has decided was answered of history, with what was left out of its input because it is false or 0. Of a call that another one decided
   * it says nothing: that one may have asked the same questions, and not of this call.
   */
  answered(input: DecisionInput): HistoryFacts;
  /** What policies see of a call, as conditions on history look at it; null for an action that the bundle does not know. */
  seen(input: DecisionInput): CallView | null;
  /** What must follow a call that has been carried out: policies that would forbid it if what they await did not come. Its input has its `history`. */
  promises(input: DecisionInput): readonly { readonly policy: string; readonly leaf: HistoryLeaf }[];
  /** The action of this name as the bundle has it; null for a tool that it does not know. */
  action(name: string): ActionShape | null;
  /** A policy with its place and text, for explanations; null when the bundle has none of this id. */
  policy(id: string): Policy | null;
}

/** How large slices are: some 0.5 ms of work each. */
const slice = { policies: 20, actions: 10, indexed: 200, compared: 256, turns: 16, bytes: 1 << 18 } as const;

/** Makes a bundle ready, each policy when it is first asked. Throws Fault `invalid_config` when the bytes are no bundle of a version this code knows. */
export const openSnapshot = (bytes: Uint8Array): Snapshot => {
  const lines = readBundle(bytes);
  const readying = new Readying(new Expressions());
  const index = new IndexDraft();
  const policies = Array.from({ length: lines.policies }, (_, at) => readying.ready(lines, at, true));
  for (const policy of policies) index.add(policy);
  return new ReadySnapshot({ lines, hash: addressOf(bytes), policies, index: index.done(), actions: new Actions(lines) });
};

/**
 * Makes a bundle ready while others decide: all of it, in slices of less than a millisecond, with `breathe` awaited between them. What
 * `before` has made ready of equal policies and actions is taken over. Throws as {@link openSnapshot} does, and also when a policy's
 * conditions are none that can be evaluated.
 */
export const prepareSnapshot = async (bytes: Uint8Array, { before, breathe }: { readonly before?: Snapshot | undefined; readonly breathe: () => Promise<void> }): Promise<Snapshot> => {
  const lines = await readBundleSlices(bytes, slice.bytes, breathe);
  const hash = await addressOfSlices(bytes, slice.bytes, breathe);
  const old = before instanceof ReadySnapshot ? before.parts : null;
  const actions = new Actions(lines, old?.actions);
  for (let at = 0; actions.prepare(at); at += 1) if (at % slice.actions === slice.actions - 1) await breathe();
  const { policies, added, removed } = await takeOver(lines, old, breathe);
  const readying = new Readying(new Expressions());
  for (const [turn, at] of added.entries()) {
    policies[at] = readying.ready(lines, at, false);
    if (turn % slice.policies === slice.policies - 1) await breathe();
  }
  const few = old !== null && added.length + removed.length < policies.length / 4;
  const draft = new IndexDraft(few ? old.index : undefined);
  if (few) for (const policy of removed) draft.remove(policy);
  for (const [turn, policy] of (few ? added.flatMap((at) => policies[at] ?? []) : policies).entries()) {
    draft.add(policy);
    if (turn % slice.indexed === slice.indexed - 1) await breathe();
  }
  return new ReadySnapshot({ lines, hash, policies, index: draft.done(), actions });
};

/** Everything a snapshot is made of. */
interface Parts {
  readonly lines: BundleLines;
  readonly hash: string;
  /** Sorted by id, as in the bundle. */
  readonly policies: readonly ReadyPolicy[];
  readonly index: ScopeIndex;
  readonly actions: Actions;
}

interface Takeover {
  /** In their places those of equal bytes; the others are missing yet. */
  readonly policies: ReadyPolicy[];
  /** The places that are missing. */
  readonly added: readonly number[];
  /** What is not taken over. */
  readonly removed: readonly ReadyPolicy[];
}

/** Both bundles are sorted by id, so one walk finds what they share; what is equal is mostly equal for long stretches. */
const takeOver = async (lines: BundleLines, old: Parts | null, breathe: () => Promise<void>): Promise<Takeover> => {
  const policies = new Array<ReadyPolicy>(lines.policies);
  const [added, removed]: [number[], ReadyPolicy[]] = [[], []];
  let there = 0;
  for (let [here, turn] = [0, 0]; here < lines.policies; turn += 1) {
    if (turn % slice.turns === slice.turns - 1) await breathe();
    const alike = old === null ? 0 : stretch(lines, here, old.lines, there);
    for (let at = 0; at < alike; at += 1, here += 1, there += 1) {
      const policy = old?.policies[there];
      // What is not made ready yet would hold on to the old bundle's bytes.
      if (policy !== undefined && !policy.pending) policies[here] = policy;
      else added.push(here);
      if (policy?.pending) removed.push(policy);
    }
    if (alike > 0) continue;
    const policy = old?.policies[there];
    const id = policy === undefined ? "" : lines.policy(here).id;
    if (policy !== undefined && policy.id <= id) {
      removed.push(policy);
      there += 1;
    }
    if (policy === undefined || id <= policy.id) added.push(here++);
  }
  for (const policy of old?.policies.slice(there) ?? []) removed.push(policy);
  return { policies, added, removed };
};

/** How many lines from here on are the same in both, at most as many as are compared at a time. */
const stretch = (left: BundleLines, here: number, right: BundleLines, there: number): number => {
  let count = Math.min(slice.compared, left.policies - here, right.policies - there);
  while (count > 0 && !equalBytes(left.policyBytes(here, count), right.policyBytes(there, count))) count >>= 1;
  return count;
};

const none: readonly HistoryLeaf[] = [];

const leavesOf = (policies: readonly ReadyPolicy[]): readonly HistoryLeaf[] => {
  const found = new Map(policies.flatMap(({ leaves }) => leaves.map((leaf) => [leaf.id, leaf] as const)));
  return found.size === 0 ? none : [...found.values()].sort((left, right) => (left.id < right.id ? -1 : 1));
};

class ReadySnapshot implements Snapshot {
  readonly parts: Parts;
  readonly #rules: Rules;
  readonly leaves: readonly HistoryLeaf[];
  readonly #asks = new WeakMap<Candidates, readonly HistoryLeaf[]>();
  /** Whether any policy says what must follow a call. */
  readonly #awaits: boolean;

  constructor(parts: Parts) {
    this.parts = parts;
    this.leaves = leavesOf(parts.policies);
    this.#awaits = this.leaves.some(({ op }) => op === "eventually");
    this.#rules = { actions: parts.actions, finder: new CandidateFinder(parts.index), questions: questionsOf(this.leaves) };
  }

  get questions(): Questions {
    return this.#rules.questions;
  }

  asks(agent: DecisionInput["agent"], name: string): readonly HistoryLeaf[] {
    if (this.leaves.length === 0) return none;
    const action = this.#rules.actions.get(name);
    const candidates = action && this.#rules.finder.find(agent, action)?.candidates;
    if (!candidates) return none;
    const known = this.#asks.get(candidates) ?? leavesOf([...candidates.always, ...[...(candidates.byResource?.values() ?? [])].flat()]);
    this.#asks.set(candidates, known);
    return known;
  }

  answered(input: DecisionInput): HistoryFacts {
    const answers = new ReadAnswers(input.history, this.#rules.questions);
    return Object.fromEntries(this.asks(input.agent, input.action).flatMap(({ id }) => {
      const answer = answers.get(id);
      return answer === undefined ? [] : [[id, answer]];
    }));
  }

  seen(input: DecisionInput): CallView | null {
    return seenCall(this.#rules, input);
  }

  promises(input: DecisionInput): readonly { readonly policy: string; readonly leaf: HistoryLeaf }[] {
    const awaited = (this.#awaits ? this.asks(input.agent, input.action) : none).filter(({ op }) => op === "eventually");
    if (awaited.length === 0) return [];
    const broken = this.judge({ ...input, history: { ...input.history, ...Object.fromEntries(awaited.map(({ id }) => [id, false])) } });
    return broken.satisfied.flatMap((policy) => (this.policy(policy)?.leaves ?? []).filter(({ op }) => op === "eventually").map((leaf) => ({ policy, leaf })));
  }

  get hash(): string {
    return this.parts.hash;
  }

  get bytes(): Uint8Array {
    return this.parts.lines.bytes;
  }

  get count(): number {
    return this.parts.lines.policies;
  }

  get bundle(): Bundle {
    return this.parts.lines.whole();
  }

  decide(input: DecisionInput): Decision {
    try {
      return decide(this.#rules, input);
    } catch {
      return denyUnasked("lanyard.bundle", "the policies could not be evaluated, by a fault of Lanyard's own"); // I5: a throw means deny
    }
  }

  judge(input: DecisionInput): Judgement {
    const found: Evaluation[] = [];
    const failed: Decision["errors"][number][] = [];
    for (const round of roundsOf(this.#rules, input)) {
      const one = find(this.#rules, round);
      if ("effect" in one) failed.push(...one.errors);
      else found.push(...one);
    }
    const ids = (policies: readonly ReadyPolicy[]): string[] => [...new Set(policies.map(({ id }) => id))].sort();
    return {
      candidates: ids(found.flatMap(({ candidates }) => candidates)),
      satisfied: ids(found.flatMap(({ satisfied }) => satisfied)),
      errors: [...failed, ...found.flatMap(({ errors }) => errors)],
    };
  }

  reasonsToAsk(input: DecisionInput): readonly string[] {
    return reasonsToAsk(this.#rules, (id) => this.policy(id), input);
  }

  explain(input: DecisionInput): PolicyExplanation[] {
    return explain(this.#rules, (id) => this.policy(id), input);
  }

  visible(agent: DecisionInput["agent"], actions: readonly string[]): string[] {
    return actions.filter((name) => {
      const action = this.#rules.actions.get(name);
      const answer = action && this.#rules.finder.find(agent, action);
      return answer !== null && couldAllow(answer.candidates);
    });
  }

  action(name: string): ActionShape | null {
    return this.#rules.actions.get(name)?.shape ?? null;
  }

  policy(id: string): Policy | null {
    return findPolicy(this.parts.lines, id);
  }
}
