import { mkdtempSync, rmSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { duplexPair, PassThrough } from "node:stream";
import type { Principal } from "@lanyard/contract";
import { afterEach, beforeEach, expect, it } from "vitest";
import { systemClock } from "../../server/src/base/clock.ts";
import { defaultLimits } from "../../server/src/base/limits.ts";
import { silent } from "../../server/src/base/log.ts";
import { AuthorityDoor } from "../../server/src/edge/gateway/lease/door.ts";
import { AuthorityLease } from "../../server/src/edge/gateway/lease/lease.ts";
import { mcpStdio } from "../../server/src/edge/gateway/mcp-stdio.ts";
import { shim } from "../../server/src/edge/gateway/shim.ts";
import { StdioAgent, type Wire } from "./agent.ts";
import { stand, type Stand } from "./stand.ts";
import { serveToy } from "./toy.ts";
import { nothingGiven } from "../../server/src/base/path.ts";

let open: AsyncDisposableStack;
let folder: string;
beforeEach(() => {
  open = new AsyncDisposableStack();
  folder = mkdtempSync(join(tmpdir(), "lanyard-shim-"));
  open.defer(() => rmSync(folder, { recursive: true, force: true }));
});
afterEach(() => open.disposeAsync());

const textOf = ({ result }: Wire): string => (result?.["content"] as { text: string }[] | undefined)?.[0]?.text ?? "";

const principal: Principal = { session: "session-1", agent: "coder", user: "ana", purpose: "test", chain: [], tools: null, labels: [], isolation: "none", expiresAtMs: Number.MAX_SAFE_INTEGER };

/** The other socket of the daemon, where authority is renewed. */
const authoritySocket = (): string => join(folder, "operator.sock");
const leased = (): AuthorityLease => open.use(new AuthorityLease({ at: { socketPath: authoritySocket() }, token: "session-1", termMs: 5000, clock: systemClock }));

/** A gateway whose sockets can go away and come back, as when the daemon is restarted. */
async function daemon(): Promise<{ gateway: Stand; socket: string; up(): Promise<void>; down(): void }> {
  const toy = open.use(await serveToy("stateful"));
  const gateway = open.use(await stand({ servers: [{ name: "toy", url: toy.url, headers: async () => nothingGiven }] }));
  const socket = join(folder, "gateway.sock");
  const sockets = new Set<Socket>();
  let server: Server | null = null;
  const authority = createHttpServer({ shouldUpgradeCallback: () => true });
  const door = open.use(new AuthorityDoor({ authenticate: () => ({ kind: "session", principal }), stopOf: () => null, hold: () => new DisposableStack(), termMs: () => 5000, limits: defaultLimits }));
  authority.on("upgrade", (request, one, head) => {
    sockets.add(one as Socket);
    door.accept(request, one, head);
  });
  const down = () => {
    for (const one of sockets) one.destroy();
    server?.close();
    authority.close();
    for (const path of [socket, authoritySocket()]) rmSync(path, { force: true });
  };
  open.defer(down);
  return {
    gateway,
    socket,
    down,
    up: async () => {
      await new Promise<void>((resolve) => void authority.listen(authoritySocket(), resolve));
      await new Promise<void>((resolve) => {
        server = createServer((one) => {
          sockets.add(one);
          mcpStdio(gateway.gateway)(one);
        }).listen(socket, resolve);
      });
    },
  };
}

/** A client behind a shim; ending it ends the shim. */
function behindShim(socket: string): { agent: StdioAgent; done: Promise<void> } {
  const [client, process] = duplexPair();
  const stdout = new PassThrough();
  stdout.pipe(process);
  const done = shim({ socket, token: "session-1", path: "/mcp", authority: leased(), stdin: process, stdout, log: silent });
  const agent = open.use(new StdioAgent(client, { version: "2025-11-25", token: "" }));
  open.defer(() => void client.end());
  return { agent, done };
}

it("carries a whole conversation, questions and announcements included", async () => {
  const { socket, up } = await daemon();
  await up();
  const { agent } = behindShim(socket);
  expect((await agent.start()).result).toMatchObject({ serverInfo: { name: "toy" } });
  expect(textOf(await agent.request("tools/call", { name: "ask" }, { answer: () => ({ action: "accept", content: { name: "Ana" } }) }))).toBe('answer {"name":"Ana"}');
  await agent.watch("toy://a");
  await agent.request("tools/call", { name: "touch", arguments: { uri: "toy://a" } });
  expect((await agent.hears("notifications/resources/updated")).params).toEqual({ uri: "toy://a" });
});

it("says clearly that the daemon cannot be reached, and goes on when it can", async () => {
  const { socket, up, down } = await daemon();
  const { agent } = behindShim(socket);
  expect((await agent.request("ping")).error?.message).toBe("the Lanyard daemon cannot be reached; start it with `lanyard serve` and try again");
  await up();
  await agent.start();
  const slow = agent.request("tools/call", { name: "slow" });
  expect(textOf(await agent.request("tools/call", { name: "echo", arguments: { text: "1" } }))).toBe("1");
  down();
  expect((await slow).error?.message).toContain("went away while the request was running; it may have taken effect");
  expect((await agent.request("ping")).error?.message).toContain("cannot be reached");
  await up();
  // The handshake is replayed: the client need not know that the daemon is another one.
  expect(textOf(await agent.request("tools/call", { name: "echo", arguments: { text: "2" } }))).toBe("2");
});

it("ends with its client's input", async () => {
  const { socket, up } = await daemon();
  await up();
  const [client, process] = duplexPair();
  const done = shim({ socket, token: "session-1", path: "/mcp", authority: leased(), stdin: process, stdout: new PassThrough(), log: silent });
  client.write('{"jsonrpc":"2.0","id":1,"method":"ping"}\n');
  client.end();
  await expect(done).resolves.toBeUndefined();
});
