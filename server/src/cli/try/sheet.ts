import { isObject, type DecisionInput, type Effect, type Json, type JsonObject } from "@lanyard/contract";
import { meaningLines } from "../explain-facts.ts";
import { brief, printable, type Colour } from "../terminal.ts";
import type { WrittenSession } from "./session-file.ts";
import type { TrialAnswer } from "./trial.ts";
import { isAsTold } from "./verdicts.ts";

const words: Readonly<Record<Effect, string>> = { allow: "through", ask: "asked", deny: "refused" };

/** A call of a written session, and what it came to. */
export interface SheetCall {
  readonly line: number;
  readonly tool: string;
  readonly args: JsonObject;
  readonly answer: JsonObject;
  readonly judged: NonNullable<TrialAnswer["judged"]>;
  /** What it was decided on; null where policy did not decide. */
  readonly input: DecisionInput | null;
}

/** One session as people read it: the calls that came to something else than it says, each with who decided so and what was looked at; `isAll`: every call. Empty where there is nothing to say. */
export function sheetOf(file: string, { session, task }: WrittenSession, calls: readonly SheetCall[], { isAll, colour }: { readonly isAll: boolean; readonly colour: Colour }): string[] {
  const shown = calls.filter(({ judged }) => isAll || !isAsTold(judged.effect, judged.expect));
  if (shown.length === 0) return [];
  return [`${printable(session)}: ${printable(task)}`, ...shown.flatMap((call) => rowsOf(file, call, colour))];
}

function rowsOf(file: string, { line, tool, args, answer, input, judged: { effect, expect } }: SheetCall, colour: Colour): string[] {
  const isWrong = !isAsTold(effect, expect);
  const row = `${isWrong ? "!" : " "} ${words[effect].padEnd(7)}  ${printable(tool)} ${brief(args)}`;
  const should = isWrong ? [`    ${printable(file)}:${line}: should be ${expect === "stopped" ? "stopped" : expect === "allow" ? "let through" : "let through or asked about"}`] : [];
  return [isWrong ? colour.red(row) : row, ...should, ...(effect !== "allow" ? whyOf(answer) : isWrong && input !== null ? knownOf(input) : [])];
}

/** What a policy could have looked at. */
const knownOf = (input: DecisionInput): string[] =>
  [["asked", (input.asked ?? []).join(", ") || "nothing"], ["session", input.session.labels?.join(", ") || "no labels"], ...meaningLines(input as unknown as JsonObject)].map(([label = "", text]) => `    ${label.padEnd(8)} ${text}`);

/** Who decided so: each policy with its reason and the facts it looked at; a step before policy with what it says. */
function whyOf({ by, explain, errors }: JsonObject): string[] {
  const policies = objectsIn(explain).filter((one) => one["effect"] === "forbid" && one["role"] === "decided");
  const faults = objectsIn(errors).map(({ policy, message }) => `    ${printable(String(policy))}: ${printable(String(message))}`);
  if (policies.length === 0) return faults.length > 0 ? faults : [`    ${by === "policy" ? "nothing permits it" : printable(String(by))}`];
  return [...policies.flatMap(({ policy, reason, facts }) => [`    ${printable(String(policy))}: ${printable(String(reason))}`, ...(Array.isArray(facts) ? facts.map((fact) => `        ${printable(String(fact))}`) : [])]), ...faults];
}

const objectsIn = (value: Json | undefined): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : []);
