import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { DecisionInput, JsonObject } from "@lanyard/contract";
import { compile, describeProblem, openSnapshot, type Compiled, type ApprovedTool } from "@lanyard/policy";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";

// Each file tells, in YAML, what some policies make of some calls. Unknown keys are refused, so a misspelt expectation is no pass.
const effects = z.array(z.enum(["read", "write", "egress", "destructive", "money", "exec"]));
const names = z.array(z.string());
const caseFile = z.strictObject({
  about: z.string(),
  /** Tools by `<server>/<tool>`; `input` names the JSON type of each argument (`?` when optional), `schema` is a whole JSON Schema. */
  tools: z.record(z.string(), z.strictObject({ effects: effects.default([]), input: z.record(z.string(), z.string()).optional(), schema: z.json().optional() })),
  policies: z.union([z.string(), z.strictObject({ folder: z.string() })]),
  agents: z.record(z.string(), z.strictObject({ team: z.string().default("shop"), classes: names.default([]) })).default({}),
  users: z.record(z.string(), z.strictObject({ groups: names.default([]) })).default({}),
  /** Errors of compiling, each with place; the file then has no cases. */
  refused: names.optional(),
  warnings: names.default([]),
  cases: z
    .array(
      z.strictObject({
        it: z.string(),
        agent: z.string().default("bot"),
        user: z.string().default("ana"),
        call: z.string().optional(),
        args: z.record(z.string(), z.json()).optional(),
        /** Arguments as JSON text, where YAML could not say it. */
        json: z.string().optional(),
        approved_by: names.default([]),
        labels: names.default([]),
        now: z.string().default("2026-11-02T09:00:00Z"),
        expect: z.enum(["allow", "deny", "ask"]).optional(),
        because: names.default([]),
        approvers: names.default([]),
        errors: names.default([]),
        /** Instead of a call: which of the tools this agent is shown. */
        sees: names.optional(),
      }),
    )
    .default([]),
});
type CaseFile = z.infer<typeof caseFile>;
type Case = CaseFile["cases"][number];

const folder = import.meta.dirname;

const schemaOfInput = (input: Readonly<Record<string, string>>): JsonObject => ({
  type: "object",
  properties: Object.fromEntries(Object.entries(input).map(([name, type]) => [name.replace(/\?$/, ""), { type }])),
  required: Object.keys(input).filter((name) => !name.endsWith("?")),
});

const toolOf = ([name, { effects: groups, input = {}, schema }]: [string, CaseFile["tools"][string]]): ApprovedTool => {
  const [server = "", tool = ""] = name.split(/\/(.*)/s);
  return { server, tool, definition: "d".repeat(43), inputSchema: (schema as JsonObject | undefined) ?? schemaOfInput(input), contract: { effects: groups, reversibility: "unknown" } };
};

const policiesOf = (policies: CaseFile["policies"]): { file: string; text: string }[] => {
  if (typeof policies === "string") return [{ file: "policies.cedar", text: policies }];
  const path = join(folder, "../..", policies.folder);
  return readdirSync(path).map((file) => ({ file, text: readFileSync(join(path, file), "utf8") }));
};

const compileFile = ({ tools, policies }: CaseFile): Compiled => {
  const approved = Object.entries(tools).map(toolOf);
  return compile({ servers: [...new Set(approved.map(({ server }) => server))], tools: approved, policies: policiesOf(policies) });
};

const agentOf = ({ agents }: CaseFile, id: string): DecisionInput["agent"] => ({ id, ...(agents[id] ?? { team: "shop", classes: ["worker"] }) });

const inputOf = (file: CaseFile, one: Case): DecisionInput => ({
  agent: agentOf(file, one.agent),
  user: { id: one.user, groups: file.users[one.user]?.groups ?? [] },
  session: { id: "ses_1", purpose: "a test", depth: 0, labels: one.labels, isolation: "none" },
  action: one.call ?? "",
  args: (one.json === undefined ? (one.args ?? {}) : JSON.parse(one.json)) as JsonObject,
  approvals: one.approved_by,
  nowMs: Date.parse(one.now),
});

const headline = (problem: Parameters<typeof describeProblem>[0]): string => describeProblem(problem).split("\n")[0] ?? "";

for (const name of readdirSync(folder).filter((entry) => entry.endsWith(".yaml"))) {
  const file = caseFile.parse(parse(readFileSync(join(folder, name), "utf8")));
  describe(`${name}: ${file.about}`, () => {
    const compiled = compileFile(file);
    it("compiles as foretold", () => {
      expect(compiled.ok ? [] : compiled.errors.map(headline)).toEqual(file.refused ?? []);
      expect(compiled.warnings.map(headline)).toEqual(file.warnings);
    });
    if (!compiled.ok) return;
    const snapshot = openSnapshot(compiled.bytes);
    it.each(file.cases.filter(({ sees }) => sees))("$it", (one) => expect(snapshot.visible(agentOf(file, one.agent), Object.keys(file.tools))).toEqual(one.sees));
    it.each(file.cases.filter(({ sees }) => !sees))("$it", (one) => {
      const { effect, reasons, approvers, errors } = snapshot.decide(inputOf(file, one));
      const told = { effect, because: reasons.map(({ policy }) => policy), approvers, errors: errors.map(({ policy, message }) => `${policy}: ${message}`) };
      expect(told).toEqual({ effect: one.expect, because: one.because, approvers: one.approvers, errors: one.errors });
    });
  });
}
