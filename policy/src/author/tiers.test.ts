import type { Registry } from "@lanyard/contract";
import { describe, expect, it } from "vitest";
import { decodeBundle } from "../bundle.ts";
import type { ApprovedTool } from "../schema/schema.ts";
import { compile, type Compiled } from "./compile.ts";
import type { PolicyProblem } from "./problem.ts";

const tools: ApprovedTool[] = [
  { server: "bank", tool: "pay", definition: "d", inputSchema: { type: "object", properties: { to: { type: "string" } } }, contract: { effects: ["money"], reversibility: "irreversible", resource: { type: "Account", argument: ["to"] } }, annotations: { destructiveHint: true } },
  { server: "files", tool: "look", definition: "d", inputSchema: {}, contract: { effects: ["read"], reversibility: "read" } },
];
const registry: Registry = {
  agents: { bot: { team: "shop", classes: ["worker"] }, spy: { team: "night", classes: [] } },
  users: { ana: { groups: ["leads", "shop-leads"] } },
  teams: { shop: { owners: [] }, night: { owners: [] }, "shop.eu": { owners: [] } },
  groups: { leads: { team: null }, "shop-leads": { team: "shop" }, empty: { team: null } },
  owners: ["leads"],
  resources: { Account: { a: { labels: ["vip"], owner: "shop" } }, Repo: {} },
};
const compileFiles = (files: Readonly<Record<string, string>>): Compiled =>
  compile({ servers: ["bank", "files"], tools, registry, policies: Object.entries(files).map(([file, text]) => ({ file, text })) });
const headline = ({ place, message }: PolicyProblem): string => `${place.file}:${place.line}:${place.column}: ${message}`;
const errors = (file: string, text: string): string[] => {
  const compiled = compileFiles({ [file]: text });
  return compiled.ok ? [] : compiled.errors.map(headline);
};
const warnings = (text: string): string[] => compileFiles({ "org.cedar": text }).warnings.map(headline);
const asked = (group: string): string => `unless { context.approvals.contains(Group::"${group}") };`;

