import type { IncomingMessage, ServerResponse } from "node:http";
import { errors, Fault, isObject } from "@lanyard/contract";
import type { Era, Exchange } from "../../base/exchange.ts";
import { factsOf } from "../../base/mcp.ts";
import { isRequest, isResponse, readMessage, respond, RpcError, rpcCodes, toAnswer, type RpcMessage, type RpcRequest } from "../../base/rpc.ts";
import { writeEvent } from "../../base/sse.ts";
import { introducedBy, type StatefulClient } from "./clients.ts";
import type { Visitor } from "./visitor.ts";
import type { Gateway } from "./gateway.ts";
import { initialization } from "./greeting.ts";
import { beginStream, HttpAnswer, writeJson } from "./http-answer.ts";
import { bearerOf, checkStateless, doorOf, eraOf, readBody, refuseRebinding } from "./http-request.ts";
import { openLine } from "./line.ts";
import { listen } from "./listening.ts";
import { Replay } from "./replay.ts";
import { answerStateful, hearStateful, heedStateful } from "./stateful.ts";
import { statusOf, statusOfError } from "./translate.ts";

export interface McpHttpOptions {
  /** Host names beside the loopback ones that requests may be made to. */
  readonly hosts?: readonly string[];
}

/** One HTTP request and what is known of it by now. */
interface Visit {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly token: string | null;
  readonly door: string;
}

/** Streamable HTTP, both lifecycles, at `/mcp` (all servers) and `/mcp/<server>` (one, names as it gave them). */
export function mcpHttp(gateway: Gateway, { hosts = [] }: McpHttpOptions): (req: IncomingMessage, res: ServerResponse) => void {
  const face = new HttpFace(gateway);
  return (req, res) => {
    face.serve(req, res, hosts).catch((error: unknown) => face.fail(req, res, error));
  };
}

class HttpFace {
  readonly #gateway: Gateway;
  readonly #replays = new WeakMap<StatefulClient, Replay>();
  readonly #ears = new WeakMap<StatefulClient, Disposable>();
  readonly #streams = new Map<string, number>();

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  async serve(req: IncomingMessage, res: ServerResponse, hosts: readonly string[]): Promise<void> {
    refuseRebinding(req, hosts);
    const visit = { req, res, door: doorOf(req.url ?? ""), token: bearerOf(req) };
    if (req.method === "POST") return this.#post(visit);
    const id = req.headers["mcp-session-id"];
    if ((req.method !== "GET" && req.method !== "DELETE") || typeof id !== "string") return void res.writeHead(405, { allow: "POST" }).end();
    const visitor = this.#gateway.visitor(visit.token, visit.door, "stateful");
    const client = this.#gateway.clients.find(id, visitor);
    if (req.method === "GET") return this.#listen(visit, visitor, client);
    this.#gateway.clients.close(client);
    res.writeHead(204).end();
  }

  /** Whatever went wrong before a message had an id to answer to. */
  fail(req: IncomingMessage, res: ServerResponse, error: unknown): void {
    if (!(error instanceof Fault) && !(error instanceof RpcError)) this.#gateway.options.log.error("gateway.failed", { error });
    this.#refuse(res, statusOfError("stateful", error), null, error);
    if (req.complete) return;
    // The rest of a body that was refused is dropped for a moment, so that the client gets to read why, and then cut off.
    req.resume();
    this.#gateway.options.clock.after(200, () => req.destroy());
  }

