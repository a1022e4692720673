import type { DecisionInput } from "@lanyard/contract";
import type { Entity } from "../cedar/request.ts";
import type { RecordShape } from "../schema/shape.ts";
import type { ReadyAction } from "./actions.ts";
import { agentEntity } from "./context.ts";
import { resourceReach } from "./head.ts";
import type { ReadyPolicy } from "./ready.ts";
import type { ArgumentWatch } from "./reads.ts";
import { searchIndex, type ScopeIndex } from "./scope-index.ts";
import { sameTexts } from "./texts.ts";

type Agent = DecisionInput["agent"];

/** The policies whose heads let them speak about an agent and an action: the only ones that can determine a decision. Each list is sorted by id. */
export interface Candidates {
  /** Those that speak of any resource that the action can have. */
  readonly always: readonly ReadyPolicy[];
  /** Those that speak of some resources only, by the resource's id; null when there are none. */
  readonly byResource: ReadonlyMap<string, readonly ReadyPolicy[]> | null;
  /**
   * What `always` looks for among arguments that a shape does not declare: made when there are such for the first time. Names of requests
   * are the agents' to choose, so it is not kept for each action but for each shape.
   */
  readonly watches: WeakMap<RecordShape, readonly ArgumentWatch[]>;
}

/** What is remembered of one agent and one action. */
export interface AgentOnAction {
  readonly team: string;
  readonly classes: readonly string[];
  readonly agent: Entity;
  readonly candidates: Candidates;
}

/** What is remembered for one bundle: questions, and places in the lists that answer them. Past either all is forgotten and asked anew. */
const remembered = { questions: 4096, places: 500_000 } as const;

/** Finds candidates, and remembers them by agent (with its team and classes) and action. Equal answers are one. */
export class CandidateFinder {
  readonly #index: ScopeIndex;
  #asked = new Map<ReadyAction, Map<string, AgentOnAction[]>>();
  #distinct = new Map<string, Candidates>();
  readonly #numbers = new Map<ReadyPolicy, number>();
  #count = 0;
  #places = 0;

  constructor(index: ScopeIndex) {
    this.#index = index;
  }

  /** Null when a name of the agent's is not Unicode text. */
  find(agent: Agent, action: ReadyAction): AgentOnAction | null {
    const known = this.#asked.get(action)?.get(agent.id);
    if (known !== undefined) for (const answer of known) if (answer.team === agent.team && sameTexts(answer.classes, agent.classes)) return answer;
    return this.#ask(agent, action);
  }

  #ask({ id, team, classes }: Agent, action: ReadyAction): AgentOnAction | null {
    if (![id, team, ...classes].every((name) => name.isWellFormed())) return null;
    if (this.#count >= remembered.questions || this.#places >= remembered.places) {
      this.#count = this.#places = 0;
      this.#asked = new Map();
      this.#distinct = new Map();
      this.#numbers.clear();
    }
    const agent = { id, team, classes: [...classes] };
    const answer = { team, classes: agent.classes, agent: agentEntity(agent), candidates: this.#search(agent, action) };
    const byAgent = this.#asked.get(action) ?? new Map<string, AgentOnAction[]>();
    this.#asked.set(action, byAgent);
    byAgent.set(id, [...(byAgent.get(id) ?? []), answer]);
    this.#count += 1;
    return answer;
  }

  #search(agent: Agent, action: ReadyAction): Candidates {
    const always: ReadyPolicy[] = [];
    const byResource = new Map<string, ReadyPolicy[]>();
    for (const policy of searchIndex(this.#index, agent, action.shape)) {
      const reach = resourceReach(policy.head.resource, action.shape);
      if (reach === "all") always.push(policy);
      else if (reach !== "none") for (const id of reach) byResource.set(id, [...(byResource.get(id) ?? []), policy]);
    }
    this.#places += always.length;
    for (const policies of byResource.values()) this.#places += policies.length;
    if (byResource.size > 0) return { always, byResource, watches: new WeakMap() };
    const key = always.map((policy) => this.#number(policy)).join();
    const same = this.#distinct.get(key);
    if (same !== undefined) {
      this.#places -= always.length;
      return same;
    }
    const found: Candidates = { always, byResource: null, watches: new WeakMap() };
    this.#distinct.set(key, found);
    return found;
  }

  /** A short name for a policy, so that the key of a list of them is small. */
  #number(policy: ReadyPolicy): number {
    const known = this.#numbers.get(policy);
    if (known !== undefined) return known;
    this.#numbers.set(policy, this.#numbers.size);
    return this.#numbers.size - 1;
  }
}

/**
 * True when some arguments, user, session and resource could make the action allowed or asked for: a permit's head matches, and no forbid
 * that always applies. When in doubt, true: what is listed is still decided on every call.
 */
export const couldAllow = ({ always, byResource }: Candidates): boolean => {
  if (always.some(({ effect, unconditional }) => effect === "forbid" && unconditional)) return false;
  return [always, ...(byResource?.values() ?? [])].some((policies) => policies.some(({ effect }) => effect === "permit"));
};
