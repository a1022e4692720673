// The world outside, for one test: stand-ins on every address of a network namespace. Everything they hear is a line of the file of hits.
import { createSocket } from "node:dgram";
import { appendFileSync, readFileSync } from "node:fs";
import { createServer as createHttp } from "node:http";
import { createServer as createTcp } from "node:net";
import { createSecureContext, createServer as createTls } from "node:tls";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { hits: { type: "string" }, material: { type: "string" }, table: { type: "string" } } });
const hit = (what) => appendFileSync(values.hits, `${JSON.stringify(what)}\n`);
const at = (socket) => socket.localAddress.replace(/^::ffff:/, "");
const material = JSON.parse(readFileSync(values.material, "utf8"));
const table = JSON.parse(readFileSync(values.table, "utf8"));

const http = createHttp((request, response) => {
  hit({ at: at(request.socket), port: request.socket.localPort, line: `${request.method} ${request.url}`, host: request.headers.host });
  const to = new URL(request.url, "http://x").searchParams.get("to");
  if (to) return void response.writeHead(302, { location: to }).end();
  response.writeHead(200, { "content-type": "text/plain", "alt-svc": 'h3="evil.test:443"' }).end(`REACHED ${at(request.socket)}`);
});
http.on("upgrade", (request, socket) => {
  hit({ at: at(request.socket), line: `UPGRADE ${request.url}` });
  socket.end(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nREACHED ${at(socket)}`);
});
http.on("connect", (request, socket) => {
  hit({ at: at(request.socket), line: `CONNECT ${request.url}` });
  socket.end(`HTTP/1.1 200 OK\r\n\r\nREACHED ${at(socket)}`);
});
http.on("clientError", (_, socket) => socket.end(`HTTP/1.1 200 OK\r\n\r\nREACHED ${at(socket)}`));

const listening = [];
const listen = (server, port) => listening.push(new Promise((done) => server.listen(port, "::", done)));
listen(http, 80);
const plain = createHttp(http.listeners("request")[0]);
listen(plain, 8080);
const [first] = Object.values(material);
const tls = createTls({ ...first, SNICallback: (name, done) => done(null, createSecureContext(material[name] ?? first)) }, (socket) => {
  Object.defineProperty(socket, "localPort", { value: 443 });
  http.emit("connection", socket);
});
listen(tls, 443);
for (const port of [22, 53, 9999]) {
  const server = createTcp((socket) => {
    hit({ at: at(socket), port, line: "tcp" });
    socket.on("error", () => {});
    socket.end(`REACHED ${at(socket)}\n`);
  });
  listen(server, port);
}
for (const port of [443, 9999]) {
  const socket = createSocket({ type: "udp6" });
  socket.on("message", (message, from) => {
    hit({ port, line: `udp ${message}` });
    socket.send("REACHED", from.port, from.address);
  });
  listening.push(new Promise((done) => socket.bind(port, "::", done)));
}

// A resolver that says what the table says; a list of lists turns with each question, as one that rebinds does.
const turns = new Map();
const dns = createSocket({ type: "udp6" });
dns.on("message", (query, from) => {
  let end = 12;
  const labels = [];
  while (query[end] > 0) {
    labels.push(query.toString("latin1", end + 1, end + 1 + query[end]));
    end += query[end] + 1;
  }
  const name = labels.join(".").toLowerCase();
  const type = query.readUInt16BE(end + 1) === 28 ? "AAAA" : "A";
  hit({ port: 53, line: `dns ${name} ${type}` });
  const found = table[name] ?? table[name.replace(/^[^.]+\./, "*.")] ?? {};
  let answers = found[type] ?? [];
  if (Array.isArray(answers[0])) {
    const turn = turns.get(name) ?? 0;
    turns.set(name, turn + 1);
    answers = answers[turn % answers.length];
  }
  const head = Buffer.from(query.subarray(0, end + 5));
  head.writeUInt16BE(0x8180, 2);
  head.writeUInt16BE(answers.length, 6);
  head.writeUInt16BE(0, 8);
  head.writeUInt16BE(0, 10);
  const records = answers.map((hex) => {
    const data = Buffer.from(hex, "hex");
    const record = Buffer.alloc(12);
    record.writeUInt16BE(0xc00c, 0);
    record.writeUInt16BE(type === "A" ? 1 : 28, 2);
    record.writeUInt16BE(1, 4);
    record.writeUInt16BE(data.length, 10);
    return Buffer.concat([record, data]);
  });
  dns.send(Buffer.concat([head, ...records]), from.port, from.address);
});
listening.push(new Promise((done) => dns.bind(53, "::", done)));

await Promise.all(listening);
console.log("ready");
