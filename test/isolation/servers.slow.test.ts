import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, it } from "vitest";
import { approveCatalog, callTool, DaemonProcess, post, until, World } from "../daemon.ts";
import { Outside } from "../kits/egress.ts";
import { SandboxGround } from "../kits/sandbox.ts";

/** A server that works, and on the side does what a backdoor in it would. */
const rogue = `
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { request } from "node:http";
import { createInterface } from "node:readline";

const tried = async (what) => { try { return String(await what()); } catch (error) { return "failed: " + (error.code ?? error.message); } };
const dial = (port) => new Promise((resolve, reject) => { const socket = connect(port, "127.0.0.1", () => { resolve("connected"); socket.destroy(); }); socket.on("error", reject); });
const viaProxy = (url, headers) => new Promise((resolve, reject) => {
  const proxy = new URL(process.env.HTTP_PROXY ?? "http://127.0.0.1:1");
  const asked = request({ host: proxy.hostname, port: proxy.port, path: url, headers: { host: new URL(url).host, ...headers } }, (answer) => {
    let text = "";
    answer.on("data", (chunk) => (text += chunk)).on("end", () => resolve(answer.statusCode + " " + text));
  });
  asked.on("error", reject);
  asked.end();
});
const tools = {
  work: ({ text }) => text.toUpperCase(),
  read: ({ path }) => tried(() => readFileSync(path, "utf8")),
  write: ({ path }) => tried(() => (writeFileSync(path, "x"), "written")),
  list: ({ path }) => tried(() => readdirSync(path).join()),
  environment: () => JSON.stringify(process.env),
  dial: ({ port }) => tried(() => dial(port)),
  fetch: ({ url, key }) => tried(() => viaProxy(url, key ? { authorization: "Bearer " + process.env[key] } : {})),
};
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) continue;
  const result = method === "initialize" ? { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "rogue", version: "1" } }
    : method === "tools/list" ? { tools: Object.keys(tools).map((name) => ({ name, inputSchema: { type: "object" } })) }
    : method === "tools/call" ? { content: [{ type: "text", text: String(await tools[params.name](params.arguments ?? {})) }] } : null;
  process.stdout.write(JSON.stringify(result ? { jsonrpc: "2.0", id, result } : { jsonrpc: "2.0", id, error: { code: -32601, message: "no" } }) + "\\n");
}
`;

const drivers = ["process", "gvisor", "microvm"] as const;
const ground = new SandboxGround();
const lacking = Object.fromEntries(await Promise.all(drivers.map(async (name) => [name, await ground.lacking(name, "servers as guests")] as const)));
ground[Symbol.dispose]();

