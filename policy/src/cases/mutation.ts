import type { DecisionInput } from "@lanyard/contract";
import { encodeBundle, type Bundle, type Policy } from "../bundle.ts";
import { openSnapshot, type Snapshot } from "../decide/snapshot.ts";
import { transformOf } from "../decide/transform.ts";
import { mutantsOf, type Mutant } from "./mutants.ts";
import type { ReadyCase } from "./ready.ts";
import { holds } from "./run.ts";

/** A mistake that no case notices. */
export interface Survivor {
  readonly policy: string;
  readonly file: string;
  readonly line: number;
  /** The mistake in words. */
  readonly edit: string;
}

/** How many mistakes in the policies the cases would notice. */
export interface Mutation {
  readonly mutants: number;
  readonly noticed: number;
  /** In policies that some case comes to; sorted by file and line. */
  readonly survivors: readonly Survivor[];
  /** Policies that no case comes to: none of their mistakes can be noticed. */
  readonly unasked: readonly string[];
}

/** What the policies as they are make of a call. */
interface Heard {
  readonly one: ReadyCase;
  readonly input: DecisionInput;
  readonly world: Opened;
  readonly held: ReadonlySet<string>;
  readonly erred: ReadonlySet<string>;
}

/** A question which tools are shown, with the policies whose heads have a part in the answer. */
interface Shown {
  readonly one: ReadyCase;
  readonly world: Opened;
  readonly agent: DecisionInput["agent"];
  readonly actions: readonly string[];
  readonly heads: readonly string[];
}

interface Material {
  readonly heard: readonly Heard[];
  readonly shown: readonly Shown[];
  /** The calls that come to a policy, by its id. */
  readonly callsOf: ReadonlyMap<string, readonly Heard[]>;
}

/**
 * Makes small mistakes in the policies, one at a time, and asks every case that could notice. The cases must all come out as expected
 * before. `progress` is called with each policy that is done.
 */
export const mutationOf = (ready: readonly ReadyCase[], policies: readonly Policy[], progress: (done: number, total: number) => void = () => {}): Mutation => {
  const material = hear(ready);
  const asked = new Set([...material.callsOf.keys(), ...material.shown.flatMap(({ heads }) => heads)]);
  const survivors: Survivor[] = [];
  let [mutants, noticed] = [0, 0];
  for (const [done, policy] of policies.entries()) {
    for (const mutant of mutantsOf(policy)) {
      mutants += 1;
      if (isHeard(mutant, material) || isSeen(mutant, material.shown)) noticed += 1;
      else if (asked.has(policy.id)) survivors.push({ policy: policy.id, file: policy.file, line: mutant.line, edit: mutant.edit });
    }
    progress(done + 1, policies.length);
  }
  survivors.sort((left, right) => left.file.localeCompare(right.file) || left.line - right.line);
  return { mutants, noticed, survivors, unasked: policies.map(({ id }) => id).filter((id) => !asked.has(id)) };
};

const hear = (ready: readonly ReadyCase[]): Material => {
  const worlds = new Map<Snapshot, Opened>();
  const [heard, shown]: [Heard[], Shown[]] = [[], []];
  const callsOf = new Map<string, Heard[]>();
  for (const one of ready) {
    const { ask, snapshot } = one;
    const world = worlds.get(snapshot) ?? new Opened(snapshot);
    worlds.set(snapshot, world);
    if (ask.kind === "sees") {
      const heads = [...new Set(ask.actions.flatMap((action) => snapshot.judge(probeOf(snapshot, ask.agent, action)).candidates))];
      shown.push({ one, world, agent: ask.agent, actions: ask.actions, heads });
    }
    if (ask.kind !== "call") continue;
    const { candidates, satisfied, errors } = snapshot.judge(ask.input);
    const call: Heard = { one, input: ask.input, world, held: new Set(satisfied), erred: new Set(errors.map(({ policy }) => policy)) };
    heard.push(call);
    for (const id of candidates) {
      const calls = callsOf.get(id) ?? [];
      calls.push(call);
      callsOf.set(id, calls);
    }
  }
  return { heard, shown, callsOf };
};

