import { Fault, webServer, webTools, type Registry } from "@lanyard/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compile } from "../author/compile.ts";
import { openSnapshot } from "../decide/snapshot.ts";
import type { ApprovedTool } from "../schema/schema.ts";
import { answerAll } from "./answer.ts";
import { compareBundles } from "./compare.ts";
import { matchlessPolicies } from "./matchless.ts";
import { compareOrg } from "./org.ts";
import { reviewBundle } from "./review.ts";
import { Solver } from "./solver.ts";
import { startZ3, type Z3 } from "./z3.ts";

let z3: Z3;
beforeAll(async () => void (z3 = await startZ3()));
afterAll(() => z3.close());

const registry: Registry = {
  agents: { bot: { team: "red", classes: ["c1"] }, eve: { team: "blue", classes: [] } },
  users: {},
  teams: { red: { owners: [] }, blue: { owners: [] } },
  groups: { leads: { team: null } },
  owners: [],
  resources: { Table: { orders: { labels: ["pii"], owner: "red" }, "*": { labels: [], owner: null } } },
};

const text = { type: "string" };
const tool = (name: string, effects: ApprovedTool["contract"]["effects"], properties: ApprovedTool["inputSchema"], resource?: ApprovedTool["contract"]["resource"]): ApprovedTool => ({
  server: "s",
  tool: name,
  definition: "d".repeat(43),
  inputSchema: { type: "object", properties, required: Object.keys(properties) },
  contract: { effects, reversibility: "unknown", ...(resource && { resource }) },
});
const tools = [
  tool("send", ["egress"], { to: text, copy: text, n: { type: "integer" }, d: { type: "number" }, tags: { type: "array", items: text }, notes: { type: "array", items: text }, flag: { type: "boolean" }, flags: { type: "array", items: { type: "boolean" } } }),
  tool("shell", ["exec"], { command: text }),
  tool("query", ["read"], { table: text }, { type: "Table", argument: ["table"] }),
];

const bundleOf = (policies: string, file = "org.cedar"): Uint8Array => {
  const compiled = compile({ servers: [], tools, registry, policies: [{ file, text: policies }] });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.errors));
  return compiled.bytes;
};

const permit = (condition: string): string => `@id("p") permit (principal == Agent::"bot", action == Action::"s/send", resource) when { ${condition} };`;

