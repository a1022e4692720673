// What stands between the braces of `temporal { ... }`, as a tree. Every node knows where it stands in the policy's text (UTF-16 offsets).

/** Kinds of events: a call was decided, its server answered, it failed or was refused or nobody knows. */
export const eventKinds = ["request", "response", "error"] as const;
export type EventKind = (typeof eventKinds)[number];

/** Whose events count together: those of one session with its children, or of all sessions of one agent, user or team, or all there are. */
export const scopes = ["session", "agent", "user", "team", "all"] as const;
export type HistoryScope = (typeof scopes)[number];

export interface TextSpan {
  readonly at: number;
  readonly end: number;
}

export type CompareOp = "==" | "!=" | "<" | "<=" | ">" | ">=";

export type Literal =
  | { readonly term: "long"; readonly value: number }
  | { readonly term: "text"; readonly value: string }
  | { readonly term: "bool"; readonly value: boolean }
  /** As written, within the quotes of `decimal("...")`. */
  | { readonly term: "decimal"; readonly value: string }
  | { readonly term: "entity"; readonly type: string; readonly id: string };

/** Of the call that is being decided: `context.input.order`, `principal`. */
export interface Reference {
  readonly term: "current";
  readonly root: "context" | "principal";
  readonly path: readonly string[];
}

export interface Aggregate {
  readonly term: "aggregate";
  readonly of: "count" | "sum" | "min" | "max";
  /** What is added up or compared; empty for `count`. */
  readonly value: string;
  readonly binders: readonly Binder[];
  readonly where: TemporalCondition;
}

export type TemporalTerm = TextSpan &
  (
    | Literal
    | Reference
    | Aggregate
    | { readonly term: "variable"; readonly name: string }
    | { readonly term: "any" }
    | { readonly term: "sum"; readonly op: "+" | "-" | "*"; readonly left: TemporalTerm; readonly right: TemporalTerm }
  );

export interface Binder extends TextSpan {
  readonly name: string;
  /** As written: `Long`, `String`, `Timepoint` ... */
  readonly type: string;
}

export interface FieldPattern extends TextSpan {
  readonly path: readonly string[];
  readonly term: TemporalTerm;
}

export interface EventPattern extends TextSpan {
  readonly is: "event";
  /** An action or a group of actions. */
  readonly action: string;
  readonly kind: EventKind;
  readonly fields: readonly FieldPattern[];
}

export interface TermComparison extends TextSpan {
  readonly is: "compare";
  readonly op: CompareOp;
  readonly left: TemporalTerm;
  readonly right: TemporalTerm;
}

/** `formerly`, `previous` and `eventually`, with their window. */
export interface Windowed extends TextSpan {
  readonly is: "formerly" | "previous" | "eventually";
  readonly windowMs: number;
  readonly of: TemporalCondition;
}

export interface SinceCondition extends TextSpan {
  readonly is: "since";
  readonly windowMs: number;
  readonly left: TemporalCondition;
  readonly right: TemporalCondition;
}

export type TemporalCondition =
  | EventPattern
  | TermComparison
  | Windowed
  | SinceCondition
  | (TextSpan & { readonly is: "and" | "or"; readonly of: readonly TemporalCondition[] })
  | (TextSpan & { readonly is: "not"; readonly of: TemporalCondition })
  | (TextSpan & { readonly is: "exists"; readonly binder: Binder; readonly of: TemporalCondition })
  | (TextSpan & { readonly is: "timepoint"; readonly name: string });

/** Why a text is no temporal condition. */
export class TemporalError extends Error implements TextSpan {
  readonly at: number;
  readonly end: number;
  readonly help: string;
  constructor(message: string, { at, end }: TextSpan, help = "") {
    super(message);
    this.at = at;
    this.end = end;
    this.help = help;
  }
}

/** Whether two paths are the same. */
export const samePath = (left: readonly string[], right: readonly string[]): boolean => left.length === right.length && left.every((step, index) => step === right[index]);
