/** What one term of `@remedy("approval:...")` asks for: the yes of `count` different people. */
export interface Quorum {
  readonly group: string;
  readonly count: number;
  /** True when the user on whose behalf the call is made counts as well, in the group or not. Otherwise that user never does. */
  readonly self: boolean;
}

/** How terms are written; a term is also the id of the `Group` that policies ask for: `context.approvals.contains(Group::"2 of sre")`. */
export const quorumForms = "`<group>`, `<n> of <group>` with n from 2 to 16, each with ` or self` behind it where the user acted for may answer too";

/** A term read, or null when it is none. One way to write each: `1 of sre` is `sre`. */
export const parseQuorum = (term: string): Quorum | null => {
  const found = /^(?:([2-9]|1[0-6]) of )?([^\s,]{1,256})( or self)?$/.exec(term);
  return found && { group: found[2] ?? "", count: Number(found[1] ?? 1), self: found[3] !== undefined };
};

/** True when whoever has given `term` has given `other` too: the same people or fewer are asked for, in the same or a larger circle. */
export const quorumCovers = (term: string, other: string): boolean => {
  const [given, asked] = [parseQuorum(term), parseQuorum(other)];
  if (given === null || asked === null) return term === other;
  return given.group === asked.group && given.count >= asked.count && (asked.self || !given.self);
};
