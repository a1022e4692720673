import { createServer, STATUS_CODES, type IncomingMessage, type Server } from "node:http";
import type { Duplex, Readable } from "node:stream";
import { errors, Fault, webServer, type Principal } from "@lanyard/contract";
import type { Exchange } from "../../../base/exchange.ts";
import { webArguments, type WebRequest } from "../../../base/web.ts";
import { bearerOf } from "../http-request.ts";
import { deliver, overHttp, overSocket, refuse, type WayBack } from "./answer.ts";
import { SessionAuthority } from "./authority.ts";
import type { EgressOptions, EgressWays, Occupant } from "./occupant.ts";
import { bytesRead, Patience } from "./patience.ts";
import { bodyOf, bytesOf, headOf, isWebsocket, type RequestHead } from "./request.ts";
import { openTunnel } from "./tunnel.ts";
import { TurnedAway, TurnedAwayBook } from "./turned-away.ts";

const audience = `mcp/${webServer}`;

/**
 * The enforcement point for what leaves a sandbox: an HTTP proxy whose every request becomes an action of the built-in server `web`. TLS ends here,
 * so that policy sees what is asked; towards the server it begins anew, with the server's own certificate checked.
 */
export class EgressDoor implements EgressWays, AsyncDisposable {
  readonly options: EgressOptions;
  readonly #book: TurnedAwayBook;
  readonly #http: Server;
  /** What the HTTP parser reads: plain connections, and what is inside of their TLS. */
  readonly #spoken = new WeakMap<Duplex, { readonly occupant: Occupant; readonly patience: Patience }>();
  readonly #sockets = new Map<string, Set<Duplex>>();
  readonly #held = new Map<string, number>();
  readonly #authorities = new Map<string, Promise<SessionAuthority>>();

