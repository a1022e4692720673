import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import type { Action } from "@lanyard/contract";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Outside } from "../../../../test/kits/egress.ts";
import { stillClock } from "../../../../test/kits/clock.ts";
import { systemClock, type Clock } from "../../base/clock.ts";
import type { Exchange } from "../../base/exchange.ts";
import { defaultLimits, type Limits } from "../../base/limits.ts";
import type { Lease } from "../../base/path.ts";
import type { WebRequest } from "../../base/web.ts";
import { nothingLent } from "../credential/lease.ts";
import { executeWeb } from "./web.ts";

let outside: Outside;
let mute: Server;
const ends: (() => void)[] = [];
beforeAll(async () => {
  outside = await Outside.open((incoming, outgoing) => {
    outgoing.writeHead(incoming.url === "/missing" ? 404 : 200, { "content-type": "text/plain" }).write("first");
    if (incoming.url === "/half") return void ends.push(() => outgoing.destroy());
    outgoing.end("last");
  });
  mute = createServer(() => {});
  await new Promise<void>((done) => mute.listen(0, "127.0.0.1", done));
});
afterAll(async () => {
  await outside[Symbol.asyncDispose]();
  mute.close();
});

const action = { name: "web/GET", protocol: "http" } as Action;
const request = (more: Partial<WebRequest> = {}): WebRequest => ({ tool: "GET", scheme: "http", host: "127.0.0.1", port: outside.port, path: "/", query: "", headers: [], body: Buffer.alloc(0), ...more });
const ask = (web: WebRequest, { limits = {}, allowed = [web.port], ownUrl = "", lease = nothingLent, signal = new AbortController().signal, clock = systemClock }: { limits?: Partial<Limits>; allowed?: readonly number[]; ownUrl?: string; lease?: Lease; signal?: AbortSignal; clock?: Clock } = {}) => {
  const connector = { clock, limits: { ...defaultLimits, ...limits }, rules: () => ({ tcp: new Set<string>(), private: new Set(allowed.map((port) => `127.0.0.1:${port}`)), ca: null }), ownUrl: () => ownUrl };
  return executeWeb(connector, action, { signal, web } as Exchange, lease);
};
const bodyOf = async (answer: Awaited<ReturnType<typeof ask>>): Promise<string> => {
  let text = "";
  if ("result" in answer && answer.web) for await (const chunk of answer.web.body) text += String(chunk);
  return text;
};

test("what is on record of an answer: status, the address it came from, its type; 4xx and 5xx count as failed", async () => {
  const answer = await ask(request());
  expect(answer).toMatchObject({ result: { status: 200, address: `127.0.0.1:${outside.port}`, type: "text/plain" } });
  expect(await bodyOf(answer)).toBe("firstlast");
  expect(await ask(request({ path: "/missing" }))).toMatchObject({ result: { status: 404, isError: true } });
});

test.each([
  ["a private address that lanyard.yaml does not name", () => ask(request(), { allowed: [] }), "address_refused"],
  ["Lanyard's own port", () => ask(request(), { ownUrl: `http://127.0.0.1:${outside.port}` }), "address_refused"],
  ["nobody there", () => ask(request({ port: 1 })), "upstream_unavailable"],
  ["a name that does not exist", () => ask(request({ host: "nothing.invalid" })), "upstream_unavailable"],
  ["limit egress_connect_ms: TLS that nobody answers", () => ask(request({ scheme: "https", port: (mute.address() as AddressInfo).port }), { limits: { egress_connect_ms: 60 } }), "upstream_unavailable"],
  ["limit call_ms: an answer that never begins", () => ask(request({ port: (mute.address() as AddressInfo).port }), { limits: { call_ms: 60 } }), "upstream_timeout"],
])("%s", async (_name, asked, code) => {
  await expect(asked()).rejects.toMatchObject({ code });
});

test("limit call_ms: a head that trickles is not waited for longer than one that never begins", async () => {
  const clock = stillClock();
  const trickle = createServer((socket) => void socket.write("HTTP/1.1 200 OK\r\nx-1: "));
  await new Promise<void>((done) => trickle.listen(0, "127.0.0.1", done));
  const connected = new Promise<Socket>((done) => trickle.once("connection", done));
  const { port } = trickle.address() as AddressInfo;
  const asked = ask(request({ port }), { clock, limits: { call_ms: 1000 } });
  const end = expect(asked).rejects.toMatchObject({ code: "upstream_timeout", message: `\`127.0.0.1:${port}\` did not answer within the limit call_ms (1000 ms)` });
  const socket = await connected;
  await once(socket, "data"); // The request is out, so its answer is waited for.
  for (let at = 0; at < 999; at += 111) {
    socket.write("y");
    await clock.advance(111);
  }
  await clock.advance(1);
  await end;
  socket.destroy();
  trickle.close();
});

test("limit egress_idle_ms: an answer that falls silent breaks off", async () => {
  const answer = await ask(request({ path: "/half" }), { limits: { egress_idle_ms: 60 } });
  await expect(bodyOf(answer)).rejects.toThrow();
});

test("a server that hangs up in mid-answer, a client that goes, a credential that is revoked: all end it", async () => {
  const half = await ask(request({ path: "/half" }));
  ends.at(-1)?.();
  await expect(bodyOf(half)).rejects.toThrow();
  for (const who of ["client", "lease"] as const) {
    const stop = new AbortController();
    const answer = await ask(request({ path: "/half" }), who === "client" ? { signal: stop.signal } : { lease: { ...nothingLent, signal: stop.signal } });
    stop.abort();
    await expect(bodyOf(answer)).rejects.toThrow();
  }
});
