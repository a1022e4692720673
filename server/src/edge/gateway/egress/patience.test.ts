import { once } from "node:events";
import { connect as connectH2, type ClientHttp2Stream } from "node:http2";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { Duplex } from "node:stream";
import type { EgressFault, Principal } from "@lanyard/contract";
import { afterEach, beforeEach, expect, test } from "vitest";
import { settled, stillClock, type StillClock } from "../../../../../test/kits/clock.ts";
import { tlsThrough } from "../../../../../test/kits/egress.ts";
import { defaultLimits } from "../../../base/limits.ts";
import { EgressDoor } from "./door.ts";

// The door itself, whose time stands still until a test moves it. What would be carried out is refused, so that every request has an answer.

const principal: Principal = { session: "ses_1", agent: "bot", user: "ben", purpose: "p", chain: [], tools: null, labels: [], isolation: "none", expiresAtMs: Date.now() + 3_600_000 };
const limits = { ...defaultLimits, egress_head_ms: 1000, egress_body_ms: 5000, egress_idle_ms: 10_000 };
let clock: StillClock;
let door: EgressDoor;
let faults: EgressFault[];
let carried: string[];
let answering: Promise<void>;
let listener: Server;

beforeEach(async () => {
  [faults, carried, answering, clock] = [[], [], Promise.resolve(), stillClock(Date.now())];
  door = new EgressDoor({
    ...{ clock, limits, identify: () => principal, credentials: () => [], rules: () => ({ tcp: new Set(), private: new Set(), ca: null }), derive: () => Buffer.alloc(32, 1) },
    record: async ({ fault }) => void faults.push(fault),
    mediate: async ({ params }) => {
      carried.push(String((params as { path: string }).path));
      await answering;
      return { kind: "refused", code: "denied", text: "no", intent: null } as never;
    },
    log: { debug() {}, info() {}, warn() {}, error() {} } as never,
  });
  listener = createServer((socket) => door.enter(socket, "t"));
  await new Promise<void>((done) => listener.listen(0, "127.0.0.1", done));
});
afterEach(async () => {
  await door[Symbol.asyncDispose]();
  listener.close();
});

interface Talk {
  readonly socket: Socket;
  said: string;
  /** Says something and waits until the door has read it. */
  say(text: string): Promise<void>;
  /** Waits until something like this has been answered. */
  hears(what: RegExp): Promise<void>;
}

async function dial(): Promise<Talk> {
  const served = once(listener, "connection") as Promise<[Socket]>;
  const socket = connect((listener.address() as AddressInfo).port, "127.0.0.1");
  const [theirs] = await served;
  let written = 0;
  const it: Talk = {
    ...{ socket, said: "" },
    async say(text) {
      written += text.length;
      socket.write(text);
      await expect.poll(() => theirs.bytesRead, { interval: 2, timeout: 20_000 }).toBe(written);
      await settled();
    },
    hears: (what) => expect.poll(() => it.said, { interval: 2, timeout: 20_000 }).toMatch(what),
  };
  socket.on("error", () => {}).on("data", (chunk: Buffer) => (it.said += chunk.toString("latin1")));
  return it;
}
const head = (path: string, more = ""): string => `GET http://a.test${path} HTTP/1.1\r\nHost: a.test\r\n${more}\r\n`;
const refused = /^HTTP\/1.1 403 [^]*"message":"no"/;
const tooSlow = /^HTTP\/1.1 408 Request Timeout\r\n[^]*connection: close\r\n[^]*"code":"too_slow"[^]*limit egress_head_ms \(1000 ms\)/;

test("limit egress_head_ms: a head that trickles is told so, cut off and on record; one that comes in time is none of these", async () => {
  const slow = await dial();
  const quick = await dial();
  await slow.say("GET http://a.test/slow HTTP/1.1\r\nHost: a.test\r\n");
  for (let n = 0; n < 19; n++) {
    await clock.advance(99);
    await slow.say(`x-${n}: y\r\n`);
  }
  await quick.say(head("/quick"));
  await quick.hears(refused);
  expect([slow.said, faults]).toEqual(["", []]);
  const closed = once(slow.socket, "close");
  await clock.advance(1000);
  await slow.hears(tooSlow);
  await closed;
  quick.said = "";
  await quick.say(head("/again"));
  await quick.hears(refused);
  expect([faults, carried]).toEqual([["slow"], ["/quick", "/again"]]);
});

