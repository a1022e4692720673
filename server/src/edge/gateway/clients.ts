import { Fault, isObject, type Json, type JsonObject } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import type { ClientFacts } from "../../base/exchange.ts";
import type { Limits } from "../../base/limits.ts";
import { RpcError, rpcCodes, type RpcId, type RpcMessage, type RpcResponse } from "../../base/rpc.ts";
import type { Visitor } from "./visitor.ts";
import { mayBeAsked } from "./line.ts";

interface Asked {
  resolve(answer: Json): void;
  reject(why: Error): void;
}

/** A stateful client between its `initialize` and its end: an MCP session over HTTP, or a stdio connection. */
export class StatefulClient {
  readonly id: string;
  readonly session: string;
  readonly audience: string;
  readonly facts: ClientFacts;
  /** Resources it has subscribed to. */
  readonly watching = new Set<string>();
  /** As set by `logging/setLevel`. */
  logLevel: string | null = null;
  lastSeenMs: number;
  readonly #limits: Limits;
  readonly #asked = new Map<RpcId, Asked>();
  readonly #calls = new Map<RpcId, AbortController>();
  readonly #ends = new Set<() => void>();
  #asks = 0;

  constructor({ clock, limits }: { clock: Clock; limits: Limits }, { principal, audience }: Visitor, facts: ClientFacts) {
    this.id = clock.id("mcp");
    this.session = principal.session;
    this.audience = audience;
    this.facts = facts;
    this.lastSeenMs = clock.nowMs();
    this.#limits = limits;
  }

  get busy(): boolean {
    return this.#calls.size > 0 || this.#ends.size > 0;
  }

  /** Puts a server's question to the client over `send`. Rejects with RpcError when it cannot or will not answer. */
  async ask(method: string, params: JsonObject, send: (message: RpcMessage) => void): Promise<Json> {
    mayBeAsked(this.facts, method);
    if (this.#asked.size >= this.#limits.asks) throw new RpcError(rpcCodes.internal, `over the limit asks (${this.#limits.asks})`);
    const id = `lanyard_${++this.#asks}`;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      send({ jsonrpc: "2.0", id, method, params });
    });
  }

  /** The client's answer to a question; one to no question is ignored. */
  settle(response: RpcResponse): void {
    const asked = response.id === null ? undefined : this.#asked.get(response.id);
    if (!asked || response.id === null) return;
    this.#asked.delete(response.id);
    if ("result" in response) asked.resolve(response.result);
    else asked.reject(new RpcError(response.error.code, response.error.message, response.error.data));
  }

  /** Registers a request in flight, so that it can be cancelled. Throws RpcError when its id is in use. */
  begin(id: RpcId): AbortSignal {
    if (this.#calls.has(id)) throw new RpcError(rpcCodes.invalidRequest, `request id \`${String(id).slice(0, 100)}\` is already in use`);
    const stop = new AbortController();
    this.#calls.set(id, stop);
    return stop.signal;
  }

  finish(id: RpcId): void {
    this.#calls.delete(id);
  }

  cancel(params: JsonObject | undefined): void {
    const id = params?.["requestId"];
    if (typeof id === "string" || typeof id === "number") this.#calls.get(id)?.abort();
  }

  /** Runs `task` when the client ends. */
  atEnd(task: () => void): Disposable {
    this.#ends.add(task);
    return { [Symbol.dispose]: () => void this.#ends.delete(task) };
  }

  /** Cancels what is in flight and leaves no question open. */
  end(): void {
    for (const stop of this.#calls.values()) stop.abort();
    for (const asked of this.#asked.values()) asked.reject(new RpcError(rpcCodes.internal, "the client is gone"));
    this.#asked.clear();
    for (const task of [...this.#ends]) task();
  }
}

/** What a client says of itself in `initialize`. */
export const introducedBy = (params: JsonObject, version: string): ClientFacts => ({
  version,
  info: isObject(params["clientInfo"]) ? params["clientInfo"] : {},
  capabilities: isObject(params["capabilities"]) ? params["capabilities"] : {},
});

/** The stateful clients of the HTTP face, by the id in `Mcp-Session-Id`. */
export class Clients {
  readonly #options: { readonly clock: Clock; readonly limits: Limits };
  readonly #clients = new Map<string, StatefulClient>();

  constructor(options: { readonly clock: Clock; readonly limits: Limits }) {
    this.#options = options;
  }

  /** Adds a client. When there are too many, one that is idle makes room. */
  open(visitor: Visitor, facts: ClientFacts): StatefulClient {
    const limit = this.#options.limits.client_sessions;
    if (this.#clients.size >= limit) {
      const idle = this.#dispensable(visitor.principal.session);
      if (!idle) throw new Fault("limit_exceeded", `over the limit client_sessions (${limit})`);
      this.close(idle);
    }
    const client = new StatefulClient(this.#options, visitor, facts);
    this.#clients.set(client.id, client);
    return client;
  }

  /** The client idle longest: of the session itself, or else of the one that has most. Nobody pushes out who has less than himself. */
  #dispensable(session: string): StatefulClient | undefined {
    const bySession = Object.groupBy(this.#clients.values(), (client) => client.session);
    const own = bySession[session]?.length ?? 0;
    const fullest = Object.values(bySession).reduce((most = [], clients = []) => (clients.length > most.length ? clients : most), []) ?? [];
    const candidates = own > 0 ? (bySession[session] ?? []) : fullest;
    return candidates.filter((client) => !client.busy).toSorted((a, b) => a.lastSeenMs - b.lastSeenMs)[0];
  }

  /** The visitor's client. Invariant: an id is worth nothing without the token of the session it was made in, at the same door. */
  find(id: string, { principal, audience }: Visitor): StatefulClient {
    const client = this.#clients.get(id);
    if (!client || client.session !== principal.session || client.audience !== audience) {
      throw new Fault("not_found", "there is no such MCP session; `initialize` again");
    }
    client.lastSeenMs = this.#options.clock.nowMs();
    return client;
  }

  close(client: StatefulClient): void {
    this.#clients.delete(client.id);
    client.end();
  }

  /** Ends all clients of a Lanyard session, or all there are. */
  drop(session?: string): void {
    for (const client of [...this.#clients.values()]) if (session === undefined || client.session === session) this.close(client);
  }
}
