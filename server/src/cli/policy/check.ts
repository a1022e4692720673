import type { Command } from "commander";
import { Compiler, decodeBundle, describeProblem, type Compiled, type PolicyProblem } from "@lanyard/policy";
import { systemClock } from "../../base/clock.ts";
import { defaultLimits } from "../../base/limits.ts";
import type { Context } from "../context.ts";
import { progressLine } from "../progress.ts";
import { exit, json, printable } from "../terminal.ts";
import { readDraft, type DraftOptions } from "./draft.ts";
import { idleContracts, matchlessWarnings } from "./never.ts";

interface CheckOptions extends DraftOptions {
  readonly json?: boolean;
  readonly notes?: boolean;
}

export function checkVerb(policy: Command, context: Context): void {
  policy
    .command("check")
    .description("whether a folder of policies compiles: every error and warning with its place")
    .option("-d, --dir <folder>", "folder of policies (default: `policies:` of lanyard.yaml)")
    .option("-g, --ground <file>", "what they are written against, from `lanyard policy ground` (default: the daemon's)")
    .option("--notes", "also what could not be typed in the tools' own schemas")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\nExits with 0 when the policies compile, 1 when they do not; warnings do not count.\n\nExample:\n  lanyard policy check --dir policies --notes")
    .action(async (options: CheckOptions) => {
      const { folder, policies, tests, ground } = await readDraft(context, options);
      const [progress, solved] = [progressLine("checked", "policies"), progressLine("looked for calls that match", "policies")];
      await using compiler = new Compiler({ after: systemClock.after, patienceMs: defaultLimits.compile_ms });
      const compiled = await compiler.compile({ ...ground, policies, tests }, progress.show).finally(progress.clear);
      const never = compiled.ok ? await matchlessWarnings(compiled.bytes, ground, { policies, known: compiled.warnings, progress: solved.show }).finally(solved.clear) : { warnings: [], unsaid: "" };
      const all = { ...compiled, warnings: [...compiled.warnings, ...never.warnings] };
      const contracts = [...idleContracts(ground), ...(never.unsaid === "" ? [] : [`policies that match no call were not looked for: ${never.unsaid}`])];
      if (options.json) context.out(json({ ...asJson(all), contracts }));
      else for (const line of asText(all, folder, context, { withNotes: options.notes === true, contracts })) context.out(line);
      if (!compiled.ok) process.exitCode = exit.failed;
    });
}

const place = ({ place: { file, line, column }, message, help }: PolicyProblem) => ({ file, line, column, message, help });

const countOf = (compiled: Compiled): number | null => (compiled.ok ? decodeBundle(compiled.bytes).policies.length : null);

const asJson = (compiled: Compiled) => ({
  ok: compiled.ok,
  bundle: compiled.ok ? compiled.hash : null,
  policies: countOf(compiled),
  errors: compiled.ok ? [] : compiled.errors.map(place),
  warnings: compiled.warnings.map(place),
  notes: compiled.notes,
});

const asText = (compiled: Compiled, folder: string, { colour }: Context, { withNotes, contracts }: { withNotes: boolean; contracts: readonly string[] }): string[] => {
  const { warnings, notes } = compiled;
  const errors = compiled.ok ? [] : compiled.errors;
  const lines = [...errors.map((problem) => ({ problem, sign: colour.red("error") })), ...warnings.map((problem) => ({ problem, sign: colour.yellow("warning") }))].flatMap(({ problem, sign }) => {
    const [first = "", ...more] = describeProblem(problem).split("\n");
    return [`${sign}: ${printable(first)}`, ...more.map(printable)];
  });
  const shown = withNotes ? notes.map(({ action, at, text }) => `${colour.dim("note")}: ${printable(`${action}${at === "" ? "" : ` ${at}`}: ${text}`)}`) : [];
  const counts = [
    `${countOf(compiled) ?? "no"} policies${compiled.ok ? "" : " compiled"} in ${printable(folder)}`,
    ...(errors.length > 0 ? [`${errors.length} ${errors.length === 1 ? "error" : "errors"}`] : []),
    ...(warnings.length + contracts.length > 0 ? [`${warnings.length + contracts.length} ${warnings.length + contracts.length === 1 ? "warning" : "warnings"}`] : []),
    ...(notes.length > 0 && !withNotes ? [`${notes.length} ${notes.length === 1 ? "note" : "notes"} (--notes)`] : []),
    ...(compiled.ok ? [`bundle ${compiled.hash}`] : []),
  ];
  return [...lines, ...contracts.map((text) => `${colour.yellow("warning")}: ${printable(text)}`), ...shown, `${compiled.ok ? colour.green("ok") : colour.red("failed")}: ${counts.join(", ")}`];
};