/** Each: a condition, and whether some call fulfils it. */
const constructs: readonly (readonly [string, "yes" | "no"])[] = [
  ["context.input.n > 5 && context.input.n < 7", "yes"],
  ["context.input.n > 5 && context.input.n < 6", "no"],
  ["context.input.n * 2 == 7", "no"],
  ["context.input.n - 1 == -4", "yes"],
  ["-context.input.n == 3", "yes"],
  ["9007199254740992 < context.input.n", "no"],
  ["context.input.n * 4611686018427387904 > 0", "yes"],
  ["context.input.n * 4611686018427387904 > 4611686018427387904", "no"],
  ['context.input.to like "a*" && context.input.to like "*b" && context.input.to != "ab"', "yes"],
  ['context.input.to like "a*" && !(context.input.to like "*a*")', "no"],
  ['context.input.to like "*a*" && context.input.to like "*b*" && !(context.input.to like "*a*b*") && !(context.input.to like "*b*a*")', "no"],
  ['context.input.to like "a*a" && !(context.input.to like "a*a*a") && context.input.to != "aa"', "yes"],
  ['context.input.to like "\\*\\u{1f600}*" && context.input.copy == context.input.to && context.input.copy == "x"', "no"],
  ['context.input.copy == context.input.to && context.input.to like "x*" && context.input.copy like "y*"', "no"],
  ['context.input.d.lessThan(decimal("0.0002")) && context.input.d.greaterThan(decimal("0.0"))', "yes"],
  ['context.input.d.lessThan(decimal("0.0001")) && context.input.d.greaterThan(decimal("0.0"))', "no"],
  ['context.input.tags.contains("a") && context.input.tags.isEmpty()', "no"],
  ['context.input.tags.containsAny(["a", "b"]) && !context.input.tags.contains("a")', "yes"],
  ['["a", "b"].containsAll(context.input.tags) && context.input.tags.contains(context.input.to) && context.input.to like "c*"', "no"],
  ['context.input.tags == ["a", "b"] && !context.input.tags.containsAll(["b"])', "no"],
  ['!["a"].containsAll(context.input.tags) && !context.input.tags.contains("b")', "yes"],
  ["context.input.flag && !context.input.flag", "no"],
  ["!context.input.flags.isEmpty()", "yes"],
  ["!context.input.flags.isEmpty() && !context.input.flags.contains(true)", "yes"],
  ["!context.input.flags.isEmpty() && !context.input.flags.contains(true) && !context.input.flags.contains(false)", "no"],
  ["!([true].containsAll(context.input.flags))", "yes"],
  ["!context.input.flags.containsAll([true]) && !context.input.flags.isEmpty()", "yes"],
  ["context.input.flags == [true] && context.input.flags.contains(false)", "no"],
  ["context.input has flag && !(context.input has n)", "yes"],
  ['(if context.input.flag then "a" else context.input.to) == "b" && context.input.flag', "no"],
  ['(if context.input.flag then ["a"] else context.input.tags).contains("b")', "yes"],
  ['context.user in Group::"a" && !(context.user in [Group::"a", Group::"b"])', "no"],
  ['context.user == User::"ann" && context.user in Group::"a"', "yes"],
  ['principal in Team::"blue"', "no"],
  ['principal is Agent in AgentClass::"c1" && action in Action::"egress"', "yes"],
  ["context.session.depth < 0", "no"],
  ['context.session.labels.contains("x") && context.session.isolation == "none"', "yes"],
  ['["hardware-vm", "user-kernel"].contains(context.session.isolation) && context.session.isolation like "*vm"', "yes"],
  ['context.session.isolation == "container"', "no"],
  ['!(["hardware-vm", "emulated-vm", "user-kernel", "namespace", "none"].contains(context.session.isolation))', "no"],
  ['context.now >= datetime("2026-01-01") && context.now.toTime() < duration("1ms") && context.now > datetime("2026-01-01")', "yes"],
  ['context.now.toDate() > context.now', "no"],
  ['context.now.offset(duration("1d")).durationSince(context.now).toHours() == 24', "yes"],
  ['context.now < datetime("1969-12-31")', "no"],
  // A missing argument is an error, and an error denies.
  ["!(context.input has n) && context.input.n == 1", "no"],
];

