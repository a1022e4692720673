import { compile } from "@lanyard/policy";
import { afterEach, beforeEach, expect, test } from "vitest";
import { hash } from "../../../test/kits/approval.ts";
import { stillClock } from "../../../test/kits/clock.ts";
import { openMemory } from "../base/store/memory.ts";
import type { Store } from "../base/store/port.ts";
import { approvalStats } from "./approval-stats.ts";

const clock = stillClock();
let store: Store;
beforeEach(async () => void (store = await openMemory({ clock })));
afterEach(() => store[Symbol.asyncDispose]());

const all = '@id("all") permit (principal, action, resource);';
const texts: Readonly<Record<string, string>> = {
  pay: '@id("pay")\n@remedy("approval:2 of leads,board")\n@reason("Two leads (and the board).")\nforbid (principal, action, resource)\nwhen { context.input has n && context.input.n > 3 }\nunless { context.approvals.containsAll([Group::"2 of leads", Group::"board"]) };',
  odd: '@id("odd") @remedy("approval:leads") forbid (principal, action, resource) unless { context.approvals.contains(Group::"leads") && context.approvals.contains(Group::"leads") };',
  drop: '@id("drop") @remedy("transform:drop(n)") forbid (principal, action, resource) unless { context.remedies.contains("drop(n)") };',
};
const policy = (_bundle: string, id: string) => {
  const text = texts[id];
  return text === undefined ? null : { file: `${id}.cedar`, line: 1, text, remedy: /@remedy\("([^"]*)"\)/.exec(text)?.[1] ?? "" };
};
const stats = (sinceMs = 0) => approvalStats({ store, policy }, sinceMs);
const compiles = (text: string) => compile({ servers: ["s"], tools: [{ server: "s", tool: "t", definition: "d", inputSchema: { type: "object", properties: { n: { type: "integer" } } }, contract: { effects: ["write"], reversibility: "unknown" } }], policies: [{ file: "p.cedar", text: `${all}\n${text}` }] }).ok;

type End = "approve" | "deny" | "expire" | "grant" | "facts" | "open";
let made = 0;
async function asked(end: End, { policies = ["pay"], waitMs = 1000, agent = "bot" } = {}): Promise<void> {
  const id = `apr_${made++}`;
  const { seq } = await store.append({
    type: "decision", id: `d_${made}`, session: "s", agent, user: "ana", action: "s/t", digest: hash("d"), effect: "ask", by: "policy", policies,
    decision: hash("D"), bundle: hash("B"), input: null, tool: hash("H"), reversibility: "unknown", approval: null, payload: null,
  });
  await store.append({ type: "approval.request", id, of: seq, digest: hash("d"), groups: ["2 of leads", "board"], session: "s", expires_at_ms: 9 });
  await clock.advance(waitMs);
  const yes = (by: string, groups: string[]) => store.append({ type: "approval.approve", id, by, groups, comment: null, payload: null });
  if (end === "approve") {
    await yes("user:a", ["2 of leads", "board"]);
    await clock.advance(waitMs);
    await yes("user:b", ["2 of leads"]);
  } else if (end === "deny") await store.append({ type: "approval.deny", id, by: "user:a", comment: null, payload: null });
  else if (end === "grant") await store.append({ type: "grant.use", id: "gr_1", approval: id, left: 1 });
  else if (end !== "open") await store.append({ type: "approval.expire", id, why: end === "expire" ? "time" : "facts" });
}

test("per rule: how often it asked, what came of it, and how long people took to the last yes", async () => {
  for (const [end, waitMs] of [["approve", 1000], ["approve", 3000], ["deny", 500], ["expire", 1], ["grant", 1], ["facts", 1], ["open", 1]] as const) await asked(end, { waitMs, policies: ["pay", "gone"] });
  await asked("approve", { policies: ["drop", "odd"] });
  const rules = await stats();
  const told = { asked: 6, approved: 2, denied: 1, unanswered: 1, granted: 1, approved_share: 2 / 3, median_wait_ms: 2000, proposal: null };
  expect(rules).toEqual([
    { policy: "gone", file: "", line: 0, remedy: "", ...told },
    { policy: "pay", file: "pay.cedar", line: 1, remedy: "approval:2 of leads,board", ...told },
    { policy: "odd", file: "odd.cedar", line: 1, remedy: "approval:leads", asked: 1, approved: 1, denied: 0, unanswered: 0, granted: 0, approved_share: 1, median_wait_ms: 2000, proposal: null },
  ]);
  expect(await stats(clock.nowMs() + 1)).toEqual([]);
});

test("where people always say yes to some calls, a clause that leaves these out is suggested, and it compiles", async () => {
  for (let at = 0; at < 10; at++) await asked("approve");
  for (let at = 0; at < 9; at++) await asked("approve", { agent: 'new "one"' });
  const [rule] = await stats();
  expect(rule?.proposal?.text).toBe(`${texts["pay"]?.slice(0, -1)}\nunless { principal == Agent::"bot" && action == Action::"s/t" };`);
  expect(compiles(rule?.proposal?.text ?? "")).toBe(true);
  await asked("approve", { agent: 'new "one"' });
  const [both] = await stats();
  expect(both?.proposal?.text).toContain('unless { principal == Agent::"new \\"one\\"" && action == Action::"s/t" };');
  expect(compiles(both?.proposal?.text ?? "")).toBe(true);
});

test("where they nearly always say no, the rule without its remedy is suggested, and it compiles; where it is written unusually, nothing is", async () => {
  for (let at = 0; at < 10; at++) await asked("deny");
  for (let at = 0; at < 10; at++) await asked("deny", { policies: ["odd"] });
  const [odd, pay] = (await stats()).toSorted((a, b) => (a.policy < b.policy ? -1 : 1));
  expect(pay?.proposal?.text).toBe('@id("pay")\n@reason("Two leads (and the board).")\nforbid (principal, action, resource)\nwhen { context.input has n && context.input.n > 3 };');
  expect(compiles(pay?.proposal?.text ?? "")).toBe(true);
  expect(odd?.proposal).toBeNull();
});

test("nine answers suggest nothing, and neither do mixed ones", async () => {
  for (let at = 0; at < 9; at++) await asked("deny");
  expect(await stats()).toMatchObject([{ proposal: null }]);
  for (let at = 0; at < 9; at++) await asked("approve");
  expect(await stats()).toMatchObject([{ proposal: null }]);
});
