import fc from "fast-check";
import { expect, test } from "vitest";
import { effectsAsked } from "./asked.ts";

test.each([
  ["Summarise my last three e-mails", "read"],
  ["What is on my calendar today?", "read"],
  ["Please email Bob the minutes", "egress write"],
  ["Summarise the latest email from Bob", "read"],
  ["Pay the open invoice of Northwind", "money read write"],
  ["Code freeze today. Find out why the page is empty; change nothing without asking", "read"],
  ["Do not delete anything, list the files", "read"],
  ["Delete the file draft.txt", "destructive read write"],
  ["support desk", "read write"],
  ["", "read write"],
])("%s: %s", (task, effects) => {
  expect(effectsAsked(task).join(" ")).toBe(effects);
});

test("is quick and knows nothing but effects, whatever the task", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 2000 }), (task) => effectsAsked(task).length > 0));
});
