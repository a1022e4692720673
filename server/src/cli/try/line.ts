import { inexactNumber, isObject, isolations, parseJson, type Json, type JsonObject, type ToolDefinition } from "@lanyard/contract";
import { z } from "zod";

// One line of a trace: what it may say. Arguments and results are taken as they are, never copied: a key `__proto__` is data.

const name = z.string().min(1).max(256);
const time = z.string().refine((text) => /^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(Date.parse(text)), "is no time; write for example `2026-11-02T09:00:00Z`");
const object = z.custom<JsonObject>(isObject, "is not an object");

const open = z.strictObject({
  agent: name.optional(),
  on_behalf_of: name.optional(),
  task: z.string().optional(),
  /** Another word for `task`, as the API has it. */
  purpose: z.string().optional(),
  labels: z.array(z.string()).optional(),
  tools: z.array(z.string()).optional(),
  minutes: z.number().optional(),
  max_calls: z.number().optional(),
  isolation: z.enum(isolations).optional(),
  /** A session of this trace: the new one is its child. */
  parent: name.optional(),
});

const definition = z.looseObject({ name, description: z.string().optional(), inputSchema: object });
const definitions = z.array(definition).max(2000);
/** What `tools/list` answers, by server: the list alone, or the whole result. */
export const toolsShape = z.record(name, z.union([definitions, z.looseObject({ tools: definitions })]));

const lineShape = z.strictObject({
  session: name.optional(),
  at: time.optional(),
  open: open.optional(),
  call: z.strictObject({ tool: name, args: object.optional(), approvals: z.array(name).max(64).optional() }).optional(),
  /** Of a call: what it should come to; `lanyard try --check` compares. */
  expect: z.enum(["stopped", "allow", "allow-or-ask"]).optional(),
  result: z
    .strictObject({ tool: name, content: z.custom<Json>((value) => value !== undefined, "is missing"), structuredContent: object.optional(), isError: z.boolean().optional() })
    .optional(),
  approve: z.strictObject({ groups: z.array(name).min(1).max(64) }).optional(),
  close: z.strictObject({}).optional(),
  tools: toolsShape.optional(),
  /** As `tools:` of lanyard.yaml, by Cedar action id. */
  contracts: object.optional(),
  mark: z.strictObject({ labels: z.array(name).min(1).max(64) }).optional(),
});

export type TraceLine = z.infer<typeof lineShape>;
export type OpenLine = z.infer<typeof open>;

const kinds = ["open", "call", "result", "approve", "mark", "close", "tools", "contracts"] as const;

/** What is wrong with a line; `isCall` when it is a call all the same, which is then denied. */
export interface WrongLine {
  readonly wrong: string;
  /** The session that the line names, if it names one. */
  readonly session?: string;
  readonly isCall: boolean;
}

/** Reads a line, or says what is wrong with it. */
export const readLine = (text: string): TraceLine | WrongLine => {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    return { wrong: `not JSON: ${(error as Error).message}`, isCall: /"call"\s*:/.test(text) };
  }
  const named = isObject(value) && Object.hasOwn(value, "session") ? value["session"] : undefined;
  const wrong = (why: string): WrongLine => ({ wrong: why, isCall: isObject(value) && Object.hasOwn(value, "call"), ...(typeof named === "string" && { session: named.slice(0, 256) }) });
  const { success, data, error } = lineShape.safeParse(value);
  if (!success) return wrong(error.issues.map(words).join("; "));
  const said = kinds.filter((kind) => data[kind] !== undefined);
  if (said.length !== 1) return wrong(said.length === 0 ? `the line says none of ${kinds.join(", ")}` : `the line says ${said.join(" and ")}; one a line`);
  if (data.expect !== undefined && data.call === undefined) return wrong("`expect` is said of a call");
  const inexact = data.call === undefined ? null : inexactNumber(text);
  if (inexact !== null) return wrong(`the number ${inexact.slice(0, 40)} would not be passed on as it is; write it as a text`);
  if (said[0] !== "tools" && said[0] !== "contracts" && data.session === undefined) return wrong("`session` is missing: any name of your choice");
  return data;
};

const words = (issue: z.core.$ZodIssue): string => {
  if (issue.code === "unrecognized_keys") return `unknown key \`${[...issue.path, issue.keys[0] ?? ""].join(".")}\``;
  const message = issue.message.replace(/^Invalid input: /, "").replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase());
  return issue.path.length === 0 ? message : `\`${issue.path.join(".")}\`: ${message}`;
};

/** Definitions of tools by server. */
export const definitionsOf = (tools: z.infer<typeof toolsShape>): [string, readonly ToolDefinition[]][] =>
  Object.entries(tools).map(([server, list]) => [server, (Array.isArray(list) ? list : list.tools) as readonly ToolDefinition[]]);
