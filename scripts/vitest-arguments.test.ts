import { expect, test } from "vitest";
import { parseCLI } from "vitest/node";
import { vitestArguments } from "./vitest-arguments.ts";

test.each([
  [{ projects: ["fast"], filters: ["journeys"], update: true }, { filter: ["journeys"], options: { project: ["fast"], update: "all" } }],
  [{ projects: ["fast", "slow"], filters: ["a", "b"], update: false }, { filter: ["a", "b"], options: { project: ["fast", "slow"] } }],
  [{ projects: ["slow"], filters: [], update: true }, { filter: [], options: { project: ["slow"], update: "all" } }],
])("vitest reads %o as it is meant", (run, read) => {
  const { filter, options } = parseCLI(["vitest", ...vitestArguments(run)]);
  expect({ filter, options }).toMatchObject(read);
  if (!run.update) expect(options.update).toBeUndefined();
});
