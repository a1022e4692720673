import type { JsonObject } from "./json.ts";

/** A tool as its server defines it; unknown keys are kept. */
export interface ToolDefinition {
  readonly name: string;
  readonly description?: string;
  readonly inputSchema: JsonObject;
  readonly outputSchema?: JsonObject;
  readonly annotations?: JsonObject;
  readonly [key: string]: unknown;
}

/**
 * One tool in the catalog. `approved` is the definition that an operator accepted (null when never), `seen` the one the server
 * showed last. They differ exactly when the tool is quarantined.
 */
export interface CatalogEntry {
  readonly server: string;
  readonly tool: string;
  readonly state: "approved" | "quarantined" | "gone";
  readonly why: "first seen" | "changed" | "";
  readonly approvedHash: string | null;
  readonly seenHash: string;
  readonly approved: ToolDefinition | null;
  readonly seen: ToolDefinition;
}

/**
 * How far an action can be taken back, best first: it changes nothing; its effect can be undone; made good, though something stays; not at all;
 * nobody knows, which is the last of all and never lowered by what a server says of itself (invariant I12).
 */
export const reversibilities = ["read", "reversible", "compensable", "irreversible", "unknown"] as const;
export type Reversibility = (typeof reversibilities)[number];

/** The one of several that promises least. */
export const worstOf = (classes: readonly Reversibility[]): Reversibility => classes.reduce((worst, one) => (reversibilities.indexOf(one) > reversibilities.indexOf(worst) ? one : worst), "read");

/** What an action can do; destructive, money and access (it gives somebody access, or lowers what protects) are kinds of write. */
export const callEffects = ["read", "write", "egress", "destructive", "money", "exec", "access"] as const;
export type CallEffect = (typeof callEffects)[number];

/** What a tool does, as the organisation (not the server) says: `tools:` in lanyard.yaml. */
export interface ToolContract {
  /** Cedar effect groups; empty means unknown, which no policy on effects permits. */
  readonly effects: readonly CallEffect[];
  /** The resource a call touches: its entity type, and the argument (a path of names) that names it; an array names several. */
  readonly resource?: { readonly type: string; readonly argument: readonly string[] };
  /** The worst that a call of it can be: what its group `reversibility:...` says. A call's own is `DecisionInput.reversibility`. */
  readonly reversibility: Reversibility;
  /** All that a call of it can be, best first, where its arguments choose; absent where it is always the same. */
  readonly classes?: readonly Reversibility[];
}
