import { createHash } from "node:crypto";
import { Fault, isObject, webServer, type Action, type Json, type JsonObject } from "@lanyard/contract";
import { canonicalize } from "@lanyard/ledger";
import { limits } from "../base/limits.ts";
import type { InboundCall } from "../base/path.ts";

/** Step 2: a request as some face read it -> the Action that is decided, recorded and carried out. Throws Fault `malformed_call`. */
export function normalise({ server, method, tool, params }: InboundCall): Action {
  if (server === webServer && tool !== undefined) {
    const name = `${webServer}/${tool}`;
    return { protocol: "http", server, method, tool, name, args: params, params, digest: digestOf(name, params, undefined) };
  }
  const isTool = method === "tools/call";
  const name = isTool ? `${server}/${tool ?? ""}` : `${server}/mcp:${method}`;
  if (isTool && !tool) throw new Fault("malformed_call", "`tools/call` without the name of a tool");
  if (name.length > limits.name_chars.value) {
    throw new Fault("malformed_call", `a name of ${name.length} characters is over the limit name_chars (${limits.name_chars.value})`);
  }
  const { name: _name, arguments: _arguments, ...others } = withoutMeta(params);
  const args = isTool ? argumentsOf(params) : withoutMeta(params);
  const beside = isTool && Object.keys(others).length > 0 ? { beside: others } : {};
  return { protocol: "mcp", server, method, ...(tool !== undefined && { tool }), name, args, ...beside, params, digest: digestOf(name, args, beside.beside) };
}

function argumentsOf(params: JsonObject): JsonObject {
  const args: Json | undefined = Object.hasOwn(params, "arguments") ? params["arguments"] : undefined;
  if (args === undefined) return {};
  if (!isObject(args)) throw new Fault("malformed_call", "`params.arguments` of `tools/call` is not an object");
  return args;
}

/** `_meta` is the transport's (progress token, trace, client info); it says nothing about what is asked for. */
function withoutMeta(params: JsonObject): JsonObject {
  const { _meta, ...rest } = params;
  return rest;
}

/**
 * RFC 8785 makes equal calls equal bytes, whatever the order of their keys; it refuses lone surrogates, which have no UTF-8 form. What else
 * a tool call carries (answers to a server's questions, extensions) is passed on, so an approval must bind to it as well.
 */
function digestOf(action: string, args: JsonObject, params: JsonObject | undefined): string {
  try {
    const bound: JsonObject = params ? { action, args, params } : { action, args };
    return createHash("sha256").update(canonicalize(bound, "doubles")).digest("base64url");
  } catch (cause) {
    throw new Fault("malformed_call", `the arguments of \`${action}\` have no canonical form: a lone surrogate, a number JSON cannot carry, or nesting without end`, { cause });
  }
}
