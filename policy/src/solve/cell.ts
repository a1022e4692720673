import { webServer, type DecisionInput, type Json, type Registry } from "@lanyard/contract";
import { entitiesIn } from "../author/reading.ts";
import type { Bundle, EntityRef, Policy } from "../bundle.ts";
import { actionMatches, isOfTeam, principalMatches } from "../decide/head.ts";
import { transformOf } from "../decide/transform.ts";
import { requestAction, type ActionShape } from "../schema/schema.ts";
import { Encoder, type Verdict } from "./encode.ts";
import { onlyOf, type Names } from "./names.ts";
import { and, no, not, or, type Term } from "./term.ts";
import { CallSpace } from "./call-space.ts";
import { leavesOf } from "./known-space.ts";

type Agent = DecisionInput["agent"];

/** A policy under the number that equal ones share, whatever their names: effect, remedy, head and clauses. */
export interface Numbered {
  readonly policy: Policy;
  readonly number: number;
}

/**
 * What is decided about the calls of one agent to one action, as terms. Exactly one of the first three holds, but where policies change the
 * arguments: what the changed call comes to is not in the model, so there each of them may be.
 */
export interface Effects {
  readonly allow: Term;
  readonly ask: Term;
  readonly deny: Term;
  /** When policies change the arguments before they decide. */
  readonly changes: Term;
  /** When some policy errs, or an argument is there that policy cannot see. */
  readonly errs: Term;
  readonly gaps: ReadonlyMap<Policy, readonly string[]>;
}

/** The policies of one or more bundles, numbered together and translated once. */
export class Encoding {
  readonly names: Names;
  readonly #resources: Registry["resources"];
  readonly #leaves = new Map<string, "Bool" | "Long">();
  readonly #numbers = new Map<string, number>();
  readonly #verdicts = new Map<string, Verdict>();
  /** Whether clauses speak of agents, of actions. */
  readonly #speaks = new WeakMap<object, { readonly ofAgents: boolean; readonly ofActions: boolean }>();
  readonly #shapes = new WeakMap<ActionShape, Map<string, string>>();

  constructor(names: Names, resources: Registry["resources"]) {
    this.names = names;
    this.#resources = resources;
  }

