import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { amountsIn, countsIn, datesIn, dayOf } from "./named-values.ts";

describe("days that a task names", () => {
  it.each([
    ["Move it to 2026-05-20", ["2026-05-20"], ["2026-05-21", "2025-05-20"]],
    ["Move it to 20.05.2026", ["2026-05-20"], ["2026-05-21"]],
    ["Move it to 5/6/2026", ["2026-05-06", "2026-06-05"], ["2026-07-05"]],
    ["Book her in for 20 May", ["2026-05-20", "2027-05-20"], ["2026-05-21", "2026-06-20"]],
    ["Book her in on Wednesday, the 20th of May 2026", ["2026-05-20"], ["2027-05-20"]],
    ["a room for May 18-20, please", ["2026-05-18", "2026-05-19", "2026-05-20"], ["2026-05-21"]],
    ["a room for 18 to 20 May", ["2026-05-18", "2026-05-19", "2026-05-20"], ["2026-05-17"]],
    ["move the visit of 12 May to 3 June 2026", ["2026-05-12", "2026-06-03"], ["2026-06-04"]],
    ["a hotel for the night before, the meeting is on 15 October", ["2026-10-15", "2026-10-14"], ["2026-10-13", "2026-10-16"]],
    ["start on 2026-10-31 and clean up the morning after", ["2026-10-31", "2026-11-01"], ["2026-11-02"]],
    ["check-out: Dec 3rd", ["2026-12-03"], ["2026-12-04"]],
  ])("%s", (task, named, others) => {
    const days = datesIn(task);
    for (const day of named) expect(days?.covers(day), day).toBe(true);
    for (const day of others) expect(days?.covers(day), day).toBe(false);
  });
  it.each(["Answer the mail of 12 May", "the invoice dated 2026-04-30", "on Monday", "v1.2.2026", "for 20 people", "for RFC-2616-05-18", "order 2026-05-201"])("none is meant in: %s", (task) => {
    expect(datesIn(task)).toBeNull();
  });
  it.each([["2026-05-20", "2026-05-20"], ["2026-05-20T14:00:00+02:00", "2026-05-20"], ["2026-05-20 14:00", "2026-05-20"], ["2026-13-20", null], ["20 May", null], ["2026-05-20 is fine", null], ["", null]])("%s is of %s", (value, day) => expect(dayOf(value)).toBe(day));
});

describe("amounts that a task names", () => {
  it.each([
    ["Pay EUR 1,250 to them", [125_000]],
    ["Pay 1.250,50 EUR", [125_050]],
    ["Refund the €45.90 and $3", [4590, 300]],
    ["up to 2k EUR", [200_000]],
    ["1 250 EUR, then 20 pounds", [125_000, 2000]],
    ["1250.5 usd", [125_050]],
    ["Pay invoice 2291 by the 20th, 15 % off", []],
    ["20 europeans", []],
  ])("%s", (task, amounts) => expect(amountsIn(task)).toEqual(amounts));
});

it("ends, whatever comes", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 500 }), (text) => Array.isArray(amountsIn(text)) && countsIn(text).things.size <= 32 && datesIn(text) !== undefined && dayOf(text) !== undefined));
  for (const piece of ["1,000", "1 ", "20 May to ", "May 1-", "$1.", "for the the ", "14 till sunday ", "1 abc ", "abc to "]) expect(datesIn(piece.repeat(3000)) !== undefined && countsIn(piece.repeat(3000)).things.size <= 32 && amountsIn(piece.repeat(3000)) !== undefined).toBe(true);
});
