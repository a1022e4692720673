import { Fault, type LedgerRecord } from "@lanyard/contract";
import { newSigner, openCheckpoint, parseVerifierKey } from "@lanyard/ledger";
import { expect, test } from "vitest";
import { systemClock, type Clock } from "../../server/src/base/clock.ts";
import { limits } from "../../server/src/base/limits.ts";
import { MemoryMedium, openMemory } from "../../server/src/base/store/memory.ts";
import type { Batch } from "../../server/src/base/store/medium.ts";
import { sampleRecords, someDecision, someOutcome } from "../kits/records.ts";

/** A disk that takes a commit and then says that it did not: what a failed sync is. */
class LyingMedium extends MemoryMedium {
  lies = false;

  override commit(batch: Batch): void {
    super.commit(batch);
    if (this.lies) throw new Error("input/output error");
  }
}

const stand = async () => {
  let nowMs = 1_700_000_000_000;
  const timers: (() => void)[] = [];
  const clock: Clock = { ...systemClock, nowMs: () => nowMs, after: (_, task) => (timers.push(task), { cancel: () => void timers.splice(timers.indexOf(task), 1) }) };
  const medium = new LyingMedium();
  const options = { medium, clock, signer: newSigner("lanyard.local/test"), tenant: systemClock.random(32) };
  return { medium, options, timers, store: await openMemory(options), pass: (ms: number) => void (nowMs += ms) };
};

const codeOf = (promise: Promise<unknown>): Promise<string> => promise.then(() => "resolved", (error: unknown) => (error as Fault).code);

test("while the disk refuses nothing is kept; then a gap says from when to when, how many and why, before anything else", async () => {
  const { store, medium, pass } = await stand();
  const checkpoint = store.checkpoint();
  medium.failure = new Error("database or disk is full");
  const state = [{ kind: "session" as const, key: "one", value: {} }];
  expect(await Promise.all([store.append(someDecision(), { state }), store.append(someDecision()), store.erase("user:ana", "operator", "x")].map(codeOf))).toEqual(["ledger_unavailable", "ledger_unavailable", "ledger_unavailable"]);
  pass(5000);
  expect(await codeOf(store.append(someDecision()))).toBe("ledger_unavailable");
  expect([store.healthy(), store.size(), store.checkpoint(), store.get("session", "one")]).toEqual([false, 1, checkpoint, null]);
  expect(() => store.putObject(Buffer.from("x"))).toThrow(Fault);
  medium.failure = null;
  pass(1000);
  const { seq } = await store.append(someDecision("deny"));
  expect(seq).toBe(2);
  expect(store.entry(1)).toMatchObject({ type: "ledger.gap", from_ms: 1_700_000_000_000, to_ms: 1_700_000_006_000, refused: 4, why: "database or disk is full" });
  expect([store.healthy(), store.openIntents()]).toEqual([true, []]);
});

test("recovers by itself, with one timer however many were refused", async () => {
  const { store, medium, timers } = await stand();
  const fire = (): Promise<void> => {
    timers.splice(0).forEach((task) => task());
    return store.settled();
  };
  medium.failure = new Error("gone");
  for (let at = 0; at < 5; at++) await codeOf(store.append(someDecision()));
  expect(timers).toHaveLength(1);
  await fire();
  expect([store.healthy(), timers.length]).toEqual([false, 1]);
  medium.failure = null;
  await fire();
  expect([store.healthy(), store.entry(1)]).toMatchObject([true, { type: "ledger.gap", refused: 5 }]);
});

test("a commit that was refused but is on disk is taken over: its intents are open, its state is the state", async () => {
  const { store, medium } = await stand();
  const ended = await store.append(someDecision());
  medium.lies = true;
  const lost = [store.append(someDecision(), { state: [{ kind: "session", key: "one", value: { a: 1 } }] }), store.append(someOutcome(ended.seq))];
  expect(await Promise.all(lost.map(codeOf))).toEqual(["ledger_unavailable", "ledger_unavailable"]);
  expect([store.size(), store.get("session", "one")]).toEqual([2, null]);
  medium.lies = false;
  const { seq } = await store.append(sampleRecords["session.close"]);
  expect(seq).toBe(5);
  expect(Array.from({ length: 5 }, (_, at) => store.entry(at)?.type)).toEqual(["ledger.open", "decision", "decision", "outcome", "ledger.gap"]);
  expect([store.openIntents(), store.get("session", "one")]).toEqual([[2], { a: 1 }]);
  expect(openCheckpoint(store.checkpoint(), [parseVerifierKey(store.verifierKey())]).size).toBe(6);
  expect(await codeOf(store.append(someOutcome(ended.seq)))).toBe("internal");
});

test("a disk that comes back older than what was acknowledged is not written on", async () => {
  const { store, medium } = await stand();
  await store.append(someDecision());
  medium.failure = new Error("gone");
  await codeOf(store.append(someDecision()));
  medium.failure = null;
  const older = medium.head();
  medium.head = () => ({ ...older, size: 1 });
  await expect(store.append(someDecision())).rejects.toThrow("the disk holds 1 records where 2 were acknowledged");
  expect(store.healthy()).toBe(false);
});

test("a commit holds at most batch_records", async () => {
  const { store, medium } = await stand();
  const sizes: number[] = [];
  const commit = medium.commit.bind(medium);
  medium.commit = (batch) => (sizes.push(batch.leaves.length), commit(batch));
  await Promise.all(Array.from({ length: limits.batch_records.value * 2 + 1 }, () => store.append(someDecision("deny"))));
  expect(sizes).toEqual([limits.batch_records.value, limits.batch_records.value, 1]);
});

test("the clock may go back, the ledger's time does not", async () => {
  const { store, pass } = await stand();
  const { atMs } = await store.append(someDecision("deny"));
  pass(-60_000);
  expect((await store.append(someDecision("deny"))).atMs).toBe(atMs);
  expect(store.entries({ sinceMs: atMs }).map(({ seq }: LedgerRecord) => seq)).toEqual([0, 1, 2]);
});
