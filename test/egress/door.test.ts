import { once } from "node:events";
import { writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { connect as connectH2 } from "node:http2";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DaemonProcess, until, World } from "../daemon.ts";
import { dial, Outside, say, tlsThrough, tunnel } from "../kits/egress.ts";

interface LogRow {
  readonly seq: number;
  readonly type: string;
  readonly action?: string;
  readonly effect?: string;
  readonly fault?: string;
  readonly status?: string;
  readonly code?: string;
}

let echo: Server;
let plain: Outside;
let secure: Outside;
let world: World;
let daemon: DaemonProcess;
let token: string;
let ca: string;

const policies = (): Record<string, string> => ({
  "web.cedar": `
@id("org.web") @reason("The stand may be read.")
permit (principal, action in [Action::"web/GET", Action::"web/HEAD", Action::"web/WEBSOCKET", Action::"web/TCP"], resource == Host::"127.0.0.1");
@id("org.post") @reason("Small notes may be sent.")
permit (principal, action == Action::"web/POST", resource in Server::"web")
when { context.input.host == "localhost" && context.input.path like "/notes/*" && context.input has body && context.input.body_bytes < 100 };
@id("org.no-secrets") @reason("Nothing under /secret leaves.")
forbid (principal, action in Action::"egress", resource) when { context.input has path && context.input.path like "/secret*" };
@id("org.put") @reason("Things may be put there.")
permit (principal, action == Action::"web/PUT", resource == Host::"127.0.0.1");
@id("org.put-asks") @remedy("approval:leads") @reason("What is put there replaces what was.")
forbid (principal, action == Action::"web/PUT", resource) unless { context.approvals.contains(Group::"leads") };
`,
});

