import { Fault, type Action, type Decision, type DecisionInput, type LedgerRecord, type Principal } from "@lanyard/contract";
import { canonicalize, newSigner } from "@lanyard/ledger";
import { beforeEach, describe, expect, test } from "vitest";
import { systemClock, type Clock } from "../../base/clock.ts";
import { limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { Facts, Ruling } from "../../base/path.ts";
import { MemoryMedium, openMemory } from "../../base/store/memory.ts";
import type { Store } from "../../base/store/port.ts";
import { recordStage, type RecordStage } from "./record.ts";

const hash = "A".repeat(43);
const input: DecisionInput = {
  agent: { id: "coder", team: "eng", classes: [] }, user: { id: "ana", groups: [] }, session: { id: "s_AAAAAAAAAAAAAAAA", purpose: "test", depth: 0, labels: [], isolation: "none" },
  action: "files/write", reversibility: "reversible", args: { path: "/secret/path", share: 0.5 }, approvals: [], nowMs: 1,
};
const action: Action = { protocol: "mcp", server: "files", method: "tools/call", tool: "write", name: "files/write", args: input.args, params: {}, digest: hash };
const principal: Principal = { session: "s_AAAAAAAAAAAAAAAA", agent: "coder", user: "ana", purpose: "test", chain: [], tools: null, labels: [], isolation: "none", expiresAtMs: 1 };
const facts: Facts = { input, pin: { definition: hash, contract: { effects: ["write"], reversibility: "reversible" }, refuse: null } };
const decision: Decision = { effect: "allow", reasons: [{ policy: "p.one", text: "because", remedy: "" }], approvers: [], errors: [] };
const ruling: Ruling = { decision, bundle: hash, reasons: [] };

let medium: MemoryMedium;
let store: Store;
let stage: RecordStage;
let timers: (() => void)[];
let errors: string[];
// Timers run when a test says so.
const clock: Clock = { ...systemClock, after: (_, task) => ({ cancel: () => undefined, ...(timers.push(task), {}) }) };
const log: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: (event) => void errors.push(event) };
const kept = { signer: newSigner("lanyard.local/test"), tenant: systemClock.random(32) };

beforeEach(async () => {
  timers = [];
  errors = [];
  medium = new MemoryMedium();
  store = await openMemory({ medium, clock, ...kept });
  stage = recordStage({ store, clock, log });
});

const intend = () => stage.intend(action, principal, facts, ruling, "policy", null, null);
/** An outcome waits for company; `settled` has it written without. */
type Ending = Parameters<RecordStage["conclude"]> extends [number, ...infer Rest] ? Rest : never;
const conclude = async (...ending: Ending): Promise<void> => {
  const concluded = stage.conclude(clock.nowMs(), ...ending);
  await store.settled();
  await concluded;
};
const runTimers = async (): Promise<void> => {
  for (const task of timers.splice(0)) task();
  await new Promise((resolve) => setTimeout(resolve, 5));
};

describe("an intent", () => {
  test("holds hashes and commitments; its payload holds what replay needs", async () => {
    const { seq, id } = await intend();
    const record = store.entry(seq) as LedgerRecord & { type: "decision" };
    expect(record).toMatchObject({ type: "decision", id, agent: "coder", user: "ana", action: "files/write", effect: "allow", by: "policy", policies: ["p.one"], bundle: hash, tool: hash, reversibility: "reversible", approval: null });
    expect(canonicalize(record)).not.toContain("secret");
    const opened = store.unseal(record.payload ?? "");
    expect(opened?.value).toEqual({ input });
    expect(store.opens(record.input ?? "", opened?.salt ?? "", { input } as never)).toBe(true);
    expect(store.decisionById(id)).toBe(seq);
  });

  test("without facts commits to no input and knows no tool", async () => {
    const { seq } = await stage.intend(action, principal, null, { decision: { ...decision, effect: "deny", reasons: [] }, bundle: null, reasons: [] }, "facts_unavailable", null, null);
    expect(store.entry(seq)).toMatchObject({ effect: "deny", by: "facts_unavailable", policies: [], bundle: null, input: null, tool: null, payload: null, reversibility: "unknown" });
  });

  test("names the approval that lifted an ask", async () => {
    const { seq } = await stage.intend(action, principal, facts, ruling, "policy", { id: "ap_1", groups: ["leads"], bound: { bundle: hash, definition: hash, transforms: [], reasons: [], values: [], facts: hash }, given: [], said: [] }, null);
    expect(store.entry(seq)).toMatchObject({ approval: "ap_1" });
  });

  test("that cannot be written is a fault, and nothing of it stays", async () => {
    medium.failure = new Error("disk full");
    await expect(intend()).rejects.toMatchObject({ code: "ledger_unavailable" });
    expect(store.size()).toBe(1);
  });
});

