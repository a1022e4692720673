import { excerptAt, placeAt, type SourcePlace, type PolicyFile } from "./split.ts";

/** What is wrong with a policy, where, and what to do. */
export interface PolicyProblem {
  readonly place: SourcePlace;
  /** Lowercase; the author's words in backticks. */
  readonly message: string;
  /** What to do about it; may be empty. */
  readonly help: string;
  /** The line at fault and, below it, carets. */
  readonly excerpt: string;
}

/** What is wrong with a policy, placed in its own text (UTF-16 offset), so that it holds wherever the policy stands. */
export interface Flaw {
  readonly at: number;
  /** 0 shows one caret. */
  readonly length: number;
  readonly message: string;
  readonly help: string;
}

/** Length is in UTF-16 units; 0 shows one caret. */
export const problemAt = (file: PolicyFile, offset: number, length: number, message: string, help = ""): PolicyProblem => ({
  place: placeAt(file, offset),
  message,
  help,
  excerpt: excerptAt(file, offset, length),
});

/** `file:line:column: message`, the line with carets, and the help: what an author reads. */
export const describeProblem = ({ place, message, excerpt, help }: PolicyProblem): string =>
  [`${place.file}:${place.line}:${place.column}: ${message}`, ...excerpt.split("\n").map((line) => `    ${line}`), ...(help ? [`    ${help}`] : [])].join("\n");

/** The candidate nearest to `name` by edit distance; null when none is near. */
export const nearest = (name: string, candidates: Iterable<string>): string | null => {
  let best: { candidate: string; distance: number } | null = null;
  for (const candidate of candidates) {
    const limit = Math.max(2, Math.floor(name.length / 3));
    if (Math.abs(candidate.length - name.length) > limit) continue;
    const distance = editDistance(name, candidate);
    if (distance <= limit && (best === null || distance < best.distance)) best = { candidate, distance };
  }
  return best?.candidate ?? null;
};

const editDistance = (left: string, right: string): number => {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= right.length; j += 1) {
      const swap = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[right.length] ?? 0;
};
