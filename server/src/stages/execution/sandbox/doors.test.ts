import { createServer as createHttp, type IncomingMessage, type Server as HttpServer } from "node:http";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { egressDoor } from "./egress-door.ts";
import { mcpDoor, type DoorAuthority } from "./mcp-door.ts";

const token = "held-outside";
const authority: DoorAuthority = { refusal: () => null, signal: new AbortController().signal };
const seen: IncomingMessage[] = [];
let daemon: HttpServer;
let mcp: Server;
let egress: Server;
const portOf = (server: Server | HttpServer): number => (server.address() as AddressInfo).port;
const listen = (server: Server | HttpServer) => new Promise<void>((done) => server.listen(0, "127.0.0.1", done));

beforeAll(async () => {
  daemon = createHttp((incoming, outgoing) => {
    seen.push(incoming);
    if (incoming.url === "/egress") return void outgoing.writeHead(429).end();
    outgoing.end("the daemon");
  });
  daemon.on("upgrade", (incoming, socket: Socket) => {
    seen.push(incoming);
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: lanyard-egress\r\n\r\n");
    socket.once("data", () => socket.end(Buffer.alloc(1_000_000, "x")));
  });
  await listen(daemon);
  const target = () => ({ url: `http://127.0.0.1:${portOf(daemon)}/mcp`, token, authority });
  mcp = createServer(mcpDoor(target));
  egress = createServer((socket) => egressDoor(target)(socket));
  await Promise.all([listen(mcp), listen(egress)]);
});
afterAll(() => {
  daemon.closeAllConnections();
  for (const server of [daemon, mcp, egress]) server.close();
});

const say = async (server: Server, request: string): Promise<string> => {
  const socket = connect(portOf(server), "127.0.0.1");
  socket.write(request);
  return text(socket);
};
const get = (path: string, more = "", method = "GET") => `${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${more}\r\n`;

test.each(["/v1/sessions", "/", "/mcp/../v1/sessions", "/mcp/%2e%2e/v1/sessions", "//mcp", "/mcp//x", "/mcp/a/b", "/mcpx", "http://other/mcp", "/mcp\\x"])("the MCP door does not lead to %s", async (path) => {
  const before = seen.length;
  expect(await say(mcp, get(path))).toMatch(/^HTTP\/1.1 404/);
  expect(seen.length).toBe(before);
});

test("the MCP door puts the token in, whatever the guest says, and takes no body but of POST", async () => {
  expect(await say(mcp, get("/mcp/files?x=1", "Authorization: Bearer other\r\n"))).toContain("the daemon");
  expect(seen.at(-1)).toMatchObject({ url: "/mcp/files?x=1", headers: { authorization: `Bearer ${token}` } });
  for (const more of ["Content-Length: 1\r\n\r\nx", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"]) expect(await say(mcp, get("/mcp", more, "DELETE"))).toMatch(/^HTTP\/1.1 400/);
});

test("the egress door asks with the session's token, and nothing is lost when the daemon ends a connection", async () => {
  expect((await say(egress, "anything")).length).toBe(1_000_000);
  expect(seen.at(-1)?.headers).toMatchObject({ upgrade: "lanyard-egress", authorization: `Bearer ${token}` });
});

test("without a session, or without a daemon, the egress door says so and closes", async () => {
  const closed = new PassThrough();
  egressDoor(() => null)(closed);
  expect(closed.destroyed).toBe(true);
  const nobody = createServer((socket) => egressDoor(() => ({ url: "http://127.0.0.1:1/mcp", token, authority }))(socket));
  await listen(nobody);
  expect(await say(nobody, "anything")).toMatch(/^HTTP\/1.1 502[^]*daemon cannot be reached/);
  nobody.close();
});
