import { hash } from "node:crypto";
import type { DecisionInput, Json, JsonObject, NewRecord, ToolContract } from "@lanyard/contract";
import { canonicalize } from "@lanyard/ledger";
import { compile, encodeBundle, openSnapshot, type Snapshot } from "@lanyard/policy";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../base/clock.ts";
import { defaultLimits } from "../base/limits.ts";
import { openMemory } from "../base/store/memory.ts";
import type { Store } from "../base/store/port.ts";
import { trafficLoosens } from "./loosening.ts";
import { compareTraffic, type TrafficComparison, type TrafficQuery } from "./traffic.ts";

let store: Store;
beforeEach(async () => void (store = await openMemory()));
afterEach(() => store[Symbol.asyncDispose]());

const contract: ToolContract = { effects: ["write"], reversibility: "reversible" };
const tool = (name: string, definition = "d", more: Partial<ToolContract> = {}) => ({
  server: "shop", tool: name, definition, inputSchema: { type: "object", properties: { amount: { type: "integer" }, to: { type: "string" } } }, contract: { ...contract, ...more },
});
const usual = [tool("refund"), tool("read")];

const bundleOf = (policies: string | Record<string, string>, tools = usual): Snapshot => {
  const files = typeof policies === "string" ? { "org.cedar": policies } : policies;
  const compiled = compile({ servers: ["shop"], tools, policies: Object.entries(files).map(([file, text]) => ({ file, text })) });
  if (!compiled.ok) throw new Error(`the policies of this test are wrong: ${compiled.errors[0]?.message}`);
  return openSnapshot(compiled.bytes);
};

const all = '@id("all") permit (principal, action, resource);';
const reviewed = (limit: number, group = "leads"): string =>
  `${all} @id("review") @remedy("approval:${group}") forbid (principal, action == Action::"shop/refund", resource) when { context.input has amount && context.input.amount > ${limit} } unless { context.approvals.contains(Group::"${group}") };`;
const capped = (limit: number): string => `${all} @id("cap") @reason("Too much.") forbid (principal, action == Action::"shop/refund", resource) when { context.input has amount && context.input.amount > ${limit} };`;

interface Told {
  readonly agent?: string;
  readonly action?: string;
  readonly args?: JsonObject;
  readonly session?: string;
  readonly effect?: "allow" | "deny" | "ask";
  readonly approval?: string;
  readonly approvals?: string[];
  readonly by?: string;
  readonly user?: string;
  readonly more?: Partial<DecisionInput>;
  /** That decided it. */
  readonly bundle?: string;
}

/** Records a call as the record stage does. */
const call = async ({ agent = "bot", action = "shop/refund", args = {}, session = "s1", effect = "allow", approval, approvals = [], by = "policy", user = "ana", more = {}, bundle }: Told): Promise<number> => {
  const input: DecisionInput = {
    agent: { id: agent, team: "support", classes: [] }, user: { id: user, groups: [] }, session: { id: session, purpose: "", depth: 0, labels: [], isolation: "none" },
    action, definition: "d", args, approvals, nowMs: 1_790_000_000_000, ...more,
  };
  const sealed = store.seal(`user:${user}`, { input } as unknown as Json);
  const record: NewRecord = {
    type: "decision", id: systemClock.id("d"), session, agent, user, action, digest: hash("sha256", canonicalize({ action, args }), "base64url"), effect, by, policies: [],
    decision: "x".repeat(43), bundle: bundle ?? null, input: sealed.commitment, tool: "d".repeat(43), reversibility: "unknown", approval: approval ?? null, payload: sealed.payload,
  };
  return (await store.append(record, { sealed })).seq;
};
const compared = (before: Snapshot, after: Snapshot, query: Partial<TrafficQuery> = {}): Promise<TrafficComparison> => compareTraffic({ store, limits: defaultLimits }, { sinceMs: 0, ...query }, before, after);

/** As {@link bundleOf}, in the store too. */
const kept = (policies: Record<string, string>): Snapshot => {
  const snapshot = bundleOf(policies);
  store.putObject(encodeBundle(snapshot.bundle).bytes);
  return snapshot;
};

const brief = ({ changes }: TrafficComparison) => changes.map(({ change, from, to, agent, calls, before, after }) => ({ change, is: `${from} to ${to}`, agent, calls, before, after }));

