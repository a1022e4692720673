import fc from "fast-check";
import { expect, test } from "vitest";
import { parseQuorum, quorumCovers } from "./quorum.ts";

test("a term has one form, and anything else is none", () => {
  expect(parseQuorum("leads")).toEqual({ group: "leads", count: 1, self: false });
  expect(parseQuorum("16 of sre or self")).toEqual({ group: "sre", count: 16, self: true });
  for (const text of ["", " ", "1 of sre", "0 of sre", "17 of sre", "02 of sre", "2 of", "2  of sre", "two of sre", "sre or me", "or self", "a,b", "2 of a b", " sre", "sre\n"]) expect(parseQuorum(text)).toBeNull();
});

const term = fc.tuple(fc.integer({ min: 1, max: 16 }), fc.constantFrom("sre", "leads"), fc.boolean()).map(([count, group, self]) => `${count > 1 ? `${count} of ` : ""}${group}${self ? " or self" : ""}`);

test("to cover is to ask for no fewer people of no larger circle: reflexive, transitive, antisymmetric", () => {
  expect([quorumCovers("2 of sre", "sre"), quorumCovers("sre", "2 of sre"), quorumCovers("sre", "sre or self"), quorumCovers("sre or self", "sre"), quorumCovers("sre", "leads")]).toEqual([true, false, true, false, false]);
  fc.assert(fc.property(term, term, term, (a, b, c) => {
    expect(quorumCovers(a, a)).toBe(true);
    if (quorumCovers(a, b) && quorumCovers(b, c)) expect(quorumCovers(a, c)).toBe(true);
    if (quorumCovers(a, b) && quorumCovers(b, a)) expect(a).toBe(b);
  }));
});
