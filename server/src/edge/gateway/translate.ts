import { errors, Fault, type JsonObject } from "@lanyard/contract";
import type { Answer, Era } from "../../base/exchange.ts";
import { isCacheable } from "../../base/mcp.ts";
import { RpcError } from "../../base/rpc.ts";
import type { Reply } from "../../mediation/stages.ts";

/**
 * What came of an action, as an answer. A refused tool call is a tool result with `isError`, since that is what reaches the model in
 * every client; anything else that is refused is a JSON-RPC error.
 */
export function toWire(method: string, reply: Reply): Answer {
  if (reply.kind === "done") return reply.answer;
  const code = reply.kind === "refused" ? reply.code : "uncertain";
  if (method === "tools/call") return { result: { content: [{ type: "text", text: reply.text }], isError: true } };
  return { error: { code: errors[code].rpc, message: reply.text, data: { code, ...(reply.intent && { decision: reply.intent.id }) } } };
}

/** Puts an answer into the words of the client's lifecycle; within one lifecycle it stays as the server gave it. */
export function inEra(era: Era, method: string, answer: Answer): Answer {
  if (era === "stateful") return statefully(answer);
  if ("error" in answer) {
    // "Resource not found" was renumbered; the old code must not be emitted any more (2026-07-28, basic/index, error codes).
    return answer.error.code === -32002 ? { error: { ...answer.error, code: -32602 } } : answer;
  }
  const { result } = answer;
  const complete: JsonObject = result["resultType"] === undefined ? { resultType: "complete", ...result } : result;
  if (!isCacheable(method) || complete["resultType"] !== "complete") return { result: complete };
  // Private whatever the server says: what Lanyard lets through depends on who asks.
  return { result: { ...complete, ttlMs: typeof complete["ttlMs"] === "number" ? complete["ttlMs"] : 0, cacheScope: "private" } };
}

function statefully(answer: Answer): Answer {
  if ("error" in answer || answer.result["resultType"] === undefined) return answer;
  const { resultType: _type, ttlMs: _ttl, cacheScope: _scope, ...result } = answer.result;
  return { result };
}

const statelessStatus: Readonly<Record<number, number>> = { [-32601]: 404, [-32020]: 400, [-32021]: 400, [-32022]: 400 };

/** HTTP status of an answer that came about as it should: 200, but for the errors to which 2026-07-28 gives a status. */
export const statusOf = (era: Era, answer: Answer): number => ("error" in answer && era === "stateless" ? (statelessStatus[answer.error.code] ?? 200) : 200);

/** HTTP status of whatever was thrown instead of an answer. */
export const statusOfError = (era: Era, error: unknown): number => {
  if (error instanceof Fault) return errors[error.code].status;
  return error instanceof RpcError ? (era === "stateless" ? (statelessStatus[error.code] ?? 400) : 200) : 500;
};
