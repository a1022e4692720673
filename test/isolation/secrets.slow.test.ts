import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import type { Client } from "../../server/src/cli/client.ts";
import type { SandboxDriver } from "../../server/src/stages/execution/sandbox/driver.ts";
import { treeOf } from "../../server/src/stages/execution/sandbox/usage.ts";
import { ambient, approveCatalog, DaemonProcess, program, World } from "../daemon.ts";
import { Outside } from "../kits/egress.ts";
import { mib, SandboxGround, textOf } from "../kits/sandbox.ts";
import { noCores, plant, Search } from "../kits/secrets.ts";

const inside = join(import.meta.dirname, "world");

/** What is planted, and where it may be: in its own source, and with whoever must hold it. Everywhere else it is a leak. */
const sources = [
  ...["file", "file of vault", "file of subject", "file that all can read", "file with two lines", "file of a revoked one", "file in the workspace", "file of tls", "file of a header", "file of a variable"],
  ...["env", "env of approle", "env of client", "env of a header", "env of a variable", "env of nothing", "env of the run", "systemd"],
  ...["vault", "approle", "approle token", "exchange", "injected", "askpass"],
] as const;
type Name = (typeof sources)[number];
const secrets = Object.fromEntries(sources.map((name) => [name, plant()])) as Record<Name, string>;
/** Known to nobody as secrets, and told on purpose: whatever place does not show them was not really searched. */
const controls = { "control of a server": plant(), "control of the run": plant(), "control of the workspace": plant(), "control of a crash": plant(), "control of a policy": plant().slice(0, 20) };

/** Everything that the search finds: nothing but what is justified, and the controls. */
const expected = [
  // A variable of the daemon or of `lanyard run` is that secret's own source.
  ...sources.filter((name) => name.startsWith("env") && name !== "env of the run").map((name) => `${name} in environment of the daemon`),
  "env of the run in environment of the run",
  // A server of ours must hold what it is given.
  ...["env of a variable", "file of a variable", "injected"].map((name) => `${name} in environment of a server`),
  ...["command line of a server", "the sandbox", "the log", "an explanation", "the data folder", "the folders"].map((place) => `control of a server in ${place}`),
  ...["the sandbox", "an explanation", "an export", "the folders"].map((place) => `control of a policy in ${place}`),
  ...["the sandbox", "the folders"].map((place) => `control of the workspace in ${place}`),
  "control of the run in environment of the run",
  ...(noCores() === null ? ["control of a crash in a core file"] : []),
].sort();

/** The head of every private key of the egress authorities (PKCS #8, P-256), which nobody but the daemon ever sees. */
const keyHead = Buffer.from("308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420", "hex").toString("latin1");

/** An upstream that tells whoever asks what it was given, in every way there is to answer. */
function hostile(remembered: string[], events: { hold(): Promise<void>; revoke(): Promise<void>; kill(): Promise<void> }): (incoming: IncomingMessage, outgoing: ServerResponse) => void {
  return (incoming, outgoing) => {
    const { pathname, searchParams } = new URL(incoming.url ?? "", "http://upstream");
    const given = Object.entries(incoming.headers).filter(([name]) => name === "authorization" || name.startsWith("x-")).map(([, value]) => String(value).replace(/^Bearer /, ""));
    const [, digits] = /^Basic (.*)$/.exec(incoming.headers.authorization ?? "") ?? [];
    const known = [...given, ...searchParams.values(), ...(digits ? [Buffer.from(digits, "base64").toString().replace(/^[^:]*:/, "")] : [])];
    remembered.push(...known);
    const told = known.join(" ");
    const forms = known.flatMap((text) => [text, ...["", "x", "xx"].map((before) => Buffer.from(before + text).toString("base64")), Buffer.from(text).toString("base64url"), encodeURIComponent(text), new URLSearchParams({ text }).toString(), JSON.stringify(text), Buffer.from(text).toString("hex")]);
    const escaped = told.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
    const body = `${forms.join("\n")}\n`;
    switch (pathname.split("/")[1]) {
      case "echo":
        outgoing.writeHead(200, told, { "x-told": known, "set-cookie": known.map((text) => `key=${encodeURIComponent(text)}`), "www-authenticate": `Bearer error="${Buffer.from(told).toString("base64")}"` });
        return void drip(outgoing, body);
      case "fail":
        return void outgoing.writeHead(500, { "content-type": "text/html" }).end(`<h1>no access with ${body} ${escaped} ${escaped.replaceAll('"', "&#34;")} ${escaped.replaceAll('"', "&quot;")}</h1>`);
      case "moved":
        return void outgoing.writeHead(302, { location: `http://127.0.0.1:1/?key=${encodeURIComponent(told)}`, "x-again": told }).end();
      case "gzip":
        return void outgoing.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(body));
      case "type":
        return void outgoing.writeHead(200, { "content-type": `text/${told}` }).end();
      case "range": {
        const [, from = 0, to = 0] = /bytes=(\d+)-(\d+)/.exec(incoming.headers.range ?? "") ?? [];
        return void outgoing.writeHead(incoming.headers.range ? 206 : 200).end(incoming.headers.range ? told.slice(Number(from), Number(to)) : told);
      }
      case "remembered":
        return void outgoing.end(remembered.join("\n"));
      case "broken":
        outgoing.writeHead(200, { "content-length": "100000" }).write(body);
        return void setTimeout(() => outgoing.destroy(), 50);
      case "hold":
        return void events.hold().then(() => outgoing.end(body));
      case "revoke":
        outgoing.writeHead(200).write("begun ");
        return void events.revoke().then(() => outgoing.end(body));
      case "kill":
        return void events.kill();
      default:
        return void outgoing.end(body);
    }
  };
}

