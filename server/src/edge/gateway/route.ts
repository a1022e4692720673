import { isObject, type JsonObject } from "@lanyard/contract";
import type { Exchange } from "../../base/exchange.ts";
import type { InboundCall } from "../../base/path.ts";
import { RpcError, rpcCodes } from "../../base/rpc.ts";
import type { Directory } from "./directory.ts";
import type { Visitor } from "./visitor.ts";

type Destination = Pick<InboundCall, "server" | "tool" | "params">;

/**
 * Finds the one server among several that a request names something at, and gives the thing the name its server knows. A name that
 * fits no server, or two, is an error: nothing is ever guessed. Throws RpcError.
 */
export async function route(directory: Directory, visitor: Visitor, method: string, params: JsonObject, exchange: Exchange): Promise<Destination> {
  switch (method) {
    case "tools/call": {
      const { server, name } = await directory.resolve(visitor, "tools/list", text(params, "name"), exchange);
      return { server, params, tool: name };
    }
    case "prompts/get": {
      const { server, name } = await directory.resolve(visitor, "prompts/list", text(params, "name"), exchange);
      return { server, params: { ...params, name } };
    }
    case "resources/read":
    case "resources/subscribe":
    case "resources/unsubscribe":
      return { server: await directory.serverOf(visitor, text(params, "uri"), exchange), params };
    case "completion/complete":
      return completion(directory, visitor, params, exchange);
    default: {
      const doors = visitor.servers.map((server) => `\`/mcp/${server}\``).join(" or ") || "a server's own endpoint";
      throw new RpcError(rpcCodes.methodNotFound, `\`${method}\` does not say which server it is for; use ${doors}`);
    }
  }
}

async function completion(directory: Directory, visitor: Visitor, params: JsonObject, exchange: Exchange): Promise<Destination> {
  const { ref } = params;
  if (isObject(ref) && ref["type"] === "ref/prompt") {
    const { server, name } = await directory.resolve(visitor, "prompts/list", text(ref, "name"), exchange);
    return { server, params: { ...params, ref: { ...ref, name } } };
  }
  if (isObject(ref) && ref["type"] === "ref/resource") return { server: await directory.serverOf(visitor, text(ref, "uri"), exchange), params };
  throw new RpcError(rpcCodes.invalidParams, "`params.ref` is neither a `ref/prompt` nor a `ref/resource`");
}

function text(params: JsonObject, key: string): string {
  const value = params[key];
  if (typeof value !== "string") throw new RpcError(rpcCodes.invalidParams, `\`params.${key}\` is not a string`);
  return value;
}
