import { once } from "node:events";
import { writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { connect as connectH2 } from "node:http2";
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
  const endpoints = [plain.port, secure.port].flatMap((port) => [`"127.0.0.1:${port}"`, `"localhost:${port}"`]);
  world = new World({ yaml: `teams: { support: {} }\nusers: { ana: {} }\nagents: { clerk: { team: support } }\negress: { private: [${endpoints.join(", ")}], ca: outside.pem }\nlimits: { egress_connections: 8, egress_body_bytes: 1000 }\n`, policies: policies() });
  writeFileSync(join(world.folder, "outside.pem"), secure.ca);
  daemon = await DaemonProcess.start(world);
  const opened = await world.operator().call<{ token: string; egress_ca: string }>("session_open", { body: { agent: "clerk", on_behalf_of: "ana", purpose: "try the door" } });
  ({ token, egress_ca: ca } = opened);
});

const streams: ServerResponse[] = [];

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  world?.[Symbol.dispose]();
  await plain?.[Symbol.asyncDispose]();
  await secure?.[Symbol.asyncDispose]();
});

const door = () => dial(daemon.url, token);
const entries = async (): Promise<LogRow[]> => {
  const rows: LogRow[] = [];
  for await (const row of world.operator().lines<LogRow>("log", { query: { limit: "1000" } })) rows.push(row);
  return rows;
};
const get = async (target: string, more = "", host = target.replace(/^http:\/\/([^/?#]*).*$/s, "$1")): Promise<string> => say(await door(), `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${more}Connection: close\r\n\r\n`);

describe("plain requests", () => {
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
    const endpoint = `127.0.0.1:${plain.port}`;
    expect((await tunnel(daemon.url, token, endpoint)).status).toBe(200);
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
