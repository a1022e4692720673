import { parseQuorum } from "@lanyard/contract";
import type { Config } from "../../base/config/config.ts";

/** A yes, and the terms (`leads`, `2 of sre`) it was given for. */
export interface Voice {
  readonly by: string;
  readonly groups: readonly string[];
  /** Payload of the comment it came with; null when there was none. */
  readonly comment: string | null;
}

/** Whose call it is, and what is asked for. */
export interface Asked {
  readonly agent: string;
  readonly user: string;
  readonly groups: readonly string[];
}

type People = Pick<Config, "users" | "agents">;

/**
 * The terms of a question that a user's answer counts for. Separation of duties: never one who runs the agent, and not the user it acts for
 * unless the term says `or self`.
 */
export const voiceOf = ({ users, agents }: People, { agent, user, groups }: Asked, by: string): string[] => {
  const known = users.get(by);
  if (!known || agents.get(agent)?.runBy.includes(by)) return [];
  return groups.filter((term) => {
    const quorum = parseQuorum(term);
    if (quorum === null) return false;
    return by === user ? quorum.self : known.groups.includes(quorum.group);
  });
};

/** Users whose answer counts for at least one term, sorted. */
export const votersOf = (people: People, question: Asked): string[] => [...people.users.keys()].filter((by) => voiceOf(people, question, by).length > 0).sort();

/** Terms that lack a yes. One person counts once a term. */
export const missingOf = ({ groups, given }: { readonly groups: readonly string[]; readonly given: readonly Omit<Voice, "comment">[] }): string[] =>
  groups.filter((term) => new Set(given.filter((voice) => voice.groups.includes(term)).map(({ by }) => by)).size < (parseQuorum(term)?.count ?? Number.POSITIVE_INFINITY));

/** True when everybody who said yes still has that voice: a group can lose a member between the answer and the act. */
export const areHeard = (people: People, question: Asked, given: readonly Omit<Voice, "comment">[]): boolean =>
  given.every(({ by, groups }) => {
    const has = voiceOf(people, question, by);
    return groups.every((term) => has.includes(term));
  });

/** The same of what was granted for good: every term is given, and by people who still may. */
export const isHeard = (people: People, question: Asked, given: readonly Omit<Voice, "comment">[]): boolean => missingOf({ ...question, given }).length === 0 && areHeard(people, question, given);

/** Why a user has no voice. */
export const whyMute = ({ agents }: People, { agent, user, groups }: Asked, by: string): string => {
  if (agents.get(agent)?.runBy.includes(by)) return `\`${by}\` runs agent \`${agent}\` and may not answer for what it asks`;
  if (by === user) return `\`${by}\` may not answer for a call made on behalf of \`${by}\``;
  return `\`${by}\` is in none of the groups needed: ${groups.join(", ")}`;
};
