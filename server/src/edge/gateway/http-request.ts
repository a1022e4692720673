import type { IncomingMessage } from "node:http";
import { Fault, isObject } from "@lanyard/contract";
import type { Era } from "../../base/exchange.ts";
import { decodeHeader, nameOf } from "../../base/headers.ts";
import { metaKeys, statelessVersion, toleratedVersions } from "../../base/mcp.ts";
import { RpcError, rpcCodes, type RpcMessage, type RpcRequest } from "../../base/rpc.ts";
import { spokenVersions } from "./greeting.ts";

const local = /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/;

/**
 * Refuses what a browser on a foreign page could send to a local daemon by DNS rebinding (2025-11-25, basic/transports, security
 * warning). `hosts` are further names the daemon goes by. Throws Fault `forbidden`.
 */
export function refuseRebinding({ headers }: IncomingMessage, hosts: readonly string[]): void {
  const known = (host: string) => local.test(host) || hosts.includes(host.replace(/:\d{1,5}$/, ""));
  if (!known(headers.host ?? "")) throw new Fault("forbidden", "the `Host` header names another host");
  const { origin } = headers;
  if (origin === undefined) return;
  const [, host] = /^https?:\/\/([^/]+)$/.exec(origin) ?? [];
  if (host === undefined || !known(host)) throw new Fault("forbidden", "the `Origin` header names another site");
}

/** `mcp` or `mcp/<server>`. Throws Fault `not_found`. */
export function doorOf(url: string): string {
  const [path = ""] = url.split("?", 1);
  const match = /^\/(mcp(?:\/[A-Za-z0-9][A-Za-z0-9._-]{0,63})?)\/?$/.exec(path);
  if (!match?.[1]) throw new Fault("not_found", "there is no such endpoint; use `/mcp` or `/mcp/<server>`");
  return match[1];
}

export function bearerOf({ headers }: IncomingMessage): string | null {
  const match = /^bearer +([^\s]+) *$/i.exec(headers.authorization ?? "");
  return match?.[1] ?? null;
}

/** Reads a body and stops as soon as it is too large, whatever its length claims to be. Throws Fault `limit_exceeded`. */
export function readBody(req: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const over = () => new Fault("limit_exceeded", `the body is over the limit body_bytes (${limitBytes} bytes)`);
  if (Number(req.headers["content-length"] ?? 0) > limitBytes) return Promise.reject(over());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let held = 0;
    req.on("data", (chunk: Buffer) => {
      held += chunk.length;
      if (held <= limitBytes) return void chunks.push(chunk);
      chunks.length = 0;
      req.removeAllListeners("data");
      reject(over());
    });
    let whole = false;
    req.once("end", () => {
      whole = true;
      resolve(Buffer.concat(chunks));
    });
    req.once("error", reject);
    req.once("close", () => whole || reject(new Fault("malformed_call", "the request ended early")));
  });
}

const header = ({ headers }: IncomingMessage, name: string): string | undefined => {
  const value = headers[name];
  return Array.isArray(value) ? value.join(", ") : value;
};

/** The lifecycle a message belongs to: per-request `_meta` or a version header of it mark the stateless one. */
export function eraOf(req: IncomingMessage, message: RpcMessage): Era {
  const version = header(req, "mcp-protocol-version");
  if (version !== undefined && !toleratedVersions.includes(version)) return "stateless";
  return "method" in message && isObject(message.params?.["_meta"]) && message.params["_meta"][metaKeys.version] !== undefined ? "stateless" : "stateful";
}

/** 2026-07-28, basic/transports/streamable-http, server validation; basic/index, per-request fields. Throws RpcError, to go with 400. */
export function checkStateless(req: IncomingMessage, request: RpcRequest): void {
  const { method, params = {} } = request;
  checkMeta(request, header(req, "mcp-protocol-version") ?? null);
  const mismatch = (name: string, why: string) => new RpcError(rpcCodes.headerMismatch, `Header mismatch: \`${name}\` ${why}`);
  const named = header(req, "mcp-method");
  if (named === undefined) throw mismatch("Mcp-Method", "is missing");
  if (named !== method) throw mismatch("Mcp-Method", `is \`${named.slice(0, 100)}\`, the body says \`${method}\``);
  if (!nameMirrored.has(method)) return;
  const name = nameOf(method, params);
  const given = header(req, "mcp-name");
  if (given === undefined) throw mismatch("Mcp-Name", "is missing");
  if (decodeHeader(given) !== name) throw mismatch("Mcp-Name", `is \`${given.slice(0, 100)}\`, the body says \`${String(name).slice(0, 100)}\``);
}

const nameMirrored: ReadonlySet<string> = new Set(["tools/call", "prompts/get", "resources/read"]);

/** What every stateless request must say of itself. `version` is that of the header; null where there is no header layer. Throws RpcError. */
export function checkMeta({ params = {} }: RpcRequest, version: string | null | undefined): void {
  const meta = isObject(params["_meta"]) ? params["_meta"] : {};
  const requested = meta[metaKeys.version];
  if (version === null) throw new RpcError(rpcCodes.headerMismatch, "Header mismatch: `MCP-Protocol-Version` is missing");
  if (typeof requested !== "string") throw new RpcError(rpcCodes.invalidParams, `\`_meta["${metaKeys.version}"]\` is missing`);
  if (version !== undefined && version !== requested) {
    throw new RpcError(rpcCodes.headerMismatch, "Header mismatch: `MCP-Protocol-Version` is not the version in the body");
  }
  if (requested !== statelessVersion) {
    throw new RpcError(rpcCodes.unsupportedVersion, "Unsupported protocol version", { supported: [...spokenVersions], requested });
  }
  if (!isObject(meta[metaKeys.capabilities])) throw new RpcError(rpcCodes.invalidParams, `\`_meta["${metaKeys.capabilities}"]\` is not an object`);
}