describe("questions", () => {
  it.for(constructs)("%s: %s", ([condition, expected]) => {
    const [answer] = answerAll(z3, bundleOf(permit(condition)), registry, ["can agent bot call s/send?"]);
    expect(answer).toMatchObject({ answer: expected });
  });

  it("finds no call where the model cannot say what a policy says, unless there surely is none", () => {
    const shared = "context.input.tags.containsAny(context.input.notes)";
    const ask = (condition: string) => answerAll(z3, bundleOf(permit(condition)), registry, ["can any agent send data out?"])[0];
    expect(ask(`${shared} && context.input.tags.isEmpty()`)).toMatchObject({ answer: "cannot say", found: [], cannotSay: [{ policies: ["p"], actions: ["s/send"] }] });
    expect(ask(`${shared} && context.input.flag && !context.input.flag`)).toMatchObject({ answer: "no", cannotSay: [] });
  });

  it("knows nothing of a resource inside a record of a list, and says so by an example that names one", () => {
    const listed = tool("batch", ["read"], { rows: { type: "array", items: { type: "object", properties: { table: text } } } }, { type: "Table", argument: ["rows", "table"] });
    const compiled = compile({ servers: [], tools: [listed], registry, policies: [{ file: "a.cedar", text: '@id("p") permit (principal, action, resource is Table);' }] });
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.errors));
    expect(answerAll(z3, compiled.bytes, registry, ["can agent bot call s/batch?"])).toMatchObject([{ answer: "cannot say" }]);
  });

  it("tells who, under which circumstances, and whether people are asked first", () => {
    const bytes = bundleOf(`
      @id("all") permit (principal, action, resource);
      @id("no-requests") forbid (principal, action in Action::"mcp", resource);
      @id("secret") forbid (principal, action in Action::"egress", resource) when { context.session.labels.contains("secret") };
      @id("shell") @remedy("approval:leads") forbid (principal, action in Action::"exec", resource) unless { context.approvals.contains(Group::"leads") };
      @id("no-eve") forbid (principal == Agent::"eve", action == Action::"s/shell", resource);`);
    const asked = ["who can run a shell?", "can any agent send data labelled secret out?", "can agent eve call s/send?", "is any exec allowed without approval?", "can any agent of team blue run a shell?"];
    expect(answerAll(z3, bytes, registry, asked).map(({ answer, found }) => [answer, ...found.map(({ effect, agents, actions }) => `${effect} ${agents.join()} ${actions.join()}`)])).toEqual([
      ["yes", "ask bot s/shell"],
      ["no"],
      ["yes", "allow eve s/send"],
      ["no"],
      ["no"],
    ]);
  });

  it("says what a change of arguments leads to by examples alone, and proves only what holds whatever it is", () => {
    const bytes = bundleOf(`
      @id("all") permit (principal == Agent::"bot", action, resource);
      @id("no-requests") forbid (principal, action in Action::"mcp", resource);
      @id("no-copy") @remedy("transform:mask(copy)") forbid (principal, action in Action::"egress", resource) unless { context.remedies.contains("mask(copy)") };
      @id("masked") @remedy("approval:leads") forbid (principal, action in Action::"egress", resource) when { context.input.copy == "[masked]" } unless { context.approvals.contains(Group::"leads") };`);
    const asked = ["can agent bot send data out?", "can agent bot send data out without approval?", "can agent eve send data out?", "can agent bot run a shell?"];
    expect(answerAll(z3, bytes, registry, asked).map(({ answer, found, cannotSay }) => [answer, found[0]?.example.decision.transforms ?? [], cannotSay.length])).toEqual([
      ["yes", ["mask(copy)"], 1], // asked about: everything is masked, and what is masked asks
      ["cannot say", [], 1],
      ["no", [], 0],
      ["yes", [], 0],
    ]);
  });

  it("proves nothing about effects while a tool may be called of which nobody has said what it does", () => {
    const unspoken = tool("helper", [], { command: text });
    const compiled = compile({ servers: [], tools: [...tools, unspoken], registry, policies: [{ file: "a.cedar", text: '@id("p") permit (principal == Agent::"bot", action == Action::"s/helper", resource);' }] });
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.errors));
    const asked = ["who can run a shell?", "can agent eve run a shell?", "can agent bot call s/shell?", "can agent bot call s/helper?"];
    expect(answerAll(z3, compiled.bytes, registry, asked)).toMatchObject([{ answer: "cannot say", found: [], cannotSay: [{ policies: ["p"], actions: ["s/helper"] }] }, { answer: "no" }, { answer: "no" }, { answer: "yes" }]);
  });

  it("proves nothing about effects while requests may be made that are no tool calls", () => {
    const asked = ["who can run a shell?", "who can read?", "can any agent call s/shell?"];
    expect(answerAll(z3, bundleOf('@id("p") permit (principal, action in Action::"mcp", resource);'), registry, asked)).toMatchObject([{ answer: "cannot say" }, { answer: "cannot say" }, { answer: "no" }]);
  });

  it.for([
    ["can any agent write for a user in group laeds?", "there is no group `laeds`; did you mean `leads`?"],
    ["can any agent of team rde write?", "there is no team `rde`; did you mean `red`?"],
    ["who can send data ot?", "did you mean `send data out`?"],
    ["can agent bot call s/sned?", "there is no tool `s/sned`; did you mean `s/send`?"],
    ["can agent bob write?", "there is no agent `bob`; did you mean `bot`?"],
    ["what is the weather?", "ask like this: `who can DO?`"],
  ])("refuses `%s`", ([question, expected]) => {
    expect(() => answerAll(z3, bundleOf(permit("true")), registry, [question ?? ""])).toThrow(expected);
  });
});

