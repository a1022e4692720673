import { once } from "node:events";
import { createServer as createHttp, request as ask, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { SessionAuthority } from "../../server/src/edge/gateway/egress/authority.ts";
import { systemClock } from "../../server/src/base/clock.ts";

/** A connection to the egress door as `lanyard run` opens one for a sandbox: raw proxy protocol from here on. */
export async function dial(url: string, token: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const asked = ask({ host: hostname, port, path: "/egress", headers: { connection: "Upgrade", upgrade: "lanyard-egress", authorization: `Bearer ${token}` }, agent: false }).end();
  return new Promise((resolve, reject) => {
    asked.once("upgrade", (_answer, socket: Socket, head: Buffer) => {
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    asked.once("response", (answer) => {
      answer.resume();
      reject(new Error(`the door answered ${answer.statusCode}`));
    });
    asked.once("error", reject);
  });
}

/** Everything a connection says until it closes, after writing `text` to it. */
export async function say(socket: Socket | TLSSocket, text: string | Buffer): Promise<string> {
  let said = "";
  socket.on("data", (chunk: Buffer) => (said += chunk.toString("latin1")));
  socket.on("error", () => {});
  socket.write(text);
  await new Promise((resolve) => socket.once("close", resolve));
  return said;
}

/** The head of an answer to CONNECT, and the connection behind it. */
export async function tunnel(url: string, token: string, endpoint: string, headers = `Host: ${endpoint}\r\n`): Promise<{ status: number; socket: Socket }> {
  const socket = await dial(url, token);
  socket.write(`CONNECT ${endpoint} HTTP/1.1\r\n${headers}\r\n`);
  let head = "";
  while (!head.includes("\r\n\r\n")) {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) {
      if (socket.readableEnded || socket.destroyed) break;
      await Promise.race([once(socket, "readable"), once(socket, "close")]);
    } else head += chunk.toString("latin1");
  }
  return { status: Number(head.split(" ")[1] ?? 0), socket };
}

/** TLS through a tunnel, as a program inside that trusts the session's authority. */
export async function tlsThrough(socket: Socket, { ca, servername, alpn = ["http/1.1"] }: { ca: string; servername?: string; alpn?: string[] }): Promise<TLSSocket> {
  const tls = connectTls({ socket, ca, ...(servername !== undefined && { servername, host: servername }), ALPNProtocols: alpn });
  await once(tls, "secureConnect");
  return tls;
}

/** A web server of the outside world, on loopback. `seen` are the requests that reached it. */
export class Outside implements AsyncDisposable {
  readonly seen: { readonly line: string; readonly headers: IncomingMessage["headers"]; readonly body: string }[] = [];
  readonly port: number;
  /** In PEM; empty without TLS. */
  readonly ca: string;
  readonly server: Server;

  private constructor(server: Server, ca: string, seen: Outside["seen"]) {
    this.server = server;
    this.ca = ca;
    this.seen = seen;
    this.port = (server.address() as AddressInfo).port;
  }

  /** `names`: with them it speaks TLS, with a certificate of the first from an authority of its own. */
  static async open(answer: (incoming: IncomingMessage, outgoing: ServerResponse, body: Buffer) => void, { name, host = "127.0.0.1", port = 0 }: { name?: string; host?: string; port?: number } = {}): Promise<Outside> {
    const seen: Outside["seen"] = [];
    const listener: RequestListener = (incoming, outgoing) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("end", () => {
        const body = Buffer.concat(chunks);
        seen.push({ line: `${incoming.method} ${incoming.url}`, headers: incoming.headers, body: body.toString() });
        answer(incoming, outgoing, body);
      });
    };
    const authority = name === undefined ? null : await SessionAuthority.create({ clock: systemClock, session: "outside", secret: systemClock.random(32), untilMs: Date.now() + 3_600_000, hosts: 16 });
    const server = authority && name !== undefined ? createHttps({ ...(await authority.materialFor(name)) }, listener) : createHttp(listener);
    await new Promise<void>((done) => server.listen(port, host, done));
    return new Outside(server as Server, authority?.pem ?? "", seen);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}