describe("a team's folder", () => {
  it.each([
    '@id("shop.a") permit (principal in Team::"shop", action, resource);',
    '@id("shop.a") @tier("team") @team("shop") @severity("low") forbid (principal is Agent in Team::"shop", action, resource);',
    '@id("shop.a") permit (principal == Agent::"bot", action, resource);',
    `@id("shop.a") @remedy("approval:shop-leads") forbid (principal in Team::"shop", action, resource) ${asked("shop-leads")}`,
    `@id("shop.a") @remedy("approval:leads") forbid (principal in Team::"shop", action, resource) ${asked("leads")}`,
  ])("holds what speaks of its own agents: %s", (text) => expect(errors("teams/shop/a.cedar", text)).toEqual([]));

  it.each<[string, string, string]>([
    ["all agents", '@id("shop.a") permit (principal, action, resource);', "1:23: a policy of the team `shop` must speak of its own agents alone"],
    ["all agents by type", '@id("shop.a") permit (principal is Agent, action, resource);', "1:23: a policy of the team `shop` must speak of its own agents alone"],
    ["another team", '@id("shop.a") forbid (principal in Team::"night", action, resource);', "1:23: a policy of the team `shop` must speak of its own agents alone"],
    ["a class, which others share", '@id("shop.a") permit (principal in AgentClass::"worker", action, resource);', "1:23: a policy of the team `shop` must speak of its own agents alone"],
    ["a team that only begins alike", '@id("shop.a") permit (principal in Team::"shop.eu", action, resource);', "1:23: a policy of the team `shop` must speak of its own agents alone"],
    ["another's agent", '@id("shop.a") permit (principal == Agent::"spy", action, resource);', "1:23: the agent `spy` is none of the team `shop`"],
    ["an agent that nobody knows", '@id("shop.a") permit (principal == Agent::"toString", action, resource);', "1:23: the agent `toString` is none of the team `shop`"],
    ["an id that is not its own", '@id("a") permit (principal in Team::"shop", action, resource);', "1:1: the id of a policy of the team `shop` begins with `shop.`"],
    ["an id of another team's", '@id("shop.eu.a") permit (principal in Team::"shop", action, resource);', "1:1: ids that begin with `shop.eu.` are the team `shop.eu`'s"],
    ["the organisation's tier", '@id("shop.a") @tier("org") permit (principal in Team::"shop", action, resource);', '1:15: `@tier("org")` does not go with the file\'s place'],
    ["another team's name", '@id("shop.a") @team("night") permit (principal in Team::"shop", action, resource);', '1:15: `@team("night")` does not go with the file\'s place'],
  ])("holds nothing that speaks of %s", (_, text, message) => expect(errors("teams/shop/a.cedar", text)).toEqual([`teams/shop/a.cedar:${message}`]));

  it("asks no other team's group", () => {
    expect(errors("teams/night/a.cedar", `@id("night.a") @remedy("approval:shop-leads") forbid (principal in Team::"night", action, resource) ${asked("shop-leads")}`)).toEqual(["teams/night/a.cedar:1:16: `shop-leads` is a group of the team `shop`"]);
  });

  it("is of a registered team, and holds files, not the folder above", () => {
    expect(errors("teams/shp/a.cedar", '@id("shp.a") permit (principal in Team::"shp", action, resource);')).toEqual(["teams/shp/a.cedar:1:1: no team `shp` is registered in lanyard.yaml"]);
    expect(errors("teams/a.cedar", '@id("a") permit (principal, action, resource);')).toEqual(["teams/a.cedar:1:1: a file directly in `teams/` belongs to no team"]);
  });

  it("is blamed for an id that the organisation has, whatever the files are named", () => {
    const compiled = compileFiles({ "teams/shop/a.cedar": '@id("shop.x") permit (principal in Team::"shop", action, resource);', "z.cedar": '@id("shop.x") permit (principal, action, resource);' });
    expect(compiled.ok ? [] : compiled.errors.map(headline)).toEqual(["teams/shop/a.cedar:1:1: the id `shop.x` is taken", "z.cedar:1:1: ids that begin with `shop.` are the team `shop`'s"]);
  });

  it("makes the tier of what is in it", () => {
    const compiled = compileFiles({ "teams/shop/a.cedar": '@id("shop.x") @severity("high") permit (principal in Team::"shop", action, resource);', "z.cedar": '@id("z") permit (principal, action, resource);' });
    if (!compiled.ok) throw new Error(compiled.errors.map(headline).join());
    expect(decodeBundle(compiled.bytes).policies.map(({ id, team, severity }) => [id, team, severity])).toEqual([["shop.x", "shop", "high"], ["z", "", ""]]);
  });
});

describe("the organisation's policies", () => {
  it.each<[string, string]>([
    [`@id("a") @remedy("approval:1 of leads") forbid (principal, action, resource) ${asked("1 of leads")}`, "1:10: `1 of leads` names no group, nor a number of people of one"],
    [`@id("a") @remedy("approval:2 of leads,leads or self") forbid (principal, action, resource) ${asked("2 of leads")}`, "1:10: `leads or self` is asked for twice: `2 of leads` is enough for it"],
    [`@id("a") @remedy("approval:2 of shop-leads") forbid (principal, action, resource) ${asked("2 of shop-leads")}`, "1:10: `2 of shop-leads` is a group of the team `shop`, which may not lift a rule of the organisation"],
    [`@id("a") @remedy("approval:shop-leads") forbid (principal, action, resource) ${asked("shop-leads")}`, "1:10: `shop-leads` is a group of the team `shop`, which may not lift a rule of the organisation"],
    ['@id("shop.a") permit (principal, action, resource);', "1:1: ids that begin with `shop.` are the team `shop`'s"],
    ['@id("a") @tier("team") permit (principal, action, resource);', '1:10: `@tier("team")` does not go with the file\'s place'],
    ['@id("a") @severity("hihg") permit (principal, action, resource);', "1:10: `@severity` is none of low, medium, high, critical"],
  ])("are refused: %s", (text, message) => expect(errors("org.cedar", text)).toEqual([`org.cedar:${message}`]));
});

