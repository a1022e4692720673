import type { Decision } from "@lanyard/contract";
import { denyUnasked } from "../decide/combine.ts";
import { describeProblem, type PolicyProblem } from "../author/problem.ts";
import type { Snapshot } from "../decide/snapshot.ts";
import type { Case } from "./format.ts";
import { readyCases, type CaseRun, type ReadyCase } from "./ready.ts";

/** A case that came out otherwise than its author expects. */
export interface CaseFailure {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly it: string;
  /** What was expected, as far as the case says. */
  readonly expected: Told;
  /** What the policies say instead, all of it. */
  readonly decided: Told;
}

/** The parts of a decision that a case speaks about. */
export interface Told {
  readonly effect?: string;
  readonly because?: readonly string[];
  readonly approvers?: readonly string[];
  readonly remedies?: readonly string[];
  readonly errors?: readonly string[];
  readonly sees?: readonly string[];
}

/** How the cases of a draft came out. */
export interface CaseReport {
  /** True when every file could be read and every case came out as expected. */
  readonly ok: boolean;
  readonly cases: number;
  readonly failures: readonly CaseFailure[];
  /** Files, or single cases, that could not be read. */
  readonly problems: readonly PolicyProblem[];
}

/** Runs every case of every file. Rejects only with what `open` rejects with. */
export const runCases = async (run: CaseRun): Promise<CaseReport> => {
  const { ready, problems } = await readyCases(run);
  return reportOf(ready, problems);
};

/** Asks every case that is ready. */
export const reportOf = (ready: readonly ReadyCase[], problems: readonly PolicyProblem[]): CaseReport => {
  const failures = ready.flatMap((one) => failureOf(one) ?? []);
  return { ok: failures.length === 0 && problems.length === 0, cases: ready.length, failures, problems };
};

const failureOf = (one: ReadyCase): CaseFailure | null => {
  const { expected, decided } = answerOf(one, one.snapshot);
  if (same(expected, decided)) return null;
  return { ...one.place, it: one.wanted.it, expected, decided };
};

/** What the author does not mention is not compared. */
const same = (expected: Told, decided: Told): boolean => Object.entries(expected).every(([key, value]) => JSON.stringify(value) === JSON.stringify(decided[key as keyof Told]));

/** True when these policies answer the case as its author expects. */
export const holds = (one: ReadyCase, snapshot: Snapshot): boolean => {
  const { expected, decided } = answerOf(one, snapshot);
  return same(expected, decided);
};

const answerOf = ({ wanted, ask }: ReadyCase, snapshot: Snapshot): { expected: Told; decided: Told } => {
  if (ask.kind === "sees") return { expected: { sees: (wanted.sees ?? []).toSorted() }, decided: { sees: snapshot.visible(ask.agent, ask.actions).toSorted() } };
  const decision = ask.kind === "refused" ? denyUnasked("lanyard.arguments", ask.message) : snapshot.decide(ask.input);
  return { expected: expectedOf(wanted), decided: decidedOf(decision) };
};

const expectedOf = ({ expect = "deny", because, approvers, remedies, errors = [] }: Case): Told => ({
  effect: expect,
  ...(because && { because: because.toSorted() }),
  ...(approvers && { approvers: approvers.toSorted() }),
  ...(remedies && { remedies: remedies.toSorted() }),
  errors: errors.toSorted(),
});

/** Errors are always looked at: a deny because a policy failed is not the deny that an author had in mind. */
const decidedOf = (decision: Decision): Told => ({
  effect: decision.effect,
  because: decision.reasons.map(({ policy }) => policy).sort(),
  approvers: decision.approvers.toSorted(),
  remedies: [...new Set(decision.reasons.flatMap(({ remedy }) => (remedy === "" ? [] : [remedy])))].sort(),
  errors: decision.errors.map(({ policy, message }) => `${policy}: ${message}`).sort(),
});

const told = ({ effect, because, approvers, remedies, errors = [], sees }: Told): string => {
  const list = (word: string, names: readonly string[] | undefined): string[] => (names === undefined ? [] : [`${word} ${names.join(", ") || "nothing"}`]);
  const parts = [...(effect === undefined ? [] : [effect]), ...list("because of", because), ...list("approvers", approvers), ...list("remedies", remedies), ...list("sees", sees)];
  return [parts.join("; "), ...errors.map((error) => `error in ${error}`)].join("\n              ");
};

/** `file:line:column: what the case shows`, then what was expected and what was decided. */
const describeFailure = ({ file, line, column, it, expected, decided }: CaseFailure): string => {
  const { approvers = [], remedies = [], ...shown } = decided;
  const more = { ...(expected.approvers || approvers.length > 0 ? { approvers } : {}), ...(expected.remedies ? { remedies } : {}) };
  return [`${file}:${line}:${column}: ${it}`, `    expected  ${told(expected)}`, `    decided   ${told({ ...shown, ...more })}`].join("\n");
};

/** Everything that is wrong, as an author reads it: one text a failure or problem. Empty when all is well. */
export const describeReport = ({ failures, problems }: CaseReport): string[] => [...problems.map(describeProblem), ...failures.map(describeFailure)];
