import type { PolicyFile } from "../author/split.ts";
import { compile, newMemory } from "../author/compile.ts";
import { openSnapshot, type Snapshot } from "../decide/snapshot.ts";
import type { PolicyProblem } from "../author/problem.ts";
import type { Ground } from "../schema/schema.ts";
import type { CaseRun } from "./ready.ts";

/** Policies as an author has them, with their cases and what both are written against. */
export interface TestedDraft {
  readonly policies: readonly PolicyFile[];
  readonly tests: readonly PolicyFile[];
  readonly ground: Ground;
}

/** The run of a draft's cases against its own policies, compiled in this thread. */
export const runOfDraft = ({ policies, tests, ground }: TestedDraft): CaseRun => {
  const recollection = newMemory();
  return {
    files: tests,
    ground,
    open: (against: Ground): Promise<Snapshot | readonly PolicyProblem[]> => {
      const compiled = compile({ ...against, policies }, recollection);
      return Promise.resolve(compiled.ok ? openSnapshot(compiled.bytes) : compiled.errors);
    },
  };
};
