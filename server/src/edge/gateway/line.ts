import { isObject, type Json, type JsonObject } from "@lanyard/contract";
import type { ClientFacts, Era, Exchange } from "../../base/exchange.ts";
import { metaKeys } from "../../base/mcp.ts";
import { RpcError, rpcCodes, type RpcMessage, type RpcRequest } from "../../base/rpc.ts";

/** RFC 5424 severities, least first: what MCP's log levels are. */
export const severities: readonly string[] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

const neededFor: ReadonlyMap<string, string> = new Map([
  ["elicitation/create", "elicitation"],
  ["sampling/createMessage", "sampling"],
  ["roots/list", "roots"],
]);

/** Throws RpcError when the client did not declare that it can answer such a question. */
export function mayBeAsked({ capabilities }: ClientFacts, method: string): void {
  const needed = neededFor.get(method);
  if (needed !== undefined && !isObject(capabilities[needed])) throw new RpcError(rpcCodes.methodNotFound, `the agent's client does not offer \`${needed}\``);
}

export interface LineOptions {
  readonly era: Era;
  readonly client: ClientFacts;
  readonly request: RpcRequest;
  readonly signal: AbortSignal;
  send(message: RpcMessage): void;
  ask(method: string, params: JsonObject): Promise<Json>;
  release?(): void;
}

/** The exchange of one request: what its server says meanwhile, in the words of the client's lifecycle and with the client's own token. */
export function openLine({ era, client, request, signal, send, ask, release }: LineOptions): Exchange {
  const meta = isObject(request.params?.["_meta"]) ? request.params["_meta"] : {};
  const { progressToken } = meta;
  let last = Number.NEGATIVE_INFINITY;
  const notify = (method: string, params: JsonObject) => send({ jsonrpc: "2.0", method, params });
  return {
    era,
    client,
    signal,
    ask,
    ...(release && { release }),
    progress: (update) => {
      if ((typeof progressToken !== "string" && typeof progressToken !== "number") || update.progress <= last) return;
      last = update.progress;
      notify("notifications/progress", { progressToken, ...update });
    },
    notify: (method, params) => {
      if (method === "notifications/message" && era === "stateless" && !wanted(meta[metaKeys.logLevel], params["level"])) return;
      notify(method, params);
    },
  };
}

/** A stateless client gets log messages only for requests that asked for them (2026-07-28, server/utilities/logging). */
const wanted = (from: Json | undefined, level: Json | undefined): boolean =>
  typeof from === "string" && typeof level === "string" && severities.indexOf(level) >= Math.max(0, severities.indexOf(from));
