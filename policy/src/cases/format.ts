import { callEffects, isolations, parseJson, reversibilities, type JsonObject } from "@lanyard/contract";
import { z } from "zod";
import { knownOfCall } from "./format-facts.ts";

// The shape of a file of cases, key by key. Unknown keys are refused, so that a misspelt expectation is no pass.

const name = z.string().min(1).max(256);
const names = z.array(name).max(256);
const args = z.record(z.string(), z.json());
const argumentType = z.string().regex(/^(?:string|integer|number|boolean|object)(?:\[\])?$/, "is none of string, integer, number, boolean, object, with `[]` for several");
const time = z.string().refine((text) => /^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(Date.parse(text)), "is no time; write for example `2026-11-02T09:00:00Z`");

const tool = z
  .strictObject({
    effects: z.array(z.enum(callEffects)).max(callEffects.length).optional(),
    reversibility: z.enum(reversibilities).optional().describe("the worst that a call of it can be; default unknown"),
    classes: z.array(z.enum(reversibilities)).min(1).max(5).optional().describe("all that a call of it can be, where its arguments choose"),
    resource: z.strictObject({ type: name, argument: name }).optional(),
    input: z.record(z.string().min(1), argumentType).optional().describe("the JSON type of each argument; a name that ends in `?` is optional"),
    schema: z.record(z.string(), z.json()).optional().describe("the whole JSON Schema of the arguments, instead of `input`"),
  })
  .describe("a tool that the catalog does not have");

/** What a case may say of who acts and in which session; `given` says it for all cases of a file. */
const facts = {
  agent: name.optional(),
  user: name.optional(),
  approved_by: names.optional().describe("groups that have approved this very call"),
  labels: names.optional().describe("labels of the session: what it has read so far"),
  purpose: z.string().max(1000).optional(),
  depth: z.int().min(0).max(64).optional().describe("how many sessions are above this one"),
  reversibility: z.enum(reversibilities).optional().describe("how far this very call can be taken back; default what the tool's contract says at worst"),
  ...knownOfCall,
  isolation: z.enum(isolations).optional().describe("what the agent's process runs in; default none"),
  now: time.optional().describe("when the call is made; default 2026-11-02T09:00:00Z, a Monday"),
};

const resource = z.strictObject({ type: name, id: name, labels: names.optional(), owner: name.nullable().optional() });

const oneCase = z
  .strictObject({
    it: z.string().min(1).max(500).describe("what the case shows, in words"),
    ...facts,
    call: name.optional().describe("the action: `server/tool`, or `server/mcp:method`"),
    args: args.optional(),
    json: z.string().optional().describe("arguments as JSON text, where YAML cannot say it"),
    resources: z.array(resource).max(64).optional().describe("what the call touches; default: what the tool's contract finds in the arguments"),
    expect: z.enum(["allow", "deny", "ask"]).optional(),
    because: z.array(name).optional().describe("ids of exactly the policies that determine the decision; not checked when left out"),
    approvers: names.optional().describe("on `ask`, the groups that are asked; not checked when left out"),
    remedies: z.array(z.string()).optional().describe("what would lift it, such as `approval:leads`; not checked when left out"),
    errors: z.array(z.string()).optional().describe("`policy: message` of each error; none are expected when left out"),
    sees: names.optional().describe("instead of a call: exactly the tools that this agent is shown"),
    among: names.optional().describe("with `sees`: the tools asked about, `server/tool` or `server/*`; default: all"),
  })
  .superRefine((one, context) => {
    const wrong = (message: string, key?: string): void => context.addIssue({ code: "custom", message, path: key === undefined ? [] : [key] });
    if (one.sees !== undefined) {
      for (const key of ["call", "args", "json", "resources", "expect", "because", "approvers", "remedies", "errors"] as const) if (one[key] !== undefined) wrong(`\`${key}\` does not go with \`sees\``, key);
      return;
    }
    if (one.among !== undefined) wrong("`among` goes with `sees`", "among");
    if (one.call === undefined) wrong("a case has a `call` and what to `expect` of it, or `sees`");
    else if (one.expect === undefined) wrong("a call without `expect`: allow, deny or ask");
    if (one.args !== undefined && one.json !== undefined) wrong("arguments are given by `args` or by `json`, not by both", "json");
    if (one.json !== undefined && !isJsonObject(one.json)) wrong("`json` is not the text of a JSON object", "json");
  });

const isJsonObject = (text: string): boolean => {
  try {
    const value: unknown = parseJson(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
};

/** Zod's shape of a file of cases. */
export const caseFileShape = z.strictObject({
  about: z.string().max(500).optional().describe("what these cases are about"),
  tools: z.record(name, tool).optional().describe("tools by `server/tool` that the catalog does not have; the catalog's own come first"),
  agents: z.record(name, z.strictObject({ team: name, classes: names.optional() })).optional().describe("agents that lanyard.yaml does not have"),
  users: z.record(name, z.strictObject({ groups: names.optional() })).optional().describe("users that lanyard.yaml does not have"),
  given: z.strictObject(facts).optional().describe("facts of every case that does not say otherwise"),
  cases: z.array(oneCase),
});

/** A file of cases as its author wrote it, checked. */
export type CaseFile = z.infer<typeof caseFileShape>;
/** One case of a file. */
export type Case = CaseFile["cases"][number];

/** Editors that know YAML schemas take it from a file's first line: `# yaml-language-server: $schema=cases.schema.json`. */
export const caseSchema = (): JsonObject => ({ ...(z.toJSONSchema(caseFileShape, { io: "input" }) as JsonObject), title: "Cases of Lanyard policies" });
