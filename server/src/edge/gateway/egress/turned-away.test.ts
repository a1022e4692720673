import { expect, test } from "vitest";
import { stillClock } from "../../../../../test/kits/clock.ts";
import { silent } from "../../../base/log.ts";
import { TurnedAway, TurnedAwayBook } from "./turned-away.ts";

test("repeats are counted, and recorded when their session ends: nobody who reads its end lacks them", async () => {
  const written: string[] = [];
  await using book = new TurnedAwayBook({ write: async ({ session, fault, times }) => void written.push(`${session} ${fault} ${times}`), clock: stillClock(0), log: silent });
  const turn = (session: string, fault: "target" | "http", times: number): void => {
    for (let n = 0; n < times; n++) book.note({ session, agent: "a" }, new TurnedAway(fault, "no"));
  };
  turn("one", "target", 5);
  turn("one", "http", 1);
  turn("two", "target", 3);
  expect(written).toEqual(["one target 1", "one http 1", "two target 1"]);
  book.ended("one");
  expect(written.slice(3)).toEqual(["one target 4"]);
});
