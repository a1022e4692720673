import type { Registry } from "@lanyard/contract";
import { describe, expect, it } from "vitest";
import { compile } from "../author/compile.ts";
import { describeProblem } from "../author/problem.ts";
import { openSnapshot, type Snapshot } from "../decide/snapshot.ts";
import type { ApprovedTool, Ground } from "../schema/schema.ts";
import { runCasesApart } from "./apart.ts";
import { coverageOf } from "./coverage.ts";
import { runOfDraft } from "./draft-cases.ts";
import { caseSchema } from "./format.ts";
import { mutantsOf } from "./mutants.ts";
import { mutationOf } from "./mutation.ts";
import { readyCases } from "./ready.ts";
import { describeReport, runCases } from "./run.ts";

const tool = (name: string, properties: object, contract: Partial<ApprovedTool["contract"]> = {}): ApprovedTool => ({
  server: "bank",
  tool: name,
  definition: "d".repeat(43),
  inputSchema: { type: "object", properties: JSON.parse(JSON.stringify(properties)), required: Object.keys(properties) },
  contract: { effects: [], reversibility: "unknown", ...contract },
});
const registry: Registry = {
  agents: { bot: { team: "shop", classes: ["worker"] }, spy: { team: "other", classes: [] } },
  users: { ana: { groups: ["staff"] }, ben: { groups: [] } },
  teams: { shop: { owners: [] }, other: { owners: [] } },
  groups: { staff: { team: null }, leads: { team: null } },
  owners: [],
  resources: { Account: { a1: { labels: ["secret"], owner: null } } },
};
const ground: Ground = {
  servers: ["bank"],
  tools: [tool("pay", { cents: { type: "integer" }, payee: { type: "string" } }), tool("look", { account: { type: "string" } }, { resource: { type: "Account", argument: ["account"] } })],
  registry,
};
const policies = [
  {
    file: "bank.cedar",
    text: `@id("pay") permit (principal in Team::"shop", action == Action::"bank/pay", resource);
@id("pay.large") @remedy("approval:leads")
forbid (principal, action == Action::"bank/pay", resource)
when { context.input.cents > 10000 }
unless { context.approvals.contains(Group::"leads") };
@id("look") permit (principal, action == Action::"bank/look", resource) when { context.user in Group::"staff" };
@id("look.secret") forbid (principal, action == Action::"bank/look", resource) when { resource.labels.contains("secret") };`,
  },
];

const draft = (text: string): Parameters<typeof runOfDraft>[0] => ({ policies, tests: [{ file: "c.yaml", text }], ground });
const run = (text: string): ReturnType<typeof runCases> => runCases(runOfDraft(draft(text)));
const told = async (text: string): Promise<string> => describeReport(await run(text)).join("\n");

