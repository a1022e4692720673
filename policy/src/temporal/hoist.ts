import { nearest, type Flaw } from "../author/problem.ts";
import type { HistoryLeaf } from "./leaf.ts";
import { cedarOf, leavesOf, lowerCondition } from "./lower.ts";
import { parseTemporal } from "./parse.ts";
import { scopes, TemporalError, type TemporalCondition, type HistoryScope } from "./syntax.ts";

/** A policy's text with its temporal conditions taken out. */
export interface Hoisted {
  /** What Cedar reads: each `temporal { ... }` is a condition on `context.history`. Up to the first of them it is the author's text. */
  readonly text: string;
  /** Each once, in order of ids. */
  readonly leaves: readonly HistoryLeaf[];
  /** Where each clause stands, with what it says: for those who look closer. */
  readonly clauses: readonly TemporalClause[];
  readonly flaws: readonly Flaw[];
  /** The place in the author's text of an offset into {@link Hoisted.text}; within a clause, where it begins. */
  place(at: number): number;
}

export interface TemporalClause {
  readonly at: number;
  readonly end: number;
  readonly across: HistoryScope;
  readonly condition: TemporalCondition;
  readonly leaves: readonly HistoryLeaf[];
}

const landmark = /\/\/[^\n]*|"(?:[^"\\]|\\[\s\S])*"?|@\s*[A-Za-z_]\w*|[A-Za-z_]\w*|[^\s\uFEFF]/g;

/** A token that matters here: words and marks, without comments, texts and annotations. */
interface Landmark {
  readonly text: string;
  readonly at: number;
}

const untouched = (text: string): Hoisted => ({ text, leaves: [], clauses: [], flaws: [], place: (at) => at });

/** Takes the temporal conditions out of one policy's text, before Cedar reads it. Pure; the same text always gives the same. */
export const hoistTemporal = (text: string): Hoisted => {
  if (!text.includes("temporal")) return untouched(text);
  const marks = [...text.matchAll(landmark)].flatMap(({ 0: found, index }): Landmark[] => (found.startsWith("//") || found.startsWith('"') || found.startsWith("@") ? [] : [{ text: found, at: index }]));
  const flaws: Flaw[] = [];
  const clauses: (TemporalClause & { readonly cedar: string })[] = [];
  for (let index = 0; index < marks.length; index += 1) {
    const head = headOf(marks, index);
    if (head === null) continue;
    const close = closing(marks, head.open);
    const open = (marks[head.open] as Landmark).at;
    const end = close === -1 ? text.length : (marks[close] as Landmark).at + 1;
    try {
      if (close === -1) throw new TemporalError("the clause has no end", { at: open, end: open + 1 }, "close it with `}`");
      clauses.push(clauseOf(text, { at: (marks[index] as Landmark).at, open, end, word: marks[index - 1]?.text ?? "", across: head.across, isForbid: marks.some((mark) => mark.text === "forbid") }));
    } catch (error) {
      if (!(error instanceof TemporalError)) throw error;
      flaws.push({ at: error.at, length: Math.max(1, error.end - error.at), message: error.message, help: error.help });
    }
    if (close === -1) break;
    index = close;
  }
  return clauses.length === 0 && flaws.length === 0 ? untouched(text) : assembled(text, clauses, flaws);
};

/** `temporal {` or `temporal across agent {`; null when the word means something else. */
const headOf = (marks: readonly Landmark[], index: number): { readonly open: number; readonly across: Landmark | null } | null => {
  const [word, next, name] = [marks[index], marks[index + 1], marks[index + 2]];
  if (word?.text !== "temporal" || marks[index - 1]?.text === ".") return null;
  if (next?.text === "{") return { open: index + 1, across: null };
  return next?.text === "across" && name !== undefined && marks[index + 3]?.text === "{" ? { open: index + 3, across: name } : null;
};

const closing = (marks: readonly Landmark[], open: number): number => {
  let depth = 0;
  for (let index = open; index < marks.length; index += 1) {
    const { text } = marks[index] as Landmark;
    if (text === "{") depth += 1;
    else if (text === "}" && (depth -= 1) === 0) return index;
  }
  return -1;
};

interface ClausePlace {
  readonly at: number;
  readonly open: number;
  readonly end: number;
  /** The word before: `when`, `unless`, or whatever stands there in the midst of a condition. */
  readonly word: string;
  readonly across: Landmark | null;
  readonly isForbid: boolean;
}

const clauseOf = (text: string, { at, open, end, word, across, isForbid }: ClausePlace): TemporalClause & { readonly cedar: string } => {
  const scope = across === null ? "session" : scopes.find((one) => one === across.text);
  if (across !== null && scope === undefined) {
    const near = nearest(across.text, scopes);
    throw new TemporalError(`\`${across.text}\` is nothing that history is kept of`, { at: across.at, end: across.at + across.text.length }, near === null ? `there are ${scopes.join(", ")}` : `did you mean \`${near}\`?`);
  }
  const condition = parseTemporal(text, open + 1, end - 1);
  const isWhole = word === "when" || word === "unless";
  if (condition.is === "eventually" && !(isForbid && word === "unless")) throw new TemporalError("`eventually` belongs in the `unless` of a `forbid`", condition, "what must follow a call is written `forbid (...) unless temporal { eventually within 10m ... }`");
  const formula = lowerCondition(condition, text, scope ?? "session");
  const cedar = cedarOf(formula, text);
  return { at, end, across: scope ?? "session", condition, leaves: leavesOf(formula), cedar: isWhole ? `{ ${cedar} }` : `(${cedar})` };
};

/** The pieces of the author's text with what Cedar reads between them, and the way back. */
const assembled = (text: string, clauses: readonly (TemporalClause & { readonly cedar: string })[], flaws: readonly Flaw[]): Hoisted => {
  const pieces: { readonly to: number; readonly from: number; readonly fixed: boolean }[] = [];
  let [made, at] = ["", 0];
  for (const { cedar, at: begin, end } of clauses) {
    pieces.push({ to: made.length, from: at, fixed: false });
    made += text.slice(at, begin);
    pieces.push({ to: made.length, from: begin, fixed: true });
    made += cedar;
    at = end;
  }
  pieces.push({ to: made.length, from: at, fixed: false });
  const place = (offset: number): number => {
    const piece = pieces.findLast(({ to }) => to <= offset) ?? { to: 0, from: 0, fixed: false };
    return piece.fixed ? piece.from : piece.from + offset - piece.to;
  };
  const leaves = new Map(clauses.flatMap((clause) => clause.leaves.map((leaf) => [leaf.id, leaf] as const)));
  return { text: made + text.slice(at), leaves: [...leaves.values()].sort((left, right) => (left.id < right.id ? -1 : 1)), clauses, flaws, place };
};
