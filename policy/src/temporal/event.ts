import { isObject, type DecisionInput, type Json } from "@lanyard/contract";
import { DecimalValue, EntityUid, RecordValue, SetValue, type Value } from "../cedar/value.ts";
import { decimalUnits } from "../decide/input.ts";
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

/** What policy sees of a call, and the groups that its action is in. */
export interface CallView {
  readonly groups: readonly string[];
  readonly context: RecordValue;
}

/** What has become of a call, as far as is known when the event is made. */
export interface Happened {
  readonly kind: EventKind;
  readonly atMs: number;
  /** The first of the sessions above, or the session itself. */
  readonly rootSession: string;
  /** Of a request that has been decided. */
  readonly decision?: "allow" | "deny";
  /** Of an error. */
  readonly status?: "failed" | "refused" | "uncertain";
  /** Of a response: what came back; asked for only where a condition looks at it. */
  readonly output?: (() => Json | undefined) | undefined;
}

/** The event that a call makes. `seen`: null for an action that nobody knows, which has no fields but its own. */
export const callEvent = (input: DecisionInput, seen: CallView | null, { kind, atMs, rootSession, decision, status, output }: Happened): HistoryEvent => ({
  kind,
  atMs,
  action: input.action,
  groups: seen?.groups ?? [],
  scope: { session: rootSession, agent: input.agent.id, user: input.user.id, team: input.agent.team },
  field: ([name = "", ...path]) => {
    switch (name) {
      case "output":
        return outputAt(output?.(), path);
      case "callerPrincipal":
        return path.length === 0 ? new EntityUid("Agent", input.agent.id) : undefined;
      case "sessionId":
        return path.length === 0 ? input.session.id : undefined;
      case "decision":
        return decision;
      case "approved":
        return input.approvals.length > 0;
      case "status":
        return status;
      case "history":
        return undefined;
      default:
        return below(seen?.context.get(name), path);
    }
  },
});

const below = (value: Value | undefined, path: readonly string[]): Value | undefined => {
  let at = value;
  for (const step of path) at = at instanceof RecordValue ? at.get(step) : undefined;
  return at;
};

const outputAt = (output: Json | undefined, path: readonly string[]): Value | undefined => {
  let at = output;
  for (const step of path) at = isObject(at) && Object.hasOwn(at, step) ? at[step] : undefined;
  return valueOf(at);
};

const valueOf = (value: Json | undefined): Value | undefined => {
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (Array.isArray(value)) return new SetValue(value.flatMap((item) => valueOf(item) ?? []));
  if (typeof value !== "number") return undefined;
  if (Number.isSafeInteger(value)) return value + 0;
  const units = decimalUnits(value);
  return units === null ? undefined : new DecimalValue(units);
};
