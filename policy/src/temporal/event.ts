import type { Value } from "../cedar/value.ts";
import type { FieldPath } from "./leaf.ts";
import type { EventKind } from "./syntax.ts";

/** Whose an event is: names. `session` is the first of the sessions above it, so that children count with their parents. */
interface EventScope {
  readonly session: string;
  readonly agent: string;
  readonly user: string;
  readonly team: string;
}

/** Something that has happened, as temporal conditions see it. */
export interface HistoryEvent {
  /** Milliseconds since the epoch; never less than that of the event before. */
  readonly atMs: number;
  readonly kind: EventKind;
  readonly action: string;
  /** Every group that the action is in. */
  readonly groups: readonly string[];
  readonly scope: EventScope;
  /** Undefined when it has no such field. */
  field(path: FieldPath): Value | undefined;
}

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
