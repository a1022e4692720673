import { Fault, isObject, type Json, type JsonObject, type ToolDefinition } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import type { Exchange } from "../../base/exchange.ts";
import { learnHeaders } from "../../base/headers.ts";
import type { Limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import { lists, type Introduction, type ListMethod } from "../../base/mcp.ts";
import { weigh } from "../../base/weigh.ts";
import type { Connection, ServerNotice } from "./connection.ts";
import { quiet } from "./handshake.ts";
import { Places } from "./places.ts";
import { Upstream, type UpstreamSpec } from "./upstream.ts";
import { watch, type Watch } from "./watch.ts";

/** A whole list of one server: all pages' items, and the first page's other fields. */
export interface Listing {
  readonly server: string;
  readonly items: readonly JsonObject[];
  readonly rest: JsonObject;
}

export interface UpstreamState {
  readonly server: string;
  readonly kind: "stdio" | "http";
  /** Null when the server was never reached. */
  readonly version: string | null;
  readonly failures: number;
  readonly connections: number;
}

type Listener = (server: string, ...notice: Parameters<ServerNotice>) => void;

/** All servers, and which session holds which connection to them. */
export class Upstreams implements AsyncDisposable {
  readonly #options: UpstreamsOptions;
  readonly #upstreams: ReadonlyMap<string, Upstream>;
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #watches = new Map<string, Promise<Watch>>();
  #reaper: { cancel(): void } | null = null;

  constructor(options: UpstreamsOptions) {
    this.#options = options;
    const show = async (server: string, connection: Connection): Promise<void> => void (await this.#list(server, connection, "tools/list", quiet));
    const notice = (session: string, server: string, method: string, params: JsonObject) => this.#emit(session, server, method, params);
    const open = () => [...this.#upstreams.values()].flatMap((server) => server.open);
    const places = new Places({ ...options, open });
    const tools = { ...options, show, notice, place: (session: string | null) => places.take(session) };
    this.#upstreams = new Map(options.servers.map((spec) => [spec.name, new Upstream(tools, spec)]));
    this.#reap();
  }

  /** Names, sorted. */
  get servers(): readonly string[] {
    return [...this.#upstreams.keys()].sort();
  }

  /** Starts the warm spares, without waiting for them. */
  warm(): void {
    for (const server of this.#upstreams.values()) server.warm();
  }

  state(): readonly UpstreamState[] {
    return this.servers.map((name) => {
      const { spec, known, failures, connections } = this.#server(name);
      return { server: name, kind: "url" in spec ? "http" : "stdio", version: known?.version ?? null, failures, connections };
    });
  }

  /** How a server introduces itself. Throws Fault `upstream_unavailable`. */
  introduction(server: string): Promise<Introduction> {
    return this.#server(server).introduction();
  }

  /** The session's connection. Throws Fault `upstream_unavailable`. */
  connect(server: string, session: string): Promise<Connection> {
    return this.#server(server).connect(session);
  }

  /** Makes the catalog see the tools of a server, without a session. Throws what `list` throws. */
  async probe(server: string): Promise<void> {
    await this.#server(server).spare();
  }

  /** All pages of a list as the session sees it. Throws Fault `upstream_unavailable`, `limit_exceeded` or `result_withheld`. */
  async list(server: string, session: string, method: ListMethod, exchange: Exchange): Promise<Listing> {
    return this.#list(server, await this.connect(server, session), method, exchange);
  }

  /** Calls back for what the session's servers announce: changed lists, updated resources, messages outside any call. */
  follow(session: string, listener: Listener): Disposable {
    const listeners = this.#listeners.get(session) ?? new Set();
    this.#listeners.set(session, listeners.add(listener));
    return {
      [Symbol.dispose]: () => {
        listeners.delete(listener);
        if (listeners.size === 0) this.#listeners.delete(session);
      },
    };
  }

  /**
   * Makes a stateless server announce changes to the session: of its lists when `uri` is null, else of one resource. Stateful servers
   * announce list changes unasked and are subscribed to with a request, so for them there is nothing to do.
   */
  async watch(server: string, session: string, uri: string | null): Promise<void> {
    const connection = await this.connect(server, session);
    if (connection.introduction.era === "stateful") return;
    const key = watchKey(session, server, uri);
    if (this.#watches.has(key)) return;
    const { clock, limits } = this.#options;
    const filter = uri === null ? listFilter(connection.introduction.capabilities) : { resourceSubscriptions: [uri] };
    if (Object.keys(filter).length === 0) return;
    const watching = watch(connection, filter, clock, limits.handshake_ms, (...notice) => this.#emit(session, server, ...notice));
    this.#watches.set(key, watching);
    try {
      await watching;
    } catch (error) {
      this.#watches.delete(key);
      throw error;
    }
  }

  /** Ends a watch. At a stateful server it takes a resource's subscription back. */
  async unwatch(server: string, session: string, uri: string | null): Promise<void> {
    const key = watchKey(session, server, uri);
    const watching = this.#watches.get(key);
    this.#watches.delete(key);
    (await watching?.catch(() => null))?.end();
    const connection = await this.#server(server).opened(session);
    if (uri === null || connection?.introduction.era !== "stateful") return;
    connection.subscribed.delete(uri);
    await connection.request("resources/unsubscribe", { uri }, quiet, this.#options.limits.handshake_ms).catch(() => {});
  }

  /** Ends all connections of a server: the next ones are given what is good now. */
  async renew(server: string, end?: "kill"): Promise<void> {
    await this.#upstreams.get(server)?.renew(end);
  }

  /** A session has ended: so do its connections and the processes behind them. */
  async release(session: string, end?: "kill"): Promise<void> {
    this.#listeners.delete(session);
    for (const [key, watching] of this.#watches) {
      if (!key.startsWith(`${session}\n`)) continue;
      this.#watches.delete(key);
      (await watching.catch(() => null))?.end();
    }
    await Promise.all([...this.#upstreams.values()].map((server) => server.release(session, end)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#reaper?.cancel();
    await Promise.all([...this.#upstreams.values()].map((server) => server[Symbol.asyncDispose]()));
  }

  /** Invariant: no list of tools leaves here before the catalog has seen it. */
  async #list(server: string, connection: Connection, method: ListMethod, exchange: Exchange): Promise<Listing> {
    const listing = await this.#pages(server, connection, method, exchange);
    if (method === "tools/list") await this.#options.seen(server, listing.items as unknown as readonly ToolDefinition[]);
    return listing;
  }

  async #pages(server: string, connection: Connection, method: ListMethod, exchange: Exchange): Promise<Listing> {
    const { items: key, capability } = lists[method];
    if (!isObject(connection.introduction.capabilities[capability])) return { server, items: [], rest: {} };
    const { limits } = this.#options;
    const items: Json[] = [];
    let bytes = 0;
    let rest: JsonObject | null = null;
    let cursor: Json | undefined;
    do {
      const answer = await connection.request(method, cursor === undefined ? {} : { cursor }, exchange, limits.handshake_ms);
      if ("error" in answer && answer.error.code === -32601) break;
      if ("error" in answer) throw new Fault("upstream_unavailable", `server \`${server}\` did not answer \`${method}\`: ${answer.error.message}`);
      bytes += weigh(limits, `the list \`${method}\` of server \`${server}\``, answer.result);
      if (bytes > limits.list_bytes) throw new Fault("limit_exceeded", `server \`${server}\` lists \`${key}\` over the limit list_bytes (${limits.list_bytes} bytes)`);
      const { [key]: page, nextCursor, ...others } = answer.result;
      if (!Array.isArray(page)) throw new Fault("upstream_unavailable", `server \`${server}\` answered \`${method}\` without \`${key}\``);
      items.push(...page);
      if (items.length > limits.list_items || (page.length === 0 && nextCursor !== undefined)) {
        throw new Fault("limit_exceeded", `server \`${server}\` lists more \`${key}\` than the limit list_items (${limits.list_items})`);
      }
      rest ??= others;
      cursor = nextCursor;
    } while (typeof cursor === "string");
    learnHeaders(this.#server(server).headerMap, method, items);
    return { server, items: items.filter(isObject), rest: rest ?? {} };
  }

  #server(name: string): Upstream {
    const server = this.#upstreams.get(name);
    if (!server) throw new Fault("not_found", `there is no server \`${name.slice(0, 100)}\``);
    return server;
  }

  #emit(session: string, server: string, method: string, params: JsonObject): void {
    for (const listener of this.#listeners.get(session) ?? []) listener(server, method, params);
  }

  #reap(): void {
    this.#reaper = this.#options.clock.after(this.#options.limits.catalog_refresh_ms, () => {
      for (const server of this.#upstreams.values()) void server.reap().then(() => server.refresh());
      this.#reap();
    });
  }
}

export interface UpstreamsOptions {
  readonly servers: readonly UpstreamSpec[];
  /** All that a child process inherits from Lanyard: PATH, HOME, LANG and the like. */
  readonly environment: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly log: Log;
  /** The session at the top of a session's family: what a family holds is counted together. */
  rootOf(session: string): string;
  /** Why nothing of a server is started or asked now: it is stopped. Null when it is not. */
  stopOf?(server: string): Fault | null;
  /** Told of every list of tools that a server shows; the catalog refuses what is new or changed before this resolves. */
  seen(server: string, tools: readonly ToolDefinition[]): Promise<void>;
}

const watchKey = (session: string, server: string, uri: string | null): string => `${session}\n${server}\n${uri ?? ""}`;

/** The list changes a server can announce. */
function listFilter(capabilities: JsonObject): JsonObject {
  const has = (name: string) => isObject(capabilities[name]) && capabilities[name]["listChanged"] === true;
  const flags = { toolsListChanged: has("tools"), promptsListChanged: has("prompts"), resourcesListChanged: has("resources") };
  return Object.fromEntries(Object.entries(flags).filter(([, wanted]) => wanted));
}
