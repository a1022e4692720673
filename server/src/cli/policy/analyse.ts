import { Fault, type Effect } from "@lanyard/contract";
import { askForms, Compiler, describeProblem, Solver, standardAsks, type AskAnswer, type Ground, type IdlePolicy, type PolicyFile, type PossibleCalls, type Review } from "@lanyard/policy";
import type { Command } from "commander";
import { systemClock } from "../../base/clock.ts";
import { defaultLimits } from "../../base/limits.ts";
import type { Context } from "../context.ts";
import { progressLine } from "../progress.ts";
import { brief, exit, json, printable } from "../terminal.ts";
import { readDraft, readGround, type DraftOptions } from "./draft.ts";

interface AnalyseOptions extends DraftOptions {
  readonly version?: string;
  readonly patience: string;
  readonly json?: boolean;
}

const help = `
Questions, with a question mark or without:
${askForms.map((form) => `  ${form}`).join("\n")}
DO is read, write, send data out, move money, delete data, run a shell, call SERVER/TOOL, use server NAME, or do anything; EFFECT is read, write,
egress, destructive, money, exec or access. To the end of a question may be added: "when session labelled LABEL", "for a user in group GROUP", "without approval".

Without a question: which policies change no decision, and some standard questions.

An answer "no" is proved over all possible calls; an answer "yes" shows a call that the policies were asked about and allowed; else it cannot say.
Exits 0 when every answer is "no", or without questions; 1 when one is "yes" or cannot be said; so a question can guard a pipeline.

Example:
  lanyard policy analyse
  lanyard policy analyse "can any agent of team support send data labelled secret out?"
  lanyard policy analyse --version 4 "who can run a shell?" "what can agent clerk do?"`;

export function analyseVerb(policy: Command, context: Context): void {
  policy
    .command("analyse [questions...]")
    .description("questions about all possible calls, answered by a proof or an example")
    .option("-d, --dir <folder>", "folder of policies (default: `policies:` of lanyard.yaml)")
    .option("--version <version>", "a published version (a number, or active, shadow, canary, newest) instead of a folder")
    .option("-g, --ground <file>", "what they are written against, from `lanyard policy ground` (default: the daemon's)")
    .option("--patience <seconds>", "how long the solver may take", "120")
    .option("--json", "as one JSON object")
    .addHelpText("after", help)
    .action(async (questions: string[], options: AnalyseOptions) => {
      const patienceMs = patienceOf(options.patience);
      const { policies, ground } = options.version === undefined ? await readDraft(context, options) : await readVersion(context, options.version, options);
      const bytes = await compiled(policies, ground, context);
      await using solver = new Solver({ after: systemClock.after, patienceMs });
      const progress = progressLine("solved", questions.length > 0 ? "questions" : "policies");
      const asked = questions.length > 0 ? questions : standardAsks;
      try {
        const review = questions.length > 0 ? null : await solver.review(bytes, ground.registry, progress.show);
        progress.clear();
        const answers = await solver.ask(bytes, ground.registry, asked, progress.show);
        progress.clear();
        if (options.json) context.out(json({ ...(review && { review }), answers }));
        else for (const line of [...(review ? reviewLines(review, context) : []), ...answers.flatMap((answer) => answerLines(answer, context))]) context.out(line);
        if (questions.length > 0 && answers.some(({ answer }) => answer !== "no")) process.exitCode = exit.failed;
      } finally {
        progress.clear();
      }
    });
}

const patienceOf = (text: string): number => {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text) * 1000;
  throw new Fault("invalid_request", `\`${text}\` is no time to wait: write whole seconds`);
};

interface VersionFiles {
  readonly files: readonly { readonly file: string; readonly text?: string }[];
}

async function readVersion(context: Context, version: string, options: DraftOptions): Promise<{ policies: readonly PolicyFile[]; ground: Ground }> {
  if (options.dir !== undefined) throw new Fault("invalid_request", "`--dir` and `--version` say two things: leave one out");
  const { files } = await (await context.reach()).call<VersionFiles>("policy_show", { at: { version }, query: { texts: true } });
  return { policies: files.flatMap(({ file, text }) => (text === undefined || !file.endsWith(".cedar") ? [] : [{ file, text }])), ground: await readGround(context, options) };
}

