import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { approveCatalog, callTool, DaemonProcess, World } from "../daemon.ts";
import { GuardedServer, Issuer } from "../kits/issuer.ts";

// Lanyard logs in at MCP servers over HTTP: a real provider, and a server that takes only tokens that were issued for it. Access tokens live for
// less than the margin in which new ones are asked for, so that every request but the first renews.

let issuer: Issuer;
let docs: GuardedServer;
let other: GuardedServer;
let world: World;
let daemon: DaemonProcess;
let token: string;

beforeAll(async () => {
  issuer = await Issuer.open({ secret: "the-secret-of-the-machine", seconds: 20 });
  docs = await GuardedServer.open(issuer.url);
  other = await GuardedServer.open(issuer.url);
  world = new World({
    yaml: `
teams: { support: {} }
users: { ana: {} }
agents: { clerk: { team: support } }
limits: { logins: 2 }
servers:
  docs: { url: "${docs.url}", oauth: { scope: "openid offline_access tools" } }
  machine: { url: "${other.url}", oauth: { grant: client_credentials, client_id: machine, client_secret: machine, scope: tools } }
credentials:
  machine: { from: { file: machine.key } }
`,
    policies: { "all.cedar": '@id("org.all") permit (principal, action, resource);' },
  });
  writeFileSync(join(world.folder, "machine.key"), "the-secret-of-the-machine\n", { mode: 0o600 });
  daemon = await DaemonProcess.start(world);
  ({ token } = await world.operator().call<{ token: string }>("session_open", { body: { agent: "clerk", on_behalf_of: "ana", purpose: "read" } }));
}, 60_000);

afterAll(async () => {
  await daemon?.stop();
  await Promise.all([docs, other, issuer].map((one) => one?.[Symbol.asyncDispose]()));
});

const redirect = "http://127.0.0.1:9/callback";
const textOf = async (server: string): Promise<string> => {
  const { body } = await callTool(daemon.url, token, `${server}__who`, {});
  return body.result?.content?.[0]?.text ?? body.error?.message ?? "";
};

test("before anybody logged in nothing reaches the server, and the log says what to do", () => {
  expect(docs.seen).toEqual([]);
  expect(daemon.log).toContain("run `lanyard mcp login docs`");
});

test("a person logs in: registered by itself, PKCE, a token for this server alone, which no agent sees", async () => {
  const { url, issuer: named } = await world.operator().call<{ url: string; issuer: string }>("server_login", { body: { server: "docs", redirect_uri: redirect } });
  expect(named).toBe(issuer.url);
  expect(Object.fromEntries(new URL(url).searchParams)).toMatchObject({ response_type: "code", code_challenge_method: "S256", resource: docs.url, redirect_uri: redirect });
  const callback = await issuer.sayYes(url);
  const forged = new URL(callback);
  forged.searchParams.set("state", "x".repeat(32));
  await expect(world.operator().call("server_login_finish", { body: { callback: forged.href } })).rejects.toThrow("no login is under way");
  await world.operator().call("server_login_finish", { body: { callback } });
  await expect(world.operator().call("server_login_finish", { body: { callback } })).rejects.toThrow("no login is under way");
  expect((await callTool(daemon.url, token, "docs__who", {})).body.result?.isError).toBe(true); // not approved yet, but seen
  await approveCatalog(world.operator(), "docs");
  expect(await textOf("docs")).toBe("you came with [credential docs]");
  expect(docs.seen.length).toBeGreaterThan(0);
  expect(docs.seen.every(({ accepted }) => accepted)).toBe(true);
  expect(docs.seen.some((request) => request.token.includes(token))).toBe(false);
});

test("it is renewed, the refresh token rotates, and both outlive the daemon", async () => {
  const before = docs.seen.length;
  await textOf("docs");
  await textOf("docs");
  expect(new Set(docs.seen.slice(before).map((request) => request.token)).size).toBeGreaterThan(1);
  await daemon.stop();
  daemon = await DaemonProcess.start(world);
  expect(await textOf("docs")).toBe("you came with [credential docs]");
  expect(docs.seen.every(({ accepted }) => accepted)).toBe(true);
});

test("logins that nobody finishes are bounded by the limit logins", async () => {
  const begin = () => world.operator().call("server_login", { body: { server: "docs", redirect_uri: redirect } });
  await begin();
  await begin();
  await expect(begin()).rejects.toThrow("the limit logins");
});

test("a machine needs nobody", async () => {
  await approveCatalog(world.operator(), "machine");
  expect(await textOf("machine")).toBe("you came with [credential machine]");
  expect(other.seen.every(({ accepted }) => accepted)).toBe(true);
});

test("after a logout nothing reaches the server", async () => {
  await world.operator().call("server_logout", { body: { server: "docs" } });
  const before = docs.seen.length;
  expect(await textOf("docs")).toContain("nobody is logged in at server `docs`");
  expect(docs.seen).toHaveLength(before);
});

test("no token is in the data folder or the log as it is", async () => {
  await daemon.stop();
  const kept = readdirSync(world.data).map((name) => readFileSync(join(world.data, name)));
  for (const { token: used } of [...docs.seen, ...other.seen]) for (const bytes of [...kept, Buffer.from(daemon.log)]) expect(bytes.includes(used.split(".")[2] ?? used)).toBe(false);
});