describe("a change of policies, by recorded calls", () => {
  it("groups what it would deny by agent, tool and policy, with examples", async () => {
    const seqs: number[] = [];
    for (const amount of [10, 600, 700, 20, 800, 900]) seqs.push(await call({ args: { amount } }));
    await call({ agent: "clerk", args: { amount: 600 } });
    await call({ action: "shop/read", args: { amount: 600 } });
    const found = await compared(bundleOf(all), bundleOf(capped(500)));
    expect(found).toMatchObject({ calls: 8, unchanged: 3, unlisted: 0, not_replayable: [], adapted: 0 });
    expect(brief(found)).toEqual([
      { change: "newly denied", is: "allow to deny", agent: "bot", calls: 4, before: ["all"], after: ["cap"] },
      { change: "newly denied", is: "allow to deny", agent: "clerk", calls: 1, before: ["all"], after: ["cap"] },
    ]);
    expect(found.changes[0]?.examples).toMatchObject([1, 2, 4].map((at) => ({ seq: seqs[at] })));
    expect(found.changes[0]?.examples[0]?.args).toBe('{"amount":600}');
    expect(brief(await compared(bundleOf(capped(500)), bundleOf(all)))[0]).toMatchObject({ change: "newly allowed", is: "deny to allow", before: ["cap"], after: ["all"] });
  });

  it("is none between equal policies of other names", async () => {
    await call({ args: { amount: 10 } });
    expect(await compared(bundleOf(all), bundleOf(all.replace('"all"', '"everything"')))).toMatchObject({ calls: 1, unchanged: 1, changes: [] });
  });

  it("counts a call that was asked for, repeated and approved once", async () => {
    const args = { amount: 600 };
    await call({ args, effect: "ask" });
    await call({ args, effect: "ask" });
    await call({ args, approval: "apr_1", approvals: ["leads"] });
    await call({ args, effect: "ask" });
    expect(await compared(bundleOf(reviewed(500)), bundleOf(reviewed(100)))).toMatchObject({ calls: 2, unchanged: 2 });
    const [open, others, closed] = [await compared(bundleOf(reviewed(500)), bundleOf(all)), await compared(bundleOf(reviewed(500)), bundleOf(reviewed(500, "finance"))), await compared(bundleOf(reviewed(500)), bundleOf(capped(500)))];
    expect([open, others, closed].map(({ calls, unchanged }) => [calls, unchanged])).toEqual([[2, 0], [2, 0], [2, 0]]);
    expect([open, others, closed].flatMap(brief)).toMatchObject([
      { change: "newly allowed", is: "ask to allow", calls: 2 },
      { change: "asked of others", is: "ask to ask", calls: 2 },
      { change: "newly denied", is: "ask to deny", calls: 2, before: ["review"], after: ["cap"] },
    ]);
    expect(others.changes[0]?.approvers).toEqual({ before: ["leads"], after: ["finance"] });
  });

  it("sees what an approval would no longer be enough for", async () => {
    const late = `${reviewed(500)} @id("huge") forbid (principal, action, resource) when { context.input has amount && context.input.amount > 5000 } unless { principal == Agent::"none" };`;
    await call({ args: { amount: 6000 }, approval: "apr_1", approvals: ["leads"] });
    expect(brief(await compared(bundleOf(reviewed(500)), bundleOf(late)))).toMatchObject([{ change: "newly denied", calls: 1 }]);
  });

  it("says what it cannot compare, and why", async () => {
    await call({ user: "eve" });
    await store.erase("user:eve", "operator", "asked to");
    await call({ action: "shop/sold", by: "quarantined", effect: "deny" });
    await store.append({
      type: "decision", id: "d_1", session: "s", agent: "bot", user: "ana", action: "shop/read", digest: "d".repeat(43), effect: "deny", by: "facts_unavailable", policies: [],
      decision: "x".repeat(43), bundle: null, input: null, tool: null, reversibility: "unknown", approval: null, payload: null,
    });
    await call({ by: "quarantined", effect: "deny", args: { amount: 600 } });
    expect(await compared(bundleOf(all), bundleOf(capped(500)))).toMatchObject({
      calls: 1,
      changes: [{ change: "newly denied", calls: 1 }],
      not_replayable: [
        { why: "its facts were erased", calls: 1 },
        { why: "the catalog no longer has the tool `shop/sold`", calls: 1 },
        { why: "its facts were never gathered", calls: 1 },
      ],
    });
  });

  it("judges calls of an older definition or contract by today's, and says how many", async () => {
    await call({ args: { amount: 600, to: "ana" }, more: { definition: "old" } });
    await call({ args: { to: "ana" }, more: { definition: "old" } });
    await call({ args: { amount: 600 } });
    const found = await compared(bundleOf(all), bundleOf(capped(500)));
    expect(found).toMatchObject({ calls: 3, adapted: 2, changes: [{ calls: 2 }] });
    const typed = [tool("refund", "new", { resource: { type: "Account", argument: ["to"] } }), tool("read")];
    const closed = `${all} @id("frozen") forbid (principal, action, resource is Account) when { resource.labels.contains("frozen") };`;
    const registry = { agents: {}, users: {}, teams: {}, groups: {}, owners: [], resources: { Account: { ana: { labels: ["frozen"], owner: null } } } };
    const today = await compared(bundleOf(all, typed), bundleOf(closed, typed), { registry });
    // The third names no account, so today's contract denies it on both sides.
    expect(today).toMatchObject({ calls: 3, adapted: 3, changes: [{ change: "newly denied", calls: 2, after: ["frozen"] }] });
  });

  it("looks at the calls it is asked about only", async () => {
    await call({ args: { amount: 600 } });
    await call({ args: { amount: 600 }, agent: "clerk", session: "s2" });
    const { at_ms } = store.entry(2) as { at_ms: number };
    const sides = [bundleOf(all), bundleOf(capped(500))] as const;
    expect(await compared(...sides, { session: "s2" })).toMatchObject({ calls: 1, changes: [{ agent: "clerk" }] });
    expect(await compared(...sides, { agents: new Set(["bot"]) })).toMatchObject({ calls: 1, changes: [{ agent: "bot" }] });
    expect(await compared(...sides, { sinceMs: at_ms + 1 })).toMatchObject({ calls: 0, changes: [] });
  });
});

