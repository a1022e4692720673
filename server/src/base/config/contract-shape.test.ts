import { expect, it } from "vitest";
import { parseConfig } from "./read.ts";

const parsed = (words: string) => parseConfig(new TextEncoder().encode(`version: 1\nservers: { siem: { command: x } }\ntools: { siem/close: { effects: [write], asked_by: ${words} } }\n`), "/srv/lanyard.yaml").askedBy.get("siem/close");

it("takes words that YAML takes for something else for words", () => {
  expect([parsed("[mark, false, positive]"), parsed("[true, off, no]"), parsed("any")]).toEqual([["mark", "false", "positive"], ["true", "off", "no"], "any"]);
});

it.each(["[false positive]", "[7]", "[null]", "[[false]]", "[x]", "false", "some"])("refuses %s, with its place", (words) => {
  expect(() => parsed(words)).toThrow(/lanyard\.yaml:3:\d+: `tools\.siem\/close\.asked_by/);
});
