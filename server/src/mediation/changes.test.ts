import { hash } from "node:crypto";
import { Fault, type DecisionInput, type Json } from "@lanyard/contract";
import { canonicalize } from "@lanyard/ledger";
import { compile, openSnapshot, type Ground } from "@lanyard/policy";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../base/clock.ts";
import { registryOf } from "../base/config/config.ts";
import { parseConfig } from "../base/config/read.ts";
import { defaultLimits } from "../base/limits.ts";
import { openMemory } from "../base/store/memory.ts";
import type { Store } from "../base/store/port.ts";
import { Changes, type ChangesDeps, type Side } from "./changes.ts";

const config = parseConfig(new TextEncoder().encode(`
version: 1
listen: 127.0.0.1:0
data: data
policies: policies
teams: { shop: { owners: [shop-leads] }, desk: {} }
groups: { security: {}, shop-leads: { team: shop } }
owners: [security]
users: { olga: { groups: [security] }, ana: { groups: [shop-leads] }, ben: {} }
agents: { seller: { team: shop }, clerk: { team: desk } }
servers: { s: { url: "http://127.0.0.1:1/mcp" } }
`), "/srv/lanyard.yaml");
const ground: Ground = {
  servers: ["s"], registry: registryOf(config),
  tools: [{ server: "s", tool: "do", definition: "d", inputSchema: { type: "object", properties: { n: { type: "integer" } } }, contract: { effects: [], reversibility: "unknown" } }],
};
const all = { policies: [{ file: "a.cedar", text: '@id("all") permit (principal, action, resource);' }] };
const none = { policies: [{ file: "a.cedar", text: "" }] };
const inForce = compile({ ...ground, ...all });

let store: Store;
beforeEach(async () => {
  store = await openMemory();
  await call("seller");
  await call("clerk");
});
afterEach(() => store[Symbol.asyncDispose]());

const call = async (agent: string): Promise<void> => {
  const input: DecisionInput = {
    agent: { id: agent, team: agent === "seller" ? "shop" : "desk", classes: [] }, user: { id: "ben", groups: [] }, session: { id: `ses_${agent}`, purpose: "", depth: 0, labels: [], isolation: "none" },
    action: "s/do", definition: "d", args: { n: 1 }, approvals: [], nowMs: 0,
  };
  const sealed = store.seal("user:ben", { input } as unknown as Json);
  await store.append({
    type: "decision", id: systemClock.id("d"), session: `ses_${agent}`, agent, user: "ben", action: "s/do", digest: hash("sha256", canonicalize(input.args), "base64url"), effect: "deny", by: "policy",
    policies: [], decision: "x".repeat(43), bundle: null, input: sealed.commitment, tool: null, reversibility: "unknown", approval: null, payload: sealed.payload,
  }, { sealed });
};

const changesOf = (more: Partial<ChangesDeps> = {}): Changes =>
  new Changes({
    store, clock: systemClock, limits: defaultLimits, config: () => config, ground: () => ground, lineup: () => ({ active: null, canary: null, shadow: null }),
    edition: (version) => {
      throw new Fault("not_found", `no version ${version}`);
    },
    ...more,
  });
const report = async (changes: Changes, asker: string | null, before: Side, after: Side, more: { sinceMs?: number | null; bundles?: boolean } = {}): Promise<Record<string, unknown>[]> => {
  const diff = await changes.diff(asker, { before, after, sinceMs: 0, bundles: false, ...more });
  const lines: Record<string, unknown>[] = [];
  for await (const line of diff.report()) lines.push(line as Record<string, unknown>);
  return lines;
};
const agentsIn = (lines: readonly Record<string, unknown>[]): unknown[] => lines.filter(({ kind }) => kind === "change").map(({ agent }) => agent).sort();