test("it holds for the second request of a connection too, and in a tunnel", async () => {
  const kept = await dial();
  const tunnelled = await dial();
  await kept.say(head("/first"));
  await tunnelled.say("CONNECT a.test:80 HTTP/1.1\r\nHost: a.test:80\r\n\r\n");
  await tunnelled.hears(/^HTTP\/1.1 200 Connection Established/);
  tunnelled.said = "";
  await tunnelled.say("GET /first HTTP/1.1\r\nHost: a.test:80\r\n\r\n");
  for (const one of [kept, tunnelled]) {
    await one.hears(refused);
    one.said = "";
    await one.say("GET ");
  }
  expect(carried).toEqual(["/first", "/first"]);
  await clock.advance(1999);
  expect([kept.said, tunnelled.said]).toEqual(["", ""]);
  await clock.advance(1);
  for (const one of [kept, tunnelled]) await one.hears(tooSlow);
});

test("a tunnel in which nothing is said ends, on record", async () => {
  const mute = await dial();
  await mute.say("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n");
  const closed = once(mute.socket, "close");
  await clock.advance(1000);
  await closed;
  expect(faults).toEqual(["slow"]);
});

test("limit egress_body_ms: a body that trickles is told so, the connection ends with it, and nothing was carried out", async () => {
  const slow = await dial();
  await slow.say("POST http://a.test/body HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000\r\n\r\n");
  const closed = once(slow.socket, "close");
  for (let at = 0; at < 4990; at += 499) {
    await clock.advance(499);
    await slow.say("x");
  }
  expect(slow.said).toBe("");
  await clock.advance(10);
  await closed;
  expect(slow.said).toMatch(/^HTTP\/1.1 408 Request Timeout\r\n[^]*connection: close\r\n[^]*limit egress_body_ms \(5000 ms\)/i);
  expect([faults, carried]).toEqual([["slow"], []]);
});

test("limit egress_idle_ms: a connection that says nothing ends without a word; not while its answer is due", async () => {
  const due = Promise.withResolvers<void>();
  answering = due.promise;
  const [idle, waiting] = [await dial(), await dial()];
  await waiting.say(head("/thinks"));
  const closed = once(idle.socket, "close");
  await clock.advance(9999);
  expect(idle.socket.destroyed).toBe(false);
  await clock.advance(1);
  await closed;
  await clock.advance(60_000);
  expect([idle.said, waiting.said, waiting.socket.destroyed, faults]).toEqual(["", "", false, []]);
  due.resolve();
  await waiting.hears(refused);
});

test("HTTP/2: a slow body is answered and its stream ended, the others go on; a connection without streams ends", async () => {
  const { socket, ...outer } = await dial();
  await outer.say("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n");
  await outer.hears(/^HTTP\/1.1 200 [^]*\r\n\r\n$/);
  socket.removeAllListeners("data").pause();
  const tls = await tlsThrough(socket, { ca: (await door.authority(principal)).pem, servername: "a.test", alpn: ["h2"] });
  const h2 = connectH2("https://a.test", { createConnection: () => tls });
  const statusOf = async (stream: ClientHttp2Stream): Promise<number> => Number(((await once(stream.resume(), "response")) as [Record<string, unknown>])[0][":status"]);
  const slow = h2.request({ ":method": "POST", ":path": "/slow" });
  slow.write("x");
  const [ended, answered] = [once(slow, "close"), statusOf(slow)];
  const quick = h2.request({ ":path": "/quick" });
  expect(await statusOf(quick)).toBe(403);
  await clock.advance(5000);
  expect(await answered).toBe(408);
  await ended;
  const after = h2.request({ ":path": "/after" });
  const [over, closed] = [once(after, "close"), once(h2, "close")];
  expect(await statusOf(after)).toBe(403);
  await over;
  expect([faults, carried]).toEqual([["slow"], ["/quick", "/after"]]);
  while (!h2.destroyed) await clock.advance(10_000); // As soon as the door has seen the end of the last stream.
  await closed;
});

test("bytes of a connection that is no socket of Node's are counted too", async () => {
  let said = "";
  const socket = new Duplex({ read() {}, write: (chunk: Buffer, _encoding, done) => ((said += chunk.toString()), done()) });
  door.enter(socket, "t");
  socket.push("GET ");
  await settled();
  await clock.advance(1999);
  expect(said).toBe("");
  await clock.advance(1);
  expect(said).toMatch(tooSlow);
});
