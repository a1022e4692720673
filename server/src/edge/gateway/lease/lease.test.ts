import { createServer as createHttpServer } from "node:http";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { Fault, type Principal } from "@lanyard/contract";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../../base/clock.ts";
import { defaultLimits } from "../../../base/limits.ts";
import { AuthorityDoor } from "./door.ts";
import { AuthorityLease, type AuthorityState } from "./lease.ts";

// The real door behind a wire that can fall silent, as a network does that is cut without a reset, and as a process does that is frozen.

const principal: Principal = { session: "ses_1", agent: "bot", user: "ben", purpose: "p", chain: [], tools: null, labels: [], isolation: "none", expiresAtMs: Number.MAX_SAFE_INTEGER };
const termMs = 500;
let open: AsyncDisposableStack;
let stopped: Fault | null;
let session: Principal | null;
const holders: string[] = [];

beforeEach(() => {
  open = new AsyncDisposableStack();
  stopped = null;
  session = principal;
});
afterEach(() => open.disposeAsync());

interface Wire {
  readonly door: AuthorityDoor;
  readonly port: number;
  silent: boolean;
}

async function wire(): Promise<Wire> {
  const door = open.use(
    new AuthorityDoor({
      authenticate: (token) => {
        if (token !== "t" || !session) throw new Fault("session_expired", "the session has ended");
        return { kind: "session", principal: session };
      },
      stopOf: () => stopped,
      hold: (id) => (holders.push(id), { [Symbol.dispose]: () => void holders.splice(holders.indexOf(id), 1) }),
      termMs: () => termMs,
      limits: { ...defaultLimits, streams: 2 },
    }),
  );
  const http = createHttpServer({ shouldUpgradeCallback: () => true });
  http.on("upgrade", (request, socket, head) => door.accept(request, socket, head));
  const state = { silent: false };
  const sockets = new Set<Socket>();
  const proxy = createServer((outer) => {
    const inner = connect((http.address() as AddressInfo).port, "127.0.0.1");
    for (const [from, to] of [[outer, inner], [inner, outer]] as const) {
      sockets.add(from);
      from.on("error", () => {}).on("data", (chunk: Buffer) => state.silent || to.write(chunk));
      from.once("close", () => state.silent || to.destroy());
    }
  });
  await new Promise<void>((resolve) => void http.listen(0, "127.0.0.1", resolve));
  await new Promise<void>((resolve) => void proxy.listen(0, "127.0.0.1", resolve));
  open.defer(() => {
    for (const socket of sockets) socket.destroy();
    http.closeAllConnections();
    http.close();
    proxy.close();
  });
  return Object.assign(state, { door, port: (proxy.address() as AddressInfo).port });
}

function lease(port: number, token = "t", clock = systemClock): { lease: AuthorityLease; heard: AuthorityState[] } {
  const held = open.use(new AuthorityLease({ at: { host: "127.0.0.1", port }, token, termMs, clock }));
  const heard: AuthorityState[] = [];
  held.onChange((state) => heard.push(state));
  return { lease: held, heard };
}

test("nothing but the daemon's word gives authority: there is none before it, and none for whom it does not know", async () => {
  const { port } = await wire();
  const { lease: held } = lease(port);
  expect(held.refusal()).toMatchObject({ code: "authority_lost" });
  await held.ready();
  expect(held.refusal()).toBeNull();
  const { lease: stranger, heard } = lease(port, "another");
  await new Promise((resolve) => setTimeout(resolve, 2 * termMs));
  expect(stranger.refusal()).toMatchObject({ code: "authority_lost" });
  expect(heard).toEqual([]);
});

test("it is lost by itself when the wire falls silent, what is under way ends, and it comes back by itself", async () => {
  const net = await wire();
  const { lease: held, heard } = lease(net.port);
  await held.ready();
  const { signal } = held;
  net.silent = true;
  await expect.poll(() => held.refusal()?.code, { interval: 5, timeout: 10_000 }).toBe("authority_lost");
  await expect.poll(() => signal.aborted).toBe(true);
  await held.ready(); // nobody is kept waiting
  expect(held.refusal()).toMatchObject({ code: "authority_lost" });
  net.silent = false;
  await expect.poll(() => held.refusal(), { timeout: 10_000 }).toBeNull();
  expect(held.signal.aborted).toBe(false);
  expect(heard).toEqual(["held", "lost", "held"]);
});