it("finds the policies that match no call", () => {
  const bytes = bundleOf(`
    @id("a") permit (principal == Agent::"bot", action == Action::"s/send", resource) when { context.input.to == "a" && context.input.to like "b*" };
    @id("b") permit (principal, action in [Action::"s/send", Action::"s/shell"], resource) when { action == Action::"s/shell" };
    @id("c") permit (principal in Team::"red", action in Action::"money", resource);
    @id("d") forbid (principal, action, resource is Table) when { resource.labels.contains("x") };
    @id("e") permit (principal, action, resource is Table) when { resource.labels.contains("pii") };
    @id("f") forbid (principal, action, resource) when { context.session.depth > 3 } unless { context.session.depth >= 3 };`);
  expect(matchlessPolicies(z3, bytes, registry).map(({ policy, finding }) => `${policy} ${finding}`)).toEqual(["a never", "c unused", "d never", "f never"]);
});

describe("comparison", () => {
  const base = `
    @id("send") permit (principal in Team::"red", action == Action::"s/send", resource) when { context.input.n <= 100 };
    @id("query") permit (principal, action == Action::"s/query", resource is Table) when { !resource.labels.contains("pii") || (resource has owner && principal in resource.owner) };
    @id("labels") forbid (principal, action in Action::"egress", resource) when { context.session.labels.contains("secret") };`;
  const changes = (before: string, after: string) => {
    const [a, b] = [bundleOf(before), bundleOf(after)];
    const { changes: found, proved } = compareBundles(z3, a, b, registry);
    for (const { example, from, to } of found) {
      expect([openSnapshot(a).decide(example.input).effect, openSnapshot(b).decide(example.input).effect]).toEqual([from, to]);
    }
    return { proved, found: found.map(({ change, agents, actions, policies, example: { input } }) => ({ change, agents, actions, policies, args: input.args })) };
  };

  it("tells apart requests that policies name in their conditions alone, and such as nobody names", () => {
    const all = '@id("p") permit (principal, action in Action::"mcp", resource);';
    for (const condition of ['action == Action::"s/mcp:custom/wipe"', 'action in [Action::"s/mcp:custom/wipe", Action::"s/mcp:other"]', '[Action::"s/mcp:custom/wipe"].contains(action)']) {
      const [before, after] = [bundleOf(`${all} @id("f") forbid (principal, action in Action::"mcp", resource) when { ${condition} };`), bundleOf(all)];
      expect(compareOrg(z3, before, after, registry), condition).toMatchObject({ loosens: true });
      expect(compareBundles(z3, before, after, registry).changes, condition).toMatchObject([{ change: "newly allowed" }]);
      expect(reviewBundle(z3, before, registry).idle, condition).toEqual([]);
      expect(matchlessPolicies(z3, before, registry), condition).toEqual([]);
    }
    const later = bundleOf(`${all} @id("f") forbid (principal, action in Action::"mcp", resource == Server::"later");`);
    expect(compareOrg(z3, later, bundleOf(all), registry)).toMatchObject({ loosens: true });
    const named = bundleOf(`${all} @id("f") forbid (principal, action, resource) when { action == Action::"s/mcp:x/any-other" };`);
    expect(answerAll(z3, named, registry, ["can any agent do anything?"])).toMatchObject([{ answer: "yes" }]);
  });

  it("takes nothing but its tools for what can be asked of the web", () => {
    const web = webTools.map(({ definition, contract }): ApprovedTool => ({ server: webServer, tool: definition.name, definition: "d".repeat(43), inputSchema: definition.inputSchema, contract }));
    const bundle = (policies: string): Uint8Array => {
      const compiled = compile({ servers: [], tools: web, registry, policies: [{ file: "org.cedar", text: policies }] });
      if (!compiled.ok) throw new Error(JSON.stringify(compiled.errors));
      return compiled.bytes;
    };
    const [none, closed] = [bundle(""), bundle('@id("f") forbid (principal, action, resource);')];
    expect(compareBundles(z3, none, closed, registry)).toEqual({ changes: [], proved: true, cannotSay: [] });
    expect(compareOrg(z3, none, closed, registry)).toMatchObject({ loosens: false });
    expect(answerAll(z3, bundle('@id("p") permit (principal, action in Action::"mcp", resource);'), registry, ["can any agent do anything?"])).toMatchObject([{ answer: "no" }]);
  });

  it("never says all of a comparison while calls may be changed, whatever else it found", () => {
    const all = '@id("p") permit (principal == Agent::"bot", action == Action::"s/send", resource);';
    const before = bundleOf(`${all}
      @id("f1") @remedy("approval:leads") forbid (principal, action == Action::"s/send", resource) when { context.input.n == 1 } unless { context.approvals.contains(Group::"leads") };
      @id("f2") forbid (principal, action == Action::"s/send", resource) when { context.input.n == 2 };
      @id("f3") @remedy("transform:mask(copy)") forbid (principal, action == Action::"s/send", resource) when { context.input.n == 3 } unless { context.remedies.contains("mask(copy)") };`);
    const { changes: found, proved, cannotSay } = compareBundles(z3, before, bundleOf(all), registry);
    expect(found.map(({ from, to }) => `${from} ${to}`)).toEqual(["deny allow", "ask allow"]);
    expect(proved).toBe(false);
    expect(cannotSay).toMatchObject([{ policies: ["f3"], actions: ["s/send"] }]);
  });

  it("never calls two versions equal where arguments are changed before they decide", () => {
    const masking = '@id("mask") @remedy("transform:mask(copy)") forbid (principal, action in Action::"egress", resource) when { context.input.copy != "" } unless { context.remedies.contains("mask(copy)") };';
    // Only a masked call is `[masked]`: what this forbids is seen in the second round alone.
    const stop = '@id("stop") forbid (principal, action == Action::"s/send", resource) when { context.input.copy == "[masked]" && context.remedies == ["mask(copy)"] };';
    const [without, beside] = [bundleOf(base + masking), bundleOf(base + masking + stop.replace(" && context.remedies == [\"mask(copy)\"]", ""))];
    expect(compareBundles(z3, bundleOf(base), bundleOf(base + masking), registry)).toMatchObject({ proved: false });
    expect(compareBundles(z3, without, beside, registry).proved).toBe(false);
    expect(compareBundles(z3, without, without, registry)).toMatchObject({ proved: true, changes: [] });
    const { idle, cannotSay } = reviewBundle(z3, beside, registry);
    expect(idle.map(({ policy }) => policy)).not.toContain("stop");
    expect(cannotSay.flatMap(({ policies }) => policies)).toContain("mask");
    expect(compareOrg(z3, without, bundleOf(base), registry)).toMatchObject({ loosens: true });
  });

  it("finds the edge of a number, both ways", () => {
    expect(changes(base, base.replace("100", "101"))).toEqual({ proved: true, found: [{ change: "newly allowed", agents: ["bot"], actions: ["s/send"], policies: ["send"], args: expect.objectContaining({ n: 101 }) }] });
    expect(changes(base, base.replace("100", "99"))).toEqual({ proved: true, found: [{ change: "newly denied", agents: ["bot"], actions: ["s/send"], policies: ["send"], args: expect.objectContaining({ n: 100 }) }] });
  });

  it("prefers an example that people would take for real", () => {
    const users = { ann: { groups: ["leads"] } };
    const { changes: found } = compareBundles(z3, bundleOf(base), bundleOf(base.replace("100", "101")), { ...registry, users });
    expect(found[0]?.example.input).toMatchObject({ user: { id: "ann", groups: ["leads"] }, approvals: [], args: { to: "text", n: 101, tags: [] } });
  });

  it("proves that another way to write it is no change", () => {
    expect(changes(base, base.replace("context.input.n <= 100", "!(context.input.n > 100)").replace('@id("labels")', '@id("renamed")'))).toEqual({ proved: true, found: [] });
  });

  it("knows whose table is whose", () => {
    expect(changes(base, base.replace(" || (resource has owner && principal in resource.owner)", "")).found).toMatchObject([{ change: "newly denied", agents: ["bot"], args: { table: "orders" } }]);
  });

  it("sees calls that carry an argument which a policy spoke about and nobody declared", () => {
    const guarded = `${base} @id("hidden") forbid (principal, action == Action::"s/send", resource) when { context.input has sneaky };`;
    expect(changes(guarded, base).found).toMatchObject([{ change: "newly allowed", args: { sneaky: "hidden" } }]);
  });

  it("says nothing certain of actions that are not the same in both", () => {
    const other = compile({ servers: [], tools: [{ ...tools[0], definition: "e".repeat(43) } as ApprovedTool, ...tools.slice(1)], registry, policies: [{ file: "org.cedar", text: base }] });
    if (!other.ok) throw new Error("no bundle");
    expect(compareBundles(z3, bundleOf(base), other.bytes, registry)).toMatchObject({ proved: false, changes: [], cannotSay: [{ actions: ["s/send"] }] });
  });
});

