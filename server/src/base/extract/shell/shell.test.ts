import { expect, test } from "vitest";
import { shellFacts } from "./shell.ts";

test("what is not read is unknown", () => {
  expect(shellFacts("$(echo rm) -rf /")).toMatchObject({ class: "unknown", destructive: true });
});
