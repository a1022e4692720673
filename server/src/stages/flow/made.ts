import type { ArgumentFacts } from "@lanyard/contract";
import { mostSources } from "./argument.ts";

const none: ReadonlySet<string> = new Set();

/** Arguments whose values were made by calls of the session itself: all that were read came in answers to these. `made`: such calls. */
export function madeIn(made: ReadonlySet<number>, traced: Readonly<Record<string, ArgumentFacts>>): ReadonlySet<string> {
  if (made.size === 0) return none;
  const isMade = ({ sources = [], origins }: ArgumentFacts): boolean =>
    !origins.includes("model") && sources.length < mostSources && sources.some(({ origin }) => origin !== "task") && sources.every(({ seq, origin }) => origin === "task" || (seq !== null && made.has(seq)));
  return new Set(Object.keys(traced).filter((name) => isMade(traced[name] as ArgumentFacts)));
}
