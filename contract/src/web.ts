import { isObject, type JsonObject } from "./json.ts";
import type { ToolContract, ToolDefinition } from "./catalog.ts";

/** The built-in server that stands for everything outside: what a sandbox asks for over HTTP, or over TCP, is a call of one of its tools. No server of lanyard.yaml may have its name. */
export const webServer = "web";

/** Methods of HTTP that can leave a sandbox; any other is refused. */
export const webMethods = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"] as const;

/** Headers that policies can read one by one; of all others they see the names. */
export const webHeaders = [
  ...["accept", "authorization", "content-encoding", "content-type", "cookie", "origin", "referer", "user-agent"],
  ...["git-protocol", "sec-websocket-protocol", "x-api-key", "x-goog-api-key"],
] as const;

/**
 * Why a sandbox's connection or request was turned away before it could be an action: it was no clean HTTP (`http`), or its version, method,
 * target, host, headers or body was refused; Host, SNI and tunnel disagreed (`mismatch`); TLS failed (`tls`); the tunnel spoke neither TLS nor
 * HTTP (`protocol`); its address is one that nothing is sent to (`address`).
 */
export const egressFaults = ["http", "version", "method", "target", "host", "header", "body", "mismatch", "tls", "protocol", "address", "slow"] as const;
export type EgressFault = (typeof egressFaults)[number];

const text = (description: string): JsonObject => ({ type: "string", description });
const number = (description: string): JsonObject => ({ type: "integer", description });

const endpoint = {
  host: text("name in lower case, or an address in its one canonical form"),
  port: number("1 to 65535"),
};

const request: JsonObject = {
  type: "object",
  properties: {
    ...endpoint,
    scheme: text("`https` or `http`"),
    path: text("as it is sent: begins with `/`, no dot segments, no escape that needs none"),
    query: text("as it is sent, without the `?`; empty when there is none"),
    headers: { type: "object", properties: Object.fromEntries(webHeaders.map((name) => [name, { type: "string" }])) },
    header_names: { type: "array", items: { type: "string" }, description: "of all headers, in lower case" },
    body: text("the body as text, its beginning when `body_cut`; absent when it is empty, compressed or no UTF-8"),
    body_cut: { type: "boolean", description: "`body` is not all of it" },
    body_bytes: number("length of the whole body"),
    body_sha256: text("base64url SHA-256 of the whole body"),
    credentials: { type: "array", items: { type: "string" }, description: "names of the credentials that it would be lent: those whose placeholder is in its place" },
  },
  required: ["host", "port", "scheme", "path", "query", "headers", "header_names", "body_cut", "body_bytes", "body_sha256", "credentials"],
  additionalProperties: false,
};

/** A tool of the web: its definition, and what it does. */
export interface WebTool {
  readonly definition: ToolDefinition;
  readonly contract: ToolContract;
}

const resource = { type: "Host", argument: ["host"] } as const;
const tool = (name: string, description: string, inputSchema: JsonObject, effects: ToolContract["effects"], reversibility: ToolContract["reversibility"]): WebTool => ({
  definition: { name, description, inputSchema },
  contract: { effects, reversibility, resource },
});

/**
 * What can leave a sandbox. Whatever the method, something leaves with it: none of them is in the group `read`, or a permit on reading tools
 * would open the door to every host.
 */
export const webTools: readonly WebTool[] = [
  ...webMethods.map((method) => {
    const asks = method === "GET" || method === "HEAD" || method === "OPTIONS";
    return tool(method, `an HTTP request \`${method}\``, request, asks ? ["egress"] : ["egress", "write"], asks ? "read" : "unknown");
  }),
  tool("WEBSOCKET", "opens a websocket; what is said on it is not looked at", request, ["egress", "write"], "unknown"),
  tool("TCP", "opens a TCP connection to an endpoint under `egress: tcp:` of lanyard.yaml; what is said on it is not looked at", { type: "object", properties: endpoint, required: ["host", "port"], additionalProperties: false }, ["egress", "write"], "unknown"),
];

const emptySha256 = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";

/** The arguments of a web call as somebody wrote them down who named only what matters: the rest is that of `GET https://host/`. */
export const completeWebArguments = (name: string, args: JsonObject): JsonObject => {
  if (name === "TCP") return args;
  const headers = isObject(args["headers"]) ? args["headers"] : {};
  const usual = { scheme: "https", port: args["scheme"] === "http" ? 80 : 443, path: "/", query: "", headers, header_names: Object.keys(headers).sort(), body_cut: false, body_bytes: 0, body_sha256: emptySha256, credentials: [] };
  return { ...usual, ...args };
};