/** Throws Fault `invalid_config` with every error of the policies. */
async function compiled(policies: readonly PolicyFile[], ground: Ground, context: Context): Promise<Uint8Array> {
  const progress = progressLine("checked", "policies");
  await using compiler = new Compiler({ after: systemClock.after, patienceMs: defaultLimits.compile_ms });
  const answer = await compiler.compile({ ...ground, policies, tests: [] }, progress.show).finally(progress.clear);
  if (answer.ok) return answer.bytes;
  for (const problem of answer.errors) context.err(printableLines(describeProblem(problem)));
  throw new Fault("invalid_config", "cannot ask about policies that do not compile");
}

const printableLines = (text: string): string => text.split("\n").map(printable).join("\n");

const shownNames = 6;

const list = (names: readonly string[]): string => names.slice(0, shownNames).map(printable).join(", ") + (names.length > shownNames ? ` and ${names.length - shownNames} more` : "");

const findings: Readonly<Record<IdlePolicy["finding"], (by: string) => string>> = {
  unused: () => "its head names no registered agent, or no tool that there is",
  never: () => "its conditions never hold",
  shadowed: (by) => (by === "" ? "permits only what is denied all the same" : `permits only what ${by} denies all the same`),
  redundant: (by) => (by === "" ? "every decision is the same without it" : `every decision is the same without it; ${by} does what it does`),
  guard: () => "forbids what nothing permits (a guard for later, perhaps)",
};

function reviewLines({ policies, idle, cannotSay }: Review, { colour }: Context): string[] {
  return [
    colour.bold(`${policies} policies, ${idle.length === 0 ? "every one of which changes some decision" : `${idle.length} of which change no decision (proved in the model)`}`),
    ...idle.map(({ policy, file, line, finding, by }) => `  ${printable(file)}:${line} ${printable(policy)}: ${findings[finding](list(by))}`),
    ...cannotSay.map((doubt) => doubtLine(doubt)),
    "",
  ];
}

const doubtLine = ({ why, policies, actions }: AskAnswer["cannotSay"][number]): string =>
  `  cannot say: ${printable(why)}${policies.length > 0 ? `; policies ${list(policies)}` : ""}${actions.length > 0 ? `; tools ${list(actions)}` : ""}`;

const ways: Readonly<Record<PossibleCalls["effect"], string>> = { allow: "allowed", ask: "after an approval" };

function answerLines({ question, answer, found, cannotSay }: AskAnswer, { colour }: Context): string[] {
  const heading = { yes: colour.yellow("yes"), no: `${colour.green("no")} (proved in the model)`, "cannot say": colour.yellow("cannot say") }[answer];
  return [`${colour.bold(printable(question))} ${heading}`, ...found.flatMap(callLines), ...cannotSay.map(doubtLine)];
}

function callLines({ effect, agents, actions, example: { input, decision } }: PossibleCalls): string[] {
  const { user, session, resources = [] } = input;
  const facts: readonly (readonly [string, readonly string[]])[] = [["groups", user.groups], ["labels", session.labels], ["resources", resources.map(({ type, id }) => `${type} ${id}`)]];
  const shown = facts.filter(([, values]) => values.length > 0).map(([name, values]) => `, ${name} ${brief([...values])}`);
  return [
    `  ${list(agents)}: ${list(actions)} (${ways[effect]})`,
    `    e.g. ${printable(input.agent.id)} for ${printable(user.id)}: ${printable(input.action)} ${brief(input.args)}${shown.join("")}; ${decided(decision.effect)} by ${list(decision.reasons.map(({ policy }) => policy))}`,
  ];
}

const decided = (effect: Effect): string => ({ allow: "allowed", ask: "held", deny: "denied" })[effect];
