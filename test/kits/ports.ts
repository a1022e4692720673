import { once } from "node:events";
import { createServer } from "node:net";

/**
 * A port of 127.0.0.1 that was free a moment ago, for a program that cannot choose one itself or has to come back where it was. It is below those that the
 * kernel gives to connections: else one of the many that are tried while that program is away could be given its port, and hold it.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const server = createServer();
    const isFree = await new Promise<boolean>((done) => server.once("error", () => done(false)).listen(port, "127.0.0.1", () => done(true)));
    if (!isFree) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}
