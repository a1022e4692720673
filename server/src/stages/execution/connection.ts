import { Fault, isObject, type Json, type JsonObject } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import type { Answer, Exchange } from "../../base/exchange.ts";
import { lanyardIdentity, metaKeys, statelessVersion, type Introduction } from "../../base/mcp.ts";
import { isRequest, isResponse, respond, RpcError, rpcCodes, toAnswer, type RpcId, type RpcMessage, type RpcNotification, type RpcRequest } from "../../base/rpc.ts";
import { introduce } from "./handshake.ts";
import type { Link, LinkEvents } from "./link.ts";

/** Makes a link whose messages go to `events`. */
export type Dial = (events: LinkEvents) => Link;

interface Pending {
  readonly method: string;
  readonly exchange: Exchange;
  resolve(answer: Answer): void;
  reject(why: unknown): void;
}

/** A notification of a server that belongs to no open request. */
export type ServerNotice = (method: string, params: JsonObject) => void;

const maxWaitMs = 2 ** 31 - 1;

/**
 * One server as one session sees it: numbers the requests, and tells apart what comes back. Which of the session's open calls a
 * stateful server's question belongs to is exact over HTTP and the newest call over stdio, where the protocol does not say.
 */
export class Connection implements AsyncDisposable {
  readonly #link: Link;
  readonly #clock: Clock;
  readonly #pending = new Map<RpcId, Pending>();
  #introduction: Introduction | null = null;
  #lastId = 0;
  #closed: Error | null = null;
  #released = false;
  /** Set by the owner; called for notices and, once, at the end. */
  onNotice: ServerNotice = () => {};
  onClose: (why: Error) => void = () => {};
  lastUsedMs: number;
  /** The session it serves; null for a spare. */
  session: string | null = null;
  /** Resolves once the catalog knows the tools that the server shows on this connection now; nothing is called before. */
  shown: Promise<void> = Promise.resolve();
  /** Resources subscribed to by request; while there are any, the connection is not let go as idle. */
  readonly subscribed = new Set<string>();

