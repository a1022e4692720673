import { callEffects, type CallEffect, type Reversibility } from "./catalog.ts";
import type { ArgumentFacts, BudgetFacts, HistoryFacts } from "./facts.ts";
import type { JsonObject } from "./json.ts";

/** What stands between an agent's process and the machine, strongest first; the tier of a session, which policies can ask for. */
export const isolations = ["hardware-vm", "emulated-vm", "user-kernel", "namespace", "none"] as const;
export type Isolation = (typeof isolations)[number];

/**
 * Everything a decision depends on besides the bundle: plain JSON, so that its RFC 8785 bytes are its identity and
 * `replay` can decide again from the record alone (invariant I3). Made by the gateway, never by the model, except `args`.
 */
export type DecisionInput = {
  readonly agent: { readonly id: string; readonly team: string; readonly classes: readonly string[] };
  readonly user: { readonly id: string; readonly groups: readonly string[] };
  readonly session: {
    readonly id: string;
    readonly purpose: string;
    /** How many sessions are above this one; 0 for a session opened with an agent's credential. */
    readonly depth: number;
    readonly labels: readonly string[];
    /** Where the agent runs, as whoever started it there told the daemon; `none` where nobody it trusts did. Never the agent's word. */
    readonly isolation: Isolation;
  };
  /** Cedar action id, as in {@link Action.name}. */
  readonly action: string;
  /** Hash of the tool's pinned definition, null for anything but a tool: policies compiled against another one do not decide. */
  readonly definition?: string | null;
  /**
   * What the call touches, by the tool's contract: policies decide once for each, and all must allow. Absent or empty where the contract
   * names no resource; the resource is then the `Server` itself.
   */
  readonly resources?: readonly ResourceFact[];
  /** How far this very call can be taken back, as the tool's contract says for these arguments. Absent counts as `unknown`. */
  readonly reversibility?: Reversibility;
  /** What this call does: its contract's effects, those its arguments show, and where the contract is silent what its name suggests. Sorted; absent counts as none known. */
  readonly effects?: readonly CallEffect[];
  /** What the session's task asks for, by its own words. Sorted; absent counts as nothing. */
  readonly asked?: readonly AskedPart[];
  /** What the arguments mean, by the name of the top-level argument. Absent (entries from before there were facts) counts as nothing found. */
  readonly facts?: Readonly<Record<string, ArgumentFacts>>;
  readonly budget?: BudgetFacts;
  readonly history?: HistoryFacts;
  /** Tool arguments as sent by the agent. */
  readonly args: JsonObject;
  /** Groups that have approved this very action. */
  readonly approvals: readonly string[];
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
};

/**
 * What a task asks for: effects of calls, `browse` where it asks to follow addresses that are found, `push` where it asks to push or to open a pull
 * request, and of one call whether it asks to do such a thing (`action`), names what it is done to (`object`), and names all packages that the call
 * installs (`packages`) or all columns of secrets that it reads (`secrets`), or others of a kind than the one that the call is about (`another`).
 * `remark`: the call is a word to those concerned, which needs not be asked for.
 */
export const askedParts = [...callEffects, "browse", "push", "action", "object", "packages", "secrets", "another", "remark"] as const;
export type AskedPart = (typeof askedParts)[number];

/** Something a call touches: an entity `<type>::"<id>"` below its server, with what the organisation says of it. */
export interface ResourceFact {
  readonly type: string;
  readonly id: string;
  /** Sorted; empty when the organisation says nothing of it. */
  readonly labels: readonly string[];
  /** The team that owns it; null when nobody is named. */
  readonly owner: string | null;
}

export type Effect = "allow" | "deny" | "ask";

/** A policy that determined a decision. */
export interface Reason {
  /** The policy's `@id`. */
  readonly policy: string;
  /** The author's words from `@reason`; empty when the policy has none. */
  readonly text: string;
  /** What lifts it, e.g. `approval:support-leads` or `transform:drop(bcc)`; empty when nothing does. */
  readonly remedy: string;
}

export interface Decision {
  readonly effect: Effect;
  /** Determining policies sorted by id. Empty on a deny by default (no permit matched). */
  readonly reasons: readonly Reason[];
  /** On `ask`: groups whose approval is needed, sorted; all of them. Otherwise empty. */
  readonly approvers: readonly string[];
  /**
   * On `allow` and `ask`: changes of the arguments by which alone the call may be carried out, such as `drop(bcc)`, sorted; whoever carries it
   * out makes them first. Absent when there are none.
   */
  readonly transforms?: readonly string[];
  /** Policies that failed to evaluate, sorted by id, with the engine's message. Any entry means deny. */
  readonly errors: readonly { readonly policy: string; readonly message: string }[];
}
