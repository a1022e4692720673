import type { Action, Decision, DecisionInput, ErrorCode, JsonObject, Principal, ToolContract } from "@lanyard/contract";
import type { Answer, Exchange } from "../base/exchange.ts";

/** A request from an agent that some face has read off its wire and routed to a server. Nothing in it is trusted. */
export interface InboundCall {
  /** The bearer token as presented; null when there was none. */
  readonly token: string | null;
  /** The door it came through, which a token must be made for: `mcp` or `mcp/<server>`. */
  readonly audience: string;
  readonly server: string;
  readonly method: string;
  /** Name of the tool at the server, for `tools/call`. */
  readonly tool?: string;
  readonly params: JsonObject;
  readonly exchange: Exchange;
}

/** What the gateway knows of the tool being called, beside the arguments. */
export interface Pin {
  /** Hash of the approved definition; null when the action is no tool call. */
  readonly definition: string | null;
  readonly contract: ToolContract;
  /** Set when the call may not happen whatever policy says: an unknown or quarantined tool. */
  readonly refuse: { readonly code: ErrorCode; readonly text: string } | null;
}

export interface Facts {
  readonly input: DecisionInput;
  readonly pin: Pin;
}

export interface Ruling {
  readonly decision: Decision;
  /** Content address of the bundle that decided. */
  readonly bundle: string;
}

export interface Intent {
  readonly seq: number;
  /** Decision id, shown to the agent: `lanyard explain` takes it too. */
  readonly id: string;
}

export interface Approval {
  readonly id: string;
  readonly groups: readonly string[];
}

/** How a held call ended. `pending`: nobody answered in time, the request stays open for an identical retry. */
export type Hold =
  | { readonly kind: "approved"; readonly approval: Approval }
  | { readonly kind: "denied"; readonly id: string; readonly by: string; readonly comment: string }
  | { readonly kind: "pending"; readonly id: string; readonly groups: readonly string[] };

/** What the agent gets back. A refusal is a value; only bugs and I/O throw. */
export type Reply =
  | { readonly kind: "done"; readonly answer: Answer; readonly intent: Intent }
  | { readonly kind: "refused"; readonly code: ErrorCode; readonly text: string; readonly intent: Intent | null }
  | { readonly kind: "uncertain"; readonly text: string; readonly intent: Intent };

export type OutcomeStatus = "done" | "refused" | "failed" | "uncertain";

/** The collaborators of the path, as one object of functions: a test passes lambdas, compose.ts the real rooms. */
export interface Stages {
  /** Throws Fault `unauthenticated`, `wrong_audience` or `session_expired`, having recorded the refusal. */
  identify(token: string | null, audience: string): Principal;
  /** Takes one of the session's places for calls in flight; throws Fault `too_many_calls`. */
  admit(principal: Principal): Disposable;
  gather(action: Action, principal: Principal, approval: Approval | null): Facts;
  decide(input: DecisionInput): Promise<Ruling>;
  /** Durable on return. Throws Fault `ledger_unavailable`, and then nothing may happen. */
  intend(action: Action, principal: Principal, facts: Facts | null, ruling: Ruling, by: ErrorCode | "policy", approval: Approval | null): Promise<Intent>;
  /** An approval given for the identical call and not used yet, taken so that no second call can use it. */
  claim(principal: Principal, action: Action): Approval | null;
  /** Gives a claimed approval back when the call did not come to be. */
  unclaim(approval: Approval): void;
  hold(action: Action, principal: Principal, intent: Intent, ruling: Ruling, exchange: Exchange): Promise<Hold>;
  /** Throws Fault when it is certain that the server never got the call; anything else that is thrown leaves it uncertain. */
  execute(action: Action, principal: Principal, exchange: Exchange): Promise<Answer>;
  /** Throws Fault `result_withheld`. */
  inspect(action: Action, answer: Answer): Answer;
  /** Never throws; retried until written. */
  conclude(intent: Intent, principal: Principal, status: OutcomeStatus, code: ErrorCode | "", answer: Answer | null, startedUs: number): Promise<void>;
}
