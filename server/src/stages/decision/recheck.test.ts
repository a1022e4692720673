import { hash } from "node:crypto";
import { canonicalize } from "@lanyard/ledger";
import { openSnapshot, Oracle } from "@lanyard/policy";
import { afterEach, describe, expect, it } from "vitest";
import { settled } from "../../../../test/kits/clock.ts";
import { policies, someEdition, someInput, StageStand } from "../../../../test/kits/decision.ts";
import { systemClock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { RecheckTerms, SecondOpinion } from "./recheck.ts";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

/** A second engine that decides by what `bytesOf` makes of a bundle: by default the bundle itself. */
class Engine implements SecondOpinion {
  asked = 0;
  closed = false;
  gate: Promise<unknown> = Promise.resolve();
  bytesOf: (bytes: Uint8Array | null) => Uint8Array | null = (bytes) => bytes;
  async judge({ bytes }: Parameters<SecondOpinion["judge"]>[0], input: Parameters<SecondOpinion["judge"]>[1]): ReturnType<SecondOpinion["judge"]> {
    this.asked += 1;
    await this.gate;
    const found = this.bytesOf(bytes());
    if (found === null) throw new Error("no bytes");
    return openSnapshot(found).decide(input);
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.closed = true;
  }
}

const begin = async (terms: RecheckTerms, limits: NonNullable<Parameters<typeof StageStand.open>[0]>["limits"] = {}) => {
  const opinion = new Engine();
  const alarms: string[] = [];
  const keep = (event: string): void => void alarms.push(event);
  const log: Log = { debug: () => {}, info: () => {}, warn: keep, error: keep };
  const stand = await StageStand.open({ deps: { recheck: { terms: () => terms, opinion } }, limits, log });
  open.push(stand);
  await stand.stage.post("active", someEdition(1, policies.allow), "user:ana");
  const { hash: denying } = await stand.stage.make(someEdition(9, policies.deny));
  /** The second engine decides as if the bundle were another one: as an engine with a fault would. */
  const deviate = (): void => void (opinion.bytesOf = () => stand.store.getObject(denying));
  return { stand, opinion, alarms, deviate };
};

describe("the second engine", () => {
  it("is asked of the stated share of decisions", async () => {
    const { stand, opinion } = await begin({ share: 0.2, onDifference: "alarm" }, { recheck_queue: 64 });
    for (let call = 0; call < 2000; call++) {
      stand.effect();
      if (call % 50 === 0) await settled();
    }
    await settled();
    // 2000 draws at 0.2: 400 expected, standard deviation 18.
    expect(opinion.asked).toBeGreaterThan(280);
    expect(opinion.asked).toBeLessThan(520);
    expect(stand.stage.rechecks()).toEqual({ checked: opinion.asked, differences: 0, dropped: 0, failed: 0, denies: null });
  });

  it("is asked of none at share 0", async () => {
    const { stand, opinion } = await begin({ share: 0, onDifference: "alarm" });
    for (let call = 0; call < 100; call++) stand.effect();
    expect(opinion.asked).toBe(0);
  });

  it("that decides otherwise raises an alarm and is on record, by the hash that the decision's own entry has", async () => {
    const { stand, alarms, deviate } = await begin({ share: 1, onDifference: "alarm" });
    deviate();
    const { decision, bundle } = stand.stage.decide(someInput("s_1"));
    expect(decision.effect).toBe("allow");
    await settled();
    const ours = hash("sha256", canonicalize(decision), "base64url");
    expect(stand.records().at(-1)).toMatchObject({ type: "engine.difference", session: "s_1", agent: "bot", action: "files/read", bundle, ours, effect: "allow", their_effect: "deny", denies_now: false });
    expect(alarms).toEqual(["engine.difference"]);
    expect(stand.stage.rechecks()).toMatchObject({ checked: 1, differences: 1, denies: null });
    expect(stand.effect()).toBe("allow");
  });

  it("that decides otherwise stops everything where that is wanted, until somebody puts a bundle in force", async () => {
    const { stand, opinion, deviate } = await begin({ share: 1, onDifference: "deny" });
    deviate();
    stand.effect();
    await settled();
    const { decision, bundle } = stand.stage.decide(someInput());
    expect(bundle).toBeNull();
    expect(decision).toMatchObject({ effect: "deny", errors: [{ policy: "lanyard.engine", message: expect.stringContaining("two engines decided one call of `files/read` differently") }] });
    await stand.stage.recompile("catalog changed");
    expect(stand.effect()).toBe("deny");
    expect(opinion.asked).toBe(1);
    opinion.bytesOf = (bytes) => bytes;
    await stand.stage.post("active", someEdition(1, policies.allow), "operator");
    expect(stand.effect()).toBe("allow");
    expect(stand.stage.rechecks()?.denies).toBeNull();
  });

  it("that fails is a warning and a count, and changes no decision", async () => {
    const { stand, opinion, alarms } = await begin({ share: 1, onDifference: "deny" });
    opinion.bytesOf = () => null;
    stand.effect();
    await settled();
    expect(stand.stage.rechecks()).toMatchObject({ checked: 0, failed: 1, differences: 0 });
    expect(alarms).toEqual(["engine.unchecked"]);
    expect(stand.effect()).toBe("allow");
  });

  it("has recheck_queue decisions waiting and one more is counted as dropped", async () => {
    const { stand, opinion } = await begin({ share: 1, onDifference: "alarm" }, { recheck_queue: 2 });
    const { promise, resolve } = Promise.withResolvers<void>();
    opinion.gate = promise;
    stand.effect();
    stand.effect();
    expect(stand.stage.rechecks()?.dropped).toBe(0);
    stand.effect();
    expect(stand.stage.rechecks()?.dropped).toBe(1);
    resolve();
    await settled();
    expect(stand.stage.rechecks()).toMatchObject({ checked: 2, dropped: 1 });
  });

  it("leaves engine_differences records and goes on counting", async () => {
    const { stand, deviate } = await begin({ share: 1, onDifference: "alarm" }, { engine_differences: 2 });
    deviate();
    for (let call = 0; call < 3; call++) stand.effect();
    await settled();
    expect(stand.stage.rechecks()?.differences).toBe(3);
    expect(stand.records().filter(({ type }) => type === "engine.difference")).toHaveLength(2);
  });

  it("is Cedar's own, and agrees", async () => {
    const opinion = new Oracle({ after: systemClock.after });
    const stand = await StageStand.open({ deps: { recheck: { terms: () => ({ share: 1, onDifference: "deny" }), opinion } } });
    open.push(stand);
    for (const [at, text] of [policies.allow, policies.deny, policies.small].entries()) {
      await stand.stage.post("active", someEdition(at + 1, text), "user:ana");
      for (const size of [5, 50]) stand.effect("s", { args: { size } });
    }
    while ((stand.stage.rechecks()?.checked ?? 0) < 6) await settled();
    expect(stand.stage.rechecks()).toEqual({ checked: 6, differences: 0, dropped: 0, failed: 0, denies: null });
  });

  it("ends with the stage", async () => {
    const { stand, opinion } = await begin({ share: 1, onDifference: "alarm" });
    await stand.stage[Symbol.asyncDispose]();
    expect(opinion.closed).toBe(true);
  });
});