  #refuse(res: ServerResponse, status: number, id: RpcRequest["id"] | null, error: unknown): void {
    const unauthenticated = error instanceof Fault && errors[error.code].status === 401;
    writeJson(res, status, respond(id, toAnswer(error)), unauthenticated ? { "www-authenticate": "Bearer" } : {});
  }

  async #post(visit: Visit): Promise<void> {
    const { req, res, token, door } = visit;
    const { limits } = this.#gateway.options;
    const known = this.#gateway.visitor(token, door, "stateful"); // Before the body is read: strangers cost nothing.
    if (!/^application\/json\s*(;|$)/i.test(req.headers["content-type"] ?? "")) return void res.writeHead(415).end();
    const reading = readMessage(await readBody(req, limits.body_bytes), limits.json_depth, "agent");
    if ("fault" in reading) return this.#refuse(res, errors[reading.fault.code].status, reading.id, reading.fault);
    const { message } = reading;
    const era = eraOf(req, message);
    const id = isRequest(message) ? message.id : null;
    try {
      if (era === "stateless") await this.#stateless(visit, { ...known, era }, message);
      else await this.#stateful(visit, known, message);
    } catch (error) {
      if (!(error instanceof Fault) && !(error instanceof RpcError)) this.#gateway.options.log.error("gateway.failed", { error });
      this.#refuse(res, statusOfError(era, error), id, error);
    }
  }

  async #stateless(visit: Visit, visitor: Visitor, message: RpcMessage): Promise<void> {
    const { req, res } = visit;
    if (isResponse(message)) throw new Fault("malformed_call", "this version of MCP has no responses from clients");
    if (!isRequest(message)) return void res.writeHead(202).end(); // It defines no notification from clients over HTTP either.
    try {
      checkStateless(req, message);
    } catch (error) {
      return this.#refuse(res, 400, message.id, error);
    }
    const stop = new AbortController();
    const answer = this.#answer(visit);
    // Closing the response stream is how a stateless client cancels (2026-07-28, basic/transports/streamable-http, cancellation).
    res.once("close", () => {
      if (!answer.finished) stop.abort();
    });
    const meta = message.params?.["_meta"];
    const exchange = openLine({
      era: "stateless",
      client: factsOf(isObject(meta) ? meta : {}),
      request: message,
      signal: stop.signal,
      send: (out) => answer.send(out),
      ask: () => Promise.reject(new RpcError(rpcCodes.internal, "this request cannot be asked anything")),
    });
    if (message.method === "subscriptions/listen") return this.#subscribe(visit, visitor, message, exchange, answer);
    await this.#finish(visitor.era, message, answer, exchange, () => this.#gateway.answer(visitor, message, exchange));
  }

  async #subscribe({ res }: Visit, visitor: Visitor, request: RpcRequest, exchange: Exchange, answer: HttpAnswer): Promise<void> {
    if (!answer.streamable) throw new Fault("malformed_call", "`subscriptions/listen` needs `text/event-stream` in `Accept`");
    using _place = this.#place(visitor);
    await this.#finish(visitor.era, request, answer, exchange, () => listen(this.#gateway, visitor, request, exchange, (out) => answer.send(out)));
    if (!res.writableEnded) res.end();
  }

  async #stateful(visit: Visit, visitor: Visitor, message: RpcMessage): Promise<void> {
    const { req, res } = visit;
    const sessionId = req.headers["mcp-session-id"];
    if (isRequest(message) && message.method === "initialize" && sessionId === undefined) return this.#initialize(visit, visitor, message);
    if (typeof sessionId !== "string") throw new Fault("malformed_call", "the `Mcp-Session-Id` header is missing; `initialize` first");
    const client = this.#gateway.clients.find(sessionId, visitor);
    if (isResponse(message)) client.settle(message);
    else if (!isRequest(message)) heedStateful(client, message);
    else return this.#request(visit, visitor, client, message);
    res.writeHead(202).end();
  }

  async #initialize({ res }: Visit, visitor: Visitor, request: RpcRequest): Promise<void> {
    const { params = {} } = request;
    const result = await initialization(this.#gateway.options, visitor, params["protocolVersion"]);
    const client = this.#gateway.clients.open(visitor, introducedBy(params, String(result["protocolVersion"])));
    writeJson(res, 200, respond(request.id, { result }), { "mcp-session-id": client.id });
  }

  async #request(visit: Visit, visitor: Visitor, client: StatefulClient, request: RpcRequest): Promise<void> {
    // Priming events with empty data came with 2025-11-25; older clients would stumble over them.
    const answer = this.#answer(visit, client.facts.version >= "2025-11-25" ? this.#replayOf(client) : undefined);
    const signal = client.begin(request.id);
    try {
      const exchange = openLine({
        era: "stateful",
        client: client.facts,
        request,
        signal,
        send: (out) => answer.send(out),
        ask: async (method, params) => {
          if (!answer.streamable) throw new RpcError(rpcCodes.internal, "the client takes no event streams");
          return client.ask(method, params, (out) => answer.send(out));
        },
        release: () => answer.release(),
      });
      await this.#finish(visitor.era, request, answer, exchange, () => answerStateful(this.#gateway, client, visitor, request, exchange));
    } finally {
      client.finish(request.id);
    }
  }

  /** Runs a request to its end and writes what came of it; a cancelled one gets no answer. */
  async #finish(era: Era, { id }: RpcRequest, answer: HttpAnswer, { signal }: Exchange, run: () => ReturnType<Gateway["answer"]>): Promise<void> {
    try {
      const result = await run();
      if (signal.aborted) answer.abandon();
      else answer.finish(respond(id, result), statusOf(era, result));
    } catch (error) {
      if (!(error instanceof Fault) && !(error instanceof RpcError)) this.#gateway.options.log.error("gateway.failed", { error });
      if (signal.aborted) answer.abandon();
      else answer.finish(respond(id, toAnswer(error)), statusOfError(era, error));
    }
  }

  /** The GET stream of a stateful client: what belongs to no request, or with `Last-Event-ID` the rest of a broken answer. */
  #listen({ req, res }: Visit, visitor: Visitor, client: StatefulClient): void {
    const { clock, limits } = this.#gateway.options;
    if (!(req.headers.accept ?? "").includes("text/event-stream")) return void res.writeHead(406).end();
    const last = req.headers["last-event-id"];
    const place = this.#place(visitor);
    res.once("close", () => place[Symbol.dispose]());
    if (typeof last === "string") {
      const kept = this.#replayOf(client).find(last);
      if (!kept) throw new Fault("not_found", "the events asked for are not kept any more");
      beginStream(res, clock);
      return kept.stream.resume(res, kept.seen);
    }
    this.#ears.get(client)?.[Symbol.dispose](); // One ear a client: a new stream takes over from one that may be dead.
    beginStream(res, clock);
    const hear = (method: string, params: RpcRequest["params"]) => {
      res.write(writeEvent({ data: JSON.stringify({ jsonrpc: "2.0", method, params }) }));
      if (res.writableLength > limits.result_bytes) res.destroy(); // It does not read, and what waits for it is ours to hold.
    };
    const following = hearStateful(this.#gateway, client, visitor, { hear, end: () => res.end() });
    const atEnd = client.atEnd(() => res.end());
    const ear = {
      [Symbol.dispose]: () => {
        following[Symbol.dispose]();
        atEnd[Symbol.dispose]();
        res.end();
      },
    };
    this.#ears.set(client, ear);
    res.once("close", () => ear[Symbol.dispose]());
  }

  #answer({ req, res }: Visit, replay?: Replay): HttpAnswer {
    const { clock, limits } = this.#gateway.options;
    const { accept = "*/*" } = req.headers;
    return new HttpAnswer({
      res,
      clock,
      streamable: /text\/event-stream|\*\/\*/.test(accept),
      preferStream: replay !== undefined && accept.startsWith("text/event-stream"),
      limitBytes: 2 * limits.result_bytes,
      ...(replay && { keep: () => replay.open() }),
    });
  }

  #replayOf(client: StatefulClient): Replay {
    const replay = this.#replays.get(client) ?? new Replay(this.#gateway.options.limits.replay_bytes);
    this.#replays.set(client, replay);
    return replay;
  }

  /** Takes one of the session's places for open streams. Throws Fault `limit_exceeded`. */
  #place({ principal: { session } }: Visitor): Disposable {
    const limit = this.#gateway.options.limits.streams;
    const open = this.#streams.get(session) ?? 0;
    if (open >= limit) throw new Fault("limit_exceeded", `over the limit streams (${limit})`);
    this.#streams.set(session, open + 1);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        const left = (this.#streams.get(session) ?? 1) - 1;
        if (left > 0) this.#streams.set(session, left);
        else this.#streams.delete(session);
      },
    };
  }
}
