import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { compile, describeProblem, describeReport, openSnapshot, runCases, type Compiled, type Ground } from "@lanyard/policy";
import { describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { z } from "zod";

// Files of cases as `lanyard policy test` runs them, each with policies of its own beside them, and what compiling says of those.
const own = z.looseObject({
  about: z.string(),
  policies: z.union([z.string(), z.strictObject({ folder: z.string() })]),
  /** Errors of compiling, each with place; the file then has no cases. */
  refused: z.array(z.string()).optional(),
  warnings: z.array(z.string()).default([]),
  cases: z.array(z.record(z.string(), z.json())).default([]),
});
type OwnFile = z.infer<typeof own>;

const folder = import.meta.dirname;
const nothing: Ground = { servers: [], tools: [], registry: { agents: {}, users: {}, teams: {}, groups: {}, owners: [], resources: {} } };

const policiesOf = (policies: OwnFile["policies"]): { file: string; text: string }[] => {
  if (typeof policies === "string") return [{ file: "policies.cedar", text: policies }];
  const path = join(folder, "../..", policies.folder);
  return readdirSync(path).filter((file) => file.endsWith(".cedar")).map((file) => ({ file, text: readFileSync(join(path, file), "utf8") }));
};

/** Here a case says everything: what it does not mention is not there. */
const strict = (one: OwnFile["cases"][number]): object => ("sees" in one ? one : { because: [], approvers: [], ...one });

const headline = (problem: Parameters<typeof describeProblem>[0]): string => describeProblem(problem).split("\n")[0] ?? "";

for (const name of readdirSync(folder).filter((entry) => entry.endsWith(".yaml"))) {
  const { policies, refused = [], warnings, cases, ...rest } = own.parse(parse(readFileSync(join(folder, name), "utf8")));
  describe(`${name}: ${rest.about}`, async () => {
    const compiled: Compiled[] = [];
    const report = await runCases({
      files: [{ file: name, text: stringify({ ...rest, cases: cases.map(strict) }) }],
      ground: nothing,
      open: async (ground) => {
        const answer = compile({ servers: ground.servers, tools: ground.tools, policies: policiesOf(policies) });
        compiled.push(answer);
        return answer.ok ? openSnapshot(answer.bytes) : answer.errors;
      },
    });
    it("compiles as foretold", () => {
      expect(compiled.flatMap((answer) => (answer.ok ? [] : answer.errors.map(headline)))).toEqual(refused);
      expect(compiled.flatMap((answer) => answer.warnings.map(headline))).toEqual(warnings);
    });
    if (refused.length > 0) return;
    it("has every case come out as told", () => {
      expect(describeReport(report)).toEqual([]);
      expect(report.cases).toBe(cases.length);
    });
  });
}