describe("what a change asks of history, and was not asked then", () => {
  const head = '(principal, action == Action::"shop/refund", resource)';
  const asking = (whose = head): string => `${all} @id("seldom") forbid ${whose} when temporal { formerly within 1h Action::"shop/read"::request{} };`;

  it("is answered from the ledger: the calls that it would have denied are listed", async () => {
    const seqs = [await call({}), await call({ action: "shop/read" }), await call({}), await call({ session: "s2" })];
    const found = await compared(bundleOf(all), bundleOf(asking()));
    expect(found).toMatchObject({ calls: 4, unchanged: 3, not_replayable: [], changes: [{ change: "newly denied", after: ["seldom"], examples: [{ seq: seqs[2] }] }] });
    expect(await compared(bundleOf(all), bundleOf(asking()), { sinceMs: store.entry(seqs[2] ?? 0)?.at_ms ?? 0, session: "s1" })).toMatchObject({ changes: [{ calls: 1 }] });
  });

  it("stands as it was answered, where it was: by its own words, or by those of the bundle that decided", async () => {
    const live = kept({ "org.cedar": asking() });
    const id = live.leaves[0]?.id ?? "";
    await call({ more: { history: { [id]: true } }, session: "s3" });
    await call({ action: "shop/read" });
    await call({ more: { history: { [live.questions.name]: true } }, bundle: live.hash });
    expect(await compared(bundleOf(all), bundleOf(asking()))).toMatchObject({ calls: 3, unchanged: 2, changes: [{ calls: 1, examples: [{ args: "{}" }] }] });
  });

  it("is not taken for answered where the same was asked of other calls", async () => {
    const live = kept({ "org.cedar": asking() });
    await call({ action: "shop/read", bundle: live.hash, more: { history: { [live.questions.name]: true } } });
    await call({ action: "shop/read", bundle: live.hash, more: { history: { [live.questions.name]: true } } });
    const wider = bundleOf(asking("(principal, action, resource)"));
    expect(wider.questions.name).toBe(live.questions.name);
    expect(await compared(live, wider)).toMatchObject({ calls: 2, unchanged: 0, changes: [{ change: "newly denied", calls: 2 }] });
  });

  it("is said to have no answer where it was erased, with the entries, and then counts as loosening", async () => {
    const across = asking().replace("temporal {", "temporal across agent {");
    const stays = await call({ user: "bob" });
    await call({ action: "shop/read", user: "eve", session: "s2" });
    const [first, last] = [await call({ user: "bob" }), await call({ user: "bob" })];
    await store.erase("user:eve", "operator", "asked to");
    const why = "what policies ask of history was erased";
    expect(await compared(bundleOf(all), bundleOf(across))).toMatchObject({ calls: 1, not_replayable: [{ why, calls: 2, first, last }, { why: "its facts were erased", calls: 1, first: stays + 1 }] });
    const deps = { store, limits: defaultLimits, clock: systemClock, patienceMs: 60_000 };
    expect(await trafficLoosens(deps, kept({ "org.cedar": all }), kept({ "org.cedar": across }), { sinceMs: 0 })).toEqual({
      loosens: true, why: [first, last].map((seq) => `entry ${seq}: \`shop/refund\` by \`bot\` cannot be compared: ${why}`),
    });
  });
});

