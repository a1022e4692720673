import { Postgres, postgresPrograms } from "./postgres.ts";
import { FilesystemWorld } from "./world-filesystem.ts";
import { GitWorld } from "./world-git.ts";
import { PostgresWorld, SqliteWorld } from "./world-sql.ts";
import { WebWorld } from "./world-web.ts";
import type { ActedWorld } from "./world.ts";

/** All worlds that can be had here, one after another; each is gone when the next is asked for. `programs`: where the demo's servers are installed. */
export async function* openWorlds(programs: string): AsyncGenerator<ActedWorld> {
  const postgres = postgresPrograms();
  const kinds: (() => ActedWorld | Promise<ActedWorld>)[] = [
    () => new FilesystemWorld(programs),
    () => new GitWorld(programs),
    () => new SqliteWorld(programs),
    ...(postgres === null ? [] : [async () => new PostgresWorld(programs, await Postgres.start(postgres))]),
    () => WebWorld.open(),
  ];
  if (postgres === null) process.stderr.write("skipped: the world of PostgreSQL, which is not installed; root with apt gets it from `apt-get install postgresql`\n");
  for (const make of kinds) {
    await using world = await make();
    yield world;
  }
}
