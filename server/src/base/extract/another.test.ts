import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { namesAnother } from "./another.ts";

const facts = { id: { role: "target" }, to: { role: "recipient" }, mode: { role: "other" }, text: { role: "content" } } as const;
const task = "Reader V-51240 writes of the fee F-77. Waive it, see also FN-O-9912 and RFC-2616, by 2026-05-18.";

describe("another than the task names", () => {
  it.each([{ id: "F-61" }, { id: "f-7" }, { to: "V-51241" }, { mode: "FN-O-9913" }, { id: ["F-77", "F-78"] }, { id: " F-61 " }, { id: "F-77", to: "V-1" }])("is %j", (args) => expect(namesAnother(task, args, facts)).toBe(true));
  it.each([{ id: "F-77" }, { id: "f-77" }, { id: "G-61" }, { id: "FN-9912" }, { text: "F-61" }, { text: "Instead of F-61" }, { id: 61 }, { id: "" }, { id: null }, { id: ["F-77"] }, { id: "F-61 and more" }, { id: "2026-05-19" }, {}])("is not %j", (args) => expect(namesAnother(task, args as never, facts)).toBe(false));
  it("is nothing where the task names no id", () => expect(["Waive the fee", "", "F-", "F-7.5 percent", "xF--61"].map((said) => namesAnother(said, { id: "F-61" }, facts))).toEqual([false, false, false, false, false]));
  it("ends, whatever comes", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 400 }), fc.string({ unit: "binary", maxLength: 200 }), (said, value) => typeof namesAnother(said, { id: value }, facts) === "boolean"));
    expect(namesAnother("a-".repeat(10_000), { id: `${"a-".repeat(10_000)}1` }, facts)).toBe(false);
  });
});
