import type { Decision, DecisionInput, Registry } from "@lanyard/contract";
import { compile, openSnapshot, Oracle, type ApprovedTool, type Snapshot } from "@lanyard/policy";
import fc from "fast-check";
import { expect, test } from "vitest";

// A team writes what it likes into its folder. Either the bundle is refused, or other teams' agents do not notice, and what the organisation
// denies its own agents stays denied: no policy of a team can touch another's, break it by an error, or lift a rule above it.

const registry: Registry = {
  agents: { mine: { team: "shop", classes: ["worker"] }, other: { team: "bank", classes: ["worker"] } },
  users: { ana: { groups: ["leads"] } },
  teams: { shop: { owners: [] }, bank: { owners: [] } },
  groups: { leads: { team: null }, "shop-leads": { team: "shop" } },
  owners: [],
  resources: {},
};
const tools: ApprovedTool[] = ["pay", "look", "wipe"].map((tool) => ({
  server: "s",
  tool,
  definition: "d",
  inputSchema: { type: "object", properties: { n: { type: "integer" } }, required: ["n"] },
  contract: { effects: [tool === "look" ? "read" : tool === "pay" ? "money" : "destructive"], reversibility: "unknown" },
}));
const org = `
@id("org.read") permit (principal in AgentClass::"worker", action in Action::"read", resource);
@id("org.pay") permit (principal == Agent::"other", action == Action::"s/pay", resource);
@id("org.no-wipe") forbid (principal, action in Action::"destructive", resource);
@id("org.review") @remedy("approval:leads") forbid (principal, action in Action::"money", resource) when { context.input.n > 10 } unless { context.approvals.contains(Group::"leads") };
`;
const open = (team: string): Snapshot | null => {
  const policies = [{ file: "org.cedar", text: org }, { file: "teams/shop/x.cedar", text: team }];
  const compiled = compile({ servers: ["s"], tools, registry, policies });
  return compiled.ok ? openSnapshot(compiled.bytes) : null;
};
const decide = (snapshot: Snapshot, agent: "mine" | "other", tool: string, n: number, approvals: readonly string[]): Decision => {
  const { team = "", classes = [] } = registry.agents[agent] ?? {};
  const session: DecisionInput["session"] = { id: "s", purpose: "", depth: 0, labels: [], isolation: "none" };
  return snapshot.decide({ agent: { id: agent, team, classes }, user: { id: "ana", groups: ["leads"] }, session, action: `s/${tool}`, args: { n }, approvals, nowMs: 0 });
};

/** Mostly what a team may write, and now and then what it may not. */
const oftener = <T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<T>): fc.Arbitrary<T> => fc.oneof({ weight: 12, arbitrary: usual }, { weight: 1, arbitrary: odd });
const effect = fc.constantFrom("permit", "forbid");
const id = oftener(fc.constantFrom("shop.a", "shop.b", "shop.c"), fc.constantFrom("org.review", "a"));
const principal = oftener(
  fc.constantFrom('principal in Team::"shop"', 'principal is Agent in Team::"shop"', 'principal == Agent::"mine"'),
  fc.constantFrom("principal", 'principal in AgentClass::"worker"', 'principal == Agent::"other"', 'principal in Team::"bank"', "principal is Agent"),
);
const action = fc.constantFrom("action", 'action == Action::"s/wipe"', 'action in Action::"money"', 'action in Action::"server:s"');
const clause = oftener(
  fc.constantFrom("", 'when { principal == Agent::"other" || true }', 'unless { principal == Agent::"other" }', 'when { principal in Team::"bank" || true }', 'when { action == Action::"s/pay" && context.input.n * 9223372036854774784 > 0 }'),
  fc.constantFrom('unless { context.approvals.contains(Group::"shop-leads") }', 'unless { context.approvals.contains(Group::"leads") }'),
);
const note = oftener(fc.constantFrom("", '@tier("team")', '@team("shop")'), fc.constantFrom('@remedy("approval:leads")', '@tier("org")'));
const asking = fc.constantFrom("leads", "shop-leads").map((group) => ({ before: `@remedy("approval:${group}")`, after: `unless { context.approvals.contains(Group::"${group}") }` }));
const plain = fc.tuple(id, note, effect, principal, action, clause).map(([name, before, does, who, what, when]) => `@id("${name}") ${before} ${does} (${who}, ${what}, resource) ${when};`);
const reviewed = fc.tuple(id, asking, principal, action).map(([name, { before, after }, who, what]) => `@id("${name}") ${before} forbid (${who}, ${what}, resource) ${after};`);
const policy = fc.oneof({ weight: 3, arbitrary: plain }, { weight: 1, arbitrary: reviewed });

const calls = ["pay", "look", "wipe"].flatMap((tool) => [1, 11, 2 ** 40].flatMap((n) => [[], ["leads"], ["shop-leads"]].map((approvals: string[]) => ({ tool, n, approvals }))));

test("an agent that left the team is out of its reach, also under a bundle that was compiled before", async () => {
  const bundle = compile({ servers: ["s"], tools, registry, policies: [{ file: "teams/shop/x.cedar", text: '@id("shop.mine") permit (principal == Agent::"mine", action, resource); @id("shop.not-pay") forbid (principal == Agent::"mine", action == Action::"s/pay", resource);' }] });
  if (!bundle.ok) throw new Error("it does not compile");
  const snapshot = openSnapshot(bundle.bytes);
  await using oracle = new Oracle({ after: () => ({ cancel() {} }) });
  const input = (team: string): DecisionInput => ({ agent: { id: "mine", team, classes: [] }, user: { id: "ana", groups: [] }, session: { id: "s", purpose: "", depth: 0, labels: [], isolation: "none" }, action: "s/look", args: { n: 1 }, approvals: [], nowMs: 0 });
  for (const [team, effect] of [["shop", "allow"], ["bank", "deny"]] as const) {
    expect(snapshot.decide(input(team))).toMatchObject({ effect });
    expect(await oracle.judge({ hash: bundle.hash, bytes: () => bundle.bytes }, input(team))).toMatchObject({ effect });
  }
  expect(snapshot.visible({ id: "mine", team: "bank", classes: [] }, ["s/look"])).toEqual([]);
});

test("whatever a team writes, nobody else's decisions change and the organisation's rules hold", () => {
  const without = open("");
  if (without === null) throw new Error("the organisation's own policies do not compile");
  let accepted = 0;
  fc.assert(
    fc.property(fc.uniqueArray(policy, { minLength: 1, maxLength: 3, selector: (text) => text.slice(0, 12) }), (texts) => {
      const snapshot = open(texts.join("\n"));
      if (snapshot === null) return;
      accepted += 1;
      for (const { tool, n, approvals } of calls) {
        expect(decide(snapshot, "other", tool, n, approvals)).toEqual(decide(without, "other", tool, n, approvals));
        const { effect: mine, approvers } = decide(snapshot, "mine", tool, n, approvals);
        if (tool === "wipe") expect(mine).toBe("deny");
        if (tool === "pay" && n > 10 && !approvals.includes("leads")) expect(mine === "deny" || approvers.includes("leads")).toBe(true);
      }
    }),
    { numRuns: 150 },
  );
  expect(accepted).toBeGreaterThan(20);
});
