import { parseQuorum, type Registry } from "@lanyard/contract";
import type { Scope } from "../bundle.ts";
import type { Objection } from "./lint.ts";
import { nearest } from "./problem.ts";
import type { Meaning } from "./reading.ts";

/** A team owns the files below `teams/<team>/`; every other file is the organisation's: the team is then empty. */
export const teamOf = (file: string): string => /^teams\/([^/]+)\//.exec(file)?.[1] ?? "";

/**
 * What the place of a policy forbids it: a team speaks of its own agents and asks its own groups or the organisation's; the organisation asks no
 * team's group; and each names its policies as its own. Invariant: nothing in a team's folder can touch another's agents, so a team can
 * neither lift nor break what the organisation decides.
 */
export const tierObjections = (file: string, meaning: Meaning, registry: Registry | undefined): Objection[] => {
  const team = teamOf(file);
  const own = team === "" ? ofOrganisation(meaning, registry) : ofTeam(team, meaning, registry);
  return [...ofAnnotations(team, meaning), ...(file.startsWith("teams/") && team === "" ? [strayFile] : []), ...ofId(team, meaning, registry), ...own];
};

const strayFile: Objection = { message: "a file directly in `teams/` belongs to no team", help: "put it into `teams/<team>/`, or out of `teams/` if it is the organisation's", find: "" };

const ofAnnotations = (team: string, { said }: Meaning): Objection[] => {
  const tier = team === "" ? "org" : "team";
  const place = team === "" ? "outside of `teams/`" : `in \`teams/${team}/\``;
  return [
    ...(said.tier !== null && said.tier !== tier ? [{ message: `\`@tier("${said.tier.slice(0, 64)}")\` does not go with the file's place`, help: `a policy ${place} is of the tier "${tier}"`, find: "@tier" }] : []),
    ...(said.team !== null && said.team !== team ? [{ message: `\`@team("${said.team.slice(0, 64)}")\` does not go with the file's place`, help: `a policy ${place} belongs to ${team === "" ? "no team" : `the team \`${team}\``}`, find: "@team" }] : []),
  ];
};

const ofId = (team: string, { id }: Meaning, registry: Registry | undefined): Objection[] => {
  if (id === "") return []; // said already
  const owners = Object.keys(registry?.teams ?? {}).filter((name) => id.startsWith(`${name}.`));
  const owner = owners.reduce((longest, name) => (name.length > longest.length ? name : longest), team !== "" && id.startsWith(`${team}.`) ? team : "");
  if (owner === team) return [];
  const help = team === "" ? "choose an id that begins with no team's name" : `begin it with \`${team}.\``;
  return [{ message: owner === "" ? `the id of a policy of the team \`${team}\` begins with \`${team}.\`` : `ids that begin with \`${owner}.\` are the team \`${owner}\`'s`, help, find: "@id" }];
};

const ofOrganisation = ({ approvers }: Meaning, registry: Registry | undefined): Objection[] =>
  approvers.flatMap((group) => {
    const owner = groupTeam(group, registry);
    return owner === null ? [] : [{ message: `\`${group}\` is a group of the team \`${owner}\`, which may not lift a rule of the organisation`, help: "name a group of the organisation", find: "@remedy" }];
  });

const ofTeam = (team: string, { head, approvers }: Meaning, registry: Registry | undefined): Objection[] => {
  const found: Objection[] = [];
  if (registry !== undefined && !Object.hasOwn(registry.teams, team)) {
    const near = nearest(team, Object.keys(registry.teams));
    found.push({ message: `no team \`${team}\` is registered in lanyard.yaml`, help: near === null ? "the folder `teams/<team>/` is for the policies of a registered team" : `did you mean \`teams/${near}/\`?`, find: "" });
  }
  const foreign = foreignPrincipal(team, head.principal, registry);
  if (foreign !== null) found.push({ message: foreign, help: `write \`principal in Team::${JSON.stringify(team)}\`, or \`principal == Agent::"..."\` with an agent of the team`, find: "principal" });
  for (const group of approvers) {
    const owner = groupTeam(group, registry);
    if (owner !== null && owner !== team) found.push({ message: `\`${group}\` is a group of the team \`${owner}\``, help: "name a group of this team or of the organisation", find: "@remedy" });
  }
  return found;
};

const groupTeam = (term: string, registry: Registry | undefined): string | null => {
  const group = parseQuorum(term)?.group ?? term;
  return registry !== undefined && Object.hasOwn(registry.groups, group) ? (registry.groups[group]?.team ?? null) : null;
};

/** Why a head reaches beyond the team's own agents; null when it does not. */
const foreignPrincipal = (team: string, scope: Scope, registry: Registry | undefined): string | null => {
  const entity = scope.op === "is" ? scope.in?.entity : "entity" in scope ? scope.entity : undefined;
  if (entity === undefined || (scope.op === "is" && scope.entity_type !== "Agent")) return `a policy of the team \`${team}\` must speak of its own agents alone`;
  if (entity.type === "Team" && entity.id === team && scope.op !== "==") return null;
  if (entity.type === "Agent" && (registry === undefined || (Object.hasOwn(registry.agents, entity.id) && registry.agents[entity.id]?.team === team))) return null;
  return entity.type === "Agent" ? `the agent \`${entity.id}\` is none of the team \`${team}\`` : `a policy of the team \`${team}\` must speak of its own agents alone`;
};
