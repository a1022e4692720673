import { expect, it } from "vitest";
import { findings } from "./guardrails.ts";

const difference = (seq: number, action: string, effect: "deny" | "ask" | "allow", policies: string[], times = 1) => ({ seq, action, times, beside_effect: effect, beside_policies: policies });

it("what a shadow found is told by the pack", () => {
  const found = findings([
    difference(1, "a/x", "deny", ["addresses.private"], 3),
    difference(2, "a/y", "ask", ["irreversible.deletes", "irreversible.contract", "production.changes"]),
    difference(3, "a/x", "ask", ["irreversible.deletes"]),
    difference(4, "a/z", "ask", ["irreversible.deletes"]),
    difference(5, "a/z", "deny", []),
    difference(6, "a/z", "deny", ["own.rule"]),
    difference(7, "a/z", "allow", ["rest.known"], 9),
  ]);
  expect(found.map(({ pack, denied, asked, entries }) => [pack, denied, asked, entries])).toEqual([
    ["irreversible", 0, 3, [3, 4]],
    ["private-addresses", 3, 0, [1]],
    ["(no permit)", 1, 0, [5]],
    ["own", 1, 0, [6]],
    ["production", 0, 1, [2]],
  ]);
  expect(found[0]?.tools).toEqual(new Map([["a/y", 1], ["a/x", 1], ["a/z", 1]]));
});
