import { expect, it } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { Moments } from "./moments.ts";

it("time never goes back: set back it goes on as it passes, until the clock on the wall has caught up with it", () => {
  const at = { ms: 1000, us: 0 };
  const moments = new Moments({ ...systemClock, nowMs: () => at.ms, monotonicUs: () => at.us });
  const pass = (wallMs: number, us: number): number => {
    at.ms += wallMs;
    at.us += us;
    return moments.now();
  };
  expect(moments.now()).toBe(1000);
  expect(pass(-500, 400)).toBe(1000);
  expect(pass(0, 800)).toBe(1001); // 1.2 ms since
  expect(pass(0, 7_000_000)).toBe(8001);
  expect(pass(600, 0)).toBe(8001); // beyond what it was set back from, and not beyond what has passed since
  expect(pass(10_000, 0)).toBe(11_100);
});