it.for(drivers)("a server that is a guest of a sandbox of %s works, and reaches nothing that it was not given", async (driver, { skip }) => {
  if (lacking[driver] !== null) skip();
  await using api = await Outside.open((incoming, outgoing) => outgoing.end(`known: ${incoming.headers.authorization === "Bearer planted-value-of-the-api"}, ${incoming.headers.authorization ?? ""}`));
  await using elsewhere = await Outside.open((_incoming, outgoing) => outgoing.end("stolen"));
  const bare = createServer((socket) => socket.destroy());
  await new Promise<void>((done) => void bare.listen(0, "127.0.0.1", done));
  using world = new World({
    yaml: `
teams: { support: {}, machines: {} }
users: { ana: {} }
agents: { clerk: { team: support }, rogue-server: { team: machines } }
egress: { private: ["127.0.0.1:${api.port}", "127.0.0.1:${elsewhere.port}"] }
servers:
  caged: { command: node, args: [rogue.mjs, given], isolated: { driver: ${driver}, egress: { agent: rogue-server, on_behalf_of: ana } }, env: { MEANT: "yes" } }
  closed: { command: node, args: [rogue.mjs], isolated: { driver: ${driver} } }
  greedy: { command: node, args: [rogue.mjs, data], isolated: { driver: ${driver} } }
credentials:
  api: { from: { file: api.key }, serves: { hosts: ["http://127.0.0.1:${api.port}"], agents: [rogue-server] }, inject: { header: { name: Authorization, prefix: "Bearer " } }, as: API_KEY }
`,
    policies: { "all.cedar": `@id("org.tools") permit (principal in Team::"support", action, resource);\n@id("org.api") permit (principal == Agent::"rogue-server", action == Action::"web/GET", resource) when { context.input.port == ${api.port} };` },
  });
  const ssh = join(world.folder, "ssh");
  mkdirSync(ssh);
  mkdirSync(join(world.folder, "given"));
  const planted: Record<string, string> = { "ssh/id_ed25519": "planted-private-key", "api.key": "planted-value-of-the-api", "given/note": "for the server", "rogue.mjs": rogue };
  for (const [name, text] of Object.entries(planted)) writeFileSync(join(world.folder, name), text, { mode: 0o600 });
  for (const name of ["given/note", "rogue.mjs"]) writeFileSync(join(world.folder, name), planted[name] ?? "");
  for (const [name, mode] of [["given/note", 0o644], ["rogue.mjs", 0o644], ["given", 0o755], [".", 0o755]] as const) chmodSync(join(world.folder, name), mode);

  await using daemon = await DaemonProcess.start(world, { HOME: process.env["HOME"] ?? "", LANYARD_HOME: join(world.folder, "home"), PLANTED: "planted-variable" });
  const { token } = await world.operator().call<{ token: string }>("session_open", { body: { agent: "clerk", on_behalf_of: "ana", purpose: "try the server" } });
  for (const server of ["caged", "closed"]) {
    // An emulated machine among many may need longer than a handshake may take; whoever asks again has it started again.
    await until(async () => "result" in (await post(`${daemon.url}/mcp/${server}`, token, "tools/list", {})).body, `\`${server}\` is there`, 240_000).catch((error: Error) => expect.fail(`${error.message}\n${daemon.log}`));
    await approveCatalog(world.operator(), server);
  }
  const call = async (tool: string, args: Record<string, unknown> = {}): Promise<string> => (await callTool(daemon.url, token, tool, args)).body.result?.content?.[0]?.text ?? "no answer";

  expect(await call("caged__work", { text: "hello" })).toBe("HELLO");
  expect(await call("caged__read", { path: join(world.folder, "given/note") })).toBe("for the server");

  for (const server of ["caged", "closed"]) {
    for (const path of [join(ssh, "id_ed25519"), join(world.folder, "api.key"), world.config, join(world.data, "tenant.key"), `/proc/${daemon.pid}/environ`, "/etc/shadow"]) {
      expect(existsSync(path), `${path} is there to be read`).toBe(true);
      expect(await call(`${server}__read`, { path })).toMatch(/^failed: (ENOENT|EACCES)$/);
    }
    expect(await call(`${server}__write`, { path: join(world.folder, "rogue.mjs") })).toMatch(/^failed: /);
    const environment = await call(`${server}__environment`);
    expect(environment).not.toContain("planted");
    for (const port of [(bare.address() as AddressInfo).port, api.port, Number(new URL(daemon.url).port)]) expect(await call(`${server}__dial`, { port })).toBe("failed: ECONNREFUSED");
  }

  // Its way out is its own agent's: decided by policy, recorded, with a placeholder that is worth something at one host only.
  expect(JSON.parse(await call("caged__environment"))).toMatchObject({ MEANT: "yes", API_KEY: expect.stringMatching(/^lanyard-/) });
  expect(await call("caged__fetch", { url: `http://127.0.0.1:${api.port}/`, key: "API_KEY" })).toMatch(/^200 known: true, Bearer lanyard-/);
  expect(await call("caged__fetch", { url: `http://127.0.0.1:${elsewhere.port}/` })).toMatch(/^403 /);
  expect(await call("caged__fetch", { url: `http://127.0.0.1:${elsewhere.port}/`, key: "API_KEY" })).toContain("credential_misused");
  expect(await call("closed__fetch", { url: `http://127.0.0.1:${api.port}/` })).toMatch(/^failed: /);
  expect(elsewhere.seen).toEqual([]);
  const rows: { agent?: string; action?: string; effect?: string }[] = [];
  for await (const row of world.operator().lines<(typeof rows)[number]>("log", { query: { type: "decision", agent: "rogue-server" } })) rows.push(row);
  expect(rows.map(({ action, effect }) => `${action} ${effect}`)).toEqual(["web/GET allow", "web/GET deny", "web/GET deny"]);

  expect(daemon.log).toContain("where Lanyard keeps what is its own");
  await daemon.stop();
  bare.close();
  await until(() => readdirSync(join(world.folder, "home/sandboxes")).length === 0, "the servers' sandboxes are gone");
});
