import { hash } from "node:crypto";
import type { Decision, DecisionInput, Json, NewRecord } from "@lanyard/contract";
import { canonicalize } from "@lanyard/ledger";
import { compile, openSnapshot, type Snapshot } from "@lanyard/policy";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../base/clock.ts";
import { openMemory } from "../base/store/memory.ts";
import type { Store } from "../base/store/port.ts";
import { replay, type Replayed } from "./replay.ts";

let store: Store;
let snapshot: Snapshot;
let bundle = "";
beforeAll(async () => {
  store = await openMemory();
  const compiled = compile({
    servers: ["s"],
    tools: [{ server: "s", tool: "do", definition: "d", inputSchema: { type: "object", properties: { n: { type: "integer" }, x: { type: "number" } } }, contract: { effects: [], reversibility: "unknown" } }],
    policies: [{ file: "p", text: '@id("small") @reason("Small is fine.") permit (principal, action, resource) when { context.input has n && context.input.n < 10 };' }],
  });
  if (!compiled.ok) throw new Error("the policies of this test are wrong");
  bundle = store.putObject(compiled.bytes);
  snapshot = openSnapshot(compiled.bytes);
});
afterAll(() => store[Symbol.asyncDispose]());

const inputOf = (n: number): DecisionInput => ({
  agent: { id: "bot", team: "t", classes: [] },
  user: { id: "ana", groups: [] },
  session: { id: "s", purpose: "", depth: 0, labels: [], isolation: "none" },
  action: "s/do",
  args: { n, x: 0.25 },
  approvals: [],
  nowMs: 1_790_000_000_000,
});

/** Records a decision as the record stage does; `change` makes a record that tells something else. */
const recordOf = async (input: DecisionInput, change: Partial<Extract<NewRecord, { type: "decision" }>> = {}, subject = "user:ana"): Promise<number> => {
  const sealed = store.seal(subject, { input } as unknown as Json);
  const decision: Decision = snapshot.decide(input);
  const record: NewRecord = {
    type: "decision", id: systemClock.id("d"), session: "s", agent: "bot", user: "ana", action: "s/do", digest: "d".repeat(43), effect: decision.effect, by: "policy",
    policies: decision.reasons.map(({ policy }) => policy), decision: hash("sha256", canonicalize(decision), "base64url"), bundle, input: sealed.commitment, tool: null,
    reversibility: "unknown", approval: null, payload: sealed.payload, ...change,
  };
  return (await store.append(record, { sealed })).seq;
};
const replayed = async (from: number, to = from, kept: Parameters<typeof replay>[0]["store"] = store): Promise<Replayed[]> => {
  const results: Replayed[] = [];
  for await (const run of replay({ store: kept }, from, to)) results.push(...run);
  return results;
};

describe("replay", () => {
  it("decides every record to the same bytes, in order", async () => {
    const first = await recordOf(inputOf(0));
    for (let n = 1; n < 150; n += 1) await recordOf(inputOf(n));
    const results = await replayed(first, first + 149);
    expect(results.map(({ seq }) => seq)).toEqual(Array.from({ length: 150 }, (_, index) => first + index));
    expect(new Set(results.map(({ kind }) => kind))).toEqual(new Set(["same"]));
  });

  it("shows both where a record says otherwise", async () => {
    const seq = await recordOf(inputOf(50), { effect: "allow", policies: ["small"], decision: "x".repeat(43) });
    expect(await replayed(seq)).toMatchObject([
      { seq, kind: "differs", why: "the same facts now decide otherwise", recorded: { effect: "allow", policies: ["small"] }, now: { effect: "deny", policies: [], full: { reasons: [] } } },
    ]);
  });

  it.each<[string, Partial<Extract<NewRecord, { type: "decision" }>>]>([
    ["effect", { effect: "allow" }],
    ["policies", { policies: ["small"] }],
    ["agent", { agent: "another" }],
    ["user", { user: "ben" }],
    ["session", { session: "t" }],
    ["action", { action: "s/undo" }],
    ["approval", { approval: "apr_1" }],
  ])("does not call a record the same whose `%s` was changed beside an honest decision", async (field, change) => {
    const seq = await recordOf(inputOf(50), change);
    expect(await replayed(seq)).toMatchObject([{ seq, kind: "differs", why: `the record's \`${field}\` is not what was decided` }]);
  });

  it("does not believe a payload that the record does not commit to", async () => {
    const seq = await recordOf(inputOf(1));
    const other = await recordOf(inputOf(2));
    const reading = (unsealAll: Store["unsealAll"]) => ({ entry: (at: number) => store.entry(at), scan: (filter: Parameters<Store["scan"]>[0]) => store.scan(filter), getObject: (address: string) => store.getObject(address), unsealAll });
    const { payload } = store.entry(other) as { payload: string };
    const swapped = reading((wanted) => store.unsealAll(wanted.map(({ commitment }) => ({ commitment, payload }))));
    expect(await replayed(seq, seq, swapped)).toMatchObject([{ kind: "differs", why: "the payload is not the one that the record commits to" }]);
    expect(await replayed(seq, seq, reading(() => ["changed"]))).toMatchObject([{ kind: "differs", why: "its payload or the key of it was changed" }]);
    expect(await replayed(seq, seq, reading(() => [{ value: "nothing", opens: true }]))).toMatchObject([{ kind: "differs", why: "the payload holds no input of a decision" }]);
  });

  it("misses a bundle that is not in the store", async () => {
    const seq = await recordOf(inputOf(1), { bundle: "b".repeat(43) });
    expect(await replayed(seq)).toMatchObject([{ kind: "differs", why: "the bundle that decided is not in the store" }]);
  });

  it("says why nothing can be decided again", async () => {
    const early = await recordOf(inputOf(1), { by: "quarantined", bundle: null, effect: "deny" });
    const none = await recordOf(inputOf(1), { bundle: null, effect: "deny" });
    const erased = await recordOf(inputOf(1), {}, "user:eve");
    const { seq } = await store.erase("user:eve", "operator", "asked");
    expect([...(await replayed(early, erased)), ...(await replayed(seq)), ...(await replayed(9999))]).toEqual([
      { seq: early, kind: "not replayable", why: "refused before policy was asked: quarantined" },
      { seq: none, kind: "not replayable", why: "denied while no valid policies were loaded" },
      { seq: erased, kind: "not replayable", why: "its facts were erased" },
      { seq, kind: "not replayable", why: "the entry is no decision but `erase`" },
      { seq: 9999, kind: "not replayable", why: "there is no such entry" },
    ]);
  });
});
