import type { Decision } from "@lanyard/contract";
import { describe, expect, it } from "vitest";
import type { CanaryTerms } from "./edition.ts";
import { outOfBands, placeOf, Tally } from "./tally.ts";

const decision = (effect: Decision["effect"], errors: Decision["errors"] = []): Decision => ({ effect, reasons: [], approvers: [], errors });
const allow = decision("allow");
const deny = decision("deny");
const failed = decision("deny", [{ policy: "p", message: "overflow" }]);
const terms = (bands: Partial<CanaryTerms["bands"]> = {}, minimum = 10): CanaryTerms => ({ share: 0.1, bands: { denyRate: 1, errorRate: 1, latencyP99Us: 1_000_000, ...bands }, minimum });
const tallyOf = (...decisions: readonly (readonly [Decision, times: number, tookUs?: number])[]): Tally => {
  const tally = new Tally();
  for (const [one, times, tookUs = 5] of decisions) for (let at = 0; at < times; at++) tally.add(one, tookUs);
  return tally;
};

describe("a tally", () => {
  it("counts what was decided", () => {
    expect(tallyOf([allow, 3], [deny, 2], [decision("ask"), 4], [failed, 1]).statistics()).toMatchObject({ decisions: 10, denied: 3, asked: 4, failed: 1 });
  });

  it("gives the 99th percentile, at most a fifth too high", () => {
    for (const us of [1, 2, 3, 7, 50, 999, 12_345, 5_000_000]) {
      const p99 = tallyOf([allow, 99, us], [allow, 1, 20_000_000]).p99Us();
      expect(p99).toBeGreaterThanOrEqual(us);
      expect(p99).toBeLessThanOrEqual(Math.round(us * 1.2));
    }
    expect(new Tally().p99Us()).toBe(0);
    expect(tallyOf([allow, 98, 5], [allow, 2, 1000]).p99Us()).toBeGreaterThanOrEqual(1000);
    expect(tallyOf([allow, 1, 1e12]).p99Us()).toBeGreaterThan(30_000_000); // what is past the last bucket is in it
  });
});

describe("a canary's bands", () => {
  it("are not looked at before both sides have decided enough", () => {
    expect(outOfBands(tallyOf([allow, 10]), tallyOf([deny, 9]), terms({ denyRate: 0 }))).toBeNull();
    expect(outOfBands(tallyOf([allow, 9]), tallyOf([deny, 10]), terms({ denyRate: 0 }))).toBeNull();
    expect(outOfBands(tallyOf([allow, 10]), tallyOf([deny, 10]), terms({ denyRate: 0 }))).toContain("it denies 100.0 % of its calls, the live version 0.0 %; the band is 0.0 %");
  });

  it("hold up to their edge and not past it, in both directions of denying", () => {
    const usual = tallyOf([allow, 80], [deny, 20]);
    const bands = terms({ denyRate: 0.05 });
    expect(outOfBands(usual, tallyOf([allow, 75], [deny, 25]), bands)).toBeNull();
    expect(outOfBands(usual, tallyOf([allow, 74], [deny, 26]), bands)).toContain("it denies 26.0 %");
    expect(outOfBands(usual, tallyOf([allow, 85], [deny, 15]), bands)).toBeNull();
    expect(outOfBands(usual, tallyOf([allow, 86], [deny, 14]), bands)).toContain("it denies 14.0 %");
  });

  it("tell failing policies from denials", () => {
    const usual = tallyOf([deny, 100]);
    expect(outOfBands(usual, tallyOf([deny, 99], [failed, 1]), terms({ denyRate: 0, errorRate: 0.01 }))).toBeNull();
    expect(outOfBands(usual, tallyOf([deny, 98], [failed, 2]), terms({ denyRate: 0, errorRate: 0.01 }))).toContain("policies fail in 2.0 % of its decisions, in 0.0 %");
    expect(outOfBands(tallyOf([failed, 100]), tallyOf([failed, 100]), terms({ errorRate: 0 }))).toBeNull();
  });

  it("let one slow decision of a hundred pass, not two", () => {
    const usual = tallyOf([allow, 100, 5]);
    const bands = terms({ latencyP99Us: 1000 }, 100);
    expect(outOfBands(usual, tallyOf([allow, 99, 5], [allow, 1, 90_000]), bands)).toBeNull();
    expect(outOfBands(usual, tallyOf([allow, 98, 5], [allow, 2, 90_000]), bands)).toMatch(/the 99th percentile of its decisions is \d+ us, the live version's \d us; the band is 1000 us/);
    expect(outOfBands(tallyOf([allow, 98, 5], [allow, 2, 90_000]), tallyOf([allow, 98, 5], [allow, 2, 90_000]), bands)).toBeNull();
  });
});

describe("the place of a session", () => {
  const sessions = Array.from({ length: 20_000 }, (_, at) => `s_${at.toString(36)}x${at * 7919}`);

  it("is in the first p % for p % of the sessions", () => {
    for (const share of [0.01, 0.05, 0.5]) {
      const taken = sessions.filter((session) => placeOf(session) < share).length / sessions.length;
      expect(Math.abs(taken - share)).toBeLessThan(0.1 * share + 0.002);
    }
  });

  it("is the same again, below 1, and another for nearly every session", () => {
    const places = sessions.map(placeOf);
    expect(sessions.map(placeOf)).toEqual(places);
    expect(places.every((place) => place >= 0 && place < 1)).toBe(true);
    expect(new Set(places).size).toBeGreaterThan(19_950);
  });
});
