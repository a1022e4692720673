import type { DecisionInput } from "@lanyard/contract";
import type { Bundle, EntityRef, Policy, Scope } from "../bundle.ts";
import { requestAction, type ActionShape } from "../schema/schema.ts";

type Agent = DecisionInput["agent"];

const isAgent = ({ type, id }: EntityRef, agent: Agent): boolean => type === "Agent" && id === agent.id;

const holdsAgent = (entity: EntityRef, agent: Agent): boolean =>
  isAgent(entity, agent) || (entity.type === "Team" && entity.id === agent.team) || (entity.type === "AgentClass" && agent.classes.includes(entity.id));

const principalMatches = (scope: Scope, agent: Agent): boolean => {
  if (scope.op === "All") return true;
  if (scope.op === "==") return isAgent(scope.entity, agent);
  if (scope.op === "is") return scope.entity_type === "Agent" && (scope.in === undefined || holdsAgent(scope.in.entity, agent));
  return "entity" in scope ? holdsAgent(scope.entity, agent) : scope.entities.some((entity) => holdsAgent(entity, agent));
};

const actionMatches = (scope: Scope, action: ActionShape): boolean => {
  const holds = ({ type, id }: EntityRef): boolean => type === "Action" && (id === action.name || action.groups.includes(id));
  if (scope.op === "==") return scope.entity.id === action.name;
  if (scope.op === "in") return "entity" in scope ? holds(scope.entity) : scope.entities.some(holds);
  return true;
};

const resourceMatches = (scope: Scope, action: ActionShape): boolean => {
  const isServer = ({ type, id }: EntityRef): boolean => type === "Server" && id === action.server;
  if (scope.op === "==") return isServer(scope.entity);
  if (scope.op === "in") return "entity" in scope ? isServer(scope.entity) : scope.entities.some(isServer);
  return scope.op === "All" || (scope.entity_type === "Server" && (scope.in === undefined || isServer(scope.in.entity)));
};

/** A bundle made ready to be asked: actions by name, candidates remembered. */
export interface Rules {
  readonly bundle: Bundle;
  /** The action of this name; any MCP method of a known server is one; null for a tool that the bundle does not know. */
  action(name: string): ActionShape | null;
  /**
   * The policies whose head lets them speak about this agent and action, sorted by id: the only ones that can determine a decision.
   * Equal answers are the same array.
   */
  candidates(agent: Agent, action: ActionShape): readonly Policy[];
  /**
   * True when some arguments, user and session could make the action allowed or asked for: a permit's head matches, and no forbid
   * that always applies. When in doubt, true: what is listed is still decided on every call.
   */
  couldAllow(agent: Agent, action: ActionShape): boolean;
}

/** Questions remembered for one bundle; past it all are forgotten and asked anew. */
const rememberedQuestions = 4096;

/** Makes a bundle ready; costs no more than reading its list of actions. */
export const openRules = (bundle: Bundle): Rules => {
  const actions = new Map(bundle.actions.map((action) => [action.name, action]));
  const servers = new Set(bundle.actions.map(({ server }) => server));
  const asked = new Map<string, readonly Policy[]>();
  const distinct = new Map<string, readonly Policy[]>();

  const search = (agent: Agent, action: ActionShape): readonly Policy[] => {
    const matches = ({ head }: Policy): boolean =>
      principalMatches(head.principal, agent) && actionMatches(head.action, action) && resourceMatches(head.resource, action);
    const found = bundle.policies.filter(matches);
    const key = found.map(({ id }) => id).join("\0");
    const same = distinct.get(key);
    if (same === undefined) distinct.set(key, found);
    return same ?? found;
  };

  const candidates = (agent: Agent, action: ActionShape): readonly Policy[] => {
    const key = [action.name, agent.id, agent.team, ...agent.classes].join("\0");
    const known = asked.get(key);
    if (known !== undefined) return known;
    if (asked.size >= rememberedQuestions) {
      asked.clear();
      distinct.clear();
    }
    const found = search(agent, action);
    asked.set(key, found);
    return found;
  };

  return {
    bundle,
    action: (name) => {
      const [, server = "", method = ""] = /^([^/]+)\/mcp:(.+)$/s.exec(name) ?? [];
      return actions.get(name) ?? (servers.has(server) && method.isWellFormed() ? requestAction(server, method) : null);
    },
    candidates,
    couldAllow: (agent, action) => {
      const found = candidates(agent, action);
      return found.some(({ effect }) => effect === "permit") && !found.some(({ effect, unconditional }) => effect === "forbid" && unconditional);
    },
  };
};
