import type { Duplex } from "node:stream";
import { Fault, isObject, parseJson, type JsonObject } from "@lanyard/contract";
import type { Answer } from "../../base/exchange.ts";
import { readLines } from "../../base/lines.ts";
import { factsOf, metaKeys } from "../../base/mcp.ts";
import { isRequest, isResponse, readMessage, respond, RpcError, rpcCodes, toAnswer } from "../../base/rpc.ts";
import type { RpcId, RpcMessage, RpcNotification, RpcRequest } from "../../base/rpc.ts";
import { StatefulClient, introducedBy } from "./clients.ts";
import type { Visitor } from "./visitor.ts";
import type { Gateway } from "./gateway.ts";
import { initialization } from "./greeting.ts";
import { checkMeta } from "./http-request.ts";
import { openLine } from "./line.ts";
import { listen } from "./listening.ts";
import { answerStateful, hearStateful, heedStateful } from "./stateful.ts";

/** What a shim says before anything else, in one line: whose token it carries and which door it wants. */
interface Hello {
  readonly token: string;
  readonly door: string;
}

/**
 * The daemon's side of `lanyard mcp`: MCP over stdio, carried by a Unix socket. Both lifecycles may be spoken on one connection; what a
 * message carries tells which (2026-07-28, basic/versioning, dual-era servers).
 */
export function mcpStdio(gateway: Gateway): (socket: Duplex) => void {
  return (socket) => new StdioFace(gateway, socket).serve();
}

class StdioFace {
  readonly #gateway: Gateway;
  readonly #socket: Duplex;
  readonly #running = new Map<RpcId, AbortController>();
  #hello: Hello | null = null;
  #client: StatefulClient | null = null;
  /** The `initialize` in progress; what the client sends after it without waiting waits here. */
  #greeting: Promise<Answer> | null = null;
  /** `notifications/initialized`, when it came so. */
  #early: RpcNotification | null = null;
  #ear: Disposable | null = null;

  constructor(gateway: Gateway, socket: Duplex) {
    this.#gateway = gateway;
    this.#socket = socket;
  }

