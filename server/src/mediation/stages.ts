import type { Action, DecisionInput, ErrorCode, JsonObject, Principal } from "@lanyard/contract";
import type { Conceal } from "@lanyard/policy";
import type { Answer, Exchange } from "../base/exchange.ts";
import type { Allowed, Approval, Bound, Facts, Hold, Intent, Lease, OutcomeStatus, Passage, Pin, Reservation, UndoPlan, Ruling } from "../base/path.ts";

/** What the agent gets back. A refusal is a value; only bugs and I/O throw. */
export type Reply =
  | { readonly kind: "done"; readonly answer: Answer; readonly intent: Intent }
  | { readonly kind: "refused"; readonly code: ErrorCode; readonly text: string; readonly intent: Intent | null }
  | { readonly kind: "uncertain"; readonly text: string; readonly intent: Intent };

/** The collaborators of the path, as one object of functions: a test passes lambdas, compose.ts the real rooms. */
export interface Stages {
  /** Monotonic time in microseconds, for durations. */
  monotonicUs(): number;
  /** Throws Fault `unauthenticated`, `wrong_audience` or `session_expired`, having recorded the refusal. */
  identify(token: string | null, audience: string): Principal;
  /** Takes one of the session's places for calls in flight; throws Fault `too_many_calls`. */
  admit(principal: Principal): Disposable;
  /** Lets a call onto the path, until it is disposed of; a stop reaches it from now on. */
  enter(action: Action, principal: Principal, exchange: Exchange): Passage;
  /** Reads again what a session did before the daemon was started anew; null when that is known. What it rejects with, gathering throws too. */
  recall(principal: Principal): Promise<void> | null;
  gather(action: Action, principal: Principal, approval: Approval | null): Facts;
  /** Why what the call carries may go nowhere, whatever policy says; null when nothing speaks against it. */
  vet(action: Action, principal: Principal, exchange: Exchange): Pin["refuse"];
  /** Why the call may not happen now because somebody stopped it, or what it belongs to; null when nobody did. */
  standing(passage: Passage, facts: Facts): Pin["refuse"];
  /** Takes what the call needs of the budgets that count it, until it is disposed of or settled; never throws for want of room. */
  reserve(action: Action, principal: Principal, facts: Facts): Reservation;
  /** The last look before an effect; `action` as it is about to be carried out. Throws the Fault that `standing` would give. */
  look(passage: Passage, action: Action): void;
  decide(input: DecisionInput): Ruling;
  /** Takes out of an argument what a decision says (`redact`, `tokenise`); the same argument gives the same. */
  conceal(principal: Principal, facts: Facts): Conceal;
  /** Writes down what stands behind the tokens that `conceal` puts into these arguments, as they were sent. Throws Fault `not_tokenised`: nothing has happened. */
  remember(args: JsonObject, principal: Principal, allowed: Allowed): Promise<void>;
  /** Durable on return. Throws Fault `ledger_unavailable`, and then nothing may happen. */
  intend(action: Action, principal: Principal, facts: Facts | null, ruling: Ruling, by: ErrorCode | "policy", approval: Approval | null, reservation: Reservation | null): Promise<Intent>;
  /** An approval given for the identical call and not used yet, taken so that no second call can use it. */
  claim(principal: Principal, action: Action): Approval | null;
  /** Gives a claimed approval back when the call did not come to be; what has changed since ends it. */
  unclaim(approval: Approval, why: "unused" | keyof Bound): void;
  hold(action: Action, principal: Principal, intent: Intent, facts: Facts, ruling: Ruling, exchange: Exchange): Promise<Hold>;
  /** What the identical call is told that was staged before; null when none was. */
  staged(principal: Principal, action: Action): Pin["refuse"];
  /** Stages an allowed call where the contract says so of `changed`, which is what would be carried out; durable on return; null where it does not. Throws Fault. */
  stage(action: Action, changed: Action, principal: Principal, intent: Intent, facts: Facts, approval: Approval | null): Promise<{ readonly id: string; readonly until_ms: number } | null>;
  /** Lends what the action needs, until disposed of. Whatever it throws, nothing has happened. */
  lease(action: Action, principal: Principal, intent: Intent, exchange: Exchange): Promise<Lease>;
  /**
   * Reads what is needed to take the action back, and writes it down, before its effect; null when its contract says nothing of that. Throws Fault
   * `no_preimage` (the contract wants it and it cannot be had), `ledger_unavailable`: nothing has happened. Not asked about what only reads.
   */
  plan(action: Action, principal: Principal, intent: Intent, facts: Facts, exchange: Exchange, lease: Lease): Promise<UndoPlan | null>;
  /** Throws Fault `upstream_unavailable`, `address_refused`, `quarantined` or `no_credential` when it is certain that the server never got the call; anything else that is thrown leaves it uncertain. */
  execute(action: Action, principal: Principal, exchange: Exchange, lease: Lease): Promise<Answer>;
  /** The line to the client while the call is open: what is said on it is changed as the answer will be. */
  line(exchange: Exchange, action: Action, principal: Principal, allowed: Allowed): Exchange;
  /** The answer as the agent may see it, changed where the decision says so, with its labels. Throws Fault `result_withheld`. */
  inspect(action: Action, answer: Answer, passage: Passage, allowed: Allowed): Promise<Answer>;
  /** Takes note of what the call says, just before it is carried out. */
  say(action: Action, passage: Passage, intent: Intent, facts: Facts | null): void;
  /** Takes note of what came back, before the agent can act on it. Gives the answer; of one that is still to come, one that is taken note of as it passes. */
  learn(action: Action, answer: Answer, passage: Passage, intent: Intent, facts: Facts | null): Answer;
  /** Puts into the log what no step should throw: the agent is told nothing of it, since its text may hold anything. Never throws. */
  unforeseen(action: Action, error: unknown): void;
  /** Settles the reservation on its first line. Never throws; retried until written. */
  conclude(intent: Intent, principal: Principal, status: OutcomeStatus, code: ErrorCode | "", answer: Answer | null, startedUs: number, reservation: Reservation | null): Promise<void>;
}
