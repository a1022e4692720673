import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { approveCatalog, callTool, DaemonProcess, until, World } from "../daemon.ts";
import { rogue, type Rogue } from "./rogue.ts";

// One session takes all there is of something that all share, or lets the daemon keep what it never reads.

const notices = 400;
let upstream: Rogue;
let world: World;
let daemon: DaemonProcess;

beforeAll(async () => {
  upstream = await rogue({
    tools: [{ name: "read", inputSchema: { type: "object" } }, { name: "flood", inputSchema: { type: "object" } }],
    onCall: ({ id, params }, response) => {
      if (params?.["name"] !== "flood") return false;
      response.writeHead(200, { "content-type": "text/event-stream" });
      const event = (message: object) => response.write(`data: ${JSON.stringify({ jsonrpc: "2.0", ...message })}\n\n`);
      for (let n = 0; n < notices; n++) event({ method: "notifications/resources/list_changed", params: { filler: "x".repeat(60_000) } });
      event({ id, result: { content: [{ type: "text", text: "flooded" }] } });
      response.end();
      return true;
    },
  });
  world = new World({
    yaml: `teams: { t: {} }\nusers: { ben: {} }\nagents: { bot: { team: t }, other: { team: t } }\nservers: { s: { url: "${upstream.url}" } }\nlimits: { upstream_connections: 6, result_bytes: 65536 }\n`,
    policies: { "p.cedar": '@id("all") permit (principal, action, resource);' },
  });
  daemon = await DaemonProcess.start(world);
  await approveCatalog(world.operator(), "s");
});
afterAll(async () => {
  await daemon?.stop();
  world?.[Symbol.dispose]();
  await upstream?.[Symbol.asyncDispose]();
});

const open = async (agent: string) => world.operator().call<{ token: string; session: string }>("session_open", { body: { agent, on_behalf_of: "ben", purpose: "crowd" } });
const read = async (token: string): Promise<string> => (await callTool(daemon.url, token, "read", {})).body.result?.content?.[0]?.text ?? "";

test("connections to servers: those that a family of sessions leaves idle do not keep others out", async () => {
  const { token, session } = await open("bot");
  for (let n = 0; n < 8; n++) {
    const child = await world.operator(token).call<{ token: string }>("session_open", { body: {} });
    await read(child.token);
  }
  const victim = await open("other");
  const text = await read(victim.token);
  await world.operator().call("session_close", { at: { id: session } });
  expect(text).toBe("done by rogue");
});

test("a stream that nobody reads is cut off, not filled", async () => {
  const { token } = await open("bot");
  const headers: Record<string, string> = { "content-type": "application/json", accept: "application/json, text/event-stream", authorization: `Bearer ${token}` };
  const send = (message: object) => fetch(`${daemon.url}/mcp`, { method: "POST", headers, body: JSON.stringify({ jsonrpc: "2.0", ...message }) });
  const answer = await send({ id: 1, method: "initialize", params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } } });
  headers["mcp-session-id"] = answer.headers.get("mcp-session-id") ?? "";
  const { hostname, port } = new URL(daemon.url);
  const socket = connect(Number(port), hostname);
  let closed = false;
  socket.on("close", () => (closed = true)).on("error", () => {});
  socket.write(`GET /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nAccept: text/event-stream\r\nMcp-Session-Id: ${headers["mcp-session-id"]}\r\n\r\n`);
  await new Promise((resume) => socket.once("data", resume));
  socket.pause();
  for (let n = 0; n < 2; n++) expect(await (await send({ id: 2 + n, method: "tools/call", params: { name: "flood", arguments: {} } })).text()).toContain("flooded");
  let bytes = 0;
  socket.on("data", (chunk: Buffer) => (bytes += chunk.length));
  socket.resume();
  await until(() => closed || bytes > 2 * notices * 60_000, "the stream was cut off or had given everything");
  expect(closed).toBe(true);
  socket.destroy();
});
