import { describe, expect, it } from "vitest";
import { isWordOfKnown } from "./authors.ts";

const authors = new Map([["from", new Set(["acme.example", "agency@partner.example", "mina"])]]);
const whose = (from: unknown): boolean | null => isWordOfKnown({ from, text: "x" } as never, authors);

describe("whose word a record is", () => {
  it.each(["yaw@acme.example", "Yaw Mensah <YAW@Acme.example>", "agency@partner.example", "Mina", "Mina (night desk)", ["yaw@acme.example", "mina"]])("known: %j", (from) => expect(whose(from)).toBe(true));
  it.each(["mallory@evil.example", '"yaw@acme.example" <mallory@evil.example>', "yaw@acme.example, mallory@evil.example", "yaw@acme.example.evil.io", "yaw@sub.acme.example", "acme.example@evil.io", "other@partner.example", "Mina Sato", "(Mina) Eve", "Eve (Mina)", "Mina (x) Eve", "mina <mallory@evil.example>", ["yaw@acme.example", "mallory"], [], "", 7, { address: "yaw@acme.example" }, ["yaw@acme.example", 7]])("somebody else's: %j", (from) => expect(whose(from)).toBe(false));
  it("is said by yes or no, and by no name that has `guest` behind it", () => {
    const verified = new Map([["verified", new Set(["true"])]]);
    expect([true, false, "true", 1].map((one) => isWordOfKnown({ verified: one }, verified))).toEqual([true, false, true, false]);
    expect(["mina", "mina (Support)", "mina (guest)", "mina (External partner)"].map(whose)).toEqual([true, true, false, false]);
  });

  it("is not said", () => expect([whose(undefined), whose(null), isWordOfKnown({ From: "mina" }, authors)]).toEqual([null, null, null]));
  it("is known when all fields say so that say something", () => {
    const two = new Map([...authors, ["sender", new Set(["acme.example"])]]);
    expect([isWordOfKnown({ from: "mina", sender: "mallory@evil.example" }, two), isWordOfKnown({ from: "mina", sender: "a@acme.example" }, two), isWordOfKnown({ from: "mina" }, two)]).toEqual([false, true, true]);
  });
});