describe("the organisation's own policies", () => {
  const org = '@id("labels") forbid (principal, action in Action::"egress", resource) when { context.session.labels.contains("secret") };';
  const asks = (term: string) => `@id("f") @remedy("approval:${term}") forbid (principal, action, resource) unless { context.approvals.contains(Group::"${term}") };`;
  const loosens = (before: string, after: string) => compareOrg(z3, bundleOf(before), bundleOf(after), registry).loosens;

  it.for([
    ["a forbid goes", org, "", true],
    ["a forbid comes", "", org, false],
    ["a forbid gets narrower", org, org.replace('"secret")', '"secret") && principal in Team::"red"'), true],
    ["a forbid is written otherwise", org, org.replace('contains("secret")', 'containsAny(["secret"])'), false],
    ["a permit comes", "", '@id("p") permit (principal in Team::"red", action, resource);', true],
    ["a permit for a class that no agent has", "", '@id("p") permit (principal in AgentClass::"future", action, resource);', true],
    ["a permit of a tool that nobody knows", "", '@id("p") permit (principal, action == Action::"pay/transfer", resource);', true],
    ["a permit of arguments that no tool has yet", "", '@id("p") permit (principal, action in Action::"money", resource) when { context.input has amount && context.input.amount < 10 };', true],
    ["a permit of a resource that no tool touches yet", "", '@id("p") permit (principal, action in Action::"money", resource is Server in Server::"pay");', true],
    ["a permit of two effects that no tool has yet", "", '@id("p") permit (principal, action in Action::"money", resource) when { action in Action::"exec" };', true],
    ["a permit of the same beside a clause about labels", "", '@id("p") permit (principal, action in Action::"money", resource) when { context.session.labels.isEmpty() } when { context.input has amount };', true],
    ["a forbid of arguments that no tool has yet", '@id("f") forbid (principal, action in Action::"money", resource) when { context.input has amount };', "", true],
    ["a rule about arguments gets a second clause", '@id("p") permit (principal, action in Action::"money", resource) when { context.input has amount };', '@id("p") permit (principal, action in Action::"money", resource) when { context.input has amount } unless { principal in Team::"red" };', false],
    ["a forbid of an effect that no tool has", '@id("f") forbid (principal, action in Action::"money", resource);', "", true],
    ["a forbid gets a remedy", '@id("f") forbid (principal, action, resource);', '@id("f") @remedy("approval:leads") forbid (principal, action, resource) unless { context.approvals.contains(Group::"leads") };', true],
    ["more people are asked", asks("leads"), asks("2 of leads"), false],
    ["fewer people are asked", asks("2 of leads"), asks("leads"), true],
    ["who is acted for may answer too", asks("leads"), asks("leads or self"), true],
    ["who is acted for may not answer any more", asks("leads or self"), asks("2 of leads"), false],
    ["others are asked", asks("2 of leads"), asks("2 of board"), true],
    ["a remedy goes", '@id("f") @remedy("approval:leads") forbid (principal, action, resource) unless { context.approvals.contains(Group::"leads") };', '@id("f") forbid (principal, action, resource);', false],
  ] as const)("%s", ([, before, after, expected]) => expect(loosens(before, after)).toBe(expected));

  it("are all that counts: a team's permit loosens nothing", () => {
    const team = compile({ servers: [], tools, registry, policies: [{ file: "org.cedar", text: org }, { file: "teams/red/p.cedar", text: '@id("red.p") permit (principal in Team::"red", action, resource);' }] });
    if (!team.ok) throw new Error(JSON.stringify(team.errors));
    expect(compareOrg(z3, bundleOf(org), team.bytes, registry)).toMatchObject({ loosens: false, why: [] });
  });

  it("are told from each other in words, the tools there are before those that may come", () => {
    expect(compareOrg(z3, bundleOf(org), bundleOf(""), registry)).toMatchObject({
      why: ["the organisation no longer forbids calls of s/send, unknown-server/(a new egress tool) that a team may permit (labels)"],
      examples: [{ input: { action: "s/send", session: { labels: ["secret"] } }, before: { effect: "deny" }, after: { effect: "allow" } }],
    });
  });
});

