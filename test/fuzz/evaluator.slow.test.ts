import { describe, expect, it } from "vitest";
import { differencesIn, makeBatch } from "./batch.ts";
import { Dice } from "./dice.ts";
import { loadEvaluator } from "./evaluator.ts";
import { mutations } from "./mutations.ts";
import { evaluatorUrl, tryMutants } from "./mutants.ts";
import { compareDecisions } from "./product.ts";
import { shrink } from "./shrink.ts";

// Another seed every day, told when it fails: `npm run fuzz -- --seed S` shows the difference again.
const seed = Math.floor(Date.now() / 86_400_000);

/** What one minute of the suite is for; most of it Cedar's. One of so many mutants is tried. */
const budget = { policies: 15_000, batch: 100, bundles: 400, mutants: 5 } as const;

describe(`Lanyard's evaluator beside Cedar's, seed ${seed}`, () => {
  it(`agrees on ${budget.policies} policies: which hold, which err, and with what words`, async () => {
    const [dice, modules] = [new Dice(seed), await loadEvaluator(evaluatorUrl)];
    let [held, erred, failed] = [0, 0, 0];
    for (let done = 0; done < budget.policies; done += budget.batch) {
      const batch = makeBatch(dice, modules, budget.batch);
      expect(differencesIn(modules, batch).length === 0 ? null : shrink(modules, batch)).toBeNull();
      for (const outcome of batch.expected.flat()) {
        if (outcome === true) held += 1;
        else if (outcome === false) failed += 1;
        else erred += 1;
      }
    }
    // A generator whose policies all fail alike would prove nothing.
    const all = held + erred + failed;
    expect(Math.min(held, erred, failed) / all).toBeGreaterThan(0.1);
  });

  it("decides as Cedar does, from bundle and input to reasons, approvers and changed arguments", () => {
    const { decisions, found } = compareDecisions(new Dice(seed), { bundles: budget.bundles, policies: 12, inputs: 15 });
    expect(found.slice(0, 1)).toEqual([]);
    for (const kind of ["allow", "ask", "deny", "erred", "refused"]) expect(decisions[kind], kind).toBeGreaterThan(budget.bundles / 20);
    expect(decisions["changed"], "changed").toBeGreaterThan(0);
  });

  // The same mutants and the same corpus every day: that the fuzzer notices is a property of the fuzzer.
  it("and would notice if it did not: nine of ten mutants of a sample are killed", async () => {
    const sample = mutations.filter((_, index) => index % budget.mutants === 0);
    const { killed, survivors } = await tryMutants(sample, { seed: 1, policies: 10_000, tell: () => {} });
    expect(killed / sample.length, JSON.stringify(survivors)).toBeGreaterThanOrEqual(0.9);
  });
});
