import { Solver, type Policy } from "@lanyard/policy";
import { bundleOf, ground, policiesOf } from "./policies/world.ts";

/**
 * What questions about all possible calls cost, the solver's start included: what a change of some policies does, whether it loosens the
 * organisation's own, three questions in a line, and what of the policies is idle. Every example was confirmed by the evaluator; nothing may be left unsaid.
 */
const at = process.argv.indexOf("--policies");
const count = at < 0 ? 1000 : Number(process.argv[at + 1]) || 1000;

const policies = policiesOf(count);
const widened = (policy: Policy, index: number): Policy => (policy.effect === "permit" && index % 25 === 0 ? { ...policy, conditions: [], unconditional: true, reads: [] } : policy);
const [before, after] = [bundleOf(policies), bundleOf(policies.map(widened))];

const later = (ms: number, task: () => void): { cancel(): void } => {
  const timer = setTimeout(task, ms);
  return { cancel: () => clearTimeout(timer) };
};
await using solver = new Solver({ after: later, patienceMs: 600_000 });

const timed = async <T>(ask: () => Promise<T>): Promise<{ ms: number; result: T }> => {
  const begun = performance.now();
  const result = await ask();
  return { ms: Math.round(performance.now() - begun), result };
};

const compared = await timed(() => solver.compare(before, after, ground.registry));
const loosened = await timed(() => solver.loosens(before, after, ground.registry));
const questions = ["who can run a shell?", "can any agent send data labelled secret out?", "is any destructive allowed without approval?"];
const asked = await timed(() => solver.ask(before, ground.registry, questions));
const reviewed = await timed(() => solver.review(before, ground.registry));
const figures = {
  policies: count,
  compare_ms: compared.ms,
  changes: compared.result.changes.length,
  unsaid: compared.result.cannotSay.length + asked.result.reduce((sum, { cannotSay }) => sum + cannotSay.length, 0),
  loosens_ms: loosened.ms,
  loosens: loosened.result.loosens,
  ask_ms: asked.ms,
  review_ms: reviewed.ms,
  answers: asked.result.map(({ answer }) => answer),
};
process.stdout.write(`${JSON.stringify(figures)}\n`);
