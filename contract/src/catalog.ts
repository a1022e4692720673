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

/** What a tool does, as the organisation (not the server) says: `tools:` in lanyard.yaml. */
export interface ToolContract {
  /** Cedar effect groups; empty means unknown, which no policy on effects permits. */
  readonly effects: readonly ("read" | "write" | "egress" | "destructive" | "money" | "exec")[];
  /** The resource a call touches: its entity type, and the argument (a path of names) that names it; an array names several. */
  readonly resource?: { readonly type: string; readonly argument: readonly string[] };
  readonly reversibility: "read" | "reversible" | "compensable" | "irreversible" | "unknown";
}
