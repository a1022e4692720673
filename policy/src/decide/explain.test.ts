import type { DecisionInput, JsonObject } from "@lanyard/contract";
import { expect, it } from "vitest";
import { compile } from "../author/compile.ts";
import { openSnapshot } from "./snapshot.ts";

const string = { type: "string" };
const compiled = compile({
  servers: ["bank", "git"],
  tools: [
    { server: "bank", tool: "refund", definition: "d", inputSchema: { type: "object", properties: { cents: { type: "integer" }, note: string, rate: { type: "number" }, tags: { type: "array", items: string } } }, contract: { effects: ["money"], reversibility: "irreversible" } },
    { server: "git", tool: "push", definition: "d", inputSchema: { type: "object", properties: { repo: string } }, contract: { effects: ["write"], reversibility: "unknown", resource: { type: "Repo", argument: ["repo"] } } },
  ],
  policies: [{ file: "rules.cedar", text: `
@id("refund") @reason("Support refunds.")
permit (principal in AgentClass::"support", action == Action::"bank/refund", resource)
when { context.input has cents && (context.input.cents < 50000 || context.user in Group::"leads") };
@id("night") permit (principal, action in [Action::"money", Action::"read"], resource) when { context.session.depth == 0 } when { context.input has note && context.input.note == "night" };
@id("review") @reason("More than 100.00 needs a lead.") @remedy("approval:leads")
forbid (principal is Agent in Team::"shop", action, resource is Server) when { context.input has cents && context.input.cents > 10000 } unless { context.approvals.contains(Group::"leads") };
@id("tags") forbid (principal, action, resource) when { context.input has tags && context.input.tags.contains("stop") && context.input has rate && context.input.rate.lessThan(decimal("0.5")) };
@id("overflow") forbid (principal, action, resource == Server::"bank") when { !(context.input has note) && context.input has cents && context.input.cents * 4611686018427387904 > 5 };
@id("repos") permit (principal, action, resource is Repo) unless { resource has owner && resource.owner == Team::"bank" };` }],
});
if (!compiled.ok) throw new Error(compiled.errors.map(({ message }) => message).join("; "));
const snapshot = openSnapshot(compiled.bytes);

const told = (args: JsonObject, more: Partial<DecisionInput> = {}): string => {
  const input: DecisionInput = {
    agent: { id: "bot", team: "shop", classes: ["support"] },
    user: { id: "ana", groups: ["staff"] },
    session: { id: "s", purpose: "", depth: 0, labels: [], isolation: "none" },
    action: "bank/refund",
    args: { note: "a", ...args },
    approvals: [],
    nowMs: 0,
    ...more,
  };
  const lines = snapshot.explain(input).map(({ policy, role, line, resource, facts, unmet, lift }) =>
    [`${role}: ${policy} at line ${line}${resource && ` of ${resource}`}`, ...facts.map((fact) => `  ${fact}`), ...(unmet ? [`  unmet: ${unmet}`] : []), ...(lift ? [`  lift: ${lift}`] : [])].join("\n"),
  );
  return [snapshot.decide(input).effect, ...lines].join("\n");
};

it("names what was read, and only that", () => {
  expect(told({ cents: 500 })).toMatchInlineSnapshot(`
    "allow
    decided: refund at line 2
      principal = Agent::"bot", in AgentClass::"support"
      action = Action::"bank/refund"
      context.input has cents = true
      context.input.cents = 500"
  `);
});

it("says who can lift an ask", () => {
  expect(told({ cents: 20_000 })).toMatchInlineSnapshot(`
    "ask
    decided: review at line 6
      principal = Agent::"bot", is Agent in Team::"shop"
      resource = Server::"bank", is Server
      context.input has cents = true
      context.input.cents = 20000
      context.approvals = []
      lift: approval by leads"
  `);
});

it("says why a forbid holds, and that nobody can lift it", () => {
  expect(told({ cents: 1, tags: ["stop", "b"], rate: 0.25 })).toMatchInlineSnapshot(`
    "deny
    decided: tags at line 8
      context.input has tags = true
      context.input.tags = ["stop", "b"]
      context.input has rate = true
      context.input.rate = decimal("0.25")
      lift: no approval; only other facts, or another policy"
  `);
});

it("says what could not be evaluated", () => {
  expect(told({ cents: 4, note: null })).toMatchInlineSnapshot(`
    "deny
    failed: overflow at line 9
      resource = Server::"bank"
      context.input has note = false
      context.input has cents = true
      context.input.cents = 4
      unmet: (context.input.cents * 4611686018427387904) > 5
      lift: facts on which it can be evaluated: integer overflow while attempting to multiply the values \`4\` and \`4611686018427387904\`"
  `);
});

