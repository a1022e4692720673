import { isUtf8 } from "node:buffer";
import { errors, Fault, inexactNumber, isObject, parseJson, type ErrorCode, type Json, type JsonObject } from "@lanyard/contract";
import type { Answer } from "./exchange.ts";

// JSON-RPC 2.0 as MCP uses it: no batches (since 2025-06-18), no null ids, params always an object.

export type RpcId = string | number;
export interface RpcRequest {
  readonly jsonrpc: "2.0";
  readonly id: RpcId;
  readonly method: string;
  readonly params?: JsonObject;
}
export interface RpcNotification {
  readonly jsonrpc: "2.0";
  readonly method: string;
  readonly params?: JsonObject;
}
/** `id` is null only in an error about a message whose id could not be read. */
export type RpcResponse = { readonly jsonrpc: "2.0"; readonly id: RpcId | null } & Answer;
export type RpcMessage = RpcRequest | RpcNotification | RpcResponse;

/**
 * What became of some bytes: a message, or why they are none and the id to answer with, if there was one. `isCall`: whoever sent it wanted
 * something, so that `id` is the sender's own and names no question of ours.
 */
export type RpcReading = { readonly message: RpcMessage } | { readonly fault: Fault; readonly id: RpcId | null; readonly isCall: boolean };

/** An error that travels as the JSON-RPC error it is, in either direction. */
export class RpcError extends Error {
  readonly code: number;
  readonly data: Json | undefined;

  constructor(code: number, message: string, data?: Json) {
    super(message);
    this.name = "RpcError";
    this.code = code;
    this.data = data;
  }
}

/** The codes of JSON-RPC, and those that MCP 2026-07-28 adds (basic/index, error codes). */
export const rpcCodes = {
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  headerMismatch: -32020,
  missingCapability: -32021,
  unsupportedVersion: -32022,
} as const;

export const isRequest = (message: RpcMessage): message is RpcRequest => "method" in message && "id" in message;
export const isResponse = (message: RpcMessage): message is RpcResponse => !("method" in message);

/** The message with `scrub` applied to every text in it, names of fields included. */
export const scrubbed = (message: RpcMessage, scrub: (text: string) => string): RpcMessage => scrubJson(message as unknown as Json, scrub) as unknown as RpcMessage;

function scrubJson(value: Json, scrub: (text: string) => string): Json {
  if (typeof value === "string") return scrub(value);
  if (Array.isArray(value)) return value.map((item) => scrubJson(item, scrub));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [scrub(key), scrubJson(item, scrub)])); // fromEntries, since a key may be `__proto__`
}

/** An answer as it goes over the wire. What else is known of it stays inside: strict clients refuse keys that JSON-RPC does not have. */
export const respond = (id: RpcId | null, answer: Answer): RpcResponse => ({ jsonrpc: "2.0", id, ...("error" in answer ? { error: answer.error } : { result: answer.result }) });

/** Whatever was thrown, as a JSON-RPC error. A Fault keeps its public text; of anything unexpected nothing is told. */
export function toAnswer(error: unknown): Extract<Answer, { error: unknown }> {
  if (error instanceof RpcError) return { error: { code: error.code, message: error.message, ...(error.data !== undefined && { data: error.data }) } };
  const code: ErrorCode = error instanceof Fault ? error.code : "internal";
  const message = error instanceof Fault ? error.message : "an internal error";
  return { error: { code: errors[code].rpc, message, data: { code, remedy: errors[code].remedy } } };
}

/** From whom a message comes. */
export type Sender = "agent" | "server";

/**
 * Reads one JSON-RPC message. An agent's is refused when it has a number that would not be passed on as it was sent: it would be decided on
 * one number and carried out with another. A server's is not, for then nobody had its answer at all. Keys such as `__proto__` are plain data here and stay so as long as nobody assigns computed keys. Of
 * duplicate keys the last counts, for the decision and for the server alike, since what is forwarded is written from this value.
 */
export function readMessage(bytes: Buffer, depthLimit: number, from: Sender = "server"): RpcReading {
  if (!isUtf8(bytes)) return bad("parse_error", "the message is not valid UTF-8");
  const text = bytes.toString("utf8");
  if (tooDeep(text, depthLimit)) return bad("limit_exceeded", `the message is nested deeper than the limit json_depth (${depthLimit} levels)`, ...headOf(text));
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    return bad("parse_error", "the message is not valid JSON");
  }
  return classify(value, text, from);
}

