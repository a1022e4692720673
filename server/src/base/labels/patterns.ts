import { RE2JS } from "re2js";
import type { Span } from "./span.ts";

/** Instructions of one compiled pattern, and characters of its text: its cost per character of what is read grows with them. */
export const patternBounds = { program: 2000, chars: 1000 } as const;

/** Why a pattern cannot be used, in words; null when it can. Syntax is RE2's: no back-references, no look-around, linear in the text. */
export function patternProblem(pattern: string): string | null {
  if (pattern.length > patternBounds.chars) return `the pattern has ${pattern.length} characters; ${patternBounds.chars} are allowed`;
  try {
    const compiled = RE2JS.compile(pattern);
    if (compiled.programSize() > patternBounds.program) return `the pattern compiles to ${compiled.programSize()} instructions; ${patternBounds.program} are allowed: make its repeats shorter`;
    return compiled.test("") ? "the pattern matches the empty text, and so every text" : null;
  } catch (error) {
    return `no pattern in RE2 syntax: ${error instanceof Error ? error.message.replace(/^error parsing regexp: /, "") : "it cannot be read"}`;
  }
}

const longestMatches = 10_000;

/** One pattern of the organisation, as a finder of its label. */
export function patternFinder(pattern: string, label: string): (text: string) => Span[] {
  const compiled = RE2JS.compile(pattern);
  return (text) => {
    const found: Span[] = [];
    if (!compiled.test(text)) return found; // several times faster than to look where
    const matcher = compiled.matcher(text);
    while (found.length < longestMatches && matcher.find()) found.push({ label, start: matcher.start(), end: matcher.end() });
    return found;
  };
}