  serve(): void {
    const { limits } = this.#gateway.options;
    const onOverflow = () => {
      this.#write(respond(null, toAnswer(new Fault("limit_exceeded", `a message is over the limit body_bytes (${limits.body_bytes} bytes)`))));
      this.#socket.end();
    };
    readLines(this.#socket, limits.body_bytes, (line) => this.#line(line), onOverflow);
    this.#socket.on("error", () => {});
    this.#socket.once("end", () => this.#socket.end());
    this.#socket.once("close", () => this.#end());
  }

  #line(line: Buffer): void {
    try {
      if (!this.#hello) {
        this.#hello = helloOf(line);
        this.#visitor("stateful");
        return;
      }
    } catch (error) {
      this.#write(respond(null, toAnswer(error)));
      return void this.#socket.end();
    }
    const reading = readMessage(line, this.#gateway.options.limits.json_depth, "agent");
    if ("fault" in reading) return this.#write(respond(reading.id, toAnswer(reading.fault)));
    const { message } = reading;
    if (isRequest(message)) void this.#request(message);
    else if (isResponse(message)) this.#client?.settle(message);
    else this.#heed(message);
  }

  async #request(request: RpcRequest): Promise<void> {
    const { id } = request;
    if (this.#running.has(id)) return this.#write(respond(id, toAnswer(new RpcError(rpcCodes.invalidRequest, "the request's id is already in use"))));
    const stop = new AbortController();
    this.#running.set(id, stop);
    try {
      const answer = await (isStateless(request) ? this.#stateless(request, stop.signal) : this.#stateful(request, stop.signal));
      if (!stop.signal.aborted) this.#write(respond(id, answer));
    } catch (error) {
      if (!(error instanceof Fault) && !(error instanceof RpcError)) this.#gateway.options.log.error("gateway.failed", { error });
      if (!stop.signal.aborted) this.#write(respond(id, toAnswer(error)));
    } finally {
      this.#running.delete(id);
    }
  }

  async #stateless(request: RpcRequest, signal: AbortSignal): ReturnType<Gateway["answer"]> {
    checkMeta(request, undefined);
    const visitor = this.#visitor("stateless");
    const meta = request.params?.["_meta"];
    const ask = () => Promise.reject(new RpcError(rpcCodes.internal, "this request cannot be asked anything"));
    const exchange = openLine({ era: "stateless", client: factsOf(isObject(meta) ? meta : {}), request, signal, send: (out) => this.#write(out), ask });
    if (request.method !== "subscriptions/listen") return this.#gateway.answer(visitor, request, exchange);
    const answer = await listen(this.#gateway, visitor, request, exchange, (out) => this.#write(out));
    // The session ended, not the client's interest: on this transport that is said with a cancellation (basic/patterns/subscriptions).
    if (!signal.aborted) this.#write({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: request.id, reason: "the session has ended" } });
    return answer;
  }

  async #stateful(request: RpcRequest, signal: AbortSignal): ReturnType<Gateway["answer"]> {
    // No step aside before an `initialize` is under way: the next line may lie in the same chunk.
    if (this.#greeting && request.method !== "ping") await this.#greeted();
    if (signal.aborted) throw new RpcError(rpcCodes.invalidRequest, "the request was cancelled");
    const visitor = this.#visitor("stateful");
    if (request.method === "ping") return { result: {} };
    if (request.method === "initialize" && !this.#client && !this.#greeting) return (this.#greeting = this.#greet(request, visitor).finally(() => (this.#greeting = null)));
    const client = this.#client;
    if (!client) throw new RpcError(rpcCodes.invalidRequest, "`initialize` first");
    const ask = (method: string, params: JsonObject) => client.ask(method, params, (out) => this.#write(out));
    const exchange = openLine({ era: "stateful", client: client.facts, request, signal, send: (out) => this.#write(out), ask });
    return answerStateful(this.#gateway, client, visitor, request, exchange);
  }

  async #greet({ params = {} }: RpcRequest, visitor: Visitor): Promise<Answer> {
    const result = await initialization(this.#gateway.options, visitor, params["protocolVersion"]);
    this.#client = new StatefulClient(this.#gateway.options, visitor, introducedBy(params, String(result["protocolVersion"])));
    if (this.#early) this.#heed(this.#early);
    return { result };
  }

  /** Waits for an `initialize` in progress, together with no more requests than may run at once. */
  async #greeted(): Promise<void> {
    while (this.#greeting && this.#running.size <= this.#gateway.options.limits.calls_per_session) await this.#greeting.catch(() => {});
  }

  #heed(notification: RpcNotification): void {
    const { method, params } = notification;
    if (method === "notifications/cancelled") {
      const id = params?.["requestId"];
      if (typeof id === "string" || typeof id === "number") this.#running.get(id)?.abort();
      return;
    }
    const client = this.#client;
    if (!client) {
      if (this.#greeting && method === "notifications/initialized") this.#early = notification;
      return;
    }
    try {
      const visitor = this.#visitor("stateful");
      if (method === "notifications/initialized") {
        const hear = (heard: string, about: JsonObject) => this.#write({ jsonrpc: "2.0", method: heard, params: about });
        this.#ear ??= hearStateful(this.#gateway, client, visitor, { hear, end: () => this.#socket.end() });
      }
      heedStateful(client, notification);
    } catch {
      // A notification has no answer: that the session is over, the next request will tell.
    }
  }

  /** Identified anew for each message, since the session may have ended since the last. */
  #visitor(era: Visitor["era"]): Visitor {
    if (!this.#hello) throw new Fault("unauthenticated", "no token");
    return this.#gateway.visitor(this.#hello.token, this.#hello.door, era);
  }

  #write(message: RpcMessage): void {
    if (this.#socket.writableEnded || this.#socket.destroyed) return;
    this.#socket.write(`${JSON.stringify(message)}\n`);
    if (this.#socket.writableLength > 2 * this.#gateway.options.limits.result_bytes) this.#socket.destroy();
  }

  #end(): void {
    for (const stop of this.#running.values()) stop.abort();
    this.#ear?.[Symbol.dispose]();
    this.#client?.end();
  }
}

function helloOf(line: Buffer): Hello {
  let value: unknown;
  try {
    value = parseJson(line.toString("utf8"));
  } catch {
    value = null;
  }
  const { token, path } = isObject(value) ? value : {};
  const [, door] = /^\/(mcp(?:\/[A-Za-z0-9._-]{1,64})?)$/.exec(typeof path === "string" ? path : "") ?? [];
  if (typeof token !== "string" || door === undefined) throw new Fault("malformed_call", 'the first line is not `{"token": "...", "path": "/mcp"}`');
  return { token, door };
}

const isStateless = ({ method, params }: RpcRequest): boolean =>
  method === "server/discover" || (isObject(params?.["_meta"]) && params["_meta"][metaKeys.version] !== undefined);
