import { compile, describeProblem, describeReport, openSnapshot, runCases, type Ground } from "@lanyard/policy";
import { describe, expect, it } from "vitest";
import { parseConfig } from "./config/read.ts";
import { chosenPacks, guardrailPacks, packConfig, packPolicies, withApprovers } from "./packs.ts";

const tool = { server: "s", tool: "t", definition: "d", inputSchema: { type: "object", properties: { repo: { type: "string" } } }, contract: { effects: [], reversibility: "unknown" as const, resource: { type: "Repo", argument: ["repo"] } } };
const nothing: Ground = { servers: ["s"], tools: [tool], registry: { agents: { a: { team: "t", classes: [] } }, users: { u: { groups: ["leads"] } }, teams: { t: { owners: [] } }, groups: { leads: { team: null } }, owners: [], resources: {} } };
const packs = guardrailPacks();

describe("ready guardrails", () => {
  it.each(packs.map((pack) => [pack.name, pack] as const))("%s says what it stops and what it costs, and compiles alone", (_name, pack) => {
    expect([pack.stops, pack.costs].map((text) => text.length > 20)).toEqual([true, true]);
    const made = compile({ ...nothing, policies: packPolicies([pack], "leads") });
    expect([...(made.ok ? [] : made.errors), ...made.warnings].map(describeProblem)).toEqual([]);
  });

  it.each(packs.filter(({ cases }) => cases !== null).map((pack) => [pack.name, pack] as const))("%s: its cases come out as told", async (name, { cases }) => {
    const report = await runCases({
      files: [{ file: `${name}.yaml`, text: withApprovers(cases ?? "", "leads") }],
      ground: nothing,
      open: async (ground) => {
        const made = compile({ ...ground, policies: packPolicies(packs, "leads") });
        return made.ok ? openSnapshot(made.bytes) : made.errors;
      },
    });
    expect(describeReport(report)).toEqual([]);
  });

  it("bring parts of lanyard.yaml that fit together", () => {
    expect([...parseConfig(new TextEncoder().encode(JSON.stringify({ version: 1, ...packConfig(packs) })), "/x/lanyard.yaml").budgets.keys()]).toEqual(["guardrail-calls"]);
  });

  it("are chosen by name", () => {
    expect(chosenPacks(["recipients", "irreversible"]).map(({ name }) => name)).toEqual(["irreversible", "recipients"]);
    expect(() => chosenPacks(["recipient"])).toThrow("there is no pack `recipient`");
  });
});
