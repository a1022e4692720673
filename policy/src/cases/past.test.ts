import { expect, it } from "vitest";
import { compile } from "../author/compile.ts";
import { openSnapshot } from "../decide/snapshot.ts";
import { runCases } from "./run.ts";

const tool = (name: string, required: string[]) => ({ server: "shop", tool: name, definition: "d", inputSchema: { type: "object", properties: { order: { type: "string" }, amount: { type: "integer" } }, required } as never, contract: { effects: [], reversibility: "unknown" as const } });
const ground = { servers: ["shop"], tools: [tool("read", ["order"]), tool("refund", ["order", "amount"])], registry: { agents: { clerk: { team: "support", classes: [] } }, users: { ben: { groups: [] } }, teams: ["support"], groups: [], resources: {} } as never };
const policies = `@id("p") permit (principal, action, resource);
@id("after-read") forbid (principal, action == Action::"shop/refund", resource)
unless temporal { formerly within 1h Action::"shop/read"::response{ input.order: context.input.order } };
@id("day") forbid (principal, action == Action::"shop/refund", resource)
when temporal across user { (sum a for (a: Long), (t: Timepoint). where (formerly within 1d (Action::"shop/refund"::request{ input.amount: a, decision: "allow" } && tp(t)))) + context.input.amount > 100 };`;
const refund = "call: shop/refund, args: { order: o1, amount: 40 }";
const cases = `given: { agent: clerk, user: ben }
cases:
  - { it: not before it was read, ${refund}, expect: deny, because: [after-read] }
  - { it: after it was read, ${refund}, history: [{ call: shop/read, args: { order: o1 }, ago: 60m }], expect: allow }
  - { it: not after an hour, ${refund}, history: [{ call: shop/read, args: { order: o1 }, ago: 3601s }], expect: deny }
  - { it: not after a failure, ${refund}, history: [{ call: shop/read, args: { order: o1 }, ended: failed }], expect: deny }
  - { it: not after a read in another session, ${refund}, history: [{ call: shop/read, args: { order: o1 }, session: other }], expect: deny }
  - it: not more than 100 a day, of all agents of a user
    call: shop/refund
    args: { order: o1, amount: 40 }
    history:
      - { call: shop/read, args: { order: o1 } }
      - { call: shop/refund, args: { order: o2, amount: 61 }, ago: 20h, agent: other, session: s2, ended: running }
    expect: deny
    because: [day]
`;

it("a case can say what happened before; what policies ask of history is answered from it", async () => {
  const report = await runCases({
    files: [{ file: "a.yaml", text: cases }],
    ground,
    open: async (on) => {
      const made = compile({ ...on, policies: [{ file: "a.cedar", text: policies }] });
      return made.ok ? openSnapshot(made.bytes) : made.errors;
    },
  });
  expect(report).toEqual({ ok: true, cases: 6, failures: [], problems: [] });
});
