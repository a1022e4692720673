import { expect, test } from "vitest";
import { programs } from "../../scripts/install.mjs";
import { Dice } from "../fuzz/dice.ts";
import { Rehearsal } from "../kits/rehearsal.ts";
import { openWorlds } from "../kits/worlds.ts";

// The small form of `npm run bench -- undo`: real daemon, real servers, random sessions with others in between, judged by the worlds themselves.
test("what undo says is so, in every world that can be had here", async () => {
  const seed = Date.now() % 1_000_000;
  const seen: string[] = [];
  for await (const world of openWorlds(await programs("demo/servers"))) {
    await using rehearsal = await Rehearsal.open(world);
    const dice = new Dice(seed);
    const { falselyRestored, overwritten, left, reversible, restored } = await rehearsal.session(dice, 15, 20);
    expect({ seed, world: world.name, falselyRestored, overwritten, left }).toEqual({ seed, world: world.name, falselyRestored: [], overwritten: [], left: [] });
    expect(restored).toBe(reversible);
    seen.push(world.name);
  }
  expect(seen).toEqual(expect.arrayContaining(["filesystem", "git", "sqlite", "web"]));
});
