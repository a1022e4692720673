/** What somebody stopped, or a breaker did. */
export interface StandingOrder {
  readonly id: string;
  /** As people name it: `agent clerk`, `session ses_...`. */
  readonly subject: string;
  readonly by: string;
  /** Name of the circuit breaker that gave it; null when a person did. */
  readonly breaker: string | null;
  /** Why, in words; empty when nobody said. */
  readonly why: string;
  readonly sinceMs: number;
  /** What was done at once, a sentence each. */
  readonly done: readonly string[];
  /** The session to look at, and its last decision; null when it concerns none alone. */
  readonly session: string | null;
  readonly last: number | null;
  /** The command that lifts it. */
  readonly resume: string;
}

/** A call that waits for people. */
export interface WaitingCall {
  readonly id: string;
  readonly agent: string;
  readonly action: string;
  readonly groups: readonly string[];
  readonly sinceMs: number;
}

/** An intent left without an outcome. */
export interface OpenIntent {
  readonly seq: number;
  readonly agent: string;
  readonly session: string;
  readonly action: string;
  readonly sinceMs: number;
}

/** A count of a budget, amounts in words. */
export interface BudgetCount {
  readonly budget: string;
  /** Whom it is about: `user ana`, `session ses_...`. */
  readonly scope: string;
  readonly used: string;
  readonly limit: string;
  /** How much of the limit is used, in percent. */
  readonly percent: number;
  /** From how many percent people are told; null: as the rule says. */
  readonly warn: number | null;
  /** The agent and the session that it is about; null when it is about none alone. */
  readonly agent: string | null;
  readonly session: string | null;
}

/** A server that has failed and to which no connection is open. */
export interface DownServer {
  readonly server: string;
  readonly failures: number;
}

/** What the last verification of the ledger found; nothing when all is as it was written. */
export interface LedgerVerdict {
  readonly atMs: number;
  readonly findings: readonly string[];
}

/** What a call should have been followed by, and was not in time. */
export interface MissedDeadline {
  /** The decision whose call it was. */
  readonly seq: number;
  readonly policy: string;
  readonly agent: string;
  readonly session: string;
  readonly action: string;
  /** What is awaited, in the policy's words. */
  readonly text: string;
  readonly sinceMs: number;
}

/** What is known of the daemon's rooms. Each is asked only while a condition that needs it is configured. */
export interface Sources {
  quarantines(): readonly StandingOrder[];
  approvals(): readonly WaitingCall[];
  intents(): readonly OpenIntent[];
  budgets(): readonly BudgetCount[];
  downServers(): readonly DownServer[];
  deadlines(): readonly MissedDeadline[];
  /** Whether the ledger can write. */
  ledgerWrites(): boolean;
  /** Verifies now and then, as often as is asked for; null before the first time. */
  verdict(everyMs: number): LedgerVerdict | null;
}