/** A question about heads only. */
const probeOf = (snapshot: Snapshot, agent: DecisionInput["agent"], action: string): DecisionInput => {
  const type = snapshot.action(action)?.resourceType ?? "Server";
  return {
    agent,
    user: { id: "", groups: [] },
    session: { id: "", purpose: "", depth: 0, labels: [], isolation: "none" },
    action,
    ...(type !== "Server" && { resources: [{ type, id: "", labels: [], owner: null }] }),
    args: {},
    approvals: [],
    nowMs: 0,
  };
};

/** A snapshot's parts, to build small bundles of: a policy that does not hold could as well not be there. */
class Opened {
  readonly #bundle: Bundle;
  readonly #byId: ReadonlyMap<string, Policy>;
  readonly #byName: ReadonlyMap<string, Bundle["actions"][number]>;

  constructor({ bundle }: Snapshot) {
    this.#bundle = { ...bundle, schema: {}, tests: [] };
    this.#byId = new Map(bundle.policies.map((policy) => [policy.id, policy]));
    this.#byName = new Map(bundle.actions.map((action) => [action.name, action]));
  }

  /** Whether one of these policies has arguments changed. */
  changes(ids: readonly string[]): boolean {
    return ids.some((id) => transformOf(this.#byId.get(id)?.remedy ?? "") !== "");
  }

  /** These policies, by id but for the one in hand, with as many actions as the questions need. */
  snapshot(ids: Iterable<string>, hand: Policy | null, names: Iterable<string>): Snapshot {
    const policies = [...[...ids].flatMap((id) => this.#byId.get(id) ?? []), ...(hand === null ? [] : [hand])];
    const actions = [...new Map([...names].flatMap((name) => this.#action(name)).map((action) => [action.name, action])).values()];
    const sorted = <T>(items: T[], key: (item: T) => string): T[] => items.sort((left, right) => (key(left) < key(right) ? -1 : 1));
    return openSnapshot(encodeBundle({ ...this.#bundle, policies: sorted(policies, ({ id }) => id), actions: sorted(actions, ({ name }) => name) }).bytes);
  }

  /** One of the same server stands for a request that the bundle knows by its server only. */
  #action(name: string): Bundle["actions"] {
    const known = this.#byName.get(name);
    if (known !== undefined) return [known];
    const server = name.split("/")[0];
    return this.#bundle.actions.filter((action) => action.server === server).slice(0, 1);
  }
}

/**
 * First the policy alone: only where it now holds, fails or weighs otherwise can the answer be another. Then with those that spoke before. Where
 * arguments are changed a policy alone says nothing of the changed call, so there all are asked at once.
 */
const isHeard = (mutant: Mutant, { heard, callsOf }: Material): boolean => {
  const { original: { id }, policy, widens } = mutant;
  const calls = widens ? heard : (callsOf.get(id) ?? []);
  const weighs = weighsOtherwise(mutant);
  for (const [world, several] of Map.groupBy(calls, (call) => call.world)) {
    const alone = policy && world.snapshot([], policy, new Set(several.map(({ input }) => input.action)));
    for (const { one, input, held, erred } of several) {
      const before = statusIn(id, held, erred);
      const judged = alone?.judge(input);
      const after = judged ? statusIn(id, new Set(judged.satisfied), new Set(judged.errors.map((error) => error.policy))) : "silent";
      if (before === after && (before === "silent" || !weighs) && !world.changes([...held, id])) continue;
      const others = new Set([...held, ...erred]);
      others.delete(id);
      if (!holds(one, world.snapshot(others, policy, [input.action]))) return true;
    }
  }
  return false;
};

const statusIn = (id: string, held: ReadonlySet<string>, erred: ReadonlySet<string>): "held" | "erred" | "silent" => (erred.has(id) ? "erred" : held.has(id) ? "held" : "silent");

const weighsOtherwise = ({ original, policy }: Mutant): boolean =>
  policy === null || policy.effect !== original.effect || policy.remedy !== original.remedy || policy.approvers.join() !== original.approvers.join();

/** What is shown depends on heads, effects, and whether there are conditions at all. */
const isSeen = (mutant: Mutant, shown: readonly Shown[]): boolean => {
  const { original, policy, widens } = mutant;
  if (policy !== null && policy.head === original.head && policy.effect === original.effect && policy.unconditional === original.unconditional) return false;
  return shown.some(({ one, world, actions, heads }) => {
    if (!widens && !heads.includes(original.id)) return false;
    return !holds(one, world.snapshot(heads.filter((id) => id !== original.id), policy, actions));
  });
};