  /** To be opened with {@link Connection.open}, which also greets the server. */
  constructor(dial: Dial, clock: Clock) {
    this.#clock = clock;
    this.lastUsedMs = clock.nowMs();
    this.#link = dial({
      message: (message, about) => this.#receive(message, about),
      garbled: (why, about) => this.#garbled(why, about),
      released: (about) => this.#pending.get(about)?.exchange.release?.(),
      closed: (why, but) => this.#end(why, but),
    });
  }

  /** Connects and greets the server in the lifecycle it speaks. Throws Fault `upstream_unavailable`. */
  static async open(dial: Dial, clock: Clock, handshakeMs: number, known?: "stateful" | "stateless"): Promise<Connection> {
    const connection = new Connection(dial, clock);
    try {
      connection.#introduction = await introduce(connection, connection.#link, handshakeMs, known);
      return connection;
    } catch (error) {
      await connection[Symbol.asyncDispose]();
      if (error instanceof Fault && error.code === "upstream_unavailable") throw error;
      const why = error instanceof Error ? error.message : "unknown error";
      throw new Fault("upstream_unavailable", `the server did not complete the MCP handshake: ${why}`, { cause: error });
    }
  }

  get introduction(): Introduction {
    if (!this.#introduction) throw new Error("not introduced yet");
    return this.#introduction;
  }

  get closed(): Error | null {
    return this.#closed;
  }

  /** True when Lanyard closed it, as opposed to the server. */
  get released(): boolean {
    return this.#released;
  }

  /** Requests in flight. */
  get busy(): number {
    return this.#pending.size;
  }

  /** True when nobody would miss it now. */
  get idle(): boolean {
    return this.#pending.size + this.subscribed.size === 0;
  }

  /**
   * Sends a request and waits for its answer, at most `limitMs` (0: as long as the exchange lives). Rejects with Fault
   * `upstream_unavailable` when the server certainly did not act on it, `upstream_timeout` or any error when it may have.
   */
  request(method: string, params: JsonObject, exchange: Exchange, limitMs: number): Promise<Answer> {
    const id = ++this.#lastId;
    this.lastUsedMs = this.#clock.nowMs();
    if (exchange.signal.aborted) return Promise.reject(new Fault("upstream_unavailable", `the call was cancelled before it was sent: ${whyCancelled(exchange.signal)}`));
    return new Promise((resolve, reject) => {
      const settle = () => {
        this.#pending.delete(id);
        timer?.cancel();
        exchange.signal.removeEventListener("abort", abort);
      };
      const cancel = (why: Error) => {
        settle();
        this.#link.cancel(id, why.message);
        reject(why);
      };
      const abort = () => cancel(new Fault("uncertain", whyCancelled(exchange.signal)));
      const late = () => cancel(new Fault("upstream_timeout", `no answer within the time limit (${limitMs} ms)`));
      const timer = limitMs > 0 ? this.#clock.after(Math.min(limitMs, maxWaitMs), late) : null;
      exchange.signal.addEventListener("abort", abort, { once: true });
      this.#pending.set(id, {
        method,
        exchange,
        resolve: (answer) => {
          settle();
          resolve(answer);
        },
        reject: (why) => {
          settle();
          reject(why);
        },
      });
      this.#link.send(this.#address({ jsonrpc: "2.0", id, method, params }, exchange)).catch((why: unknown) => this.#pending.get(id)?.reject(why));
    });
  }

  notify(method: string, params: JsonObject): void {
    const message: RpcNotification = { jsonrpc: "2.0", method, params };
    this.#link.send(message).catch(() => {});
  }

  /** Closes it without giving the server time for anything more. */
  async kill(): Promise<void> {
    this.#link.kill?.();
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#released = true;
    this.#end(new Error("closed by Lanyard"), null);
    await this.#link[Symbol.asyncDispose]();
  }

  /** Puts `_meta` into the words of the server's lifecycle; a progress token becomes ours, since clients' tokens may clash. */
  #address(request: RpcRequest, exchange: Exchange): RpcRequest {
    if (!this.#introduction) return request;
    const { _meta, ...rest } = request.params ?? {};
    const meta = isObject(_meta) ? _meta : {};
    const wantsProgress = meta["progressToken"] !== undefined;
    if (this.#introduction.era === "stateless") {
      const { info = lanyardIdentity, capabilities = {} } = exchange.client ?? {};
      const said = { [metaKeys.clientInfo]: info, [metaKeys.capabilities]: capabilities, ...meta };
      const ours = { [metaKeys.version]: statelessVersion, ...(wantsProgress && { progressToken: request.id }) };
      return { ...request, params: { ...rest, _meta: { ...said, ...ours } } };
    }
    const kept = Object.fromEntries(Object.entries(meta).filter(([key]) => !protocolKeys.has(key)));
    if (wantsProgress) kept["progressToken"] = request.id;
    return { ...request, params: Object.keys(kept).length > 0 ? { ...rest, _meta: kept } : rest };
  }

  #receive(message: RpcMessage, about: RpcId | null): void {
    if (isResponse(message)) {
      this.#meant(message.id, about)?.resolve("result" in message ? { result: message.result } : { error: message.error });
    } else if (isRequest(message)) void this.#answer(message, about);
    else this.#heed(message, about);
  }

  /**
   * The open request that `id` names. Invariant: what comes on a request's own stream is about no other, since sessions share the
   * connection to a stateless server and may not hear of, or answer, each other's calls.
   */
  #meant(id: Json | undefined, about: RpcId | null): Pending | undefined {
    return typeof id === "number" && (about === null || about === id) ? this.#pending.get(id) : undefined;
  }

  #garbled(why: Error, about: RpcId | null): void {
    const doubted = about === null ? [...this.#pending.values()] : [this.#pending.get(about)];
    for (const pending of doubted) pending?.reject(new Fault("uncertain", `the server's answer could not be read: ${why.message}`));
  }

  /** A request of the server to the client. Invariant: it reaches only the session whose call is open. */
  async #answer({ id, method, params }: RpcRequest, about: RpcId | null): Promise<void> {
    const answer = await this.#ask(method, params ?? {}, about).then((result) => ({ result: isObject(result) ? result : {} }), toAnswer);
    this.#link.send(respond(id, answer)).catch(() => {});
  }

  #ask(method: string, params: JsonObject, about: RpcId | null): Promise<Json> {
    if (method === "ping") return Promise.resolve({});
    const open = this.#open(about);
    if (open) return open.ask(method, params);
    return Promise.reject(new RpcError(rpcCodes.methodNotFound, `\`${method}\` needs an open call of the client to belong to`));
  }

  #heed({ method, params = {} }: RpcNotification, about: RpcId | null): void {
    if (method === "notifications/progress") {
      const { progressToken, progress, total, message } = params;
      const pending = this.#meant(progressToken, about);
      if (typeof progress === "number") {
        pending?.exchange.progress({ progress, ...(typeof total === "number" && { total }), ...(typeof message === "string" && { message }) });
      }
      return;
    }
    if (method === "notifications/cancelled") return this.#withdrawn(this.#meant(params["requestId"], about));
    const listening = this.#meant(objectMeta(params)[metaKeys.subscription], about);
    const open = listening?.exchange ?? (isNotice(method) ? null : this.#open(about));
    if (open) open.notify(method, params);
    else this.onNotice(method, params);
  }

  /** A server ends a subscription by cancelling it (2026-07-28, basic/patterns/cancellation); nothing else of ours is its to cancel. */
  #withdrawn(pending: Pending | undefined): void {
    if (pending?.method === "subscriptions/listen") pending.resolve({ result: {} });
  }

  #open(about: RpcId | null): Exchange | null {
    // Said of a request that is over: nobody's, above all not another session's who shares the connection.
    if (about !== null) return this.#pending.get(about)?.exchange ?? null;
    return [...this.#pending.values()].findLast(({ method }) => method !== "subscriptions/listen")?.exchange ?? null;
  }

  #end(why: Error, but: RpcId | null): void {
    if (this.#closed) return;
    this.#closed = why;
    for (const [id, pending] of [...this.#pending]) if (id !== but) pending.reject(why instanceof Fault ? why : new Fault("uncertain", why.message));
    this.onClose(why);
  }
}

const whyCancelled = ({ reason }: AbortSignal): string => (reason instanceof Fault ? reason.message : "the client cancelled the call");

const protocolKeys: ReadonlySet<string> = new Set([metaKeys.version, metaKeys.clientInfo, metaKeys.capabilities, metaKeys.logLevel]);
const notices = /^notifications\/(tools|prompts|resources)\/(list_changed|updated)$/;
const isNotice = (method: string): boolean => notices.test(method);
const objectMeta = (params: JsonObject): JsonObject => (isObject(params["_meta"]) ? params["_meta"] : {});
