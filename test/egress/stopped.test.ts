import type { ServerResponse } from "node:http";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DaemonProcess, until, World } from "../daemon.ts";
import { dial, Outside, say, tunnel } from "../kits/egress.ts";

// What leaves a sandbox, cut in the middle: streams as models answer in, websockets, TCP; and canaries in them, whichever way they go.

const honey = "sk-live-decoy-0815/4711";
const held: ServerResponse[] = [];
const closed: string[] = [];
const arrived: string[] = [];
let outside: Outside;
let echo: Server;
let world: World;
let daemon: DaemonProcess;

beforeAll(async () => {
  outside = await Outside.open((incoming, outgoing) => {
    if (incoming.url !== "/stream") return void outgoing.end("hello");
    outgoing.writeHead(200, { "content-type": "text/event-stream" }).write("data: first\n\n");
    outgoing.once("close", () => closed.push("stream"));
    held.push(outgoing);
  });
  outside.server.on("upgrade", (incoming, socket: Socket) => {
    socket.on("error", () => {}).on("data", (chunk: Buffer) => arrived.push(chunk.toString()));
    socket.once("end", () => socket.end()).once("close", () => closed.push("websocket"));
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${incoming.headers["sec-websocket-key"]}\r\n\r\nhello`);
  });
  echo = createServer((socket) => {
    socket.on("error", () => {}).resume().once("close", () => closed.push("tcp"));
    socket.write("hello");
  });
  await new Promise<void>((done) => void echo.listen(0, "127.0.0.1", done));
  const [tcp, web] = [`127.0.0.1:${(echo.address() as AddressInfo).port}`, `127.0.0.1:${outside.port}`];
  world = new World({
    yaml: `teams: { t: {} }\nusers: { ana: {} }\nagents: { clerk: { team: t } }\negress: { tcp: ["${tcp}"], private: ["${tcp}", "${web}"] }\ncanaries: { key: "\${env:HONEY}" }\n`,
    policies: { "all.cedar": '@id("all") @reason("All.") permit (principal, action, resource);' },
  });
  daemon = await DaemonProcess.start(world, { HONEY: honey });
}, 60_000);

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  world?.[Symbol.dispose]();
  await outside?.[Symbol.asyncDispose]();
  echo?.close();
});

const open = async (): Promise<string> => (await world.operator().call<{ token: string }>("session_open", { body: { agent: "clerk", on_behalf_of: "ana", purpose: "test" } })).token;
const order = (kind: string) => world.operator().call<{ cancelled: number }>("stop_order", { body: { kind, subject: "agent", name: "clerk", why: "test" } });
const resume = () => world.operator().call("stop_lift", { body: { subject: "agent", name: "clerk" } });
const get = (path: string, more = ""): string => `GET http://127.0.0.1:${outside.port}${path} HTTP/1.1\r\nHost: 127.0.0.1:${outside.port}\r\n${more}\r\n`;
const websocket = (): string => get("/ws", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
const outcomes = async (): Promise<{ status: string; code: string }[]> => {
  const found: { status: string; code: string }[] = [];
  for await (const row of world.operator().lines<{ status: string; code: string }>("log", { query: { type: "outcome" } })) found.push(row);
  return found;
};

test("a stop cuts a stream, a websocket and a TCP connection in the middle, at both ends, and says so on record", async () => {
  const token = await open();
  const begun = { stream: say(await dial(daemon.url, token), get("/stream")), websocket: say(await dial(daemon.url, token), websocket()) };
  const { socket: tcp } = await tunnel(daemon.url, token, `127.0.0.1:${(echo.address() as AddressInfo).port}`);
  const through = say(tcp, "x");
  await until(() => held.length === 1 && outside.seen.length >= 1, "all are open");
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await order("stop")).toMatchObject({ cancelled: 3 });
  expect(await begun.stream).toContain("data: first");
  expect(await begun.websocket).toContain("101 Switching Protocols");
  await through;
  await until(() => closed.length === 3, "all are closed outside");
  expect((await outcomes()).slice(-3)).toEqual(Array.from({ length: 3 }, () => expect.objectContaining({ status: "uncertain", code: "stopped" })));
  const refused = await say(await dial(daemon.url, token), get("/", "Connection: close\r\n"));
  expect(refused).toMatch(/^HTTP\/1.1 403 .*"code":"stopped"/s);
  await resume();
  expect(await say(await dial(daemon.url, token), get("/", "Connection: close\r\n"))).toContain("hello");
});

test("a canary is seen in what goes out and in what comes in, over chunks and connections that stay, and does not pass", async () => {
  const token = await open();
  const trips = async (): Promise<number> => {
    let count = 0;
    for await (const row of world.operator().lines("log", { query: { type: "breaker.trip" } })) if (row) count++;
    return count;
  };
  const quarantined = async (count: number) => {
    await until(async () => (await trips()) === count, "it tripped");
    await resume();
  };
  const body = `key=${encodeURIComponent(honey)}`;
  const before = outside.seen.length;
  const posted = await say(await dial(daemon.url, token), `POST http://127.0.0.1:${outside.port}/ HTTP/1.1\r\nHost: 127.0.0.1:${outside.port}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
  expect(posted).toContain("session_quarantined");
  await quarantined(1);
  expect(await say(await dial(daemon.url, token), get(`/?k=${Buffer.from(honey).toString("hex")}`, "Connection: close\r\n"))).toContain("session_quarantined");
  await quarantined(2);
  expect(outside.seen.length).toBe(before);

  held.length = 0;
  const streamed = say(await dial(daemon.url, token), get("/stream"));
  await until(() => held.length === 1, "the stream is open");
  held[0]?.write(`data: ${honey.slice(0, 9)}`);
  held[0]?.write(`${honey.slice(9)}\n\n`);
  expect(await streamed).not.toContain(honey);
  await quarantined(3);

  arrived.length = 0;
  const socket = await dial(daemon.url, token);
  const said = say(socket, websocket());
  await new Promise<void>((resolve) => void socket.on("data", (chunk: Buffer) => chunk.includes("hello") && resolve()));
  socket.write("fine");
  await until(() => arrived.join("") === "fine", "what is clean passes");
  socket.write(`x${honey}x`);
  await said;
  await quarantined(4);
  expect(arrived.join("")).toBe("fine");
});
