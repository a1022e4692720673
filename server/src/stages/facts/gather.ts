import { Fault, type Action, type Principal, type Reversibility, type ToolContract } from "@lanyard/contract";
import { resourcesOf } from "@lanyard/policy";
import type { Clock } from "../../base/clock.ts";
import type { AgentEntry, Config } from "../../base/config/config.ts";
import { MappingError } from "../../base/undo/mapping.ts";
import { classOf } from "../../base/undo/resolve.ts";
import { toolsCover } from "../../base/mandate.ts";
import type { Approval, Facts, Pin } from "../../base/path.ts";
import type { Catalog } from "./catalog.ts";
import { webTool } from "./web-tools.ts";

interface Sources {
  readonly config: () => Config;
  readonly catalog: Pick<Catalog, "pin">;
  readonly clock: Clock;
}

const unknownContract: ToolContract = { effects: [], reversibility: "unknown" };

/**
 * Step 4: everything a decision depends on, from the configuration in force, the catalog and the session; of the agent's own words only the
 * arguments. `approval` is one that was claimed for this very action. Throws Fault `facts_unavailable` when anything is missing, `malformed_call`
 * when the arguments do not name what the call touches though its contract says that they do.
 */
export function gather({ config, catalog, clock }: Sources, action: Action, principal: Principal, approval: Approval | null): Facts {
  const now = config();
  const agent = now.agents.get(principal.agent);
  const user = now.users.get(principal.user);
  if (!agent) throw new Fault("facts_unavailable", `agent \`${principal.agent}\` is no longer registered`);
  if (!user) throw new Fault("facts_unavailable", `user \`${principal.user}\` is no longer registered`);
  const { definition, contract, refuse: unpinned } = pinOf({ config, catalog }, action);
  const refuse = ended(agent, principal, clock.nowMs()) ?? outOfReach(now, agent, action, principal) ?? unpinned;
  const resources = refuse === null && contract.resource ? resourcesOf(contract, Object.fromEntries(now.resources), action.args, { count: now.limits.call_resources, chars: now.limits.resource_chars }) : [];
  return {
    input: {
      agent: { id: principal.agent, team: agent.team, classes: agent.classes },
      user: { id: principal.user, groups: user.groups },
      session: { id: principal.session, purpose: principal.purpose, depth: principal.chain.length, labels: principal.labels, isolation: principal.isolation },
      action: action.name,
      definition,
      ...(resources.length > 0 && { resources }),
      reversibility: refuse === null ? reversibilityOf(now, action, contract) : contract.reversibility,
      args: action.args,
      approvals: approval ? [...approval.groups].sort() : [],
      nowMs: clock.nowMs(),
    },
    pin: { definition, contract, refuse },
  };
}

/** Of this very call: its arguments choose, where the contract lets them. What costs too much to look at is refused. */
function reversibilityOf(config: Config, { name, args }: Action, contract: ToolContract): Reversibility {
  const undo = config.undo.contracts.get(name);
  if (!undo) return contract.reversibility;
  try {
    return classOf(undo, args);
  } catch (error) {
    if (error instanceof MappingError) throw new Fault("malformed_call", `the arguments are more than its contract can look through: ${error.message}`);
    throw error;
  }
}

function pinOf({ config, catalog }: Pick<Sources, "config" | "catalog">, { protocol, server, method, tool = "", name }: Action): Pin {
  if (protocol === "http") {
    const own = webTool(tool);
    return own ? { definition: own.hash, contract: config().tools.get(name) ?? own.contract, refuse: null } : { definition: null, contract: unknownContract, refuse: { code: "not_found", text: `\`${name}\` is nothing that can leave a sandbox` } };
  }
  const contract = config().tools.get(name) ?? unknownContract;
  return { ...(method === "tools/call" ? catalog.pin(server, tool) : { definition: null, refuse: null }), contract };
}

/** A call can be held for longer than what it was let in with lasts: what was checked at the door is checked again with every decision. */
function ended({ onBehalfOf }: AgentEntry, { agent, user, session, expiresAtMs }: Principal, nowMs: number): Pin["refuse"] {
  if (expiresAtMs <= nowMs) return { code: "session_expired", text: `session \`${session}\` has ended` };
  if (onBehalfOf && !onBehalfOf.includes(user)) return { code: "denied", text: `agent \`${agent}\` may no longer act for \`${user}\`` };
  return null;
}

/** What no policy can allow, because the session, the agent or the configuration does not reach so far. */
function outOfReach(config: Config, agent: AgentEntry, { protocol, server, name }: Action, { agent: id, session, tools }: Principal): Pin["refuse"] {
  if (protocol === "mcp" && !config.servers.has(server)) return { code: "not_found", text: `no server \`${server}\` is registered` };
  if (agent.servers && !agent.servers.includes(server)) return { code: "denied", text: `agent \`${id}\` may not use server \`${server}\`` };
  if (!toolsCover(tools, name)) return { code: "denied", text: `session \`${session}\` was narrowed and does not reach \`${name}\`` };
  return null;
}

/** The servers a session can reach at all, sorted: what its lists are made of. */
export function reachableServers(config: Config, { agent, tools }: Principal): string[] {
  const entry = config.agents.get(agent);
  if (!entry) return [];
  const named = (server: string) => tools === null || tools.some((tool) => tool.startsWith(`${server}/`));
  return [...config.servers.keys()].filter((server) => (!entry.servers || entry.servers.includes(server)) && named(server)).sort();
}