describe("I12: a server's hint", () => {
  it("can be asked for in the head of a forbid", () => expect(errors("a.cedar", '@id("a") forbid (principal, action in [Action::"hint:destructive", Action::"bank/pay"], resource);')).toEqual([]));
  it.each([
    '@id("a") permit (principal, action in Action::"hint:write", resource);',
    '@id("a") permit (principal, action, resource) unless { action in Action::"hint:write" };',
    '@id("a") forbid (principal, action, resource) unless { action in Action::"hint:write" };',
    '@id("a") forbid (principal, action, resource) when { [Action::"hint:write"].contains(action) };',
  ])("can be asked for nowhere else: %s", (text) => expect(errors("a.cedar", text)).toEqual([expect.stringContaining("`hint:write` is asked for elsewhere than in the head of a forbid")]));
});

describe("a policy that can never match", () => {
  it.each<[string, string]>([
    ['@id("a") permit (principal == Agent::"bott", action, resource);', "there is no agent `bott`"],
    ['@id("a") permit (principal in Team::"shopp", action, resource);', "there is no team `shopp`"],
    ['@id("a") permit (principal in Team::"shop.eu", action, resource);', "no agent is in the team `shop.eu`, so the policy matches no call"],
    ['@id("a") permit (principal in AgentClass::"wroker", action, resource);', "there is no agent of the class `wroker`"],
    ['@id("a") permit (principal, action, resource) when { context.user in Group::"ledas" };', "there is no group `ledas`"],
    ['@id("a") permit (principal, action, resource == Server::"fils");', "there is no server `fils`"],
    ['@id("a") permit (principal, action == Action::"files/look", resource == Server::"bank");', "none of the actions in the head belongs to the server `bank`, so the policy matches no call"],
    ['@id("a") permit (principal, action == Action::"files/look", resource is Account);', "the policy can never match: no action goes with this principal and this resource"],
    ['@id("a") permit (principal, action, resource is Repo);', "the policy can never match: no action goes with this principal and this resource"],
    ['@id("a") permit (principal, action, resource) when { false };', "the policy can never match: its conditions are false for every call that its head lets through"],
    ['@id("a") permit (principal, action in [], resource);', "the policy can never match: no action goes with this principal and this resource"],
    ['@id("a") permit (principal, action == Action::"bank/pya", resource);', "no catalog knows the action `bank/pya`"],
    [`@id("a") @remedy("approval:2 of empty") forbid (principal, action, resource) ${asked("2 of empty")}`, "no user is in the group `empty`, so nobody can approve"],
    [`@id("a") @remedy("approval:9 of leads") forbid (principal, action, resource) ${asked("9 of leads")}`, "the group `leads` has 1 user, so `9 of leads` can never be given"],
    [`@id("a") @remedy("approval:2 of lead") forbid (principal, action, resource) ${asked("2 of lead")}`, "there is no group `lead`"],
    [`@id("a") @remedy("approval:empty") forbid (principal, action, resource) ${asked("empty")}`, "no user is in the group `empty`, so nobody can approve"],
  ])("is told: %s", (text, message) => expect(warnings(text).map((line) => line.replace(/^org\.cedar:\d+:\d+: /, ""))).toEqual([message]));

  it("is not told of a rule on a group that has no tool yet", () => expect(warnings('@id("a") forbid (principal, action in [Action::"exec", Action::"reversibility:compensable"], resource);')).toEqual([]));
  it("is not told of what can", () => expect(warnings('@id("a") permit (principal == Agent::"bot", action == Action::"bank/pay", resource == Account::"a") when { resource.labels.contains("vip") && resource has owner && principal in resource.owner };')).toEqual([]));
});
