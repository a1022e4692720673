import type { DecisionInput } from "@lanyard/contract";
import { expect, test } from "vitest";
import { compile } from "../author/compile.ts";
import { openSnapshot } from "./snapshot.ts";

const compiled = compile({
  servers: ["bank"],
  tools: [{ server: "bank", tool: "pay", definition: "d", inputSchema: { type: "object", properties: { to: { type: "string" } } }, contract: { effects: ["money"], reversibility: "irreversible" } }],
  policies: [
    {
      file: "p.cedar",
      text: `
@id("all") permit (principal, action, resource);
@id("pay") @remedy("approval:leads") forbid (principal, action == Action::"bank/pay", resource) unless { context.approvals.contains(Group::"leads") };
@id("labels") @remedy("approval:leads") forbid (principal, action, resource) when { context.session.labels.containsAny(["odd", "worse"]) } unless { context.approvals.contains(Group::"leads") };
@id("costs") @remedy("approval:leads") forbid (principal, action, resource) when { context.budget.ask.containsAny(["day", "month"]) } unless { context.approvals.contains(Group::"leads") };
@id("drop") @remedy("transform:drop(to)") forbid (principal, action, resource) when { context.input has to && context.session.labels.contains("dropped") } unless { context.remedies.contains("drop(to)") };
@id("never") forbid (principal, action, resource) when { context.session.labels.contains("never") };`,
    },
  ],
});
if (!compiled.ok) throw new Error(compiled.errors.map(({ message }) => message).join("; "));
const snapshot = openSnapshot(compiled.bytes);
const reasons = (labels: readonly string[], approvals: readonly string[] = [], budgets: readonly string[] = []): readonly string[] => {
  const input: DecisionInput = { agent: { id: "bot", team: "t", classes: [] }, user: { id: "ana", groups: [] }, session: { id: "s", purpose: "", depth: 0, labels, isolation: "none" }, action: "bank/pay", definition: "d", args: { to: "x" }, approvals, budget: { warn: [], ask: budgets, over: [] }, nowMs: 0 };
  return snapshot.reasonsToAsk(input);
};

test("the policies that ask, with the session's labels that they name, whether somebody has approved or not", () => {
  expect(reasons([])).toEqual(["pay"]);
  expect(reasons(["mail", "odd"])).toEqual(["labels", "labels odd", "pay"]);
  expect(reasons(["odd", "worse"], ["leads"])).toEqual(["labels", "labels odd", "labels worse", "pay"]);
});

test("so with budgets", () => expect(reasons([], [], ["day", "other"])).toEqual(["costs", "costs day", "pay"]));

test("after a change of the arguments, those of both rounds", () => expect(reasons(["dropped"])).toEqual(["drop", "drop dropped", "pay"]));

test("a denial that nothing lifts has its reasons too: no yes covers it", () => expect(reasons(["never"], ["leads"])).toEqual(["never", "never never"]));
