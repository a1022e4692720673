import { readFileSync, statSync } from "node:fs";
import { once } from "node:events";
import { Agent, request as ask, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { routes, type Route, type RouteName } from "@lanyard/contract";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { approveCatalog, callTool, DaemonProcess, World } from "../daemon.ts";
import { rogue, type Rogue } from "./rogue.ts";

// Every door with every wrong key, over the real sockets; and what a secret must never be found in.

const secret = "s3cret-of-the-upstream";
let upstream: Rogue;
let world: World;
let daemon: DaemonProcess;
const keys: Record<string, string> = {};

beforeAll(async () => {
  upstream = await rogue({ tools: [{ name: "read", inputSchema: { type: "object" } }] });
  world = new World({
    yaml: `teams: { t: {} }\nusers: { ben: {} }\nagents: { bot: { team: t } }\nservers: { s: { url: "${upstream.url}", headers: { X-Key: "\${env:UPSTREAM_KEY}" } } }\n`,
    policies: { "p.cedar": '@id("all") permit (principal, action, resource);' },
  });
  daemon = await DaemonProcess.start(world, { UPSTREAM_KEY: secret, LANYARD_LOG: "debug" });
  await approveCatalog(world.operator(), "s");
  for (const [kind, name] of [["agent", "bot"], ["user", "ben"]] as const) {
    keys[kind] = (await world.operator().call<{ secret: string }>("credential_issue", { body: { kind, name } })).secret;
  }
  keys["session"] = (await world.operator().call<{ token: string }>("session_open", { body: { agent: "bot", on_behalf_of: "ben", purpose: "doors" } })).token;
  keys["narrow"] = (await world.operator().call<{ token: string }>("session_open", { body: { agent: "bot", on_behalf_of: "ben", purpose: "doors", audience: "mcp/s" } })).token;
});
afterAll(async () => {
  await daemon?.stop();
  world?.[Symbol.dispose]();
  await upstream?.[Symbol.asyncDispose]();
});

test("every way in keeps an idle connection for longer than clients do, so that no request meets a closing door", async () => {
  const { hostname, port } = new URL(daemon.url);
  for (const where of [{ host: hostname, port }, { socketPath: join(world.data, "operator.sock") }]) {
    const asked = ask({ ...where, path: "/healthz", agent: new Agent({ keepAlive: true, maxSockets: 1 }), headers: { host: "localhost" } }).end();
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    answer.resume();
    expect(answer.headers["keep-alive"]).toBe("timeout=75");
    asked.destroy();
  }
});

describe("the administration, asked from the network", () => {
  const closed = (Object.entries(routes) as [RouteName, Route][]).filter(([, { roles }]) => !roles.includes("anyone"));
  test.each(closed)("%s: nobody gets in without a key, and no key that is not for it opens it", async (_name, { method, path, roles }) => {
    const ask = (headers: Record<string, string>) =>
      fetch(`${daemon.url}${path.replace(/:\w+/, "0")}`, { method, headers: { host: "localhost", "x-forwarded-for": "127.0.0.1", ...headers }, ...(method === "POST" && { body: "{}" }) });
    expect((await ask({})).status).toBe(401);
    for (const role of ["agent", "user", "session"] as const) {
      const { status } = await ask({ authorization: `Bearer ${keys[role]}` });
      if (!roles.includes(role)) expect(status, role).toBe(403);
    }
  });
});

test.each<[string, () => string | null, string]>([
  ["an agent's credential", () => keys["agent"] ?? "", "/mcp"],
  ["a user's credential", () => keys["user"] ?? "", "/mcp"],
  ["a session's token cut short", () => (keys["session"] ?? "").slice(0, -1), "/mcp"],
  ["a session's token as an agent's", () => (keys["session"] ?? "").replace("session", "agent"), "/mcp"],
  ["an agent's credential as a session's token", () => (keys["agent"] ?? "").replace("agent", "session"), "/mcp"],
  ["the token of one server's door at the door of all", () => keys["narrow"] ?? "", "/mcp"],
  ["nothing", () => null, "/mcp/s"],
])("MCP: %s opens nothing", async (_what, key, door) => {
  const before = upstream.heard.length;
  const token = key();
  const answer = await fetch(`${daemon.url}${door}`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json", ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "read", arguments: {} } }),
  });
  expect(answer.status).toBe(401);
  expect(await answer.text()).not.toMatch(/lyd_(agent|user|session)_/);
  expect(upstream.heard.length).toBe(before);
});

test.each(["/mcp/../v1/status", "//mcp", "/mcp/%73", "/mcp/s/x", "/MCP", "/mcp;/s", "/mcp/s%2f..", "/mcp\\s"])("no other spelling of a door: %s", async (path) => {
  const { hostname, port } = new URL(daemon.url);
  const text = await new Promise<string>((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.end(`POST ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer ${keys["narrow"]}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`));
    let read = "";
    socket.on("data", (chunk: Buffer) => (read += chunk.toString()));
    socket.on("close", () => resolve(read));
    socket.on("error", reject);
  });
  expect(text).toMatch(/^HTTP\/1\.1 40[0134]/);
});

test("a token in the address is no token", async () => {
  const answer = await fetch(`${daemon.url}/mcp?access_token=${keys["session"]}&token=${keys["session"]}`, { method: "POST", headers: { "content-type": "application/json" }, body: "{}" });
  expect(answer.status).toBe(401);
});

test("the operator's socket and the ledger are for their owner alone", () => {
  const mode = (path: string) => statSync(join(world.data, path)).mode & 0o077;
  for (const path of ["", "operator.sock", "gateway.sock", "ledger.key", "tenant.key"]) expect(mode(path), path).toBe(0);
});

test("no secret in the log, the ledger, what the operator reads, the database, or the daemon's arguments", async () => {
  expect((await callTool(daemon.url, keys["session"] ?? "", "read", {})).body.result?.isError).toBeUndefined();
  await upstream[Symbol.asyncDispose]();
  await callTool(daemon.url, keys["session"] ?? "", "read", {}); // Now the server is gone: an error with everything it drags along.
  const operator = world.operator();
  const places: Record<string, string> = {
    log: daemon.log,
    ledger: await operator.text("log", { query: { limit: 10_000 } }),
    status: JSON.stringify(await operator.call("status")),
    sessions: JSON.stringify(await operator.call("session_list")),
    credentials: JSON.stringify(await operator.call("credential_list")),
    arguments: readFileSync(`/proc/${daemon.pid}/cmdline`, "utf8"),
    database: readFileSync(join(world.data, "ledger.db"), "latin1") + readFileSync(join(world.data, "ledger.db-wal"), "latin1"),
  };
  for (const [place, text] of Object.entries(places)) {
    for (const [whose, key] of Object.entries({ ...keys, upstream: secret })) expect(text.includes(key), `the secret of ${whose} in ${place}`).toBe(false);
  }
});