  constructor(options: EgressOptions) {
    this.options = options;
    this.#book = new TurnedAwayBook({ write: options.record, clock: options.clock, log: options.log });
    this.#http = createServer({ insecureHTTPParser: false, requireHostHeader: false, keepAliveTimeout: 0, maxHeaderSize: headBytes, shouldUpgradeCallback: isWebsocket });
    this.#http.maxHeadersCount = 0; // Past a count node leaves headers out in silence; maxHeaderSize bounds them.
    this.#http.on("request", (incoming, outgoing) => {
      const answered = this.#spoken.get(incoming.socket)?.patience.taken();
      if (answered) outgoing.once("close", answered);
      void this.#request(incoming, overHttp(incoming, outgoing), incoming);
    });
    this.#http.on("upgrade", (incoming, socket, head) => {
      this.#spoken.get(incoming.socket)?.patience.end();
      if (head.length > 0) socket.unshift(head);
      void this.#request(incoming, overSocket(incoming, socket, ""), null);
    });
    this.#http.on("connect", (incoming, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      const spoken = this.#spoken.get(incoming.socket);
      spoken?.patience.end();
      if (spoken) openTunnel(this, spoken.occupant, incoming, socket);
      else socket.destroy();
    });
    this.#http.on("clientError", (_error, socket) => this.#cutOff(socket, new TurnedAway("http", "the request is no well-formed HTTP, or can be read in two ways")));
  }

  /** Takes over a connection that asked for the door with `Upgrade: lanyard-egress`. */
  accept(incoming: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => socket.destroy()); // Before anything is said: node takes its own listener away, and without one an error ends the daemon.
    const token = bearerOf(incoming);
    try {
      const principal = this.#admit(socket, token);
      socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: lanyard-egress\r\n\r\n");
      if (head.length > 0) socket.unshift(head);
      this.speak(socket, { token: token ?? "", principal, origin: null });
    } catch (error) {
      const { code, message } = error instanceof Fault ? error : new Fault("internal", "the egress door could not be opened");
      socket.end(`HTTP/1.1 ${errors[code].status} ${code}\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n${message}\n`);
    }
  }

  /** Takes a connection of a sandbox of our own, whose session the daemon itself opened. */
  enter(socket: Duplex, token: string): void {
    try {
      this.speak(socket, { token, principal: this.#admit(socket, token), origin: null });
    } catch {
      socket.destroy(); // The session has ended, or has all the connections it may have.
    }
  }

  /** Throws Fault `too_many_calls`, and what identify throws. */
  #admit(socket: Duplex, token: string | null): Principal {
    const principal = this.options.identify(token, audience);
    const open = this.#sockets.get(principal.session) ?? new Set();
    if (open.size >= this.options.limits.egress_connections) throw new Fault("too_many_calls", `over the limit egress_connections (${this.options.limits.egress_connections})`);
    this.#sockets.set(principal.session, open.add(socket));
    socket.once("close", () => open.delete(socket));
    socket.on("error", () => socket.destroy());
    return principal;
  }

  /** The authority that a session's sandbox has to trust. */
  authority({ session, expiresAtMs }: Pick<Principal, "session" | "expiresAtMs">): Promise<SessionAuthority> {
    const known = this.#authorities.get(session);
    if (known) return known;
    const { clock, limits, derive } = this.options;
    const made = SessionAuthority.create({ clock, session, secret: derive(`certificate authority of ${session}`), untilMs: expiresAtMs, hosts: limits.egress_hosts });
    this.#authorities.set(session, made);
    return made;
  }

  /** A session has ended: so do its connections, and its authority. */
  ended(session: string): void {
    this.#authorities.delete(session);
    this.#book.ended(session);
    for (const socket of this.#sockets.get(session) ?? []) socket.destroy();
    this.#sockets.delete(session);
  }

  /** Reads HTTP/1.1 requests off a connection. */
  speak(socket: Duplex, occupant: Occupant): void {
    const { clock, limits: { egress_head_ms: headMs, egress_idle_ms: idleMs } } = this.options;
    const late = () => this.#cutOff(socket, new TurnedAway("slow", `the head of a request took longer than the limit egress_head_ms (${headMs} ms)`, "too_slow"));
    const patience = new Patience({ ...{ clock, headMs, idleMs, late }, read: bytesRead(socket), idle: () => socket.destroy() });
    socket.once("close", () => patience.end());
    this.#spoken.set(socket, { occupant, patience });
    this.#http.emit("connection", socket);
  }

  /** Notes what cannot become an action. */
  note({ principal: { session, agent } }: Occupant, fault: TurnedAway): void {
    this.#book.note({ session, agent }, fault);
  }

  /** Answers what cannot become an action; what is no such thing is a bug, and says so in the log. Never throws. */
  turnAway(occupant: Occupant, back: WayBack, error: unknown): void {
    if (error instanceof TurnedAway) this.note(occupant, error);
    else if (!(error instanceof Fault)) this.options.log.error("egress.failed", { error });
    const { code, message } = error instanceof Fault ? error : new Fault("internal", "an internal error at the egress door");
    if (code === "internal") return back.abort(); // whatever has been written by then
    const remedy = code === "malformed_call" ? "send HTTP/1.1 or HTTP/2 that can be read in one way only, to a host in its usual spelling" : errors[code].remedy;
    try {
      refuse(back, code, `${message}. What to do: ${remedy}.`);
    } catch {
      back.abort(); // There is no way back any more: another answer is due on it, or it was closed. Nobody catches what is thrown here, and it would end the daemon.
    }
  }

  /** Invariant: what the requests of a session hold, from their first byte until they are answered, is under one limit, over however many connections and streams they come. */
  async take(occupant: Occupant, head: RequestHead, body: Readable, back: WayBack): Promise<void> {
    const { session } = occupant.principal;
    const { clock, limits } = this.options;
    const limit = limits.egress_held_bytes;
    let own = 0;
    const hold = (bytes: number): void => {
      const all = (this.#held.get(session) ?? 0) + bytes;
      if (all > limit) throw new TurnedAway("body", `the session's requests are over the limit egress_held_bytes (${limit} bytes)`, "limit_exceeded");
      own += bytes;
      this.#held.set(session, all);
    };
    try {
      hold(bytesOf(head));
      await this.carry(occupant, { ...head, body: await bodyOf(body, { clock, limits, hold }) }, back);
    } finally {
      const left = (this.#held.get(session) ?? 0) - own;
      if (left > 0) this.#held.set(session, left);
      else this.#held.delete(session);
    }
  }

  /** Puts a request onto the path of an action and answers with what came of it. */
  async carry(occupant: Occupant, request: WebRequest, back: WayBack): Promise<void> {
    const exchange: Exchange = { ...silent, signal: back.signal, web: request, deliver: (answer) => deliver(back, answer) };
    const params = webArguments(request, this.options.limits.egress_shown_bytes, this.options.credentials(occupant.principal, request));
    const reply = await this.options.mediate({ token: occupant.token, audience, server: webServer, method: request.tool, tool: request.tool, params, exchange });
    if (reply.kind === "refused") refuse(back, reply.code, reply.text, reply.intent?.id);
    if (reply.kind === "uncertain") refuse(back, "uncertain", reply.text, reply.intent.id);
  }

  async #request(incoming: IncomingMessage, back: WayBack, body: IncomingMessage | null): Promise<void> {
    const { occupant } = this.#spoken.get(incoming.socket) ?? {};
    if (!occupant) return void incoming.socket.destroy();
    try {
      const head = headOf(incoming, occupant.origin);
      await (body ? this.take(occupant, head, body, back) : this.carry(occupant, { ...head, body: Buffer.alloc(0) }, back));
    } catch (error) {
      this.turnAway(occupant, back, error);
    }
  }

  /** What no request came of is answered and cut off: nobody can say where the next one would begin. */
  #cutOff(socket: Duplex, fault: TurnedAway): void {
    const { occupant } = this.#spoken.get(socket) ?? {};
    if (!occupant || socket.destroyed) return void socket.destroy();
    this.#spoken.delete(socket); // Whatever else comes on it is nobody's.
    this.note(occupant, fault);
    const { status } = errors[fault.code];
    const body = JSON.stringify({ type: "error", error: { type: fault.code, code: fault.code, message: fault.message } });
    socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`);
  }

  /** Ends all connections. */
  hangUp(): void {
    for (const session of [...this.#sockets.keys()]) this.ended(session);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.hangUp();
    await this.#book[Symbol.asyncDispose]();
  }
}

const headBytes = 64 * 1024;

/** What an exchange of MCP would have; a request of the web has no line back but its answer. */
const silent: Omit<Exchange, "signal"> = {
  era: "stateless",
  progress: () => {},
  notify: () => {},
  ask: () => Promise.reject(new Fault("internal", "nobody is there to be asked")),
};
