import { hash } from "node:crypto";
import type { DecisionInput, Json, JsonObject, Registry } from "@lanyard/contract";
import { canonicalize } from "@lanyard/ledger";
import { compile, openSnapshot, type PolicyFile, type Snapshot, type ToolSet } from "@lanyard/policy";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../server/src/base/clock.ts";
import { defaultLimits } from "../../server/src/base/limits.ts";
import { openMemory } from "../../server/src/base/store/memory.ts";
import type { Store } from "../../server/src/base/store/port.ts";
import { suggest, type Suggestion } from "../../server/src/mediation/suggestion/suggest.ts";

// A session's arguments, tools and names are chosen by agents and servers; `policy suggest` writes them into policies that people read and keep.
// Nothing of them may become policy text, hide from the reader, or make a suggestion wider than what the session did.

const hostile = [
  '" }; @id("evil") permit (principal, action, resource); //',
  '\\" }; permit (principal, action, resource); //',
  '*"*\\*',
  "a\n// b\npermit (principal, action, resource);\r\u2028\u0085",
  "\u202e;)ecruoser ,noitca ,lapicnirp( timrep",
  "\u0000\u0007\u{e0041}\u{1f600}",
  "${context.input}",
];
const session = "ses_1";
const registry: Registry = { agents: {}, users: {}, teams: {}, groups: {}, owners: [], resources: {} };

let store: Store;
beforeEach(async () => void (store = await openMemory()));
afterEach(() => store[Symbol.asyncDispose]());

const toolNamed = (tool: string, properties: JsonObject) => ({ server: "s", tool, definition: "d", inputSchema: { type: "object", properties }, contract: { effects: [], reversibility: "unknown" as const } });
const texts = Object.fromEntries(hostile.map((name) => [name, { type: "string" }]));
const ground: ToolSet = { servers: ["s"], tools: [toolNamed("plain", texts), ...hostile.map((name) => toolNamed(name, { to: { type: "string" } }))] };

const compiled = (policies: readonly PolicyFile[]): Snapshot | string[] => {
  const result = compile({ ...ground, policies });
  return result.ok ? openSnapshot(result.bytes) : result.errors.map(({ message }) => message);
};
const made = (text: string): Snapshot => {
  const snapshot = compiled([{ file: "org.cedar", text }]);
  if (Array.isArray(snapshot)) throw new Error(snapshot.join("\n"));
  return snapshot;
};

const inputOf = (tool: string, args: JsonObject, agent = "bot"): DecisionInput => ({
  agent: { id: agent, team: "", classes: [] }, user: { id: "ana", groups: [] }, session: { id: session, purpose: hostile.join(""), depth: 0, labels: [], isolation: "none" },
  action: `s/${tool}`, definition: "d", args, approvals: [], nowMs: 0,
});
const record = async (input: DecisionInput, ofSession = session): Promise<void> => {
  const sealed = store.seal("user:ana", { input } as unknown as Json);
  await store.append({
    type: "decision", id: systemClock.id("d"), session: ofSession, agent: input.agent.id.slice(0, 200), user: "ana", action: input.action, digest: hash("sha256", canonicalize(input.args), "base64url"),
    effect: "deny", by: "policy", policies: [], decision: "x".repeat(43), bundle: null, input: sealed.commitment, tool: null, reversibility: "unknown", approval: null, payload: sealed.payload,
  }, { sealed });
};
const suggested = (current: Snapshot): Promise<Suggestion> => suggest({ store, limits: defaultLimits, current, registry, compile: async (files) => compiled(files), most: 100 }, { session, sinceMs: 0 });

describe("a suggestion from hostile words", () => {
  it("permits exactly the calls it was made from", async () => {
    const calls = [...hostile.map((value) => inputOf("plain", Object.fromEntries(hostile.map((name) => [name, value])))), ...hostile.map((tool) => inputOf(tool, { to: tool }, hostile[0]))];
    for (const input of calls) await record(input);
    const { text, policies, allowed, standing, errors } = await suggested(made(""));
    expect(errors).toEqual([]);
    expect([allowed, standing]).toEqual([{ before: 0, after: calls.length }, []]);
    const snapshot = made(text);
    expect(snapshot.bundle.policies.map(({ id }) => id).sort()).toEqual(policies.map(({ id }) => id).sort());
    for (const { effect, head } of snapshot.bundle.policies) expect([effect, head.principal.op, head.action.op]).toEqual(["permit", "==", "=="]);
    for (const input of calls) expect(snapshot.decide(input).effect).toBe("allow");
    for (const input of calls) {
      expect(snapshot.decide({ ...input, args: { to: "elsewhere" } }).effect).toBe("deny");
      expect(snapshot.decide({ ...input, agent: { ...input.agent, id: "evil" } }).effect).toBe("deny");
    }
    expect(snapshot.decide(inputOf("plain", {}, hostile[0])).effect).toBe("deny");
  });

  it("shows every character of it", async () => {
    for (const value of hostile) await record(inputOf("plain", { [hostile[0] ?? ""]: value }));
    const { text } = await suggested(made(""));
    expect(text).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    expect(made(text).count).toBe(1);
  });
});

describe("a suggestion", () => {
  const forbid = '@id("org.no") @reason("Never.") forbid (principal, action == Action::"s/plain", resource);';

  it("lifts no forbid, and says which stand in the way", async () => {
    await record(inputOf("plain", {}));
    const { allowed, standing } = await suggested(made(forbid));
    expect([allowed.after, standing]).toMatchObject([0, [{ action: "s/plain", effect: "deny", policies: ["org.no"], calls: 1 }]]);
  });

  it("is made from no call of another session, and says which it would let through too", async () => {
    await record(inputOf("plain", {}));
    await record(inputOf("plain", { [hostile[0] ?? ""]: "x" }), "ses_2");
    await record(inputOf("plain", {}), "ses_3");
    expect(await suggested(made(""))).toMatchObject({ calls: 1, policies: [{ calls: 1 }], beyond: { calls: 1, examples: [{ seq: 3 }] } });
  });

  it("takes no id and no file that is in use", async () => {
    await record(inputOf("plain", {}));
    const snapshot = compiled([{ file: "suggested.cedar", text: '@id("bot.s-plain") permit (principal == Agent::"a", action, resource);' }]);
    if (Array.isArray(snapshot)) throw new Error(snapshot.join("\n"));
    expect(await suggested(snapshot)).toMatchObject({ file: "suggested-2.cedar", policies: [{ id: "bot.s-plain-2" }], errors: [] });
  });

  it("is not made from what policy cannot read, nor from nothing", async () => {
    await expect(suggested(made(""))).rejects.toThrow("the ledger has no call of a session `ses_1`");
    await record(inputOf("unknown", {}));
    await expect(suggested(made(""))).rejects.toThrow("made no call to suggest a policy from, e.g. action `s/unknown` is not in the catalog");
    await record(inputOf("plain", {}));
    expect(await suggested(made(""))).toMatchObject({ calls: 1, skipped: [{ calls: 1 }] });
  });

  it("is made from suggested_calls calls and not from one more", async () => {
    const most = 3;
    const limited = () => suggest({ store, limits: defaultLimits, current: made(""), registry, compile: async (files) => compiled(files), most }, { session, sinceMs: 0 });
    for (let at = 0; at < most; at++) await record(inputOf("plain", { [hostile[0] ?? ""]: String(at) }));
    expect(await limited()).toMatchObject({ calls: most });
    await record(inputOf("plain", { [hostile[0] ?? ""]: "more" }));
    await expect(limited()).rejects.toThrow("limit suggested_calls");
  });
});