describe("an outcome", () => {
  const outcome = async (answer: Ending[4]) => {
    const intent = await intend();
    await conclude(intent, principal, "done", "", answer, clock.monotonicUs(), null);
    return store.outcomeOf(intent.seq) as LedgerRecord & { type: "outcome" };
  };

  test("seals the answer, result or error", async () => {
    for (const answer of [{ result: { content: [], half: 0.5 } }, { error: { code: -32_000, message: "no" } }]) {
      const record = await outcome(answer);
      const opened = store.unseal(record.payload ?? "");
      expect(opened?.value).toEqual(answer);
      expect(store.opens(record.result ?? "", opened?.salt ?? "", answer as never)).toBe(true);
    }
  });

  test("without an answer commits to none", async () => {
    expect(await outcome(null)).toMatchObject({ status: "done", code: "", result: null, payload: null });
  });

  test("keeps an answer of result_payload_bytes, and of one byte more its length and hash", async () => {
    const answer = (bytes: number) => ({ result: { text: "x".repeat(bytes - '{"result":{"text":""}}'.length) } });
    const limit = limits.result_payload_bytes.value;
    expect(store.unseal((await outcome(answer(limit))).payload ?? "")?.value).toEqual(answer(limit));
    const sha256 = Buffer.from(await crypto.subtle.digest("SHA-256", Buffer.from(canonicalize(answer(limit + 1))))).toString("base64url");
    expect(store.unseal((await outcome(answer(limit + 1))).payload ?? "")?.value).toEqual({ omitted: { bytes: limit + 1, sha256 } });
  });

  test("never throws, does not wait for a sick disk, and is written once it is well", async () => {
    const intent = await intend();
    medium.failure = new Error("disk full");
    await conclude(intent, principal, "done", "", { result: {} }, clock.monotonicUs(), null);
    expect([stage.unwritten(), store.outcomeOf(intent.seq), errors]).toEqual([1, null, ["outcome not written"]]);
    await runTimers();
    expect(stage.unwritten()).toBe(1);
    medium.failure = null;
    while (stage.unwritten() > 0) await runTimers();
    expect(store.outcomeOf(intent.seq)).toMatchObject({ of: intent.seq, status: "done" });
    expect(store.entries({ types: ["ledger.gap"] })).toHaveLength(1);
  });

  test("whose subject is erased between sealing and appending is sealed anew", async () => {
    const intent = await intend();
    const erased = store.erase("user:ana", "operator", "asked to");
    await Promise.all([erased, stage.conclude(clock.nowMs(), intent, principal, "done", "", { result: {} }, clock.monotonicUs(), null)]);
    while (stage.unwritten() > 0) await runTimers();
    expect(store.outcomeOf(intent.seq)).toMatchObject({ status: "done" });
  });

  test("a second one is a bug that is logged, not retried", async () => {
    const intent = await intend();
    await conclude(intent, principal, "done", "", null, 0, null);
    await conclude(intent, principal, "failed", "", null, 0, null);
    expect([stage.unwritten(), errors, store.outcomeOf(intent.seq)]).toMatchObject([0, ["outcome not written"], { status: "done" }]);
  });

  test("an answer that is no JSON is concluded all the same", async () => {
    const intent = await intend();
    await conclude(intent, principal, "done", "", { result: { text: "\ud800" } }, 0, null);
    expect(store.outcomeOf(intent.seq)).toMatchObject({ status: "done", result: null, payload: null });
  });
});

test("an intent is open after a crash, and only then", async () => {
  const { seq } = await intend();
  expect(store.openIntents()).toEqual([]);
  expect((await openMemory({ medium, clock, ...kept })).openIntents()).toEqual([seq]);
  expect(new Fault("internal", "unused").code).toBe("internal");
});