describe("cases", () => {
  it("come out as expected, or are told line by line", async () => {
    expect(
      await told(`given: { agent: bot, user: ana }
cases:
  - { it: is right, call: bank/pay, args: { cents: 1, payee: x }, expect: allow, because: [pay], approvers: [], remedies: [] }
  - { it: is wrong, call: bank/pay, args: { cents: 10001, payee: x }, expect: allow, because: [pay], approvers: [], remedies: [] }
  - { it: is lifted, call: bank/pay, args: { cents: 10001, payee: x }, approved_by: [leads], expect: allow }
  - { it: is a deny for another reason, call: bank/pay, args: { cents: much, payee: x }, expect: deny }
  - { it: is a deny by default, agent: spy, call: bank/pay, args: { cents: 1, payee: x }, expect: deny, because: [] }
  - { it: sees what its user may not, user: ben, sees: [bank/look] }
  - { it: asks about some, agent: spy, sees: [], among: [bank/pay] }
`),
    ).toMatchInlineSnapshot(`
      "c.yaml:4:11: is wrong
          expected  allow; because of pay; approvers nothing; remedies nothing
          decided   ask; because of pay.large; approvers leads; remedies approval:leads
      c.yaml:6:11: is a deny for another reason
          expected  deny
          decided   deny; because of nothing
                    error in lanyard.arguments: argument \`cents\` is a string where the tool declares an integer
      c.yaml:8:11: sees what its user may not
          expected  sees bank/look
          decided   sees bank/look, bank/pay"
    `);
  });

  it("find what a call touches as the daemon does, unless they say it themselves", async () => {
    const report = await run(`given: { agent: bot, user: ana }
cases:
  - { it: open, call: bank/look, args: { account: a2 }, expect: allow }
  - { it: secret, call: bank/look, args: { account: a1 }, expect: deny, because: [look.secret] }
  - { it: made up, call: bank/look, args: { account: a2 }, resources: [{ type: Account, id: a2, labels: [secret] }], expect: deny, because: [look.secret] }
  - { it: nothing named, call: bank/look, args: { account: "" }, expect: deny, errors: ["lanyard.arguments: argument \`account\` must name what the call touches (a Account), as a text or an array of texts"] }
`);
    expect(describeReport(report)).toEqual([]);
    expect(report).toMatchObject({ ok: true, cases: 4 });
  });

  it("bring along tools, agents and users that are not there yet", async () => {
    expect(
      await told(`agents: { new: { team: shop } }
users: { eve: {} }
tools: { post/send: { effects: [egress], input: { to: string, tags?: "string[]" } } }
given: { agent: new, user: eve }
cases:
  - { it: nobody permits it, call: post/send, args: { to: x, tags: [a] }, expect: deny, because: [] }
  - { it: the old ones are there too, call: bank/pay, args: { cents: 1, payee: x }, expect: allow }
`),
    ).toBe("");
  });

  it("do not redefine who is registered", async () => {
    expect(await told("agents: { bot: { team: other } }\ncases:\n  - { it: x, agent: bot, user: ana, call: bank/pay, expect: deny }")).toContain("c.yaml:1:11: the agent `bot` is registered with another team or other classes");
    expect(await told("users: { ana: { groups: [leads] } }\ncases:\n  - { it: x, agent: bot, user: ana, call: bank/pay, expect: deny }")).toContain("c.yaml:1:10: the user `ana` is registered with other groups");
  });

  it.each([
    ["an unknown key", "cases:\n  - { it: x, call: a/b, exspect: deny }", "c.yaml:2:25: unknown key `exspect`"],
    ["no expectation", "cases:\n  - { it: x, call: a/b }", "c.yaml:2:5: a call without `expect`: allow, deny or ask"],
    ["nothing asked", "cases:\n  - { it: x }", "c.yaml:2:5: a case has a `call` and what to `expect` of it, or `sees`"],
    ["two questions", "cases:\n  - { it: x, sees: [], call: a/b }", "c.yaml:2:30: `call` does not go with `sees`"],
    ["two kinds of arguments", "cases:\n  - { it: x, call: a/b, args: {}, json: '{}', expect: deny }", "c.yaml:2:41: `json`: arguments are given by `args` or by `json`, not by both"],
    ["no JSON", "cases:\n  - { it: x, call: a/b, json: '[]', expect: deny }", "c.yaml:2:31: `json` is not the text of a JSON object"],
    ["no time", "cases:\n  - { it: x, call: a/b, now: noon, expect: deny }", "c.yaml:2:30: `now`: is no time; write for example `2026-11-02T09:00:00Z`"],
    ["no agent", "cases:\n  - { it: x, call: bank/pay, expect: deny }", "c.yaml:2:5: the case has no agent"],
    ["a stranger", "cases:\n  - { it: x, agent: bto, user: ana, call: bank/pay, expect: deny }", "c.yaml:2:21: no agent `bto` is registered"],
    ["an alias", "given: &a { agent: bot }\ncases: []", "c.yaml:1:11: anchors (`&a`) are not used here"],
    ["a key twice", "cases: []\ncases: []", "c.yaml:2:1: the key `cases` is there twice"],
    ["a key that is none", "cases:\n  - { it: x, call: a/b, args: { __proto__: 1 }, expect: deny }", "c.yaml:2:33: `__proto__` cannot be a key here"],
    ["nothing", "", "c.yaml:1:1: the file is empty"],
    ["no YAML", "cases: [", "c.yaml:1:9: "],
    ["too deep", `cases: ${"[".repeat(20_000)}${"]".repeat(20_000)}`, "c.yaml:1:1: the file is nested too deeply to be read"],
    ["deep arguments", `cases:\n  - { it: x, call: a/b, expect: deny, args: ${"{ a: ".repeat(3000)}1${" }".repeat(3000)} }`, "c.yaml:"],
  ])("are refused with their place: %s", async (_, text, message) => expect(await told(text)).toContain(message));

  it("are told apart from policies that do not compile", async () => {
    const text = "tools: { a/b: { input: { x: string } } }\ncases:\n  - { it: x, agent: bot, user: ana, call: a/b, expect: deny }";
    const wrong = [{ file: "p.cedar", text: '@id("p") permit (principal, action == Action::"a/b", resource) when { context.input.y };' }];
    const { problems } = await runCases(runOfDraft({ ...draft(text), policies: wrong }));
    expect(problems.map(describeProblem).join()).toContain("c.yaml:1:1: the policies do not compile for this file (1 errors; first: p.cedar:1:");
  });

  it("run in a thread of their own, which ends", async () => {
    const after = (): { cancel(): void } => ({ cancel: () => {} });
    const text = "given: { agent: bot, user: ana }\ncases:\n  - { it: x, call: bank/pay, args: { cents: 1, payee: x }, expect: deny }";
    expect(describeReport(await runCasesApart({ after, patienceMs: 1 }, draft(text)))).toEqual([expect.stringContaining("c.yaml:3:11: x")]);
    const late = (_: number, task: () => void): { cancel(): void } => {
      task();
      return { cancel: () => {} };
    };
    await expect(runCasesApart({ after: late, patienceMs: 7 }, draft(text))).rejects.toThrow("were not run within 7 ms");
  });

  it("have a schema for editors that names every key", () => {
    expect(caseSchema()).toMatchObject({ type: "object", additionalProperties: false, required: ["cases"], properties: { given: {}, tools: {}, cases: { items: { required: ["it"] } } } });
  });
});