describe("loosening the organisation's policies, by recorded calls", () => {
  const team = { "teams/support/a.cedar": '@id("support.all") permit (principal in Team::"support", action, resource);' };
  const loosens = (before: Record<string, string> | null, after: Record<string, string>) => trafficLoosens({ store, limits: defaultLimits, clock: systemClock, patienceMs: 60_000 }, before && kept(before), kept(after), { sinceMs: 0 });

  it("is a forbid that no longer holds, also where only a team permits", async () => {
    const seq = await call({ args: { amount: 600 } });
    const forbid = (limit: number): string => capped(limit).replace(all, "");
    expect(await loosens({ ...team, "org.cedar": forbid(500) }, { ...team, "org.cedar": forbid(1000) })).toEqual({
      loosens: true,
      why: [`entry ${seq}: \`shop/refund\` by \`bot\` denied by \`cap\` before, and allowed where a team permits it after`],
    });
    expect(await loosens({ ...team, "org.cedar": forbid(1000) }, { ...team, "org.cedar": forbid(500) })).toEqual({ loosens: false, why: [] });
  });

  it("is a permit that was not there, and an approval that fewer are asked for", async () => {
    await call({ args: { amount: 600 } });
    expect(await loosens({ "org.cedar": "" }, { "org.cedar": all })).toMatchObject({ loosens: true });
    expect(await loosens(null, { "org.cedar": all })).toMatchObject({ loosens: true });
    expect(await loosens({ "org.cedar": reviewed(500) }, { "org.cedar": all })).toMatchObject({ loosens: true, why: [expect.stringContaining("asked of leads by `review` before, and allowed by `all` after")] });
    expect(await loosens({ "org.cedar": reviewed(500) }, { "org.cedar": reviewed(500, "finance") })).toMatchObject({ loosens: true });
    expect(await loosens({ "org.cedar": reviewed(500) }, { "org.cedar": reviewed(500, "2 of leads") })).toEqual({ loosens: false, why: [] });
    expect(await loosens({ "org.cedar": reviewed(500, "2 of leads") }, { "org.cedar": reviewed(500) })).toMatchObject({ loosens: true });
    expect(await loosens({ "org.cedar": capped(500) }, { "org.cedar": reviewed(500) })).toMatchObject({ loosens: true });
  });

  it("is not what a team permits itself, nor what nobody ever did", async () => {
    await call({ args: { amount: 600 } });
    expect(await loosens({ "org.cedar": capped(500) }, { "org.cedar": capped(500), ...team })).toEqual({ loosens: false, why: [] });
    expect(await loosens({ "org.cedar": capped(700) }, { "org.cedar": capped(800) })).toEqual({ loosens: false, why: [] });
  });

  it("names ten calls and counts the others", async () => {
    for (let at = 0; at < 12; at++) await call({ args: { amount: 600 + at } });
    const { why } = await loosens({ "org.cedar": capped(500) }, { "org.cedar": all });
    expect([why.length, why.at(-1)]).toEqual([11, "and 2 calls more"]);
  });
});