test("a stop is told without being asked, is no renewal, and ends with the resume", async () => {
  const net = await wire();
  const { lease: held, heard } = lease(net.port);
  await held.ready();
  stopped = new Fault("stopped", "agent `bot` is stopped (order stp_1)");
  net.door.tell("ses_1");
  await expect.poll(() => held.refusal()).toMatchObject({ code: "stopped", message: "agent `bot` is stopped (order stp_1)" });
  stopped = null;
  await expect.poll(() => held.refusal(), { timeout: 10_000 }).toBeNull();
  expect(heard).toEqual(["held", "stopped", "held"]);
});

test("a machine that slept wakes without it: what the daemon said before counts by the wall clock too", async () => {
  const net = await wire();
  let sleptMs = 0;
  const { lease: held } = lease(net.port, "t", { ...systemClock, nowMs: () => Date.now() + sleptMs });
  await held.ready();
  expect(held.refusal()).toBeNull();
  net.silent = true;
  sleptMs = termMs; // which the monotonic clock says nothing of
  expect(held.refusal()).toMatchObject({ code: "authority_lost" });
  net.silent = false;
  await expect.poll(() => held.refusal(), { timeout: 10_000 }).toBeNull();
  sleptMs = -3_600_000; // put back, it lengthens nothing
  net.silent = true;
  await expect.poll(() => held.refusal()?.code, { timeout: 10_000 }).toBe("authority_lost");
});

test("an ended session loses it at once, for good", async () => {
  const net = await wire();
  const { lease: held } = lease(net.port);
  await held.ready();
  session = null;
  net.door.ended("ses_1");
  await expect.poll(() => held.refusal()).toMatchObject({ code: "authority_lost", message: "session `ses_1` has ended" });
  await held.ready();
  expect(held.refusal()).toMatchObject({ code: "authority_lost" });
});

test("where nobody listens, it says so at once", async () => {
  const { lease: held } = lease(1);
  await held.ready();
  expect(held.refusal()).toMatchObject({ code: "upstream_unavailable" });
});

test("only a line that says so holds its session, for as long as it is there", async () => {
  const { port } = await wire();
  await lease(port).lease.ready();
  expect(holders).toEqual([]);
  const holding = new AuthorityLease({ at: { host: "127.0.0.1", port }, token: "t", termMs, holds: true, clock: systemClock });
  await holding.ready();
  expect(holders).toEqual(["ses_1"]);
  holding[Symbol.dispose]();
  await expect.poll(() => holders).toEqual([]);
});

test("a daemon's answer that is none gives nothing", async () => {
  const answers = ["{}", "null", "x", '{"renewed":"1","term_ms":500}', '{"renewed":1,"term_ms":1e12}', '{"renewed":1}', '{"renewed":99,"term_ms":500}', '{"renewed":1,"term_ms":-1}'];
  for (const answer of answers) {
    const server = createHttpServer({ shouldUpgradeCallback: () => true });
    server.on("upgrade", (_request, socket) => {
      socket.on("error", () => {});
      socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: lanyard-authority\r\n\r\n");
      socket.once("data", () => socket.write(`${answer}\n`));
    });
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    const { lease: held } = lease((server.address() as AddressInfo).port);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(held.refusal(), answer).toMatchObject({ code: "authority_lost" });
    held[Symbol.dispose]();
    server.closeAllConnections();
    server.close();
  }
});

test("a session has no more lines than the limit streams, and one that asks for something else is hung up on", async () => {
  const { port } = await wire();
  const first = lease(port);
  const second = lease(port);
  await Promise.all([first.lease.ready(), second.lease.ready()]);
  const { lease: third } = lease(port);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(third.refusal()).toMatchObject({ code: "authority_lost" });
  first.lease[Symbol.dispose]();
  const socket = connect(port, "127.0.0.1");
  socket.write("GET /authority HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: lanyard-authority\r\nAuthorization: Bearer t\r\n\r\n{\"renew\":\"x\"}\n");
  await new Promise<void>((resolve) => void socket.once("close", () => resolve()).resume());
});
