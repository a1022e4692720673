import fc from "fast-check";
import { expect, test } from "vitest";
import { effectsAsked } from "./asked.ts";

test.each([
  ["Summarise my last three e-mails", "read"],
  ["What is on my calendar today?", "read"],
  ["Please email Bob the minutes", "egress"],
  ["Summarise the latest email from Bob", "read"],
  ["Pay the open invoice of Northwind", "money read"],
  ["Code freeze today. Find out why the page is empty; change nothing without asking", "browse read"],
  ["Do not delete anything, list the files", "read"],
  ["Delete the file draft.txt", "destructive read write"],
  ["Adjust my rent payment", "money read write"],
  ["Make a reservation for two", "money"],
  ["Tell me its name, price and address", "read"],
  ["Address the open issues", "egress read write"],
  ["Summarise www.a.example/b", "read"],
  ["Summarise the article that Bob posted", "browse read"],
  ["Add Ana to the participants of the meeting", "access egress write"],
  ["support desk", "read write"],
  ["", "read write"],
])("%s: %s", (task, effects) => {
  expect(effectsAsked(task).join(" ")).toBe(effects);
});

test("is quick and knows nothing but effects, whatever the task", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 2000 }), (task) => effectsAsked(task).length > 0));
});