/** In small pieces, so that every secret is split between chunks somewhere. */
function drip(outgoing: ServerResponse, body: string): void {
  for (let at = 0; at < body.length; at += 7) outgoing.write(body.slice(at, at + 7));
  outgoing.end();
}

/** Stand-ins for Vault and for a token endpoint, as their HTTP APIs are documented; both repeat what they were sent when they refuse. */
function keepers(incoming: IncomingMessage, outgoing: ServerResponse, body: string): void {
  const answer = (json: unknown, status = 200) => void outgoing.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
  const { "x-vault-token": token, authorization = "" } = incoming.headers;
  switch (incoming.url) {
    case "/v1/auth/approle/login":
      return answer({ auth: { client_token: secrets["approle token"] } });
    case "/v1/kv/vault":
      return token === secrets["file of vault"] ? answer({ lease_duration: 60, data: { key: secrets.vault } }) : answer({ errors: [token] }, 403);
    case "/v1/kv/approle":
      return token === secrets["approle token"] ? answer({ lease_duration: 60, data: { key: secrets.approle } }) : answer({ errors: [token] }, 403);
    case "/token":
      return answer({ access_token: secrets.exchange, token_type: "Bearer", issued_token_type: "urn:ietf:params:oauth:token-type:access_token", expires_in: 300 });
    default:
      return answer({ errors: [token, authorization, body], error: authorization }, 400);
  }
}

/** An MCP server over HTTP that tells the headers it was sent. */
function teller(incoming: IncomingMessage, outgoing: ServerResponse, body: string): void {
  if (incoming.method !== "POST") return void outgoing.writeHead(405).end();
  const { id, method, params } = JSON.parse(body) as { id?: number; method: string; params: { name?: string } };
  const told = `${String(incoming.headers["x-held"])} and ${String(incoming.headers["x-env"])}`;
  const tools = ["web_tell", "web_error", "web_page", "web_stream"].map((name) => ({ name, description: name, inputSchema: { type: "object" } }));
  const answer = (answered: object) => void outgoing.writeHead(200, { "content-type": "application/json", "x-told": Buffer.from(told).toString("base64") }).end(JSON.stringify({ jsonrpc: "2.0", id, ...answered }));
  if (id === undefined) return void outgoing.writeHead(202).end();
  if (method === "initialize") return answer({ result: { protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo: { name: "teller", version: "1" } } });
  if (method === "tools/list") return answer({ result: { tools } });
  if (params.name === "web_tell") return answer({ result: { content: [{ type: "text", text: `${told} ${encodeURIComponent(told)}` }] } });
  if (params.name === "web_error") return answer({ error: { code: -32001, message: told, data: { told } } });
  if (params.name === "web_page") return void outgoing.writeHead(500, { "content-type": "text/html" }).end(`<h1>${told}</h1>`);
  if (params.name === "web_stream") {
    outgoing.writeHead(200, { "content-type": "text/event-stream" });
    return drip(outgoing, `id: ${encodeURIComponent(told)}\ndata: ${JSON.stringify({ jsonrpc: "2.0", method: "notifications/message", params: { level: "info", data: told } })}\n\ndata: ${JSON.stringify({ jsonrpc: "2.0", id, result: { content: [{ type: "text", text: told }] } })}\n\n`);
  }
  return answer({ error: { code: -32601, message: "no such method" } });
}

