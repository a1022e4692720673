import { expect, test } from "vitest";
import { programs } from "../../scripts/install.mjs";
import { Dice } from "../fuzz/dice.ts";
import { openWorlds } from "../kits/worlds.ts";
import { differing } from "../kits/world.ts";

test("a world is the same each time it is made, and its digest shows what somebody changes", async () => {
  for await (const world of openWorlds(await programs("demo/servers"))) {
    await world.reset();
    const first = await world.digest();
    expect(first.size).toBeGreaterThan(2);
    const dice = new Dice(7);
    for (let round = 0; round < 6; round++) await world.meddle(dice);
    expect([world.name, differing(first, await world.digest())]).not.toEqual([world.name, []]);
    await world.reset();
    expect([world.name, differing(first, await world.digest())]).toEqual([world.name, []]);
  }
});
