/**
 * Who there is and what there is, as the organisation says in lanyard.yaml: plain JSON, so that it can travel with a policy's ground and
 * be hashed. Keys are names.
 */
export interface Registry {
  readonly agents: Readonly<Record<string, { readonly team: string; readonly classes: readonly string[] }>>;
  readonly users: Readonly<Record<string, { readonly groups: readonly string[] }>>;
  /** `owners`: groups whose members may publish the policies of this team. */
  readonly teams: Readonly<Record<string, { readonly owners: readonly string[] }>>;
  /** `team`: the team a group belongs to; null for one of the organisation's. A policy of the organisation names no team's group. */
  readonly groups: Readonly<Record<string, { readonly team: string | null }>>;
  /** Groups whose members may publish the organisation's own policies, and say yes as the second person. */
  readonly owners: readonly string[];
  /** By entity type, then id; the id `*` speaks of every one that is not listed. */
  readonly resources: Readonly<Record<string, Readonly<Record<string, { readonly labels: readonly string[]; readonly owner: string | null }>>>>;
}

/** Names that cannot be the type of a resource: entity types of our own, Cedar's own words, and types of the schema. */
export const reservedEntityTypes: readonly string[] = [
  ...["Action", "Agent", "AgentClass", "Group", "Server", "Session", "Team", "User"],
  ...["Bool", "Boolean", "Entity", "EntityOrCommon", "Extension", "Long", "Record", "Set", "String"],
];
