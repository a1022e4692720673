import { Fault, type JsonObject } from "@lanyard/contract";
import type { Answer, Era, Exchange } from "../../base/exchange.ts";
import { isList } from "../../base/mcp.ts";
import type { InboundCall } from "../../base/path.ts";
import { RpcError, rpcCodes, type RpcRequest } from "../../base/rpc.ts";
import { Announcements } from "./announcements.ts";
import type { Visitor, GatewayOptions } from "./visitor.ts";
import { Clients } from "./clients.ts";
import { Directory } from "./directory.ts";
import { discovery } from "./greeting.ts";
import { Parking } from "./parking.ts";
import { route } from "./route.ts";
import { inEra, toWire } from "./translate.ts";

/** The era-neutral middle between the faces and the path of an action. Disposing it ends all its clients. */
export class Gateway implements AsyncDisposable {
  readonly options: GatewayOptions;
  readonly clients: Clients;
  readonly directory: Directory;
  readonly announcements: Announcements;
  readonly parking: Parking;

  constructor(options: GatewayOptions) {
    this.options = options;
    this.clients = new Clients(options);
    this.directory = new Directory(options);
    this.announcements = new Announcements(options.upstreams, this.directory);
    this.parking = new Parking(options);
  }

  /**
   * The visitor behind a token at a door: `mcp` or `mcp/<server>`. Throws the Faults of `identify`, and `not_found` for a server that
   * is none or that the visitor may not use: the two look the same from outside.
   */
  visitor(token: string | null, audience: string, era: Era): Visitor {
    const { identify, serversOf, upstreams } = this.options;
    const principal = identify(token, audience);
    const all = serversOf ? serversOf(principal).toSorted() : upstreams.servers;
    if (audience === "mcp") return { token, audience, principal, servers: all, era };
    const server = audience.slice("mcp/".length);
    if (!all.includes(server)) throw new Fault("not_found", `there is no server \`${server.slice(0, 100)}\``);
    return { token, audience, principal, servers: [server], era };
  }

  /** Answers any request that is neither `initialize` nor a subscription. Throws Fault or RpcError for the face to write. */
  async answer(visitor: Visitor, request: RpcRequest, exchange: Exchange): Promise<Answer> {
    const { method, params = {} } = request;
    if (isList(method) || method === "server/discover") this.#notStopped(visitor);
    if (isList(method)) return this.directory.list(visitor, method, params, exchange);
    if (method === "server/discover" && visitor.era === "stateless") return { result: await discovery(this.options, visitor) };
    if (statefulOnly.has(method) && visitor.era === "stateless") {
      throw new RpcError(rpcCodes.methodNotFound, `\`${method}\` is not part of this version of MCP`);
    }
    if (method === "ping") return { result: {} };
    if (visitor.era === "stateless") return this.parking.call(visitor, request, exchange, (open) => this.call(visitor, request, open));
    return this.call(visitor, request, exchange);
  }

  /** Puts a request that names something at a server onto the path of an action. */
  async call(visitor: Visitor, { method, params = {} }: RpcRequest, exchange: Exchange): Promise<Answer> {
    const { token, audience } = visitor;
    const [only, second] = visitor.servers;
    const single = only !== undefined && second === undefined;
    const destination = single ? direct(only, method, params) : await this.#route(visitor, method, params, exchange);
    const reply = await this.options.mediate({ token, audience, method, exchange, ...destination });
    return inEra(visitor.era, method, toWire(method, reply));
  }

  /** A server that is stopped shows nothing any more, which must not hide that it is. */
  async #route(visitor: Visitor, method: string, params: JsonObject, exchange: Exchange): ReturnType<typeof route> {
    try {
      return await route(this.directory, visitor, method, params, exchange);
    } catch (error) {
      this.#notStopped(visitor);
      throw error;
    }
  }

  #notStopped({ principal }: Visitor): void {
    const stopped = this.options.stopOf?.(principal);
    if (stopped) throw stopped;
  }

  /** A session is stopped: nothing is told to it any more and nothing waits for it; it can still ask, and is refused. */
  async sever(session: string): Promise<void> {
    this.announcements.end(session);
    this.parking.drop(session);
    await this.options.upstreams.release(session, "kill");
  }

  /** What tools are shown has changed by Lanyard's own doing: a new policy, an approval in the catalog. */
  toolsChanged(server?: string): void {
    this.announcements.toolsChanged(server);
  }

  /** A Lanyard session has ended: whatever it had open or parked goes with it. */
  async ended(session: string): Promise<void> {
    this.clients.drop(session);
    this.announcements.end(session);
    this.parking.drop(session);
    this.directory.forget(session);
    await this.options.upstreams.release(session);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.clients.drop();
    this.announcements.end();
    this.parking.drop();
  }
}

/** With one server nothing is looked up and nothing renamed. */
function direct(server: string, method: string, params: NonNullable<RpcRequest["params"]>): Pick<InboundCall, "server" | "tool" | "params"> {
  if (method !== "tools/call") return { server, params };
  const { name } = params;
  if (typeof name !== "string") throw new RpcError(rpcCodes.invalidParams, "`params.name` of `tools/call` is not a string");
  return { server, params, tool: name };
}

/** Removed in 2026-07-28 (changelog, major changes 2 to 5). */
const statefulOnly: ReadonlySet<string> = new Set(["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"]);
