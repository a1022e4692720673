import { expect, it } from "vitest";
import { flowWorld as world } from "../../../../test/kits/flow.ts";

// What the session's own calls have made is nothing else than the task names.

const quotes = (from: number, count: number): string[] => Array.from({ length: count }, (_, at) => `Q-${from + at}`);

it("is made by the session where the answer to one of its changes tells it, and what it only read is not", () => {
  const { read, isMade } = world("Make Q-4471 anew and send it");
  read({ order: "Q-4471", other: "Q-7700" }, "desk/ticket");
  read({ order: "Q-4502", replaces: "Q-4471" }, "shop/order", {}, ["write"]);
  expect(["Q-4502", ["Q-4502", "Q-4471"], "Q-4471", "Q-7700", ["Q-4502", "Q-7700"], "Q-9999"].map(isMade)).toEqual([true, true, false, false, false, false]);
});

it("is not made where more is listed than is kept of where it came from", () => {
  const { read, isMade } = world();
  for (const made of quotes(4500, 20)) read({ order: made }, "shop/order", {}, ["write"]);
  read({ order: "Q-7700" }, "desk/ticket");
  expect(isMade(quotes(4500, 12))).toBe(true);
  expect(isMade([...quotes(4500, 20), "Q-7700"])).toBe(false);
});