async function serve(take: (incoming: IncomingMessage, outgoing: ServerResponse, body: string) => void): Promise<{ endpoint: string } & AsyncDisposable> {
  const server = createServer((incoming, outgoing) => {
    let body = "";
    incoming.on("data", (chunk: Buffer) => (body += chunk.toString())).once("end", () => take(incoming, outgoing, body));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const stop = () => {
    server.closeAllConnections();
    return new Promise<void>((done) => void server.close(() => done()));
  };
  return { endpoint: `127.0.0.1:${(server.address() as AddressInfo).port}`, [Symbol.asyncDispose]: stop };
}

/** Writes the secrets to where they are kept, and what else the world needs; returns those that are kept in the daemon's environment. */
function keep(folder: string, ca: string): Record<string, string> {
  for (const name of ["kept", "project", "home"]) mkdirSync(join(folder, name));
  writeFileSync(join(folder, "outside.pem"), ca);
  copyFileSync(join(inside, "user.mjs"), join(folder, "project/user.mjs"));
  writeFileSync(join(folder, "project/README"), controls["control of the workspace"]);
  const file = (name: string, text: string, mode = 0o600) => {
    writeFileSync(join(folder, name), text);
    chmodSync(join(folder, name), mode);
  };
  for (const name of ["file", "file of vault", "file of subject", "file of a revoked one", "file of tls", "file of a header", "file of a variable", "injected", "askpass", "systemd"] as const) file(join("kept", name), `${secrets[name]}\n`);
  file("kept/file that all can read", secrets["file that all can read"], 0o644);
  file("kept/file with two lines", `${secrets["file with two lines"]}\nand more`);
  file("project/own.key", secrets["file in the workspace"]);
  return Object.fromEntries(sources.filter((name) => name.startsWith("env") && name !== "env of the run").map((name) => [name.replaceAll(" ", "_").toUpperCase(), secrets[name]]));
}

const policies = {
  "all.cedar": `@id("org.all") @reason("All but what is denied.") permit (principal, action, resource);
@id("org.denied") @reason("Never, says ${controls["control of a policy"]}.") forbid (principal, action in [Action::"web/GET"], resource) when { context.input.path like "/denied*" };`,
};

function configuration({ upstream, other, secure, keeper, mcp }: Record<"upstream" | "other" | "secure" | "keeper" | "mcp", string>): string {
  const at = (host: string, inject: object, as: string) => ({ serves: { hosts: [host] }, inject, as });
  const here = (header: string, as: string) => at(`http://${upstream}`, { header: { name: header } }, as);
  const file = (name: Name) => ({ file: `kept/${name}` });
  const credentials = {
    "from-file": { from: file("file"), ...at(`http://${upstream}`, { header: { name: "authorization", prefix: "Bearer " } }, "KEY_FILE") },
    "from-env": { from: { env: "ENV" }, ...here("x-env", "KEY_ENV") },
    "from-systemd": { from: { systemd: "systemd" }, ...at(`http://${upstream}`, { query: "key" }, "KEY_SYSTEMD") },
    "from-vault": { from: { vault: { address: `http://${keeper}`, path: "kv/vault", field: "key", auth: { token: "of-vault" } } }, ...at(`http://${upstream}`, { basic: { user: "user" } }, "KEY_VAULT") },
    "of-vault": { from: file("file of vault") },
    "from-approle": { from: { vault: { address: `http://${keeper}`, path: "kv/approle", field: "key", auth: { approle: { role_id: "role", secret_id: "of-approle" } } } }, ...here("x-approle", "KEY_APPROLE") },
    "of-approle": { from: { env: "ENV_OF_APPROLE" } },
    "from-exchange": { from: { exchange: { token_endpoint: `http://${keeper}/token`, subject: "of-subject", client: { id: "lanyard", secret: "of-client" } } }, ...here("x-exchange", "KEY_EXCHANGE") },
    "of-subject": { from: file("file of subject") },
    "of-client": { from: { env: "ENV_OF_CLIENT" } },
    refused: { from: { vault: { address: `http://${keeper}`, path: "kv/refused", field: "key", auth: { token: "of-vault" } } }, ...here("x-refused", "KEY_REFUSED") },
    unexchanged: { from: { exchange: { token_endpoint: `http://${keeper}/none`, subject: "of-subject", client: { id: "lanyard", secret: "of-client" } } }, ...here("x-unexchanged", "KEY_UNEXCHANGED") },
    "with-tls": { from: file("file of tls"), ...at(`https://${secure}`, { header: { name: "x-tls" } }, "KEY_TLS") },
    "two-lines": { from: file("file with two lines"), ...here("x-bad", "KEY_BAD") },
    "open-to-all": { from: file("file that all can read"), ...here("x-open", "KEY_OPEN") },
    askpass: { from: file("askpass"), serves: { hosts: [`http://${upstream}`] }, inject: { askpass: { user: "git" } } },
    revoked: { from: file("file of a revoked one"), ...here("x-revoked", "KEY_REVOKED") },
    local: { from: { file: "project/own.key" }, ...here("x-local", "KEY_LOCAL") },
    "in-header": { from: file("file of a header"), serves: { tools: ["teller/*"] } },
    "in-variable": { from: file("file of a variable"), serves: { tools: ["holder/*"] } },
    injected: { from: file("injected"), serves: { tools: ["holder/*"] }, inject: { env: "HELD_3" } },
  };
  const holder = join(inside, "holder.mjs");
  const servers = {
    holder: { command: process.execPath, args: [holder], env: { HELD_1: "${credential:in-variable}", HELD_2: "${env:ENV_OF_A_VARIABLE}" } },
    plain: { command: process.execPath, args: [holder, controls["control of a server"]], env: { PREFIX: "plain_" } },
    teller: { url: `http://${mcp}/mcp`, headers: { "x-held": "${credential:in-header}", "x-env": "Key ${env:ENV_OF_A_HEADER}" } },
  };
  const egress = { private: [upstream, other, secure, secure.replace("localhost", "127.0.0.1")], ca: "outside.pem" };
  return Object.entries({ teams: { support: {} }, users: { ana: {} }, agents: { clerk: { team: "support" } }, servers, credentials, egress }).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`).join("");
}

/** `lanyard run` with the program that uses all it has. */
function start(world: World, driver: SandboxDriver["name"], project: string, home: string, endpoints: readonly string[]): { run: ChildProcess; outputs: Promise<[string, string]>; ended: Promise<unknown> } {
  const who = ["--agent", "clerk", "--on-behalf-of", "ana", "--purpose", "use what it is lent"];
  const args = [program, "--config", world.config, "run", "--isolation", driver, "--workspace", project, ...who, "--", "node", "user.mjs", ...endpoints];
  const environment = { ...ambient, HOME: process.env["HOME"], LANYARD_HOME: home, RUN_SECRET: secrets["env of the run"], RUN_CONTROL: controls["control of the run"] };
  const run = spawn(process.execPath, args, { cwd: project, stdio: ["ignore", "pipe", "pipe"], env: environment });
  return { run, outputs: Promise.all([textOf(run.stdout), textOf(run.stderr)]), ended: new Promise((done) => run.once("close", done)) };
}

/** What is planted, and what the daemon has made itself. */
async function allSecrets(operator: Client, ownKeys: ReadonlySet<string>): Promise<Record<string, string>> {
  const { token } = await operator.call<{ token: string }>("session_open", { body: { agent: "clerk", on_behalf_of: "ana", purpose: "hold a token" } });
  const agent = await operator.call<{ secret: string }>("credential_issue", { body: { kind: "agent", name: "clerk" } });
  const user = await operator.call<{ secret: string }>("credential_issue", { body: { kind: "user", name: "ana" } });
  const own = Object.fromEntries([...ownKeys].map((path, index) => [`key ${index} of the data folder`, readFileSync(path, "utf8").trim().replace(/^PRIVATE\+KEY\+[^+]*\+[^+]*\+/, "")])); // the key itself may have a plus too
  const all = { ...secrets, ...controls, "token of a session": token, "credential of an agent": agent.secret, "credential of a user": user.secret, "key of an authority": keyHead, ...own };
  expect(Object.keys(all).length - Object.keys(controls).length).toBeGreaterThanOrEqual(30);
  return all;
}

/** All that the daemon tells of what is on record. */
async function lookAtRecords(search: Search, operator: Client): Promise<void> {
  search.look("an export", Buffer.from(await operator.text("audit_export")));
  const rows = await operator.text("log", { query: { limit: "1000" } });
  search.look("an export", Buffer.from(rows));
  const decisions = rows.trim().split("\n").map((line) => JSON.parse(line) as { seq: number; type: string }).filter(({ type }) => type === "decision");
  for (const { seq } of decisions) search.look("an explanation", Buffer.from(JSON.stringify(await operator.call("explain", { at: { ref: String(seq) } }))));
}

/** Memory of everything that a session's sandbox consists of on this machine, and the template that a machine was woken from. */
function lookAtSandbox(all: Readonly<Record<string, string>>, run: number): string[] {
  const search = new Search(all);
  const parts = treeOf(run).map(({ pid }) => pid).filter((pid) => pid !== run);
  const looked = parts.map((pid) => search.lookAtMemory("memory of the sandbox", pid));
  expect(Math.max(...looked)).toBeGreaterThan(10 * mib);
  const templates = new Set(parts.flatMap((pid) => openFiles(pid)).filter((path) => path.includes("/lanyard/templates/template-")).map((path) => dirname(path)));
  for (const folder of templates) search.lookBelow("the template", folder);
  // Everything that was told on purpose may lie about in memory; of these one is sure to.
  return search.found().filter((one) => one === "control of the workspace in memory of the sandbox" || !one.startsWith("control of "));
}

function openFiles(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  } catch {
    return []; // It has ended, or this one was closed.
  }
}

/** What a crash of the daemon leaves behind: nothing, although it may by the limits that it was started with, as another program shows. */
async function crash(search: Search, daemon: DaemonProcess, crashes: string): Promise<void> {
  const lacking = noCores();
  if (lacking) process.stderr.write(`\n  SKIPPED: core files were not searched: ${lacking}\n\n`);
  await daemon.kill("SIGABRT");
  search.lookBelow("a crash of the daemon", crashes);
  expect(readdirSync(crashes)).toEqual([]);
  spawnSync("/bin/sh", ["-c", "ulimit -c unlimited; kill -ABRT $$", "sh", controls["control of a crash"]], { cwd: crashes });
  search.lookBelow("a core file", crashes);
  rmSync(crashes, { recursive: true });
}

const ground = new SandboxGround();
const drivers = ["process", "gvisor", "microvm"] as const;
const lacking = Object.fromEntries(await Promise.all(drivers.map(async (name) => [name, await ground.lacking(name, "the search for planted secrets")] as const)));
ground[Symbol.dispose]();
const isRoot = process.geteuid?.() === 0;
if (!isRoot) process.stderr.write("\n  SKIPPED: planted secrets were not looked for in the memory of sandboxes, which takes root\n\n");

it.for(drivers)("planted secrets are nowhere but where they must be, with a sandbox of %s, and the search would have found them", { timeout: 600_000 }, async (driver, { skip }) => {
  if (lacking[driver] !== null) skip();
  const gates = { held: Promise.withResolvers<void>(), goOn: Promise.withResolvers<void>(), revoking: Promise.withResolvers<void>(), revoked: Promise.withResolvers<void>(), killing: Promise.withResolvers<void>() };
  const received: string[] = [];
  const answer = hostile(received, {
    hold: () => (gates.held.resolve(), gates.goOn.promise),
    revoke: () => (gates.revoking.resolve(), gates.revoked.promise),
    kill: () => (gates.killing.resolve(), new Promise<void>(() => {})),
  });
  await using upstream = await serve(answer);
  await using other = await serve(answer);
  await using secure = await Outside.open(answer, { name: "localhost" });
  await using keeper = await serve(keepers);
  await using mcp = await serve(teller);
  using world = new World({ yaml: configuration({ upstream: upstream.endpoint, other: other.endpoint, secure: `localhost:${secure.port}`, keeper: keeper.endpoint, mcp: mcp.endpoint }), policies });
  const kept = keep(world.folder, secure.ca);
  const home = join(world.folder, "home");
  const project = join(world.folder, "project");
  const crashes = join(world.folder, "crashes");
  mkdirSync(crashes);
  const daemonEnvironment = { HOME: process.env["HOME"] ?? "", LANYARD_HOME: home, LANYARD_LOG: "debug", CREDENTIALS_DIRECTORY: join(world.folder, "kept"), ...kept };

  const before = new Set(readdirSync(tmpdir()));
  let daemon = await DaemonProcess.start(world, daemonEnvironment, ["/bin/sh", "-c", 'ulimit -c "$(ulimit -H -c)"; cd "$0"; exec "$@"', crashes]);
  const operator = world.operator();
  for (const server of ["holder", "teller", "plain"]) await approveCatalog(operator, server);
  const ownKeys = new Set(["ledger.key", "tenant.key"].map((name) => join(world.data, name)));
  const all = await allSecrets(operator, ownKeys);
  const search = new Search(all);

  const { run, outputs, ended } = start(world, driver, project, home, [upstream.endpoint, other.endpoint, `localhost:${secure.port}`]);
  void ended.then(() => gates.held.reject(new Error("the run ended too early")));
  gates.held.promise.catch(() => {});

  await gates.held.promise.catch(async () => expect.fail(`${(await outputs).join("\n")}\n${daemon.log}`));
  search.lookAtProcesses(() => {
    const servers = new Set(treeOf(daemon.pid).map(({ pid }) => pid)); // The daemon starts another one when one of them is taken.
    return (pid) => (pid === daemon.pid ? "the daemon" : pid === run.pid ? "the run" : servers.has(pid) ? "a server" : `process ${pid}`);
  });
  search.lookBelow("the folders", home);
  if (isRoot) expect(lookAtSandbox(all, run.pid ?? 0)).toEqual(["control of the workspace in memory of the sandbox"]);
  gates.goOn.resolve();
  await gates.revoking.promise;
  await operator.call("lending_revoke", { body: { name: "revoked" } });
  gates.revoked.resolve();
  await gates.killing.promise;
  await crash(search, daemon, crashes);
  const { log, url } = daemon;
  search.look("the log", Buffer.from(log));
  search.lookBelow("the data folder", world.data, (path) => ownKeys.has(path));
  writeFileSync(world.config, readFileSync(world.config, "utf8").replace("127.0.0.1:0", new URL(url).host)); // Where the run looks for it: a machine stands still meanwhile.
  daemon = await DaemonProcess.start(world, daemonEnvironment);
  await using _ = daemon;
  await ended;
  const [out, err] = await outputs;
  search.look("the sandbox", Buffer.from(out));
  search.look("the run's own words", Buffer.from(err));
  search.look("the log", Buffer.from(daemon.log));
  await lookAtRecords(search, operator);
  search.lookBelow("the folders", world.folder, (path) => path === join(world.folder, "kept") || path === join(project, "own.key") || ownKeys.has(path));
  for (const name of readdirSync(tmpdir())) if (!before.has(name) && join(tmpdir(), name) !== world.folder) search.lookBelow("the folders", join(tmpdir(), name));

  // All of it was really used, and came back.
  expect(sources.filter((name) => received.includes(secrets[name]))).toEqual(["file", "file of a revoked one", "file in the workspace", "file of tls", "env", "systemd", "vault", "approle", "exchange", "askpass"]);
  expect(out.match(/== (?:file|env|systemd|vault|approle|exchange|askpass) (?:echo: 200|fail: 500|moved: 302)/g)).toHaveLength(21);
  expect(log.match(/"event":"credential.misused"/g)).toHaveLength(4);
  // A crash inside leaves nothing to look through: it can write no core, nor allow itself to.
  expect(out).toContain("\n== core limit: 0\n");
  expect(out).not.toMatch(/== file .*\/core(?:\.\d+)?\n/);
  expect(search.found()).toEqual(expected);
});
