import { afterAll, expect, test } from "vitest";
import { programs } from "../../scripts/install.mjs";
import { Dice } from "../fuzz/dice.ts";
import { Postgres, postgresPrograms } from "../kits/postgres.ts";
import { FilesystemWorld } from "../kits/world-filesystem.ts";
import { GitWorld } from "../kits/world-git.ts";
import { PostgresWorld, SqliteWorld } from "../kits/world-sql.ts";
import { WebWorld } from "../kits/world-web.ts";
import { differing, type ActedWorld } from "../kits/world.ts";

const servers = await programs("demo/servers");
const folder = postgresPrograms();
if (!folder) process.stderr.write("PostgreSQL is not installed: its world is skipped\n");
const worlds: ActedWorld[] = [new FilesystemWorld(servers), new GitWorld(servers), new SqliteWorld(servers), await WebWorld.open(), ...(folder ? [new PostgresWorld(servers, await Postgres.start(folder))] : [])];
afterAll(async () => {
  for (const world of worlds) await world[Symbol.asyncDispose]();
});

test.each(worlds)("the world $name is the same each time it is made, and its digest shows what somebody changes", async (world) => {
  await world.reset();
  const first = await world.digest();
  expect(first.size).toBeGreaterThan(2);
  const dice = new Dice(7);
  for (let round = 0; round < 6; round++) await world.meddle(dice);
  expect(differing(first, await world.digest())).not.toEqual([]);
  await world.reset();
  expect(differing(first, await world.digest())).toEqual([]);
});