beforeAll(async () => {
  plain = await Outside.open((incoming, outgoing) => {
    if (incoming.url === "/moved") return void outgoing.writeHead(302, { location: "http://127.0.0.1:1/elsewhere" }).end();
    if (incoming.url === "/stream") {
      outgoing.writeHead(200, { "content-type": "text/event-stream" }).write("data: first\n\n");
      incoming.socket.once("data", () => {}); // the rest is written by the test
      return void streams.push(outgoing);
    }
    outgoing.writeHead(200, { "content-type": "text/plain", "alt-svc": 'h3=":443"', "set-cookie": ["a=1", "b=2"], connection: "x-hop", "x-hop": "gone" }).end(`you sent ${incoming.method} ${incoming.url}`);
  });
  secure = await Outside.open((incoming, outgoing) => outgoing.end(`secret ${incoming.url}`), { name: "localhost" });
  plain.server.on("upgrade", (incoming, socket) => {
    socket.on("error", () => {});
    if (incoming.url === "/reset") return void setImmediate(() => (socket as Socket).resetAndDestroy());
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${incoming.headers["sec-websocket-key"]}\r\n\r\nhello`);
    if (incoming.url === "/reset-later") return void socket.once("data", () => (socket as Socket).resetAndDestroy());
    socket.pipe(socket);
  });
  echo = createServer((socket) => void socket.on("error", () => {}).pipe(socket));
  await new Promise<void>((done) => echo.listen(0, "127.0.0.1", done));
  const tcp = `127.0.0.1:${(echo.address() as AddressInfo).port}`;
  const endpoints = [plain.port, secure.port].flatMap((port) => [`"127.0.0.1:${port}"`, `"localhost:${port}"`]);
  world = new World({ yaml: `teams: { support: {} }\ngroups: { leads: {} }\nusers: { ana: {}, lea: { groups: [leads] } }\nagents: { clerk: { team: support } }\negress: { tcp: ["${tcp}"], private: ["${tcp}", ${endpoints.join(", ")}], ca: outside.pem }\nlimits: { egress_connections: 8, egress_body_bytes: 1000, egress_held_bytes: 4000 }\n`, policies: policies() });
  writeFileSync(join(world.folder, "outside.pem"), secure.ca);
  daemon = await DaemonProcess.start(world);
  const opened = await world.operator().call<{ token: string; egress_ca: string }>("session_open", { body: { agent: "clerk", on_behalf_of: "ana", purpose: "try the door" } });
  ({ token, egress_ca: ca } = opened);
}, 60_000);

const streams: ServerResponse[] = [];

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  world?.[Symbol.dispose]();
  await plain?.[Symbol.asyncDispose]();
  await secure?.[Symbol.asyncDispose]();
  echo?.close();
});

const door = () => dial(daemon.url, token);
const entries = async (): Promise<LogRow[]> => {
  const rows: LogRow[] = [];
  for await (const row of world.operator().lines<LogRow>("log", { query: { limit: "1000" } })) rows.push(row);
  return rows;
};
const get = async (target: string, more = "", host = target.replace(/^http:\/\/([^/?#]*).*$/s, "$1")): Promise<string> => say(await door(), `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${more}Connection: close\r\n\r\n`);

describe("plain requests", () => {
  test("one that asks waits for a person: sent once on a yes, with what was held, and not at all on a no", async () => {
    const { secret } = await world.operator().call<{ secret: string }>("credential_issue", { body: { kind: "user", name: "lea" } });
    const lea = world.operator(secret);
    const put = async (path: string): Promise<string> => say(await door(), `PUT http://127.0.0.1:${plain.port}${path} HTTP/1.1\r\nHost: 127.0.0.1:${plain.port}\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody`);
    const decide = async (path: string, verdict: string, comment: string): Promise<void> => {
      let id = "";
      await until(async () => {
        const { approvals } = await lea.call<{ approvals: { id: string; args: { path?: string } }[] }>("approval_list");
        return (id = approvals.find(({ args }) => args.path === path)?.id ?? "") !== "";
      }, `${path} is asked for`);
      expect(plain.seen.filter(({ line }) => line === `PUT ${path}`)).toEqual([]);
      await lea.call("approval_decide", { at: { id }, body: { verdict, comment } });
    };
    const [yes] = await Promise.all([put("/put/yes"), decide("/put/yes", "approve", "once")]);
    expect(yes).toMatch(/^HTTP\/1.1 200[^]*you sent PUT \/put\/yes/);
    const [no] = await Promise.all([put("/put/no"), decide("/put/no", "deny", "not there")]);
    expect(no).toMatch(/^HTTP\/1.1 403[^]*not there/);
    expect(plain.seen.filter(({ line }) => line.startsWith("PUT")).map(({ line, body }) => [line, body])).toEqual([["PUT /put/yes", "body"]]);
  });

  test("a permitted one goes out and comes back, what speaks of one connection left out", async () => {
    const answer = await get(`http://127.0.0.1:${plain.port}/a?b=c`, "Proxy-Authorization: Basic eA==\r\nX-Kept: yes\r\n");
    expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*you sent GET \/a\?b=c/);
    expect(answer).toMatch(/set-cookie: a=1\r\nset-cookie: b=2/i);
    expect(answer).not.toMatch(/alt-svc|x-hop/i);
    const { headers } = plain.seen.at(-1) ?? { headers: {} };
    expect(headers).toEqual({ host: `127.0.0.1:${plain.port}`, "x-kept": "yes", connection: "close" });
    await until(async () => (await entries()).some(({ type }) => type === "outcome"), "the outcome is on record");
    const rows = await entries();
    const intent = rows.find(({ action }) => action === "web/GET");
    expect(intent).toMatchObject({ effect: "allow" });
    const explained = await world.operator().call<{ input: { args: object }; result: { result: object }; outcome: object }>("explain", { at: { ref: String(intent?.seq) } });
    expect(explained.input.args).toMatchObject({ scheme: "http", host: "127.0.0.1", port: plain.port, path: "/a", query: "b=c", headers: { "x-kept": "yes" }, header_names: ["x-kept"], body_bytes: 0 });
    expect(explained.result.result).toMatchObject({ status: 200, address: `127.0.0.1:${plain.port}`, type: "text/plain", bytes: 19 });
  });

  test("nothing leaves without a permit, and the answer says why and by which decision", async () => {
    const before = plain.seen.length;
    const refused = await get(`http://localhost:${plain.port}/`);
    expect(refused).toMatch(/^HTTP\/1.1 403 Forbidden\r\n/);
    expect(refused).toMatch(/lanyard-decision: d_/);
    expect(refused).toContain("no policy permits this call");
    expect(await get(`http://127.0.0.1:${plain.port}/secret`)).toContain("Nothing under /secret leaves.");
    expect(plain.seen.length).toBe(before);
  });

  test("policy sees the body, and a redirect is an answer whose next request is decided anew", async () => {
    const post = async (body: string) => say(await door(), `POST http://localhost:${plain.port}/notes/1 HTTP/1.1\r\nHost: localhost:${plain.port}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
    expect(await post("short")).toMatch(/^HTTP\/1.1 200/);
    expect(plain.seen.at(-1)?.body).toBe("short");
    expect(await post("x".repeat(101))).toMatch(/^HTTP\/1.1 403/);
    expect(await post("x".repeat(1001))).toMatch(/^HTTP\/1.1 413[^]*egress_body_bytes/);
    expect(await get(`http://127.0.0.1:${plain.port}/moved`)).toMatch(/^HTTP\/1.1 302[^]*location: http:\/\/127.0.0.1:1\/elsewhere/i);
  });

  test("an answer in pieces arrives in pieces", async () => {
    const socket = await door();
    socket.write(`GET http://127.0.0.1:${plain.port}/stream HTTP/1.1\r\nHost: 127.0.0.1:${plain.port}\r\n\r\n`);
    let said = "";
    socket.on("data", (chunk: Buffer) => (said += chunk.toString()));
    await until(() => said.includes("data: first"), "the first piece is there");
    expect(said).not.toContain("last");
    streams.at(-1)?.end("data: last\n\n");
    await until(() => said.includes("data: last"), "the last piece is there");
    socket.destroy();
  });
});

