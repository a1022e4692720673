import type { ArgumentFacts, JsonObject, ValueSource } from "@lanyard/contract";
import { expect, test } from "vitest";
import { untrustedIn } from "./request.ts";

const source = (at: string, origin: ValueSource["origin"] = "untrusted", seq: number | null = 3): ValueSource => ({ at, origin, seq, field: "" });
const of = (role: ArgumentFacts["role"], ...sources: ValueSource[]): ArgumentFacts => ({ role, labels: [], origins: ["untrusted"], sources });

test("values that came from what nobody vouches for, each once, where they stand", () => {
  const args: JsonObject = { to: ["bob@a.example", " eve@b.example "], amount: 420, "a/b": { "~c": "x" }, who: "ana" };
  const facts = { to: of("recipient", source("/to/1"), source("/to/1", "untrusted", 9), source("/to/0", "task", null)), amount: of("amount", source("/amount", "untrusted", null)), "a/b": of("other", source("/a~1b/~0c")), who: of("target", source("/who", "trusted")) };
  expect(untrustedIn({ args, facts })).toEqual([
    { at: "/to/1", value: "eve@b.example", seq: 3 },
    { at: "/amount", value: "420", seq: null },
    { at: "/a~1b/~0c", value: "x", seq: 3 },
  ]);
});

test("no contents, no long texts, nothing that is no value, and only so many", () => {
  const args: JsonObject = { body: "x", long: "y".repeat(1025), some: { a: 1 }, none: null, many: Array.from({ length: 20 }, (_, index) => `v${index}`) };
  expect(untrustedIn({ args, facts: { body: of("content", source("/body")), long: of("target", source("/long")), some: of("target", source("/some"), source("/some/b"), source("/some/a/b"), source("/toString")), none: of("target", source("/none")) } })).toEqual([]);
  expect(untrustedIn({ args, facts: { many: of("recipient", ...Array.from({ length: 20 }, (_, index) => source(`/many/${index}`))) } })).toHaveLength(16);
  expect(untrustedIn({ args })).toEqual([]);
});