  number({ policies }: Pick<Bundle, "policies">): Numbered[] {
    for (const [id, type] of leavesOf(policies)) this.#leaves.set(id, type);
    return policies.map((policy) => {
      const key = JSON.stringify([policy.effect, policy.approvers, transformOf(policy.remedy), policy.head, policy.conditions]);
      const known = this.#numbers.get(key);
      if (known === undefined) this.#numbers.set(key, this.#numbers.size);
      return { policy, number: known ?? this.#numbers.size - 1 };
    });
  }

  space(agent: Agent, action: ActionShape): CallSpace {
    return new CallSpace(this.names, agent, action, { resources: this.#resources, leaves: this.#leaves });
  }

  /** What a policy whose head speaks of the space's agent and action says of its calls. */
  verdict(space: CallSpace, { policy, number }: Numbered): Verdict {
    const key = `${number} ${this.#about(space, policy)}`;
    const known = this.#verdicts.get(key);
    if (known !== undefined) return known;
    const { holds, errs, gaps } = new Encoder(space).policy(policy.head, policy.conditions);
    const verdict = { holds: this.names.definition(holds), errs: this.names.definition(errs), gaps };
    this.#verdicts.set(key, verdict);
    return verdict;
  }

  /** What of a space a policy can tell apart: equal answers may share a translation. */
  #about({ agent, action }: CallSpace, { conditions, head, reads }: Policy): string {
    if (conditions.length === 0 && head.resource.op === "All") return "";
    const speaks = this.#speaks.get(conditions) ?? { ofAgents: /"(?:principal|Agent)"/.test(JSON.stringify(conditions)), ofActions: /"(?:action|Action)"/.test(JSON.stringify(conditions)) };
    this.#speaks.set(conditions, speaks);
    const who = speaks.ofAgents ? JSON.stringify([agent.id, agent.team, agent.classes]) : "";
    const what = speaks.ofActions ? action.name : "";
    return `${who} ${what} ${action.server} ${action.resourceType} ${this.#shape(action, reads)}`;
  }

  #shape(action: ActionShape, reads: Policy["reads"]): string {
    const known = this.#shapes.get(action) ?? new Map<string, string>();
    this.#shapes.set(action, known);
    const fields = [...new Set(reads.map(({ path }) => path[0] ?? "\0"))];
    if (fields.includes("\0")) return JSON.stringify(action.input);
    return fields
      .map((name) => {
        const before = known.get(name);
        if (before !== undefined) return before;
        const made = JSON.stringify(action.input.fields.find((field) => field.name === name) ?? [name]);
        known.set(name, made);
        return made;
      })
      .join();
  }

  /** The rules of `combine`, as terms. */
  effects(space: CallSpace, candidates: readonly Numbered[]): Effects {
    const gaps = new Map<Policy, readonly string[]>();
    const errs: Term[] = [];
    const holding = candidates.map(({ policy, number }) => {
      const verdict = this.verdict(space, { policy, number });
      if (verdict.gaps.length > 0) gaps.set(policy, verdict.gaps);
      errs.push(verdict.errs);
      return { policy, holds: verdict.holds };
    });
    for (const { policy } of candidates) errs.push(and(space.reach(policy.head.resource), space.unseen(policy.reads)));
    const those = (test: (policy: Policy) => boolean): Term => or(...holding.filter(({ policy }) => test(policy)).map(({ holds }) => holds));
    const decided = and(not(or(...errs)), not(those(({ effect, approvers, remedy }) => effect === "forbid" && approvers.length === 0 && transformOf(remedy) === "")), those(({ effect }) => effect === "permit"), space.always());
    const remedied = holding.filter(({ policy }) => policy.effect === "forbid" && policy.approvers.length > 0);
    const anyRemedied = or(...remedied.map(({ holds }) => holds));
    const missing = or(...remedied.map(({ policy, holds }) => and(holds, not(and(...policy.approvers.map((group) => this.names.member(space.approvals, this.names.constant(group))))))));
    const changers = holding.filter(({ policy }) => transformOf(policy.remedy) !== "");
    const changes = and(decided, or(...changers.map(({ holds }) => holds)));
    const allow = and(decided, not(anyRemedied));
    const ask = anyRemedied === no ? no : and(decided, missing);
    const deny = and(space.always(), not(or(allow, ask)));
    if (changes === no) return { allow, ask, deny, changes, errs: or(...errs), gaps };
    for (const { policy } of changers) gaps.set(policy, [...(gaps.get(policy) ?? []), "a change of the arguments (`transform:`)"]);
    return { allow: or(allow, changes), ask: or(ask, changes), deny: or(deny, changes), changes, errs: or(...errs), gaps };
  }
}

/** That nobody has approved the call yet. */
export const unapproved = ({ names, approvals }: CallSpace): Term => onlyOf(names, approvals, []);

/** Every entity that policies name, in their heads and in their clauses. */
export const entitiesOf = (policies: readonly Policy[]): EntityRef[] => entitiesIn(policies.map(({ head, conditions }) => [head, conditions]) as unknown as Json);

/**
 * Every action of a bundle, and those requests to its servers that policies name anywhere, or that none of them names. `policies` are all
 * that are asked about in one question: what only the other bundle names is told apart too.
 */
export const actionsIn = ({ actions, policies: own }: Pick<Bundle, "actions" | "policies">, policies: readonly Policy[] = own): ActionShape[] => {
  const servers = new Set(actions.flatMap(({ server }) => (server === webServer ? [] : [server]))); // Nothing but its tools can be asked of the web.
  const known = new Map(actions.map((action) => [action.name, action]));
  const add = (server: string, method: string): void => {
    const action = requestAction(server, method);
    if (!known.has(action.name)) known.set(action.name, action);
  };
  const named = new Set(entitiesOf(policies).flatMap(({ type, id }) => (type === "Action" ? [id] : [])));
  for (const id of named) {
    const [, server = "", method = ""] = /^([^/]+)\/mcp:(.+)$/s.exec(id) ?? [];
    if (servers.has(server)) add(server, method);
  }
  for (const server of servers) {
    let other = "x/any-other";
    while (named.has(`${server}/mcp:${other}`)) other += "-";
    add(server, other);
  }
  return [...known.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
};

/** Agents by the registry, sorted by name. */
export const agentsIn = ({ agents }: Pick<Registry, "agents">): Agent[] =>
  Object.keys(agents)
    .sort()
    .flatMap((id) => {
      const agent = agents[id];
      return agent === undefined ? [] : [{ id, team: agent.team, classes: agent.classes }];
    });

/** Finds the policies whose heads speak of an agent and an action, without asking every policy about every pair. */
export class Heads {
  readonly #policies: readonly Numbered[];
  readonly #agents = new Map<string, Uint8Array>();
  readonly #actions = new Map<string, readonly number[]>();

  constructor(policies: readonly Numbered[]) {
    this.#policies = policies;
  }

  candidates(agent: Agent, action: ActionShape): readonly Numbered[] {
    const ofAgent = this.#ofAgent(agent);
    return this.#ofAction(action).flatMap((index) => (ofAgent[index] === 1 ? (this.#policies[index] ?? []) : []));
  }

  #ofAgent(agent: Agent): Uint8Array {
    const key = JSON.stringify([agent.id, agent.team, agent.classes]);
    const known = this.#agents.get(key);
    if (known !== undefined) return known;
    const found = Uint8Array.from(this.#policies, ({ policy }) => (isOfTeam(policy.team, agent) && principalMatches(policy.head.principal, agent) ? 1 : 0));
    this.#agents.set(key, found);
    return found;
  }

  #ofAction(action: ActionShape): readonly number[] {
    const known = this.#actions.get(action.name);
    if (known !== undefined) return known;
    const found = this.#policies.flatMap(({ policy }, index) => (actionMatches(policy.head.action, action) ? [index] : []));
    this.#actions.set(action.name, found);
    return found;
  }
}
