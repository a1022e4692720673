import { postgres } from "../../scripts/install.mjs";
import { Postgres } from "./postgres.ts";
import { FilesystemWorld } from "./world-filesystem.ts";
import { GitWorld } from "./world-git.ts";
import { PostgresWorld, SqliteWorld } from "./world-sql.ts";
import { WebWorld } from "./world-web.ts";
import type { ActedWorld } from "./world.ts";

/** All worlds that can be had here, one after another; each is gone when the next is asked for. `programs`: where the demo's servers are installed. */
export async function* openWorlds(programs: string): AsyncGenerator<ActedWorld> {
  const database = await postgres().catch((error: Error) => {
    process.stderr.write(`skipped: the world of PostgreSQL: ${error.message}\n`);
    return null;
  });
  const kinds: (() => ActedWorld | Promise<ActedWorld>)[] = [
    () => new FilesystemWorld(programs),
    () => new GitWorld(programs),
    () => new SqliteWorld(programs),
    ...(database === null ? [] : [async () => new PostgresWorld(programs, await Postgres.start(database))]),
    () => WebWorld.open(),
  ];
  for (const make of kinds) {
    await using world = await make();
    yield world;
  }
}