describe("review", () => {
  it("names policies that change no decision, with what makes them idle", () => {
    const bytes = bundleOf(`
      @id("a.small") permit (principal, action == Action::"s/send", resource) when { context.input.n < 10 };
      @id("b.large") permit (principal, action == Action::"s/send", resource) when { context.input.n < 100 };
      @id("c.never") permit (principal, action == Action::"s/send", resource) when { context.input.n < 5 && context.input.n > 5 };
      @id("d.shell") permit (principal, action == Action::"s/shell", resource);
      @id("e.no-shell") forbid (principal, action in Action::"exec", resource);
      @id("f.nobody") permit (principal in Team::"nobody", action, resource);
      @id("g.guard") forbid (principal, action == Action::"s/query", resource);`);
    expect(reviewBundle(z3, bytes, registry).idle.map(({ policy, finding, by }) => [policy, finding, ...by])).toEqual([
      ["a.small", "redundant", "b.large"],
      ["c.never", "never"],
      ["d.shell", "shadowed", "e.no-shell"],
      ["f.nobody", "unused"],
      ["g.guard", "guard"],
    ]);
  });

  it("counts a policy that can err as one that decides", () => {
    const all = '@id("b.all") permit (principal, action == Action::"s/send", resource);';
    const idle = (condition: string) => reviewBundle(z3, bundleOf(`@id("a.small") permit (principal, action == Action::"s/send", resource) when { ${condition} }; ${all}`), registry).idle;
    expect(idle("context.input has n && context.input.n < 10")).toMatchObject([{ policy: "a.small", finding: "redundant", by: ["b.all"] }]);
    expect(idle("context.input.n < 10")).toEqual([]);
  });
});