const measured = async (text: string): Promise<Parameters<typeof coverageOf>> => {
  const { ready, problems } = await readyCases(runOfDraft(draft(text)));
  expect(problems).toEqual([]);
  const compiled = compile({ ...ground, policies });
  const snapshot: Snapshot = openSnapshot(compiled.ok ? compiled.bytes : new Uint8Array());
  return [ready, snapshot.bundle.policies];
};

const thin = `given: { agent: bot, user: ana }
cases:
  - { it: pays, call: bank/pay, args: { cents: 10000, payee: x }, expect: allow }
  - { it: asks, call: bank/pay, args: { cents: 10001, payee: x }, expect: ask, approvers: [leads] }
`;

describe("coverage", () => {
  it("names policies that no case exercises, and how", async () => {
    expect(coverageOf(...(await measured(thin)))).toEqual({
      policies: 4,
      gaps: [
        { policy: "look", file: "bank.cedar", line: 6, gap: "unasked" },
        { policy: "look.secret", file: "bank.cedar", line: 7, gap: "unasked" },
      ],
    });
    expect(coverageOf(...(await measured("given: { agent: bot, user: ana }\ncases:\n  - { it: large, call: bank/pay, args: { cents: 20000, payee: x }, expect: ask }\n  - { it: looks, call: bank/look, args: { account: b }, expect: allow }"))).gaps.map(({ policy, gap }) => `${policy} ${gap}`)).toEqual([
      "pay.large always holds",
      "look always holds",
      "look.secret never holds",
    ]);
  });
});

describe("mutation", () => {
  it("makes the mistakes that authors make, each in words and in its line", async () => {
    const [, all] = await measured(thin);
    const large = all.find(({ id }) => id === "pay.large")!;
    expect(mutantsOf(large).map(({ line, edit }) => `${line} ${edit}`)).toMatchInlineSnapshot(`
      [
        "2 the policy is taken away",
        "2 \`forbid\` becomes \`permit\`",
        "2 \`@remedy\` is taken out",
        "2 \`@remedy\` names another group than \`leads\`",
        "3 the head speaks of any action",
        "4 the clause \`when\` is taken out",
        "4 \`when\` becomes \`unless\`",
        "4 \`context.input.cents > 10000\` becomes \`context.input.cents >= 10000\`",
        "4 \`10000\` becomes \`10001\`",
        "4 \`10000\` becomes \`9999\`",
        "5 the clause \`unless\` is taken out",
        "5 \`unless\` becomes \`when\`",
      ]
    `);
  });

  it("tells which of them no case notices", async () => {
    const { mutants, noticed, survivors, unasked } = mutationOf(...(await measured(thin)));
    expect(unasked).toEqual(["look", "look.secret"]);
    expect(survivors.map(({ line, edit }) => `${line} ${edit}`)).toEqual([
      "1 the head speaks of any principal",
      "1 the head speaks of any action",
      "3 the head speaks of any action",
      "5 the clause `unless` is taken out",
    ]);
    expect(mutants - noticed).toBeGreaterThan(survivors.length);
  });

  it("is satisfied by cases at every edge", async () => {
    const [ready, all] = await measured(`${thin}  - { it: approved, call: bank/pay, args: { cents: 10001, payee: x }, approved_by: [leads], expect: allow, because: [pay] }
  - { it: strangers, agent: spy, call: bank/pay, args: { cents: 1, payee: x }, expect: deny, because: [] }
  - { it: looks, call: bank/look, args: { account: b }, expect: allow, because: [look] }
  - { it: no staff, user: ben, call: bank/look, args: { account: b }, expect: deny, because: [] }
  - { it: secret, call: bank/look, args: { account: a1 }, expect: deny, because: [look.secret] }
`);
    expect(mutationOf(ready, all).survivors.map(({ policy, edit }) => `${policy}: ${edit}`)).toEqual([]);
  });

  it("counts what is shown", async () => {
    const [ready, all] = await measured("given: { agent: bot, user: ana }\ncases:\n  - { it: shown, sees: [bank/pay, bank/look] }");
    const { survivors, unasked } = mutationOf(ready, all);
    expect(unasked).toEqual([]);
    expect(survivors.filter(({ policy, edit }) => policy === "pay" && edit.includes("taken away"))).toEqual([]);
    expect(survivors.filter(({ policy, edit }) => policy === "look.secret" && edit.includes("taken away"))).toHaveLength(1);
  });
});
