import { Fault, isObject, type Action, type Json, type JsonObject, type Principal } from "@lanyard/contract";
import type { Answer, Exchange } from "../../base/exchange.ts";
import type { Limits } from "../../base/limits.ts";
import type { Pin } from "../../base/path.ts";
import { RpcError, rpcCodes } from "../../base/rpc.ts";
import type { Connection } from "./connection.ts";
import type { Upstreams } from "./upstreams.ts";

interface Executor {
  readonly upstreams: Upstreams;
  readonly limits: Limits;
  /** What the catalog says of a tool at this moment. */
  pin(server: string, tool: string): Pick<Pin, "refuse">;
}

/**
 * Step 9: carries an action out at its server, whatever lifecycle either end speaks. Throws Fault `upstream_unavailable` only when the
 * server certainly never acted on it, `quarantined` when its definition changed after the decision; `upstream_timeout`, `uncertain` or
 * anything else when it may have.
 */
export async function execute({ upstreams, limits, pin }: Executor, action: Action, principal: Principal, exchange: Exchange): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    const connection = await upstreams.connect(action.server, principal.session);
    // A connection that was opened for this very call may have shown something else than what was decided on.
    const refuse = action.tool === undefined ? null : pin(action.server, action.tool).refuse;
    if (refuse) throw new Fault("quarantined", refuse.text);
    try {
      return await carry(upstreams, connection, action, principal, exchange, limits);
    } catch (error) {
      // A server that died or forgot its session while nobody looked: it cannot have seen the call, so one more try is safe.
      const missed = error instanceof Fault && error.code === "upstream_unavailable" && connection.closed !== null;
      if (!missed || attempt > 1 || exchange.signal.aborted) throw error;
    }
  }
}

async function carry(upstreams: Upstreams, connection: Connection, action: Action, principal: Principal, exchange: Exchange, limits: Limits): Promise<Answer> {
  const { method, params } = action;
  if (connection.introduction.era === "stateless") {
    if (method === "resources/subscribe" || method === "resources/unsubscribe") return subscribe(upstreams, action, principal, exchange);
    if (exchange.era === "stateful") return askAndRetry(connection, action, exchange, limits);
  }
  const named = method === "tools/call" && action.tool !== undefined ? { ...params, name: action.tool } : params;
  const answer = await connection.request(method, named, exchange, limits.call_ms);
  if (typeof params["uri"] === "string" && "result" in answer) {
    if (method === "resources/subscribe") connection.subscribed.add(params["uri"]);
    if (method === "resources/unsubscribe") connection.subscribed.delete(params["uri"]);
  }
  return answer;
}

/** A stateful client subscribes with a request, a stateless server is listened to. */
async function subscribe(upstreams: Upstreams, { server, method, params }: Action, { session }: Principal, { signal }: Exchange): Promise<Answer> {
  const { uri } = params;
  if (signal.aborted) throw new Fault("upstream_unavailable", "the call was cancelled before it was sent");
  if (typeof uri !== "string") return { error: { code: rpcCodes.invalidParams, message: "`uri` is not a string" } };
  await (method === "resources/subscribe" ? upstreams.watch(server, session, uri) : upstreams.unwatch(server, session, uri));
  return { result: {} };
}

/** A stateless server's `input_required` becomes requests to a stateful client and a retry at the server, all within one action. */
async function askAndRetry(connection: Connection, action: Action, exchange: Exchange, limits: Limits): Promise<Answer> {
  let params: JsonObject = action.tool === undefined ? action.params : { ...action.params, name: action.tool };
  for (let round = 0; round < limits.ask_rounds; round++) {
    const answer = await connection.request(action.method, params, exchange, limits.call_ms);
    if (!("result" in answer) || answer.result["resultType"] !== "input_required") return answer;
    const { inputRequests, requestState } = answer.result;
    const inputResponses = isObject(inputRequests) ? await collect(inputRequests, exchange, limits) : null;
    const { inputResponses: _old, requestState: _state, ...rest } = params;
    params = { ...rest, ...(inputResponses && { inputResponses }), ...(typeof requestState === "string" && { requestState }) };
  }
  throw new Fault("uncertain", `the server asked for input more than the limit ask_rounds (${limits.ask_rounds}) times`);
}

async function collect(inputRequests: JsonObject, exchange: Exchange, limits: Limits): Promise<JsonObject> {
  const asked = Object.entries(inputRequests);
  if (asked.length > limits.asks) throw new Fault("uncertain", `the server asked more than the limit asks (${limits.asks}) questions at once`);
  const answered = asked.map(async ([key, request]): Promise<[string, Json]> => {
    if (!isObject(request) || typeof request["method"] !== "string") throw new RpcError(rpcCodes.invalidRequest, `input request \`${key}\` is not a request`);
    return [key, await exchange.ask(request["method"], isObject(request["params"]) ? request["params"] : {})];
  });
  return Object.fromEntries(await Promise.all(answered)); // fromEntries, since a key may be `__proto__`.
}
