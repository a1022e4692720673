import { basename } from "node:path";
import { Fault, isObject, isolations, type Json, type JsonObject } from "@lanyard/contract";
import { z } from "zod";
import type { Config } from "../../base/config/config.ts";
import { readConfigBytes } from "../../base/config/file.ts";
import { tellIssues } from "../../base/config/issues.ts";
import { yamlSource, type Path } from "../../base/config/source.ts";
import type { TraceLine } from "./line.ts";

// A session that somebody writes down to try policies on: a task, what an agent ordinarily does for it, and what it does when a text has taken it over.

const name = z.string().min(1).max(256);
const args = z.custom<JsonObject>(isObject, "is not an object of arguments");
const came = z.custom<Json>((value) => value !== undefined, "is missing");
/** What is called, with what, and what came back: a text, or JSON. */
const call = z.union([z.tuple([name, args]), z.tuple([name, args, came])], "is no call: write `[server/tool, { argument: value }, 'what comes back']`");
/** Alone: done in passing. `stop`: must not be let through without a person; `ask`: a person may be asked. */
const step = z.union([call, z.strictObject({ stop: call }), z.strictObject({ ask: call })], "is neither a call `[server/tool, { argument: value }, 'what comes back']` nor `stop:` or `ask:` with one");
const mostSteps = 1000;
const sides = ["twin", "attack"] as const;

const shape = z.strictObject({
  task: z.string().min(1),
  /** One of lanyard.yaml; by default the first. */
  agent: name.optional(),
  on_behalf_of: name.optional(),
  labels: z.array(name).max(64).optional(),
  isolation: z.enum(isolations).optional(),
  /** What an agent does for the task where nobody interferes: each call should go through. */
  twin: z.array(step).min(1).max(mostSteps).optional(),
  /** The same task for an agent that is hijacked. */
  attack: z.array(step).min(1).max(mostSteps).optional(),
});
type Step = z.infer<typeof step>;
const keysAt = (path: Path): readonly string[] => (path.length === 0 ? Object.keys(shape.shape) : []);

/** A line of a trace, and the line of the file that it is from. */
export interface WrittenLine {
  readonly line: number;
  readonly said: TraceLine;
}

/** One side of a session file. */
export interface WrittenSession {
  /** `refund.yaml twin`; of several files with one name the first has it alone. */
  readonly session: string;
  readonly task: string;
  readonly lines: readonly WrittenLine[];
}

export const isSessionFile = (path: string): boolean => /\.ya?ml$/i.test(path);

/** Reads a session file as lines of a trace. Throws Fault `invalid_config` with the place of each problem. */
export function readSessions(path: string, { agents, users }: Pick<Config, "agents" | "users">, isTaken: (session: string) => boolean): WrittenSession[] {
  const source = yamlSource(readConfigBytes(path), path);
  const { data, success, error } = source.problems.length > 0 ? { data: undefined, success: false, error: undefined } : shape.safeParse(source.value);
  if (source.value === null && source.problems.length === 0) source.problem([], "the file is empty: write `task:` and, under `twin:` or `attack:`, what is called");
  else if (error) tellIssues(source, error.issues, keysAt);
  if (success && data?.twin === undefined && data?.attack === undefined) source.problem([], "there is neither `twin:` nor `attack:`: write what is called under one of them");
  const [agent, user] = [data?.agent ?? agents.keys().next().value, data?.on_behalf_of ?? users.keys().next().value];
  if (success && agent === undefined) source.problem(["task"], "lanyard.yaml has no agent that could act; name one there, or try with `--packs`");
  if (data === undefined || !success || source.problems.length > 0) throw new Fault("invalid_config", source.report());
  return sides.flatMap((side) => {
    const steps = data[side];
    if (steps === undefined) return [];
    const session = unlike(`${basename(path)} ${side}`, isTaken);
    const open: TraceLine = { session, open: { ...(agent !== undefined && { agent }), ...(user !== undefined && { on_behalf_of: user }), task: data.task, ...(data.labels && { labels: data.labels }), ...(data.isolation && { isolation: data.isolation }) } };
    const line = source.lineOf(["task"]);
    const calls = steps.flatMap((one, at) => linesOf(session, one, { side, line: source.lineOf([side, at]) }));
    return [{ session, task: data.task, lines: [{ line, said: open }, ...calls, { line, said: { session, close: {} } }] }];
  });
}

function unlike(session: string, isTaken: (session: string) => boolean): string {
  let free = session;
  for (let number = 2; isTaken(free); number++) free = `${session} ${number}`;
  return free;
}

function linesOf(session: string, one: Step, { side, line }: { side: (typeof sides)[number]; line: number }): WrittenLine[] {
  const [expect, [tool, given, content = "done"]] = "stop" in one ? (["stopped", one.stop] as const) : "ask" in one ? (["allow-or-ask", one.ask] as const) : ([side === "twin" ? "allow" : undefined, one] as const);
  return [
    { line, said: { session, call: { tool, args: given }, ...(expect && { expect }) } },
    { line, said: { session, result: { tool, content: typeof content === "string" ? content : JSON.stringify(content) } } },
  ];
}
