import { createReadStream } from "node:fs";
import { Fault } from "@lanyard/contract";
import type { Command } from "commander";
import { systemClock } from "../base/clock.ts";
import type { Context } from "./context.ts";
import { exit, json } from "./terminal.ts";
import { Guesser } from "./try/infer.ts";
import { rawLines, textOf, type RawLine } from "./try/trace.ts";
import { Trial } from "./try/trial.ts";
import { Verdicts } from "./try/verdicts.ts";
import { readWorld, type TryOptions, type TrialWorld } from "./try/trial-world.ts";

const example = `
Each line in is a JSON object. Each call is answered by one line out, in order and at once, and so is a line at fault and a result that is
withheld; nothing is executed, recorded or sent anywhere.

  {"session":"s1","open":{"agent":"clerk","on_behalf_of":"ben","task":"tidy up"}}
  {"session":"s1","call":{"tool":"notes/delete_note","args":{"name":"plan"}}}
  {"session":"s1","result":{"tool":"notes/read_note","content":"ship it"}}

A line can also say "approve" (people said yes to the call asked for last), "close", "tools" (definitions by server), and "at" (the time
it happens). Exits 1 when a line was at fault; such a line is answered with its number and an "error".

Example:
  lanyard try trace.ndjson
  lanyard try --dir draft --tools tools.json < trace.ndjson
  lanyard try trace.ndjson | jq -c 'select(.effect == "deny")'`;

export function tryVerb(program: Command, context: Context): void {
  program
    .command("try [file]")
    .description("runs a trace of calls and results through facts, policy and inspection, without executing anything")
    .option("-d, --dir <folder>", "folder of policies (default: `policies:` of lanyard.yaml)")
    .option("-g, --ground <file>", "tools, agents and users as `lanyard policy ground` wrote them (default: lanyard.yaml and the catalog of the data folder)")
    .option("--tools <file>", "tool definitions by server, as `tools/list` gives them; they count as approved")
    .option("--strict", "denies tools that nobody has defined; by default their arguments are guessed from policies and calls")
    .option("--all", "answers every line, also those that are only taken note of")
    .option("--explain", "adds each determining policy (on a deny by default the nearest): text, place, the facts it looked at, what would lift it")
    .option("--packs <names>", "adds ready guardrails, `all` or names with commas between; lanyard.yaml is then not needed (`lanyard init --list`)")
    .option("--approvers <group>", "the group that they ask", "approvers")
    .option("--check", "compares calls with the `expect` of their lines, and prints what was stopped and what could be done instead of answers")
    .addHelpText("after", `\n${example}`)
    .action(async (file: string | undefined, options: TryOptions) => {
      const world = await readWorld(context, options);
      const guesser = options.strict === true ? null : new Guesser(world);
      guesser?.foresee();
      const trial = new Trial({ world, guesser, clock: systemClock, explain: options.explain === true });
      const input = file === undefined || file === "-" ? process.stdin : createReadStream(file);
      const lines = rawLines(readable(input, file), world.config.limits.trace_line_bytes);
      const verdicts = options.check === true ? new Verdicts() : null;
      const bad = await play(context, trial, { world, isAll: options.all === true, verdicts }, lines);
      if (verdicts !== null) for (const line of verdicts.lines(context.colour)) context.out(line);
      else warnOfGuesses(context, guesser?.names() ?? []);
      if (bad > 0 || verdicts?.failed === true) process.exitCode = exit.failed;
    });
}

async function* readable(input: AsyncIterable<Uint8Array>, file = "-"): AsyncGenerator<Uint8Array> {
  try {
    yield* input;
  } catch (cause) {
    throw new Fault("invalid_request", `cannot read the trace \`${file}\` (${(cause as NodeJS.ErrnoException).code ?? "unknown error"})`, { cause });
  }
}

/** Answers each line as soon as it is there. Gives the number of lines at fault. */
async function play(context: Context, trial: Trial, { world: { config }, isAll, verdicts }: { world: TrialWorld; isAll: boolean; verdicts: Verdicts | null }, chunks: AsyncIterable<RawLine[]>): Promise<number> {
  let number = 0;
  let bad = 0;
  for await (const lines of chunks) {
    const answers: string[] = [];
    for (const line of lines) {
      number += 1;
      const answered = answerTo(trial, line, number, config.limits.trace_line_bytes);
      if (answered === null) continue;
      if (answered.isBad) bad += 1;
      if (answered.judged) verdicts?.add(answered.judged);
      if (verdicts !== null && !answered.isBad) continue;
      if (isAll || answered.isPlain !== true) answers.push(json(answered.answer));
    }
    if (answers.length > 0) context.out(answers.join("\n"));
  }
  return bad;
}

function answerTo(trial: Trial, line: RawLine, number: number, limit: number): ReturnType<Trial["run"]> | null {
  if (line === null) return { answer: { line: number, error: `the line is longer than the limit trace_line_bytes (${limit} bytes)` }, isBad: true };
  let text: string | null;
  try {
    text = textOf(line);
  } catch {
    return { answer: { line: number, error: "not UTF-8" }, isBad: true };
  }
  return text === null ? null : trial.run(text, number);
}

function warnOfGuesses(context: Context, names: readonly string[]): void {
  if (names.length === 0) return;
  const some = `${names.slice(0, 10).join(", ")}${names.length > 10 ? ", ..." : ""}`;
  context.err(`guessed the arguments of ${names.length} tool${names.length === 1 ? "" : "s"} nobody has defined: ${some}; definitions come by --tools or --ground, and --strict denies what has none`);
}