describe("the solver's thread", () => {
  const after = (ms: number, task: () => void) => {
    const timer = setTimeout(task, ms);
    return { cancel: () => clearTimeout(timer) };
  };

  it("answers like the solver itself, and ends", async () => {
    await using solver = new Solver({ after, patienceMs: 25_000 });
    expect(await solver.ask(bundleOf(permit("context.input.n > 5")), registry, ["who can call s/send?"])).toMatchObject([{ answer: "yes", found: [{ agents: ["bot"], example: { input: { args: { n: 6 } } } }] }]);
  });

  it("is given up when it takes too long", async () => {
    await using solver = new Solver({ after: (_, task) => (task(), { cancel: () => {} }), patienceMs: 1 });
    await expect(solver.review(bundleOf(permit("true")), registry)).rejects.toMatchObject({ code: "engine_unavailable" });
  });

  it("refuses bytes that are no bundle, and words that are no question", async () => {
    await using solver = new Solver({ after, patienceMs: 25_000 });
    await expect(solver.compare(new Uint8Array([1]), new Uint8Array([2]), registry)).rejects.toBeInstanceOf(Fault);
    await expect(solver.ask(bundleOf(permit("true")), registry, ["why?"])).rejects.toMatchObject({ code: "invalid_request" });
  });
});