it("names the nearest permits where none holds, the one that got furthest first", () => {
  expect(told({ cents: 60_000 }, { agent: { id: "bot", team: "other", classes: ["support"] } })).toMatchInlineSnapshot(`
    "deny
    nearest: night at line 5
      action = Action::"bank/refund", in Action::"money"
      context.session.depth = 0
      context.input has note = true
      context.input.note = "a"
      unmet: context.input.note == "night"
      lift: facts on which this holds: context.input.note == "night"
    nearest: refund at line 2
      principal = Agent::"bot", in AgentClass::"support"
      action = Action::"bank/refund"
      context.input has cents = true
      context.input.cents = 60000
      context.user = User::"ana"
      context.user in Group::"leads" = false
      unmet: (context.input.cents < 50000) || (context.user in Group::"leads")
      lift: facts on which this holds: (context.input.cents < 50000) || (context.user in Group::"leads")"
  `);
  expect(told({}, { action: "bank/mcp:resources/read", args: { uri: "file:///a" } })).toBe("deny");
});

it("names the resource that decided", () => {
  const resource = (id: string, owner: string | null) => ({ type: "Repo", id, labels: [], owner });
  expect(told({}, { action: "git/push", args: { repo: "web" }, resources: [resource("web", null)] })).toMatchInlineSnapshot(`
    "allow
    decided: repos at line 10 of Repo::"web"
      resource = Repo::"web", is Repo
      resource has owner = false"
  `);
  expect(told({}, { action: "git/push", args: { repo: "web" }, resources: [resource("web", null), resource("ledger", "bank")] })).toMatchInlineSnapshot(`
    "deny
    nearest: repos at line 10 of Repo::"ledger"
      resource = Repo::"ledger", is Repo
      resource has owner = true
      resource.owner = Team::"bank"
      unmet: not ((resource has owner) && (resource.owner == Team::"bank"))
      lift: facts on which this holds: not ((resource has owner) && (resource.owner == Team::"bank"))"
  `);
});

it("shows values printable and cut", () => {
  const shown = told({ cents: 1, tags: ["stop", "\u202e\n\u0007", ...Array.from({ length: 20 }, () => "x".repeat(500))], rate: 0.1 });
  expect(shown).toContain('["stop", "\\u{202e}\\n\\u0007", "xxx');
  expect(shown).toContain("… 22 in all]");
  expect(shown.length).toBeLessThan(1700);
});

it("has nothing to say of what was denied before any policy was asked", () => {
  expect(told({ cents: "many" })).toBe("deny");
});

it("says what was asked of history in the author's words, and what the answer was", () => {
  const condition = 'formerly within 1h Action::"bank/refund"::request{ input.note: context.input.note }';
  const many = '(count for (t: Timepoint). where formerly within 1h (Action::"bank/refund"::request{ decision: "allow" } && tp(t)))';
  const made = compile({
    servers: ["bank"], tools: [{ server: "bank", tool: "refund", definition: "d", inputSchema: { type: "object", properties: { note: string }, required: ["note"] }, contract: { effects: [], reversibility: "unknown" } }],
    policies: [{ file: "h.cedar", text: `@id("p") permit (principal, action, resource); @id("once") forbid (principal, action == Action::"bank/refund", resource) when temporal { ${condition} && ${many} >= 3 };` }],
  });
  if (!made.ok) throw new Error(made.errors.map(({ message }) => message).join("; "));
  const asking = openSnapshot(made.bytes);
  const [one, other] = [asking.leaves.find(({ type }) => type === "Bool")?.id ?? "", asking.leaves.find(({ type }) => type === "Long")?.id ?? ""];
  const explained = (history: Record<string, boolean | number>) =>
    asking.explain({ agent: { id: "bot", team: "", classes: [] }, user: { id: "ana", groups: [] }, session: { id: "s", purpose: "", depth: 0, labels: [], isolation: "none" }, action: "bank/refund", args: { note: "n" }, approvals: [], nowMs: 0, history });
  expect(explained({ [one]: true, [other]: 4 })).toMatchObject([{ policy: "once", role: "decided", facts: expect.arrayContaining([`${condition} = true`, expect.stringMatching(/^\(?count for .* = 4$/)]) }]);
  expect(explained({ [one]: true })).toMatchObject([{ policy: "once", role: "failed", lift: expect.stringContaining("count for (t: Timepoint)") }]);
});
