import { describeProblem, compile, describeReport, openSnapshot, runCases, type PolicyFile } from "@lanyard/policy";
import { describe, expect, it } from "vitest";
import { registryOf } from "../../base/config/config.ts";
import { parseConfig } from "../../base/config/read.ts";
import { chosenPacks, guardrailPacks } from "../../base/packs.ts";
import { setupFiles } from "./written.ts";

const imported = { servers: { notes: { command: "node", args: ["notes.mjs"], env: { KEY: "${env:KEY}" } } }, variables: ["KEY"], leftOut: [] };
const filesOf = (files: ReadonlyMap<string, string>, folder: string, ending: string): PolicyFile[] => [...files].flatMap(([path, text]) => (path.startsWith(`${folder}/`) && path.endsWith(ending) ? [{ file: path, text }] : []));
const names = guardrailPacks().map(({ name }) => name);

describe("a new set-up", () => {
  it.each(["all", ...names])("with the pack `%s` compiles, and its cases come out as told", async (name) => {
    const files = setupFiles({ packs: chosenPacks([name, "permit-the-rest"]), approvers: "leads", imported: null, shadow: false });
    const config = parseConfig(new TextEncoder().encode(files.get("lanyard.yaml")), "/x/lanyard.yaml");
    const ground = { registry: registryOf(config), servers: [...config.servers.keys()], tools: [] };
    const policies = filesOf(files, "policies", ".cedar");
    const made = compile({ ...ground, policies });
    expect(made.ok ? [] : made.errors.map(describeProblem)).toEqual([]);
    const report = await runCases({
      files: filesOf(files, "policies", ".yaml"),
      ground,
      open: async (at) => {
        const anew = compile({ ...at, policies });
        return anew.ok ? openSnapshot(anew.bytes) : anew.errors;
      },
    });
    expect(describeReport(report)).toEqual([]);
  });

  it("that takes servers over lets them go on, and budgets refuse nothing", () => {
    const files = setupFiles({ packs: chosenPacks(["all"]), approvers: "leads", imported, shadow: true });
    const config = parseConfig(new TextEncoder().encode(files.get("lanyard.yaml")), "/x/lanyard.yaml");
    expect([config.release, config.budgets.size, [...config.servers.keys()]]).toEqual(["reviewed", 0, ["notes"]]);
    const made = compile({ registry: registryOf(config), servers: ["notes"], tools: [], policies: filesOf(files, "before", ".cedar") });
    expect(made.ok ? [] : made.errors.map(describeProblem)).toEqual([]);
    // What stands in the comment is what it is without the shadow.
    const uncommented = files.get("lanyard.yaml")?.replace(/^# (budgets:\n(?:#.*\n)+)/m, (_whole, rest: string) => rest.replaceAll("# ", "")) ?? "";
    expect([...parseConfig(new TextEncoder().encode(uncommented), "/x/lanyard.yaml").budgets.keys()]).toEqual(["guardrail-calls"]);
  });

  it("asks the group that is named, also where it is the owners'", () => {
    const files = setupFiles({ packs: chosenPacks(["all"]), approvers: "owners", imported, shadow: true });
    expect([...files.values()].join("\n")).not.toMatch(/Group::"approvers"|approval:approvers/);
    expect(() => setupFiles({ packs: chosenPacks(["all"]), approvers: 'x"} ;', imported: null, shadow: false })).toThrow("the name of a group is");
  });
});
