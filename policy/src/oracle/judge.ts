import type { Decision, DecisionInput, ResourceFact } from "@lanyard/contract";
import type { CedarValueJson, PolicyJson } from "@cedar-policy/cedar-wasm/nodejs";
import { decodeBundle, type Bundle, type Policy } from "../bundle.ts";
import { refuseUnknown, typedArguments } from "../decide/admit.ts";
import { combine, denyUnasked, isChange, unite, type RoundResult } from "../decide/combine.ts";
import { isOfTeam } from "../decide/head.ts";
import { unseenRead, watchesOf } from "../decide/reads.ts";
import { decideChanged, type RoundInput } from "../decide/rounds.ts";
import { transformOf } from "../decide/transform.ts";
import { questionsOf, type Questions } from "../temporal/answers.ts";
import { requestAction, type ActionShape } from "../schema/schema.ts";
import { knownContext } from "./known-context.ts";
import { evaluatePermits, parsePermits, type CedarRequest } from "./permits.ts";

const bounds = {
  /** Bundles kept; the one used longest ago goes first. */
  bundles: 4,
  /** Pre-parsed sets kept, and policies in all of them together: ten thousand take some 37 MB. */
  sets: 64,
  policies: 20_000,
  /** A bundle of so many policies is judged whole, a larger one by those that name the action: Cedar takes 5 us for each. */
  whole: 2000,
} as const;

/** A bundle as the judge keeps it. */
interface Opened {
  readonly hash: string;
  readonly bundle: Bundle;
  readonly questions: Questions;
  readonly actions: ReadonlyMap<string, ActionShape>;
  readonly servers: ReadonlySet<string>;
}

/** Policies that Cedar has parsed under a name. */
interface ParsedSet {
  readonly slot: string;
  readonly policies: readonly Policy[];
}

/**
 * Cedar's own evaluator as the second opinion on decisions: what is admitted and how verdicts combine is the product's, what policies say of a
 * request is Cedar's, heads included, so that index, context and evaluator are all checked. Sets of parsed policies live in a bounded number
 * of named slots, because cedar-wasm keeps one for ever unless its name is used again.
 *
 * A thrown error leaves the wasm instance in an unknown state: the thread must be given up.
 */
export class CedarJudge {
  readonly #bundles = new Map<string, Opened>();
  readonly #sets = new Map<string, ParsedSet>();
  readonly #free = Array.from({ length: bounds.sets }, (_, index) => `slot${index}`);
  #held = 0;

  /** Takes a bundle; returns the hashes of those that are still kept. Throws Fault `invalid_config` when the bytes are none. */
  load(hash: string, bytes: Uint8Array): string[] {
    const bundle = decodeBundle(bytes);
    this.#bundles.set(hash, {
      hash,
      bundle,
      questions: questionsOf([...new Map(bundle.policies.flatMap(({ leaves = [] }) => leaves.map((leaf) => [leaf.id, leaf] as const))).values()].sort((left, right) => (left.id < right.id ? -1 : 1))),
      actions: new Map(bundle.actions.map((action) => [action.name, action])),
      servers: new Set(bundle.actions.map(({ server }) => server)),
    });
    for (const oldest of this.#bundles.keys()) if (this.#bundles.size > bounds.bundles) this.#bundles.delete(oldest);
    return [...this.#bundles.keys()];
  }

  /** What Cedar decides; as a snapshot of the bundle should. The bundle must be loaded. */
  judge(hash: string, input: DecisionInput): Decision {
    const opened = this.#bundles.get(hash);
    if (opened === undefined) throw new Error(`bundle ${hash} is not loaded`);
    const action = actionOf(opened, input.action);
    const first = this.#once(opened, action, input);
    return isChange(first) ? decideChanged(action, input, first, (round) => this.#once(opened, action, round)) : first;
  }

  #once(opened: Opened, action: ActionShape | null, input: RoundInput): RoundResult {
    const refused = refuseUnknown(action, input);
    if (action === null || refused !== null) return refused ?? denyUnasked("lanyard.catalog", "the action is not known");
    const known = typedArguments(action, input);
    if ("refused" in known) return known.refused;
    const resources = input.resources !== undefined && input.resources.length > 0 ? input.resources : [null];
    const requests = resources.map((resource) => requestOf(action, input, known.typed, resource, opened.questions));
    const unseen = this.#unseen(opened, action, input, requests);
    if (unseen !== null) return denyUnasked("lanyard.arguments", unseen);
    const { slot, policies } = this.#setOf(opened, action, "whole");
    const byId = new Map(policies.filter(({ team }) => isOfTeam(team, input.agent)).map((policy) => [policy.id, policy]));
    const outcomes = requests.map((request) => {
      const { satisfied, errors } = evaluatePermits(slot, request);
      const determining = satisfied.flatMap((id) => byId.get(id) ?? []).map(({ effect, approvers, id, reason, remedy }) => ({ effect, approvers, transform: transformOf(remedy), reason: { policy: id, text: reason, remedy } }));
      return combine(determining, errors.filter(({ policy }) => byId.has(policy)), input);
    });
    return unite(outcomes);
  }

  /** Why policies cannot be asked, in words: one whose head matches speaks about an argument that they are not shown. */
  #unseen(opened: Opened, action: ActionShape, { args, agent }: DecisionInput, requests: readonly CedarRequest[]): string | null {
    const { policies } = this.#setOf(opened, action, "whole");
    if (unseenRead(watchesOf(policies, action.input), action.input, args) === null) return null;
    const { slot } = this.#setOf(opened, action, "heads");
    const matching = new Set(requests.flatMap((request) => evaluatePermits(slot, request).satisfied));
    const found = unseenRead(watchesOf(policies.filter(({ id, team }) => matching.has(id) && isOfTeam(team, agent)), action.input), action.input, args);
    return found && `policy \`${found.policy}\` speaks about the argument \`${found.path.join(".")}\`, which the action's schema does not let policy see`;
  }

  #setOf(opened: Opened, action: ActionShape, part: "whole" | "heads"): ParsedSet {
    const { bundle, hash } = opened;
    const isSmall = bundle.policies.length <= bounds.whole;
    const key = `${part} ${hash} ${isSmall ? "" : action.name}`;
    const known = this.#sets.get(key);
    if (known !== undefined) {
      this.#sets.delete(key); // move it to the young end
      this.#sets.set(key, known);
      return known;
    }
    const policies = isSmall ? bundle.policies : bundle.policies.filter((policy) => mayNameAction(policy, action));
    const slot = this.#slotFor(policies.length);
    parsePermits(slot, policies.map((policy) => [policy.id, part === "whole" ? asPermit(policy) : headOf(policy)]));
    const set = { slot, policies };
    this.#held += policies.length;
    this.#sets.set(key, set);
    return set;
  }

  #slotFor(policies: number): string {
    for (const [key, { slot, policies: old }] of this.#sets) {
      if (this.#free.length > 0 && this.#held + policies <= bounds.policies) break;
      this.#sets.delete(key);
      this.#held -= old.length;
      this.#free.push(slot);
      parsePermits(slot, []);
    }
    return this.#free.pop() ?? "slot0";
  }
}

