/** What a person can do to a subject at once: let nothing more happen, or nothing but reads. */
export const stopKinds = ["stop", "quarantine"] as const;
export type StopKind = (typeof stopKinds)[number];

/** What can be stopped: a session with its children, an agent, all agents of a team, all that is done for a user, a server, one tool, sessions with a label, everything. */
export const stopSubjectKinds = ["session", "agent", "team", "user", "server", "tool", "label", "all"] as const;
export type StopSubjectKind = (typeof stopSubjectKinds)[number];

export interface StopSubject {
  readonly kind: StopSubjectKind;
  /** Of a tool `<server>/<tool>`; of `all` the word itself. */
  readonly name: string;
}

/** What an agent's conduct is held against: refusals, errors, the same call again and again, money, a canary, a budget that has a threshold for it. */
export const breakerKinds = ["denials", "errors", "loop", "spend", "canary", "budget"] as const;
export type BreakerKind = (typeof breakerKinds)[number];
