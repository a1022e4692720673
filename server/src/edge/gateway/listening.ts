import { isObject, type Json, type JsonObject } from "@lanyard/contract";
import type { Answer, Exchange } from "../../base/exchange.ts";
import { metaKeys } from "../../base/mcp.ts";
import { RpcError, rpcCodes, type RpcId, type RpcMessage, type RpcRequest } from "../../base/rpc.ts";
import { changedList } from "./directory.ts";
import type { Visitor } from "./visitor.ts";
import type { Gateway } from "./gateway.ts";

/** What a client wants to hear (2026-07-28, basic/patterns/subscriptions, notification filter). */
interface Filter {
  readonly kinds: ReadonlySet<string>;
  readonly uris: readonly string[];
}

type Send = (message: RpcMessage) => void;

const flags: Readonly<Record<string, string>> = { toolsListChanged: "tools/list", promptsListChanged: "prompts/list", resourcesListChanged: "resources/list" };

/**
 * Serves one `subscriptions/listen` until the client goes away or its session ends. Each resource is asked for as an action of its own,
 * so what policy does not let the agent watch is left out of the acknowledgement. Throws RpcError for a filter that is none.
 */
export async function listen(gateway: Gateway, visitor: Visitor, request: RpcRequest, exchange: Exchange, send: Send): Promise<Answer> {
  const { kinds, uris } = filterOf(request.params?.["notifications"], gateway.options.limits.subscriptions);
  const { session } = visitor.principal;
  const watching = new Set<string>();
  let early: [string, JsonObject][] | null = [];
  const tell = (method: string, params: JsonObject) => send({ jsonrpc: "2.0", method, params: marked(params, request.id) });
  const hear = (method: string, params: JsonObject) => {
    const lists = changedList(method);
    if (lists.length > 0 ? !lists.some((list) => kinds.has(list)) : method !== "notifications/resources/updated") return;
    if (early) early.push([method, params]);
    else tell(method, params);
  };
  const over = Promise.withResolvers<void>();
  using _ear = gateway.announcements.add({ session, servers: visitor.servers, watching, hear, end: over.resolve });
  const places = new Map<string, string>();
  if (kinds.size > 0) await watchLists(gateway, visitor);
  for (const uri of uris) {
    const server = await subscribe(gateway, visitor, uri, exchange);
    if (server === null) continue;
    watching.add(uri);
    places.set(uri, server);
  }
  const agreed = Object.entries(flags).filter(([, list]) => kinds.has(list));
  tell("notifications/subscriptions/acknowledged", {
    notifications: { ...Object.fromEntries(agreed.map(([flag]) => [flag, true])), ...(watching.size > 0 && { resourceSubscriptions: [...watching] }) },
  });
  for (const one of early) tell(...one);
  early = null;
  await Promise.race([aborted(exchange.signal), over.promise]);
  for (const [uri, server] of places) {
    if (!gateway.announcements.watched(session, uri, watching)) await gateway.options.upstreams.unwatch(server, session, uri).catch(() => {});
  }
  return { result: { resultType: "complete" } };
}

function filterOf(value: Json | undefined, limit: number): Filter {
  if (!isObject(value)) throw new RpcError(rpcCodes.invalidParams, "`params.notifications` is not an object");
  const uris = value["resourceSubscriptions"] ?? [];
  if (!Array.isArray(uris) || !uris.every((uri) => typeof uri === "string")) {
    throw new RpcError(rpcCodes.invalidParams, "`resourceSubscriptions` is not a list of strings");
  }
  if (uris.length > limit) throw new RpcError(rpcCodes.invalidParams, `\`resourceSubscriptions\` is over the limit subscriptions (${limit})`);
  return { kinds: new Set(Object.entries(flags).flatMap(([flag, list]) => (value[flag] === true ? [list] : []))), uris };
}

/** Stateful servers announce changes on an open connection, stateless ones when asked to; both are seen to before the acknowledgement. */
async function watchLists({ options: { upstreams, log } }: Gateway, { servers, principal }: Visitor): Promise<void> {
  await Promise.all(
    servers.map((server) => upstreams.watch(server, principal.session, null).catch((error: unknown) => log.warn("server.unavailable", { server, error }))),
  );
}

/** The server that now announces the resource, or null: unknown, or not allowed. */
async function subscribe(gateway: Gateway, visitor: Visitor, uri: string, exchange: Exchange): Promise<string | null> {
  try {
    const [only, second] = visitor.servers;
    const server = only !== undefined && second === undefined ? only : await gateway.directory.serverOf(visitor, uri, exchange);
    const answer = await gateway.call(visitor, { jsonrpc: "2.0", id: 0, method: "resources/subscribe", params: { uri } }, exchange);
    return "result" in answer ? server : null;
  } catch (error) {
    if (error instanceof RpcError) return null;
    throw error;
  }
}

const marked = (params: JsonObject, id: RpcId): JsonObject => {
  const meta = isObject(params["_meta"]) ? params["_meta"] : {};
  return { ...params, _meta: { ...meta, [metaKeys.subscription]: id } };
};

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
