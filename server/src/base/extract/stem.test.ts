import { expect, it } from "vitest";
import { stemOf } from "./stem.ts";

it.each(["close closed closes closing", "release released releases releasing", "increase increased increases increasing", "purchase purchased purchases", "book booked bookings books", "reply replied replies", "process processed processes processing", "cancel cancelled cancelling cancels", "merge merged merging"].map((words) => words.split(" ")))("%s and its forms have one stem", (...words) => {
  expect(new Set(words.map(stemOf)).size, words.map(stemOf).join()).toBe(1);
});

it("does not take other words for one", () => {
  for (const [one, other] of [["close", "clone"], ["release", "relate"], ["address", "adder"], ["off", "of"]] as const) expect(stemOf(one), one).not.toBe(stemOf(other));
});
