import type { EventKind } from "./syntax.ts";

interface OwnField {
  readonly type: string | null;
  /** The kinds of events that have it; null: all. */
  readonly kinds: readonly EventKind[] | null;
  readonly values: readonly string[] | null;
}

/** Fields of events beside what policy saw of the call, by their first name. What is below `output` has no declared type. */
export const eventOwnFields: Readonly<Record<string, OwnField | undefined>> = Object.assign(Object.create(null) as Record<string, OwnField | undefined>, {
  output: { type: null, kinds: ["response"], values: null },
  callerPrincipal: { type: "Agent", kinds: null, values: null },
  sessionId: { type: "String", kinds: null, values: null },
  decision: { type: "String", kinds: ["request"], values: ["allow", "deny"] },
  approved: { type: "Bool", kinds: null, values: null },
  status: { type: "String", kinds: ["error"], values: ["failed", "refused", "uncertain"] },
} satisfies Record<string, OwnField>);
