import type { Registry } from "@lanyard/contract";
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
  /** Teams, classes and groups that somebody is in. */
  isEmpty(entity: EntityRef): boolean;
}

export const namesOf = (registry: Registry | undefined, servers: readonly string[]): KnownNames => {
  if (registry === undefined) return { of: () => null, isEmpty: () => false };
  const agents = Object.values(registry.agents);
  const inhabited = {
    AgentClass: new Set(agents.flatMap(({ classes }) => classes)),
    Team: new Set(agents.map(({ team }) => team)),
    Group: new Set(Object.values(registry.users).flatMap(({ groups }) => groups)),
  };
  const names: Readonly<Record<string, ReadonlySet<string>>> = {
    Agent: new Set(Object.keys(registry.agents)),
    AgentClass: inhabited.AgentClass,
    Team: new Set(Object.keys(registry.teams)),
    Group: new Set(Object.keys(registry.groups)),
    User: new Set(Object.keys(registry.users)),
    Server: new Set(servers),
  };
  return {
    of: (type) => (Object.hasOwn(names, type) ? (names[type] ?? null) : null),
    isEmpty: ({ type, id }) => (type === "Team" || type === "Group") && !inhabited[type].has(id),
  };
};

const words: Readonly<Record<string, string>> = { Agent: "agent", AgentClass: "agent of the class", Team: "team", Group: "group", User: "user", Server: "server" };

/** Warnings: names that nobody has, groups that nobody could approve in, and heads that no call can match. */
export const unmatched = (meaning: Meaning, names: KnownNames, world: ActionWorld): Objection[] => {
  const found = new Map<string, Objection>();
  for (const { type, id } of meaning.entities) {
    const known = names.of(type);
    if (known === null || known.has(id)) continue;
    const near = nearest(id, known);
    const help = near === null ? "nothing in lanyard.yaml has this name" : `did you mean \`${near}\`?`;
    found.set(`${type}\0${id}`, { message: `there is no ${words[type] ?? type} \`${id}\``, help, find: `${type}::${JSON.stringify(id)}` });
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
  if (whom !== undefined && names.isEmpty(whom)) return [{ message: `no agent is in the team \`${whom.id}\`, so the policy matches no call`, help: "", find: `${whom.type}::${JSON.stringify(whom.id)}` }];
  const lonely = meaning.approvers.find((group) => names.isEmpty({ type: "Group", id: group }));
  if (lonely !== undefined) return [{ message: `no user is in the group \`${lonely}\`, so nobody can approve`, help: "", find: "@remedy" }];
  const server = resource.op === "is" ? resource.in?.entity : "entity" in resource ? resource.entity : undefined;
  if (server?.type !== "Server") return [];
  const reached = actionsFor(meaning.head.action, world);
  if (reached.length === 0 || reached.some((action) => action.server === server.id)) return [];
  return [{ message: `none of the actions in the head belongs to the server \`${server.id}\`, so the policy matches no call`, help: "", find: `Server::${JSON.stringify(server.id)}` }];
};
