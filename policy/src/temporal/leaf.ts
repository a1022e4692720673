import { createHash } from "node:crypto";
import type { CompareOp, EventKind, HistoryScope, Literal } from "./syntax.ts";

// What a temporal condition asks of history, as plain data: it lies in the bundle, and its hash is its name. Equal questions are one.

/** A field of an event, as the way to it: `["input", "order"]`. */
export type FieldPath = readonly string[];

/** What must hold within one event; `negated` turns it round, also where a field is missing. */
export interface FieldTest {
  readonly path: FieldPath;
  readonly op: CompareOp;
  /** Another field of the same event, or a value; neither: the field must be there. */
  readonly other?: FieldPath;
  readonly value?: Literal;
  readonly negated: boolean;
}

/** Which events are meant: of one kind, of an action that is or is in each of `actions`, with what must hold of its fields. */
export interface Match {
  readonly actions: readonly string[];
  readonly kind: EventKind | null;
  readonly tests: readonly FieldTest[];
}

/** A match that looks at the call that is being decided, too. */
export interface EventQuery extends Match {
  readonly not: readonly Match[];
  /** Fields that must equal what the current call has in the same place of {@link HistoryLeaf.current}. */
  readonly joins: readonly FieldPath[];
  /** What rows are told apart by, in order; null stands for the event itself. */
  readonly project: readonly (FieldPath | null)[];
  /** What is added up or compared. */
  readonly value: FieldPath | null;
}

export type LeafOp = "now" | "formerly" | "previous" | "since" | "together" | "count" | "sum" | "min" | "max" | "eventually";

/** One question to history. */
export interface LeafQuestion {
  readonly op: LeafOp;
  readonly across: HistoryScope;
  /** Both ends belong to it; null: nothing but the current event is looked at. Of `together`: one for each query. */
  readonly windows: readonly (number | null)[];
  /** Of the current call, what events are compared with. */
  readonly current: readonly FieldPath[];
  /** Any of them; of `together`: all of them, with equal rows. */
  readonly queries: readonly EventQuery[];
  /** Of `since`: what has held in every event after; it has its own values of the current call. */
  readonly left: { readonly negated: boolean; readonly query: EventQuery; readonly current: readonly FieldPath[] } | null;
}

/** A question with its name: policies read the answer as `context.history.<id>`. */
export interface HistoryLeaf extends LeafQuestion {
  readonly id: string;
  readonly type: "Bool" | "Long";
  /** As its author wrote it, on one line, cut. */
  readonly text: string;
}

const numbers: readonly LeafOp[] = ["count", "sum", "min", "max"];
const textChars = 300;

/** The same text for equal questions, whatever order their parts were made in. */
const meant = ({ op, across, windows, current, queries, left }: LeafQuestion): string =>
  JSON.stringify([op, across, windows, current, queries.map(queryMeant), left && [left.negated, queryMeant(left.query), left.current]]);

const queryMeant = ({ actions, kind, tests, not, joins, project, value }: EventQuery): unknown => [actions, kind, tests.map(testMeant), not.map((match) => [match.actions, match.kind, match.tests.map(testMeant)]), joins, project, value];

const testMeant = ({ path, op, other, value, negated }: FieldTest): unknown => [path, op, negated, other ?? null, value === undefined ? null : value.term === "entity" ? [value.type, value.id] : [value.term, value.value]];

/** Names a question. Equal questions have equal names, however they were written. */
export const leafOf = (question: LeafQuestion, text: string): HistoryLeaf => ({
  ...question,
  id: `h${createHash("sha256").update(meant(question)).digest("hex").slice(0, 14)}`,
  type: numbers.includes(question.op) ? "Long" : "Bool",
  text: text.replaceAll(/\s+/g, " ").slice(0, textChars).toWellFormed(),
});


/** Every field of the current call that a leaf compares with, below `context`; `principal` is not among them. */
export const currentOf = ({ current, left }: LeafQuestion): FieldPath[] => [...current, ...(left?.current ?? [])];

/** The longest time back that a leaf looks, milliseconds. */
export const reachOf = ({ windows }: Pick<HistoryLeaf, "windows">): number => Math.max(0, ...windows.map((window) => window ?? 0));

/** Whether events of an action, which is in these groups, can matter to a question. */
export const concerns = ({ op, left, queries }: LeafQuestion, action: string, groups: readonly string[]): boolean =>
  op === "previous" || left?.negated === false || [...queries, ...(left ? [left.query] : [])].some(({ actions }) => actions.every((name) => name === action || groups.includes(name)));

/** Names a set of questions, in the order given. */
export const nameOfAll = (leaves: readonly Pick<HistoryLeaf, "id">[]): string => `q${createHash("sha256").update(leaves.map(({ id }) => id).join()).digest("hex").slice(0, 14)}`;