const actionOf = ({ actions, servers }: Opened, name: string): ActionShape | null => {
  const [, server = "", method = ""] = /^([^/]+)\/mcp:(.+)$/s.exec(name) ?? [];
  return actions.get(name) ?? (servers.has(server) && method.isWellFormed() ? requestAction(server, method) : null);
};

/** Read from the head once more, by other code than the index has. */
const mayNameAction = ({ head: { action } }: Policy, { name, groups }: ActionShape): boolean => {
  if (action.op === "All" || action.op === "is") return true;
  const named = "entity" in action ? [action.entity.id] : action.entities.map(({ id }) => id);
  return named.some((id) => id === name || (action.op === "in" && groups.includes(id)));
};

/** Both words have six letters, so that every other place in the text stays where it is. */
const asPermit = ({ text, cedar = text, keyword }: Policy): string => `${cedar.slice(0, keyword)}permit${cedar.slice(keyword + 6)}`;

const headOf = ({ head }: Policy): PolicyJson => ({ effect: "permit", ...head, conditions: [] }) as unknown as PolicyJson;

const ref = (type: string, id: string): { type: string; id: string } => ({ type, id });
const value = (type: string, id: string): CedarValueJson => ({ __entity: { type, id } });

const requestOf = (action: ActionShape, { agent, user, session, approvals, remedies = [], reversibility = "unknown", nowMs, ...known }: RoundInput, typed: CedarValueJson, resource: ResourceFact | null, questions: Questions): CedarRequest => ({
  principal: ref("Agent", agent.id),
  action: ref("Action", action.name),
  resource: resource === null ? ref("Server", action.server) : ref(resource.type, resource.id),
  context: {
    input: typed,
    user: value("User", user.id),
    session: { id: session.id, purpose: session.purpose, depth: session.depth, labels: [...session.labels], isolation: session.isolation },
    approvals: approvals.map((group) => value("Group", group)),
    remedies: [...remedies],
    reversibility,
    ...knownContext(action, known, questions),
    // By hand, because Cedar reads no year past 9999.
    now: { __extn: { fn: "offset", args: [{ __extn: { fn: "datetime", arg: "1970-01-01" } }, { __extn: { fn: "duration", arg: `${Math.trunc(nowMs)}ms` } }] } },
  },
  entities: [
    { uid: ref("Agent", agent.id), attrs: {}, parents: [...agent.classes.map((name) => ref("AgentClass", name)), ref("Team", agent.team)] },
    { uid: ref("User", user.id), attrs: {}, parents: user.groups.map((name) => ref("Group", name)) },
    { uid: ref("Action", action.name), attrs: {}, parents: action.groups.map((name) => ref("Action", name)) },
    resource === null
      ? { uid: ref("Server", action.server), attrs: {}, parents: [] }
      : {
          uid: ref(resource.type, resource.id),
          attrs: { labels: [...resource.labels], ...(resource.owner === null ? {} : { owner: value("Team", resource.owner) }) },
          parents: [ref("Server", action.server)],
        },
  ],
});
