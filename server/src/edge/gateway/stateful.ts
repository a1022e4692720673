import { isObject, type JsonObject } from "@lanyard/contract";
import type { Answer, Exchange } from "../../base/exchange.ts";
import { metaKeys } from "../../base/mcp.ts";
import { RpcError, rpcCodes, type RpcNotification, type RpcRequest } from "../../base/rpc.ts";
import { quiet } from "../../stages/execution/handshake.ts";
import type { Ear } from "./announcements.ts";
import type { StatefulClient } from "./clients.ts";
import { severities } from "./line.ts";
import type { Visitor } from "./visitor.ts";
import type { Gateway } from "./gateway.ts";

/** Answers a request of a stateful client after its `initialize`: what depends on that client's state is done here. */
export async function answerStateful(gateway: Gateway, client: StatefulClient, visitor: Visitor, request: RpcRequest, exchange: Exchange): Promise<Answer> {
  const { method, params = {} } = request;
  if (method === "initialize") throw new RpcError(rpcCodes.invalidRequest, "the session is initialized already");
  if (method === "logging/setLevel") return setLevel(gateway, client, visitor, params);
  const uri = typeof params["uri"] === "string" ? params["uri"] : null;
  if (method === "resources/unsubscribe" && uri !== null && client.watching.delete(uri)) {
    if (gateway.announcements.watched(client.session, uri, client.watching)) return { result: {} }; // Another client of the session goes on.
  }
  if (method === "resources/subscribe" && uri !== null && !client.watching.has(uri) && client.watching.size >= gateway.options.limits.subscriptions) {
    throw new RpcError(rpcCodes.invalidRequest, `over the limit subscriptions (${gateway.options.limits.subscriptions})`);
  }
  const answer = await gateway.answer(visitor, client.logLevel === null ? request : withLevel(request, client.logLevel), exchange);
  if (method === "resources/subscribe" && uri !== null && "result" in answer) client.watching.add(uri);
  return answer;
}

/** Stateful servers are told; stateless ones get the level with each request (2026-07-28, changelog, major change 5). */
async function setLevel(gateway: Gateway, client: StatefulClient, { servers, principal }: Visitor, params: JsonObject): Promise<Answer> {
  const { upstreams, limits, log } = gateway.options;
  const { level } = params;
  if (typeof level !== "string" || !severities.includes(level)) throw new RpcError(rpcCodes.invalidParams, `\`params.level\` is none of ${severities.join(", ")}`);
  let last: Answer = { result: {} };
  for (const server of servers) {
    try {
      const { era, capabilities } = await upstreams.introduction(server);
      if (era === "stateless" || !isObject(capabilities["logging"])) continue;
      last = await (await upstreams.connect(server, principal.session)).request("logging/setLevel", { level }, quiet, limits.handshake_ms);
    } catch (error) {
      if (servers.length === 1) throw error;
      log.warn("server.unavailable", { server, error });
    }
  }
  if ("result" in last) client.logLevel = level;
  return last;
}

function withLevel(request: RpcRequest, level: string): RpcRequest {
  const meta = isObject(request.params?.["_meta"]) ? request.params["_meta"] : {};
  return { ...request, params: { ...request.params, _meta: { [metaKeys.logLevel]: level, ...meta } } };
}

/**
 * A notification of a stateful client. Invariant: none is passed on to a server. A message without an id is answered by nobody, so it
 * cannot be refused, and a server that does not look at ids would act on a `tools/call` that way, undecided.
 */
export function heedStateful(client: StatefulClient, { method, params }: RpcNotification): void {
  if (method === "notifications/cancelled") client.cancel(params);
}

/**
 * Opens the client's ear for what is announced outside its calls. Stateless servers announce only what they are asked to, so they are
 * asked; a server out of reach is left out.
 */
export function hearStateful(gateway: Gateway, client: StatefulClient, { servers, principal }: Visitor, ear: Pick<Ear, "hear" | "end">): Disposable {
  const { upstreams, log } = gateway.options;
  for (const server of servers) {
    upstreams
      .introduction(server)
      .then(({ era }) => (era === "stateless" ? upstreams.watch(server, principal.session, null) : undefined))
      .catch((error: unknown) => log.warn("server.unavailable", { server, error }));
  }
  return gateway.announcements.add({ session: principal.session, servers, watching: client.watching, ...ear });
}