describe("tunnels", () => {
  test("TLS ends at the door: what is inside is decided, over HTTP/1.1 and HTTP/2", async () => {
    const one = await tunnel(daemon.url, token, `localhost:${secure.port}`);
    const tls = await tlsThrough(one.socket, { ca, servername: "localhost" });
    const answer = await say(tls, `GET /notes/x HTTP/1.1\r\nHost: localhost:${secure.port}\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 403[^]*no policy permits/);

    const secured = await tlsThrough((await tunnel(daemon.url, token, `localhost:${secure.port}`)).socket, { ca, servername: "localhost", alpn: ["h2"] });
    const h2 = connectH2(`https://localhost:${secure.port}`, { createConnection: () => secured });
    const stream = h2.request({ ":method": "POST", ":path": "/notes/2", "content-type": "text/plain" });
    stream.end("hello");
    const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
    let body = "";
    for await (const chunk of stream) body += String(chunk);
    expect([headers[":status"], body]).toEqual([200, "secret /notes/2"]);
    h2.destroy();
    expect(secure.seen.at(-1)).toMatchObject({ line: "POST /notes/2", body: "hello" });
  });
});

describe("connections that stay", () => {
  const handshake = (path: string, host = `127.0.0.1:${plain.port}`) => `GET http://${host}${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: key\r\n\r\n`;

  test("a websocket is an action of its own, and is carried both ways until one end hangs up", async () => {
    const socket = await door();
    let said = "";
    socket.on("data", (chunk: Buffer) => (said += chunk.toString()));
    socket.write(handshake("/ws"));
    await until(() => said.endsWith("hello"), "it is open");
    expect(said).toMatch(/^HTTP\/1.1 101[^]*sec-websocket-accept: key/i);
    socket.write("ping");
    await until(() => said.endsWith("helloping"), "it is carried");
    socket.destroy();
    await until(async () => (await entries()).some(({ type, seq }, _, rows) => type === "outcome" && rows.some((row) => row.action === "web/WEBSOCKET" && row.seq < seq)), "its end is on record");
    expect(await say(await door(), handshake("/ws", `localhost:${plain.port}`))).toMatch(/^HTTP\/1.1 403[^]*no policy permits/);
  });

  test("ends that break off, on either side and at any moment, end nothing but themselves", async () => {
    expect(await say(await door(), handshake("/reset"))).toMatch(/^HTTP\/1.1 502/);
    const socket = await door();
    socket.on("error", () => {}).write(handshake("/reset-later"));
    await once(socket, "data");
    const closed = once(socket, "close");
    socket.write("ping");
    await closed;
    for (const path of ["/ws", "/stream", "/secret"]) {
      const hasty = await door();
      hasty.on("error", () => {}).write(path === "/ws" ? handshake(path) : `GET http://127.0.0.1:${plain.port}${path} HTTP/1.1\r\nHost: 127.0.0.1:${plain.port}\r\n\r\n`);
      setImmediate(() => hasty.resetAndDestroy());
    }
    await until(async () => (await entries()).filter(({ type }) => type === "decision").length >= 3, "they were decided");
    expect(await get(`http://127.0.0.1:${plain.port}/alive`)).toMatch(/^HTTP\/1.1 200/);
  });

  test("whoever is not let in, and breaks off before he hears so, ends nothing but himself", async () => {
    const { hostname, port } = new URL(daemon.url);
    for (let round = 0; round < 100; round++) {
      const hasty = connect(Number(port), hostname);
      hasty.on("error", () => {});
      hasty.write("GET /egress HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: lanyard-egress\r\nAuthorization: Bearer nobody\r\n\r\n");
      const closed = once(hasty, "close").catch(() => {});
      hasty.once("connect", () => setTimeout(() => hasty.resetAndDestroy(), round % 4));
      await closed;
    }
    expect(await get(`http://127.0.0.1:${plain.port}/alive`)).toMatch(/^HTTP\/1.1 200/);
  });

  test("a connection that is handed over while an answer is due on it is closed, and no more", async () => {
    for (const next of ["CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: 169.254.169.254:80\r\n\r\n", handshake("/a/../b"), handshake("/ws", `localhost:${plain.port}`)]) {
      const socket = await door();
      await say(socket, `GET http://127.0.0.1:${plain.port}/stream HTTP/1.1\r\nHost: 127.0.0.1:${plain.port}\r\n\r\n${next}`);
    }
    expect(await get(`http://127.0.0.1:${plain.port}/alive`)).toMatch(/^HTTP\/1.1 200/);
  });

  test("plain TCP goes to endpoints that lanyard.yaml names, if policy lets it, and to no other", async () => {
    const { port } = echo.address() as AddressInfo;
    const { status, socket } = await tunnel(daemon.url, token, `127.0.0.1:${port}`);
    expect(status).toBe(200);
    socket.write("anything");
    const [said] = (await once(socket, "data")) as [Buffer];
    expect(said.toString()).toBe("anything");
    socket.destroy();
    const other = await tunnel(daemon.url, token, `127.0.0.1:${plain.port}`);
    expect(await say(other.socket, "\x00\x01anything")).toBe("");
    await until(async () => (await entries()).some(({ fault }) => fault === "protocol"), "it is on record");
  });

  test("the end of a session ends its connections", async () => {
    const opened = await world.operator().call<{ session: string; token: string }>("session_open", { body: { agent: "clerk", on_behalf_of: "ana", purpose: "short" } });
    const socket = await dial(daemon.url, opened.token);
    const closed = once(socket, "close");
    await world.operator().call("session_close", { at: { id: opened.session } });
    await closed;
    await expect(dial(daemon.url, opened.token)).rejects.toThrow("401");
  });
});

describe("what cannot become an action is refused, and on record", () => {
  const host = () => `127.0.0.1:${plain.port}`;
  const head = (more: string) => `POST http://${host()}/x HTTP/1.1\r\nHost: ${host()}\r\n${more}`;
  test.each<[string, () => string | Promise<string>, RegExp]>([
    ["length beside chunks", () => head("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), /^HTTP\/1.1 400/],
    ["chunks beside another coding", () => head("Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), /^HTTP\/1.1 400/],
    ["two lengths", () => head("Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd"), /^HTTP\/1.1 400/],
    ["a folded header", () => head("X: a\r\n b\r\n\r\n"), /^HTTP\/1.1 400/],
    ["bare line feeds", () => `GET http://${host()}/ HTTP/1.1\nHost: ${host()}\n\n`, /^HTTP\/1.1 400/],
    ["a bare carriage return", () => head("X: a\rY: b\r\n\r\n"), /^HTTP\/1.1 400/],
    ["a space before the colon", () => head("Content-Length : 4\r\n\r\nabcd"), /^HTTP\/1.1 400/],
    ["a chunk that ends in a line feed", () => head("Transfer-Encoding: chunked\r\n\r\n4\nabcd\r\n0\r\n\r\n"), /^HTTP\/1.1 400/],
    ["two Hosts", () => head(`Host: ${host()}\r\n\r\n`), /^HTTP\/1.1 400/],
    ["another Host", () => `GET http://${host()}/ HTTP/1.1\r\nHost: localhost:${plain.port}\r\n\r\n`, /^HTTP\/1.1 421/],
    ["a user in the authority", () => `GET http://u@${host()}/ HTTP/1.1\r\nHost: ${host()}\r\n\r\n`, /^HTTP\/1.1 400/],
    ["HTTP/1.0", () => `GET http://${host()}/ HTTP/1.0\r\nHost: ${host()}\r\n\r\n`, /^HTTP\/1.1 400/],
    ["headers over 64 KiB", () => head(`X: ${"x".repeat(70_000)}\r\n\r\n`), /^HTTP\/1.1 400/],
    ["CONNECT to an address", () => "CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: 169.254.169.254:80\r\n\r\n", /^HTTP\/1.1 403/],
    ["CONNECT to an address in disguise", () => "CONNECT [::ffff:169.254.169.254]:80 HTTP/1.1\r\n\r\n", /^HTTP\/1.1 400/],
    ["CONNECT beside another Host", () => `CONNECT ${host()} HTTP/1.1\r\nHost: localhost:1\r\n\r\n`, /^HTTP\/1.1 421/],
    ["TRACE", () => `TRACE http://${host()}/ HTTP/1.1\r\nHost: ${host()}\r\n\r\n`, /^HTTP\/1.1 400/],
  ])("%s", async (_name, request, answer) => {
    const before = plain.seen.length;
    const socket = await door();
    const text = await request();
    setTimeout(() => socket.end(), 300); // kept alive otherwise
    expect(await say(socket, text)).toMatch(answer);
    expect(plain.seen.length).toBe(before);
  });

  test("a name in TLS that CONNECT did not name, and a handshake that comes to nothing", async () => {
    const { socket } = await tunnel(daemon.url, token, `localhost:${secure.port}`);
    await expect(tlsThrough(socket, { ca, servername: "evil.example" })).rejects.toThrow();
    socket.destroy();
    const other = await tunnel(daemon.url, token, `localhost:${secure.port}`);
    await say(other.socket, "\x16\x03\x01\x00\x05nonsense");
  });

  test("each kind is in the ledger", async () => {
    const faults = async () => [...new Set((await entries()).flatMap(({ fault }) => fault ?? []))].sort();
    await until(async () => (await faults()).includes("tls"), "they are on record");
    expect(await faults()).toEqual(["address", "body", "header", "host", "http", "method", "mismatch", "protocol", "target", "tls", "version"]);
  });

  test("limit egress_connections: past it the door stays shut", async () => {
    const { token: own } = await world.operator().call<{ token: string }>("session_open", { body: { agent: "clerk", on_behalf_of: "ana", purpose: "many" } });
    const open = await Promise.all(Array.from({ length: 8 }, () => dial(daemon.url, own)));
    await expect(dial(daemon.url, own)).rejects.toThrow("429");
    for (const socket of open) socket.destroy();
    await until(async () => dial(daemon.url, own).then((socket) => (socket.destroy(), true), () => false), "there is room again");
  });

  test("limit egress_held_bytes: what a session's requests hold counts together, over all connections and streams", async () => {
    const { token: own, egress_ca } = await world.operator().call<{ token: string; egress_ca: string }>("session_open", { body: { agent: "clerk", on_behalf_of: "ana", purpose: "much" } });
    const secured = await tlsThrough((await tunnel(daemon.url, own, `localhost:${secure.port}`)).socket, { ca: egress_ca, servername: "localhost", alpn: ["h2"] });
    const h2 = connectH2(`https://localhost:${secure.port}`, { createConnection: () => secured });
    h2.on("error", () => {});
    const ends: string[] = [];
    for (let at = 0; at < 6; at++) {
      const stream = h2.request({ ":method": "POST", ":path": "/notes/2" });
      stream.on("error", () => {}).once("close", () => ends.push(stream.aborted || stream.rstCode !== 0 ? "broken off" : "answered"));
      stream.resume().write("x".repeat(900)); // and never ends
    }
    await until(() => ends.length === 2, "two of six are turned away");
    h2.destroy();
    await until(async () => {
      const answer = await say(await dial(daemon.url, own), `POST http://localhost:${plain.port}/notes/1 HTTP/1.1\r\nHost: localhost:${plain.port}\r\nContent-Length: 90\r\nConnection: close\r\n\r\n${"x".repeat(90)}`);
      return answer.startsWith("HTTP/1.1 200");
    }, "there is room again");
  });

  test("Lanyard's own ports are never reached, whatever lanyard.yaml says", async () => {
    const { port } = new URL(daemon.url);
    expect(await get(`http://127.0.0.1:${port}/healthz`)).toMatch(/^HTTP\/1.1 403[^]*is Lanyard itself/);
  });
});
