import { parseQuorum, type Registry } from "@lanyard/contract";
import type { EntityRef } from "../bundle.ts";
import { misfit, parseTransform, transformOf } from "../decide/transform.ts";
import type { Objection } from "./lint.ts";
import { nearest } from "./problem.ts";
import type { Meaning } from "./reading.ts";
import { actionsFor, type ActionWorld } from "./validate.ts";

/** KnownNames there are, by type of entity: what a policy may name and mean something. */
export interface KnownNames {
  /** Null when names of this type are not known. */
  of(type: string): ReadonlySet<string> | null;
  /** How many are in a team or a group; infinitely many when names are not known. */
  members(entity: EntityRef): number;
}

export const namesOf = (registry: Registry | undefined, servers: readonly string[]): KnownNames => {
  if (registry === undefined) return { of: () => null, members: () => Number.POSITIVE_INFINITY };
  const agents = Object.values(registry.agents);
  const counts = { Team: countOf(agents.map(({ team }) => team)), Group: countOf(Object.values(registry.users).flatMap(({ groups }) => groups)) };
  const names: Readonly<Record<string, ReadonlySet<string>>> = {
    Agent: new Set(Object.keys(registry.agents)),
    AgentClass: new Set(agents.flatMap(({ classes }) => classes)),
    Team: new Set(Object.keys(registry.teams)),
    Group: new Set(Object.keys(registry.groups)),
    User: new Set(Object.keys(registry.users)),
    Server: new Set(servers),
  };
  return {
    of: (type) => (Object.hasOwn(names, type) ? (names[type] ?? null) : null),
    members: ({ type, id }) => (type === "Team" || type === "Group" ? (counts[type].get(id) ?? 0) : Number.POSITIVE_INFINITY),
  };
};

const countOf = (names: readonly string[]): ReadonlyMap<string, number> => new Map([...Map.groupBy(names, (name) => name)].map(([name, all]) => [name, all.length]));

const words: Readonly<Record<string, string>> = { Agent: "agent", AgentClass: "agent of the class", Team: "team", Group: "group", User: "user", Server: "server" };

/** Warnings: names that nobody has, groups that nobody could approve in, and heads that no call can match. */
export const unmatched = (meaning: Meaning, names: KnownNames, world: ActionWorld): Objection[] => {
  const found = new Map<string, Objection>();
  for (const { type, id: written } of meaning.entities) {
    const id = type === "Group" ? (parseQuorum(written)?.group ?? written) : written;
    const known = names.of(type);
    if (known === null || known.has(id)) continue;
    const near = nearest(id, known);
    const help = near === null ? "nothing in lanyard.yaml has this name" : `did you mean \`${near}\`?`;
    found.set(`${type}\0${id}`, { message: `there is no ${words[type] ?? type} \`${id}\``, help, find: `${type}::${JSON.stringify(written)}` });
  }
  const changing = transformOf(meaning.remedy);
  if (parseTransform(changing) !== null) {
    const tools = actionsFor(meaning.head.action, world).filter(({ definition }) => definition !== null);
    const wrong = tools.flatMap(({ name, input, contract }) => {
      const why = misfit(changing, { input, fixed: contract?.resource?.argument ?? null });
      return why === null ? [] : [{ name, why }];
    });
    const [first] = wrong;
    if (first !== undefined) found.set("@remedy", { message: `${first.why} (\`${first.name}\`${wrong.length > 1 ? ` and ${wrong.length - 1} more` : ""}), so calls that the policy matches are denied`, help: "name the tools in the head that have the argument", find: "@remedy" });
  }
  if (found.size > 0) return [...found.values()];
  const { principal, resource } = meaning.head;
  const whom = principal.op === "is" ? principal.in?.entity : "entity" in principal ? principal.entity : undefined;
  if (whom !== undefined && names.members(whom) === 0) return [{ message: `no agent is in the team \`${whom.id}\`, so the policy matches no call`, help: "", find: `${whom.type}::${JSON.stringify(whom.id)}` }];
  for (const term of meaning.approvers) {
    const { group = term, count = 1, self = false } = parseQuorum(term) ?? {};
    const there = names.members({ type: "Group", id: group });
    if (there + Number(self) >= count) continue;
    return [{ message: there === 0 ? `no user is in the group \`${group}\`, so nobody can approve` : `the group \`${group}\` has ${there} ${there === 1 ? "user" : "users"}, so \`${term}\` can never be given`, help: "", find: "@remedy" }];
  }
  const server = resource.op === "is" ? resource.in?.entity : "entity" in resource ? resource.entity : undefined;
  if (server?.type !== "Server") return [];
  const reached = actionsFor(meaning.head.action, world);
  if (reached.length === 0 || reached.some((action) => action.server === server.id)) return [];
  return [{ message: `none of the actions in the head belongs to the server \`${server.id}\`, so the policy matches no call`, help: "", find: `Server::${JSON.stringify(server.id)}` }];
};
