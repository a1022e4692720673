import type { Transform } from "node:stream";
import type { Action, BudgetFacts, Decision, DecisionInput, ErrorCode, Fault, JsonObject, Principal, ToolContract } from "@lanyard/contract";
import type { Answer, Exchange } from "./exchange.ts";
import type { StateChange } from "./store/port.ts";
import type { WebRequest } from "./web.ts";

// What the steps of the path hand to each other. It lies in base because stages may not know mediation, nor each other.

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
  /** The call was staged, and its time has come: it is decided anew, and not staged again. `approval` is what people said yes to then. */
  readonly released?: { readonly approval: Approval | null };
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
  /** Content address of the bundle that decided; null when the call was refused before any was asked. */
  readonly bundle: string | null;
  /** Why people are asked about the call as long as nobody has answered, as `Snapshot.reasonsToAsk` says it; empty when they are not. */
  readonly reasons: readonly string[];
}

export interface Intent {
  readonly seq: number;
  /** Decision id, shown to the agent: `lanyard explain` takes it too. */
  readonly id: string;
}

/** What must not have changed between a person's answer and the act, beside the call itself. */
export interface Bound {
  /** Content address of the policies that asked. */
  readonly bundle: string;
  /** Hash of the tool's definition; null when the action is no tool call. */
  readonly definition: string | null;
  /** Changes of the arguments that are made before the call is carried out. */
  readonly transforms: readonly string[];
  /** Why people were asked. An answer holds for these, so also where some of them do not apply any more. */
  readonly reasons: readonly string[];
  /** What its values bring along that speaks against them: labels, and origins that nobody vouches for, as `<argument> <origin>` and `<argument> label <label>`. As with reasons, fewer are covered. */
  readonly values: readonly string[];
  /** Hash of what else was known, see `boundOf`. */
  readonly facts: string;
}

/** What an allowed call was allowed by. */
export interface Allowed {
  readonly decision: Decision;
  /** Null when none could be gathered. */
  readonly facts: Facts | null;
}

/** Given by people for one digest and what is {@link Bound} to it (invariant I6); mediation compares the latter after deciding again. */
export interface Approval {
  readonly id: string;
  /** What was asked for and given, as policies write it: `leads`, `2 of sre`. */
  readonly groups: readonly string[];
  readonly bound: Bound;
  /** Who said yes, and for which of `groups`. */
  readonly given: readonly { readonly by: string; readonly groups: readonly string[] }[];
  /** Comments it was given with: the agent reads them. */
  readonly said: readonly { readonly by: string; readonly comment: string }[];
}

/** How a held call ended. `pending`: nobody answered in time, the request stays open for an identical retry. `void`: the request is no more, so the call is decided anew. */
export type Hold =
  | { readonly kind: "approved"; readonly approval: Approval }
  | { readonly kind: "denied"; readonly id: string; readonly by: string; readonly comment: string }
  | { readonly kind: "pending"; readonly id: string; readonly groups: readonly string[] }
  | { readonly kind: "void" };

/** What is looked at and changed of a request that leaves a sandbox: the request as its face read it, see there. */
export type Outgoing = Omit<WebRequest, "body"> & Partial<Pick<WebRequest, "body">>;

/** A call on its way, from its first step to its last: what a stop reaches it by. Disposed when it has ended. */
export interface Passage extends Disposable {
  readonly action: Action;
  readonly principal: Principal;
  /** The line back to the client, whose signal aborts on a stop too. */
  readonly exchange: Exchange;
  /** Why it was cut short, `stopped` or `session_quarantined`; null while it was not. Once set it stays. */
  readonly cut: Fault | null;
}

/**
 * What is lent for one action, and ends with it (invariant I7). Until it is disposed of it knows the values of its credentials; it never gives
 * them out but into a request that is on its way.
 */
export interface Lease extends Disposable {
  /** Names, sorted; empty when the action needs none. */
  readonly credentials: readonly string[];
  /** True when what comes back may have a value in it: what was lent now, or was lent before to the same host. */
  readonly guards: boolean;
  /** Aborts when one of them is revoked: what is under way with it must end. */
  readonly signal: AbortSignal;
  /** The request with each placeholder replaced by its value, where it serves and in its own place. Throws Fault `no_credential` after the end. */
  dress<R extends Outgoing>(request: R): R;
  /** Takes the values out of bytes that come back, in whatever chunks they come; their placeholders stand in their place. */
  scrub(): Transform;
  scrubText(text: string): string;
}

/** What is kept of an action so that it can be taken back. Disposed of when the action has ended: then it looks at the state once more. Never throws. */
export interface UndoPlan extends AsyncDisposable {
  /** What came back: the state is looked at before anybody hears of it, since whoever acts on it would be taken for the action. Never rejects. */
  answered(answer: Answer): Promise<void>;
}

/** What a server of ours is given to start, or to be asked, with; and how the secrets in it are taken out of whatever it says: null when there are none. */
export interface Given {
  readonly values: Readonly<Record<string, string>>;
  readonly scrub: ((text: string) => string) | null;
}

export const nothingGiven: Given = { values: {}, scrub: null };

/** How a call ended, as far as budgets count it; `answer` is what came back, null when nothing did. */
export interface CallEnding {
  readonly status: OutcomeStatus;
  readonly answer: Answer | null;
  readonly durationUs: number;
}

/**
 * What a call takes of the budgets that count it, from before it is decided until it has ended. Disposed of before it is settled, all of it is
 * given back; after that, nothing happens.
 */
export interface Reservation extends Disposable {
  /** What policy sees of it; null when no budget counts the call. */
  readonly budget: BudgetFacts | null;
  /** Set when a budget has no room for the call: then nothing was taken. */
  readonly refuse: Pin["refuse"];
  /** State that goes with the record that permits the call, which makes the reservation durable. */
  intended(id: string): readonly StateChange[];
  /** The call waits under this id for its time: what it takes stays taken until that is released or withdrawn. */
  stage(held: string): void;
  /** Turns what was reserved into what was used; nothing when the call was refused, all of it when nobody knows. In force at once. */
  settle(ending: CallEnding): void;
  /** State that goes with the record of the outcome. Asked anew for each attempt to write it; `written` hears whether that came off. */
  settled(): { readonly state: readonly StateChange[]; readonly written: (isWritten: boolean) => void };
}

const unchanged = { state: [], written: (): void => {} };

/** What no budget counts. */
export const nothingReserved: Reservation = { budget: null, refuse: null, intended: () => [], stage: () => {}, settle: () => {}, settled: () => unchanged, [Symbol.dispose]: () => {} };

/** How an intent ended. `refused`: nothing happened. `uncertain`: the server may have done it. */
export type OutcomeStatus = "done" | "refused" | "failed" | "uncertain";