const bad = (code: ErrorCode, message: string, id: RpcId | null = null, isCall = false): RpcReading => ({ fault: new Fault(code, message), id, isCall });
/** The id of a message that is refused unread, and whether it is a call. Parsing is safe at any depth, walking the value is what is not. */
function headOf(text: string): [RpcId | null, boolean] {
  try {
    const value: unknown = parseJson(text);
    return isObject(value) ? [isId(value["id"]) ? value["id"] : null, "method" in value] : [null, false];
  } catch {
    return [null, false];
  }
}

const isId = (value: unknown): value is RpcId => (typeof value === "string" && value.length <= 256) || Number.isSafeInteger(value);
const surrogateEscape = /\\u[dD][89a-fA-F]/;

function classify(value: unknown, text: string, from: Sender): RpcReading {
  if (Array.isArray(value)) return bad("malformed_call", "the message is a batch; MCP has no batches since 2025-06-18");
  if (!isObject(value)) return bad("malformed_call", "the message is not a JSON object");
  const id = isId(value["id"]) ? value["id"] : null;
  const isCall = "method" in value;
  if (value["jsonrpc"] !== "2.0") return bad("malformed_call", 'the message has no `"jsonrpc": "2.0"`', id, isCall);
  if (surrogateEscape.test(text) && !wellFormed(value)) return bad("malformed_call", "the message has a lone surrogate, which no UTF-8 text can carry", id, isCall);
  const inexact = from === "agent" ? inexactNumber(text) : null;
  if (inexact !== null) return bad("malformed_call", `the message has the number ${inexact.slice(0, 40)}, which would not be passed on as it is; send it as a text`, id, isCall);
  return isCall ? classifyCall(value, id) : classifyResponse(value, id);
}

function classifyCall(value: JsonObject, id: RpcId | null): RpcReading {
  const { method, params } = value;
  if (typeof method !== "string" || method === "" || method.length > 256) return bad("malformed_call", "`method` is not a string of 1 to 256 characters", id, true);
  if ("id" in value && id === null) return bad("malformed_call", "`id` is neither a string of at most 256 characters nor an integer", null, true);
  if (params !== undefined && !isObject(params)) return bad("malformed_call", "`params` is not an object", id, true);
  if (params?.["_meta"] !== undefined && !isObject(params["_meta"])) return bad("malformed_call", "`params._meta` is not an object", id, true);
  const call = { jsonrpc: "2.0", method, ...(params && { params }) } as const;
  return { message: id === null ? call : { ...call, id } };
}

function classifyResponse(value: JsonObject, id: RpcId | null): RpcReading {
  const { result, error } = value;
  if (isObject(result) && error === undefined && id !== null) return { message: { jsonrpc: "2.0", id, result } };
  if (isObject(error) && result === undefined && Number.isInteger(error["code"]) && typeof error["message"] === "string") {
    const { code, message, data } = error;
    return { message: { jsonrpc: "2.0", id, error: { code: code as number, message, ...(data !== undefined && { data }) } } };
  }
  return bad("malformed_call", "the message has neither a `method`, nor an `id` with one well-formed `result` or `error`", id);
}

/** Counts brackets outside strings before the parser sees them, without recursion. */
function tooDeep(text: string, limit: number): boolean {
  if (text.length <= limit) return false;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === 0x22) at = endOfString(text, at);
    else if (char === 0x7b || char === 0x5b) {
      if (++depth > limit) return true;
    } else if (char === 0x7d || char === 0x5d) depth--;
  }
  return false;
}

function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === 0x5c) slashes++;
    if (slashes % 2 === 0) return at;
  }
  return text.length;
}

function wellFormed(root: Json): boolean {
  const open: Json[] = [root];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (typeof value === "string" && !value.isWellFormed()) return false;
    if (typeof value !== "object" || value === null) continue;
    for (const [key, child] of Object.entries(value)) {
      if (!key.isWellFormed()) return false;
      open.push(child);
    }
  }
  return true;
}