describe("who may ask what a change does", () => {
  it("is the operator and owners of the organisation's policies, for all calls; a team's owners for those of its agents", async () => {
    const changes = changesOf();
    expect(agentsIn(await report(changes, null, none, all))).toEqual(["clerk", "seller"]);
    expect(agentsIn(await report(changes, "olga", none, all))).toEqual(["clerk", "seller"]);
    expect(agentsIn(await report(changes, "ana", none, all))).toEqual(["seller"]);
    await expect(report(changes, "ben", none, all)).rejects.toMatchObject({ code: "forbidden", message: "`ben` owns neither the organisation's policies nor a team's" });
  });

  it("and what a session would have needed", async () => {
    if (!inForce.ok) throw new Error("the policies of this test are wrong");
    const standing = { hash: inForce.hash, version: null, policies: 1, by: "operator", sinceMs: 0, snapshot: openSnapshot(inForce.bytes), warnings: [] };
    store.putObject(inForce.bytes);
    const changes = changesOf({ lineup: () => ({ active: standing, canary: null, shadow: null }) });
    expect(await changes.suggest("ana", "ses_seller", undefined)).toMatchObject({ agent: "seller", file: "teams/shop/suggested.cedar", calls: 1, errors: [] });
    await expect(changes.suggest("ana", "ses_clerk", undefined)).rejects.toMatchObject({ code: "forbidden" });
    await expect(changes.suggest("ben", "ses_seller", undefined)).rejects.toMatchObject({ code: "forbidden" });
    expect(await changes.suggest("olga", "ses_clerk", "deny")).toMatchObject({ agent: "clerk" });
    await expect(changes.suggest("olga", "ses_clerk", "allow")).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("the sides of a change", () => {
  it("are files, a version, or what stands at a post, also while no daemon runs", async () => {
    if (!inForce.ok) throw new Error("the policies of this test are wrong");
    store.putObject(inForce.bytes);
    const changes = changesOf({ edition: (version) => ({ version, ...none, tests: [] }) });
    await expect(report(changes, null, { post: "active" }, all)).rejects.toMatchObject({ code: "not_found", message: "no policies stand at `active`" });
    await store.append({ type: "config.change", config: "h".repeat(43), before: null, by: "operator" }, { state: [{ kind: "setting", key: "bundle", value: { hash: inForce.hash } }] });
    const lines = await report(changes, null, { post: "active" }, { version: 3 }, { bundles: true });
    expect(lines).toMatchObject([
      { kind: "side", side: "before", name: "active", bundle: inForce.hash, policies: 1, bytes: Buffer.from(inForce.bytes).toString("base64") },
      { kind: "side", side: "after", name: "version 3", policies: 0 },
      { kind: "change", change: "newly denied" },
      { kind: "change", change: "newly denied" },
      { kind: "traffic", since_ms: 0, calls: 2, unchanged: 0 },
    ]);
    expect(await report(changes, null, none, all, { sinceMs: null })).toHaveLength(2);
  });

  it("that do not compile are refused with their places, and names that are none", async () => {
    const changes = changesOf();
    await expect(report(changes, null, none, { policies: [{ file: "b.cedar", text: "\n permit;" }] })).rejects.toMatchObject({ code: "invalid_config", message: expect.stringMatching(/^the policies after the change \(files\) do not compile:\nb\.cedar:2:\d+: /) });
    await expect(report(changes, null, { policies: [{ file: "../b.cedar", text: "" }] }, all)).rejects.toMatchObject({ code: "invalid_request" });
    await expect(report(changes, null, { version: 9 }, all)).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("at once", () => {
  it("comparisons are at work, and not one more", async () => {
    const changes = changesOf({ limits: { ...defaultLimits, comparisons: 2 } });
    const results = await Promise.allSettled([1, 2, 3].map(() => report(changes, null, none, all)));
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected"]);
    expect(results[2]).toMatchObject({ reason: { code: "too_many_calls", message: expect.stringContaining("limit comparisons") } });
    expect(await report(changes, null, none, all)).toHaveLength(5);
  });

  it("one that nobody waits for any more ends", async () => {
    const changes = changesOf({ limits: { ...defaultLimits, comparisons: 1 } });
    const lines = (await changes.diff(null, { before: none, after: all, sinceMs: 0, bundles: false })).report();
    await lines.next();
    await lines.return(undefined);
    expect(await report(changes, null, none, all)).toHaveLength(5);
  });
});
