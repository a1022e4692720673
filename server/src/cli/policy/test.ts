import { Fault } from "@lanyard/contract";
import {
  caseSchema, Compiler, coverageOf, describeReport, mutationOf, openSnapshot, readyCases, reportOf,
  type CaseReport, type Coverage, type Mutation, type Policy, type PolicyProblem,
} from "@lanyard/policy";
import type { Command } from "commander";
import { systemClock } from "../../base/clock.ts";
import { defaultLimits } from "../../base/limits.ts";
import type { Context } from "../context.ts";
import { progressLine } from "../progress.ts";
import { exit, json, printable } from "../terminal.ts";
import { readDraft, type DraftOptions, type PolicyDraft } from "./draft.ts";

interface TestOptions extends DraftOptions {
  readonly coverage?: boolean;
  readonly mutate?: boolean;
  readonly schema?: boolean;
  readonly json?: boolean;
}

export function testVerb(policy: Command, context: Context): void {
  policy
    .command("test")
    .description("runs the cases (`*.yaml`) of a folder of policies: what is given, and what the policies should make of it")
    .option("-d, --dir <folder>", "folder of policies (default: `policies:` of lanyard.yaml)")
    .option("-g, --ground <file>", "what they are written against, from `lanyard policy ground` (default: the daemon's)")
    .option("--coverage", "also which policies no case exercises")
    .option("--mutate", "also which mistakes in the policies no case would notice")
    .option("--schema", "prints the JSON schema of a file of cases, for editors, and ends")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\nExits with 0 when every case comes out as expected, 1 when one does not or the policies do not compile.\n\nExample:\n  lanyard policy test --coverage\n  lanyard policy test --ground ground.json --json\n  lanyard policy test --schema > policies/cases.schema.json")
    .action(async (options: TestOptions) => {
      if (options.schema) return context.out(JSON.stringify(caseSchema(), null, 2));
      const draft = await readDraft(context, options);
      if (draft.tests.length === 0) throw new Fault("invalid_request", `no file of cases (\`*.yaml\`) lies in \`${draft.folder}\` or below; \`lanyard policy init\` writes a first one`, { remedy: "" });
      const outcome = await runDraft(draft, options);
      if (options.json) context.out(json(asJson(outcome)));
      else for (const line of asText(outcome, draft, context)) context.out(line);
      if (!outcome.report.ok) process.exitCode = exit.failed;
    });
}

interface Outcome {
  readonly bundle: string | null;
  readonly report: CaseReport;
  /** Null when it was not asked for, or some case could not be read. */
  readonly coverage: Coverage | null;
  /** Null when it was not asked for, or cases fail already. */
  readonly mutation: Mutation | null;
}

async function runDraft({ policies, tests, ground }: PolicyDraft, { coverage, mutate }: TestOptions): Promise<Outcome> {
  const compiling = progressLine("compiled", "policies");
  await using compiler = new Compiler({ after: systemClock.after, patienceMs: defaultLimits.compile_ms });
  const open = async (against: PolicyDraft["ground"]) => {
    const compiled = await compiler.compile({ ...against, policies }, compiling.show).finally(compiling.clear);
    return compiled.ok ? openSnapshot(compiled.bytes) : compiled.errors;
  };
  const snapshot = await open(ground);
  if (!("decide" in snapshot)) return { bundle: null, report: { ok: false, cases: 0, failures: [], problems: snapshot }, coverage: null, mutation: null };
  const { ready, problems } = await readyCases({ files: tests, ground, open: (against) => (against === ground ? Promise.resolve(snapshot) : open(against)) });
  const report = reportOf(ready, problems);
  const all: readonly Policy[] = coverage || mutate ? snapshot.bundle.policies : [];
  const mutating = progressLine("mutated", "policies");
  return {
    bundle: snapshot.hash,
    report,
    coverage: coverage && problems.length === 0 ? coverageOf(ready, all) : null,
    mutation: mutate && report.ok ? mutationOf(ready, all, (done, total) => (done === total ? mutating.clear() : mutating.show(done, total))) : null,
  };
}

const place = ({ place: { file, line, column }, message, help }: PolicyProblem) => ({ file, line, column, message, help });

const asJson = ({ bundle, report, coverage, mutation }: Outcome) => ({
  ok: report.ok,
  bundle,
  cases: report.cases,
  passed: report.cases - report.failures.length,
  failed: report.failures,
  problems: report.problems.map(place),
  ...(coverage && { coverage }),
  ...(mutation && { mutation }),
});

const asText = ({ bundle, report, coverage, mutation }: Outcome, { folder }: PolicyDraft, { colour }: Context): string[] => {
  const wrong = describeReport(report).flatMap((text) => {
    const [first = "", ...more] = text.split("\n");
    return [`${colour.red(bundle === null ? "error" : "failed")}: ${printable(first)}`, ...more.map(printable)];
  });
  const { cases, failures, problems } = report;
  const counts = bundle === null ? [`${problems.length} errors; the policies do not compile`] : [`${cases - failures.length} of ${cases} cases in ${printable(folder)} come out as expected`, ...(problems.length > 0 ? [`${problems.length} ${problems.length === 1 ? "problem" : "problems"} in files of cases`] : [])];
  return [
    ...wrong,
    ...(coverage ? coverageText(coverage, colour) : []),
    ...(mutation ? mutationText(mutation, colour) : []),
    `${report.ok ? colour.green("ok") : colour.red("failed")}: ${counts.join(", ")}`,
  ];
};

const gaps = { unasked: "no case comes to it", "never holds": "no case shows it holding", "always holds": "no case shows when it does not hold" } as const;

const coverageText = ({ policies, gaps: found }: Coverage, colour: Context["colour"]): string[] => [
  ...found.map(({ policy, file, line, gap }) => `${colour.yellow("uncovered")}: ${printable(`${file}:${line}: ${policy}: ${gaps[gap]}`)}`),
  `coverage: ${policies - found.length} of ${policies} policies are exercised`,
];

const mutationText = ({ mutants, noticed, survivors, unasked }: Mutation, colour: Context["colour"]): string[] => [
  ...survivors.map(({ policy, file, line, edit }) => `${colour.yellow("unnoticed")}: ${printable(`${file}:${line}: ${policy}: ${edit}`)}`),
  ...(unasked.length > 0 ? [`${colour.yellow("unnoticed")}: any mistake in ${printable(unasked.join(", "))}: no case comes to ${unasked.length === 1 ? "it" : "them"}`] : []),
  `mutation: ${noticed} of ${mutants} mistakes in the policies would be noticed`,
];
