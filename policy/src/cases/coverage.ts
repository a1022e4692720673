import type { Policy } from "../bundle.ts";
import type { ReadyCase } from "./ready.ts";

/** A policy that the cases do not exercise, and what is missing. */
export interface CoverageGap {
  readonly policy: string;
  readonly file: string;
  readonly line: number;
  /** `unasked`: no case comes to it; `never holds`; `always holds`: no case shows when it does not. */
  readonly gap: "unasked" | "never holds" | "always holds";
}

/** Which policies the cases exercise. */
export interface Coverage {
  readonly policies: number;
  readonly gaps: readonly CoverageGap[];
}

/** Asks every case which policies spoke: each should hold in one case at least, and one with conditions should also be seen not to hold. */
export const coverageOf = (ready: readonly ReadyCase[], policies: readonly Policy[]): Coverage => {
  const seen = new Map<string, { held: boolean; failed: boolean }>();
  for (const { ask, snapshot } of ready) {
    if (ask.kind !== "call") continue;
    const { candidates, satisfied, errors } = snapshot.judge(ask.input);
    const [held, erred] = [new Set(satisfied), new Set(errors.map(({ policy }) => policy))];
    for (const id of candidates) {
      const one = seen.get(id) ?? { held: false, failed: false };
      seen.set(id, { held: one.held || held.has(id), failed: one.failed || (!held.has(id) && !erred.has(id)) });
    }
  }
  const gapOf = ({ id, unconditional }: Policy): CoverageGap["gap"] | null => {
    const one = seen.get(id);
    if (one === undefined) return "unasked";
    if (!one.held) return "never holds";
    return one.failed || unconditional ? null : "always holds";
  };
  const gaps = policies.flatMap((policy): CoverageGap[] => {
    const gap = gapOf(policy);
    return gap === null ? [] : [{ policy: policy.id, file: policy.file, line: policy.line, gap }];
  });
  return { policies: policies.length, gaps: gaps.sort((left, right) => left.file.localeCompare(right.file) || left.line - right.line) };
};
