import { newSigner } from "@lanyard/ledger";
import { expect, test } from "vitest";
import { someDecision, someOutcome } from "../../../../test/kits/records.ts";
import { systemClock, type Clock } from "../clock.ts";
import { MemoryMedium, openMemory } from "./memory.ts";
import type { Batch } from "./medium.ts";

class CountingMedium extends MemoryMedium {
  readonly batches: string[][] = [];

  override commit(batch: Batch): void {
    this.batches.push(batch.leaves.map(({ record }) => record.type));
    super.commit(batch);
  }
}

const stand = async () => {
  const timers: (() => void)[] = [];
  const clock: Clock = { ...systemClock, after: (_, task) => (timers.push(task), { cancel: () => void timers.splice(timers.indexOf(task), 1) }) };
  const medium = new CountingMedium();
  const store = await openMemory({ medium, clock, signer: newSigner("lanyard.local/test"), tenant: systemClock.random(32) });
  const { seq } = await store.append(someDecision());
  medium.batches.length = 0;
  return { medium, store, timers, outcome: () => store.append(someOutcome(seq), { patient: true }) };
};

test("a patient record shares the commit, and the sync, of the next one that is not", async () => {
  const { medium, store, outcome } = await stand();
  const patient = outcome();
  await Promise.all([store.append(someDecision()), patient]);
  expect(medium.batches).toEqual([["outcome", "decision"]]);
});

test("a patient record that stays alone is written after patient_ms all the same", async () => {
  const { medium, timers, outcome } = await stand();
  const patient = outcome();
  await new Promise((resolve) => setImmediate(resolve));
  expect(medium.batches).toEqual([]);
  for (const task of timers.splice(0)) task();
  await patient;
  expect(medium.batches).toEqual([["outcome"]]);
});

test("`settled` takes along what waits, and closing does too", async () => {
  const { medium, store, outcome } = await stand();
  void outcome();
  await store.settled();
  expect(medium.batches).toEqual([["outcome"]]);
  const again = await stand();
  const last = again.outcome();
  await again.store[Symbol.asyncDispose]();
  await last;
  expect(again.medium.batches.flat()).toEqual(["outcome", "ledger.close"]);
});
