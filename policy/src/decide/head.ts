import type { DecisionInput } from "@lanyard/contract";
import type { EntityRef, Policy, Scope } from "../bundle.ts";
import type { ActionShape } from "../schema/schema.ts";

type Agent = DecisionInput["agent"];
type Head = Policy["head"];

const isAgent = ({ type, id }: EntityRef, agent: Agent): boolean => type === "Agent" && id === agent.id;

const holdsAgent = (entity: EntityRef, agent: Agent): boolean =>
  isAgent(entity, agent) || (entity.type === "Team" && entity.id === agent.team) || (entity.type === "AgentClass" && agent.classes.includes(entity.id));

/** True when a head speaks of this agent. */
export const principalMatches = (scope: Scope, agent: Agent): boolean => {
  if (scope.op === "All") return true;
  if (scope.op === "==") return isAgent(scope.entity, agent);
  if (scope.op === "is") return scope.entity_type === "Agent" && (scope.in === undefined || holdsAgent(scope.in.entity, agent));
  return "entity" in scope ? holdsAgent(scope.entity, agent) : scope.entities.some((entity) => holdsAgent(entity, agent));
};

/**
 * Invariant: a team's policy speaks of the agents that are the team's at the time of the call, and of no other, whatever its head names. A
 * bundle says so when it is compiled; an agent that changed its team since, under a bundle that could not be compiled anew, is no longer theirs.
 */
export const isOfTeam = (team: string, agent: Agent): boolean => team === "" || team === agent.team;

/** True when a head speaks of this action. */
export const actionMatches = (scope: Scope, action: ActionShape): boolean => {
  const holds = ({ type, id }: EntityRef): boolean => type === "Action" && (id === action.name || action.groups.includes(id));
  if (scope.op === "==") return scope.entity.type === "Action" && scope.entity.id === action.name;
  if (scope.op === "in") return "entity" in scope ? holds(scope.entity) : scope.entities.some(holds);
  return scope.op === "All" || (scope.entity_type === "Action" && (scope.in === undefined || holds(scope.in.entity)));
};

/** Which resources of an action a head speaks of: all that it can have, none, or those of these ids. */
export type ResourceReach = "all" | "none" | readonly string[];

/** A resource is the action's server, or an entity of the action's type that lies in that server. */
export const resourceReach = (scope: Scope, { resourceType, server }: Pick<ActionShape, "resourceType" | "server">): ResourceReach => {
  const among = (entities: readonly EntityRef[]): ResourceReach => {
    if (resourceType !== "Server" && entities.some(({ type, id }) => type === "Server" && id === server)) return "all";
    const named = entities.filter(({ type }) => type === resourceType).map(({ id }) => id);
    if (resourceType === "Server") return named.includes(server) ? "all" : "none";
    return named.length === 0 ? "none" : named;
  };
  if (scope.op === "All") return "all";
  if (scope.op === "==") return scope.entity.type === resourceType ? among([scope.entity]) : "none";
  if (scope.op === "in") return among("entity" in scope ? [scope.entity] : scope.entities);
  if (scope.entity_type !== resourceType) return "none";
  return scope.in === undefined ? "all" : among([scope.in.entity]);
};

/** The keys under which a policy is found by the action, and by the agent, that a call is about: one of each at least matches. */
export const keysOf = ({ action, principal }: Head): { readonly actions: readonly string[]; readonly agents: readonly string[] } => ({
  actions: scopeKeys(action, (entity) => (entity.type === "Action" ? [entity.id] : [])),
  agents: scopeKeys(principal, (entity) => [`${entity.type}\0${entity.id}`]),
});

/** Found by any question. */
const any = "*\0";

const scopeKeys = (scope: Scope, keys: (entity: EntityRef) => readonly string[]): readonly string[] => {
  if (scope.op === "All") return [any];
  if (scope.op === "==") return keys(scope.entity);
  if (scope.op === "is") return scope.in === undefined ? [any] : keys(scope.in.entity);
  return [...new Set("entity" in scope ? keys(scope.entity) : scope.entities.flatMap(keys))];
};

/** The keys that a call's action, and its agent, have: a policy whose head matches is under one of each. */
export const questionKeys = (agent: Agent, action: ActionShape): { readonly actions: readonly string[]; readonly agents: readonly string[] } => ({
  actions: [...new Set([any, action.name, ...action.groups])],
  agents: [...new Set([any, `Agent\0${agent.id}`, `Team\0${agent.team}`, ...agent.classes.map((name) => `AgentClass\0${name}`)])],
});
