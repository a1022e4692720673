import { isObject, type DecisionInput, type Json, type Registry } from "@lanyard/contract";
import type { Policy } from "../bundle.ts";
import { principalMatches } from "../decide/head.ts";

type Agent = DecisionInput["agent"];

/** All sets of classes up to so many classes; beyond, sets of at most two. */
const allSetsUpTo = 5;

/** Why agents with many classes are left out though a policy could tell them apart by more than two of them; null when none is left out. */
export const strangersLeftOut = (policies: readonly Policy[]): string | null => {
  const named = { Team: new Set<string>(), AgentClass: new Set<string>(), Agent: new Set<string>() };
  for (const { head, conditions } of policies) collect([head.principal, conditions] as unknown as Json, named);
  const asks = policies.some(({ conditions }) => JSON.stringify(conditions).includes('"AgentClass"'));
  return asks && named.AgentClass.size > allSetsUpTo ? `policies name ${named.AgentClass.size} classes of agents, and of agents that nobody registered yet only those with two of them or fewer are looked at` : null;
};

/** Agents that nobody registered yet, as far as policies could tell them apart: of each team and of none they know, with classes they name. */
const strangersTo = (policies: readonly Policy[], registry: Registry): Agent[] => {
  const named = { Team: new Set(Object.keys(registry.teams)), AgentClass: new Set<string>(), Agent: new Set<string>() };
  for (const { head, conditions } of policies) collect([head.principal, conditions] as unknown as Json, named);
  const ids = ["unregistered-agent", ...[...named.Agent].filter((id) => !Object.hasOwn(registry.agents, id)).sort()];
  const teams = ["unregistered-team", ...[...named.Team].sort()];
  const classes = setsOf([...named.AgentClass].sort());
  return ids.flatMap((id) => teams.flatMap((team) => classes.map((set): Agent => ({ id, team, classes: set }))));
};

/** Registered agents, and those strangers that policies can tell from them and from each other. */
export const withStrangers = (agents: readonly Agent[], policies: readonly Policy[], registry: Registry): Agent[] => {
  const known = new Set<string>();
  const tellsApart = /"(?:principal|Agent)"/.test(JSON.stringify(policies.map(({ conditions }) => conditions)));
  const heads = [...new Map(policies.map(({ head }) => [JSON.stringify(head.principal), head.principal])).values()];
  const keyOf = (agent: Agent): string => (tellsApart ? JSON.stringify(agent) : heads.map((scope) => (principalMatches(scope, agent) ? "1" : "0")).join(""));
  for (const agent of agents) known.add(keyOf(agent));
  const strangers = strangersTo(policies, registry).filter((agent) => {
    const key = keyOf(agent);
    if (known.has(key)) return false;
    known.add(key);
    return true;
  });
  return [...agents, ...strangers];
};

const collect = (value: Json, named: Readonly<Record<"Team" | "AgentClass" | "Agent", Set<string>>>): void => {
  if (Array.isArray(value)) return value.forEach((item) => collect(item, named));
  if (!isObject(value)) return;
  const { type, id } = value;
  if ((type === "Team" || type === "AgentClass" || type === "Agent") && typeof id === "string") named[type].add(id);
  Object.values(value).forEach((item) => collect(item, named));
};

const setsOf = (items: readonly string[]): string[][] => {
  if (items.length <= allSetsUpTo) return items.reduce<string[][]>((sets, item) => [...sets, ...sets.map((set) => [...set, item])], [[]]);
  const couples = items.flatMap((one, index) => items.slice(index + 1).map((other) => [one, other]));
  return [[], ...items.map((item) => [item]), ...couples];
};
