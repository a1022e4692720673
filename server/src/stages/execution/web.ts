import { request as ask, type ClientRequest, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { pipeline, type Readable, type Transform } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from "node:zlib";
import { Fault, type Action } from "@lanyard/contract";
import type { Answer, Exchange } from "../../base/exchange.ts";
import { endToEnd } from "../../base/hop-by-hop.ts";
import { endpointText, hostText } from "../../base/host.ts";
import type { Lease } from "../../base/path.ts";
import type { WebHeaders, WebRequest, WebResponse } from "../../base/web.ts";
import { connectWeb, type WebConnector } from "./web-connect.ts";

/**
 * Step 9 for what leaves a sandbox: one connection for one request, to an address that was looked at, over node:http, which sends a request
 * as it is given (undici would rewrite headers, and has no way to hand over a socket that is already checked). Redirects are answers like
 * any other: the client's next request is decided anew. Resolves when the head of the answer is there; `web.body` follows. Throws Fault
 * `address_refused`, `upstream_unavailable` when nothing was sent; `upstream_timeout`, `uncertain` when something was.
 */
export async function executeWeb(connector: WebConnector, action: Action, exchange: Exchange, lease: Lease): Promise<Answer> {
  const { web: sent, signal } = exchange;
  if (!sent) throw new Fault("upstream_unavailable", `\`${action.name}\` came without its request`);
  const request = lease.guards ? lease.dress(sent) : sent; // What is lent goes into what goes out and into nothing else.
  const socket = await connectWeb(connector, request, { tls: request.scheme === "https" && request.tool !== "TCP", signal });
  const stop = () => socket.destroy();
  for (const each of [signal, lease.signal]) {
    each.addEventListener("abort", stop, { once: true });
    socket.once("close", () => each.removeEventListener("abort", stop));
  }
  const address = endpointText({ host: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 });
  try {
    const { limits } = connector;
    const response = request.tool === "TCP" ? { status: 200, headers: [], body: socket, input: socket } : await answerOf(request, socket, connector);
    socket.setTimeout(limits.egress_idle_ms, stop);
    const web = scrubbed(request.tool, response, lease);
    const type = web.headers.find(([name]) => name === "content-type")?.[1];
    const result = { status: response.status, address, ...(type !== undefined && { type: type.slice(0, 256) }), ...(response.status >= 400 && { isError: true }) };
    return { result, web };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** The answer without what was lent. It was asked for uncompressed; where the server compresses all the same, it is opened first. */
function scrubbed(tool: string, response: WebResponse, lease: Lease): WebResponse {
  if (!lease.guards) return response;
  const encoding = response.headers.find(([name]) => name === "content-encoding")?.[1].toLowerCase().trim() ?? "identity";
  const opener = encoding === "identity" || tool === "HEAD" ? null : openers[encoding];
  if (opener === undefined) throw new Fault("result_withheld", "the answer to a request that was lent a credential is compressed in a way that cannot be looked through");
  const body = lease.scrub();
  pipeline([response.body, ...(opener ? [opener()] : []), body], () => {}); // An error of any part ends the last with it.
  const kept = response.headers.filter(([name]) => name !== "content-length" && (name !== "content-encoding" || opener === null));
  return { ...response, headers: kept.map(([name, value]) => [name, lease.scrubText(value)] as const), body };
}

const openers: Readonly<Record<string, () => Transform>> = { gzip: createGunzip, "x-gzip": createGunzip, deflate: createInflate, br: createBrotliDecompress, zstd: createZstdDecompress };

/** Invariant: the whole head must come in time; bytes that trickle gain none. */
function answerOf(request: WebRequest, socket: Socket, { clock, limits: { call_ms: waitMs } }: WebConnector): Promise<WebResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<WebResponse>();
  const to = endpointText(request);
  const late = clock.after(waitMs, () => reject(new Fault("upstream_timeout", `\`${to}\` did not answer within the limit call_ms (${waitMs} ms)`)));
  const outgoing = open(request, socket);
  outgoing.once("response", (incoming) => resolve(responseOf(incoming, incoming)));
  if (request.tool === "WEBSOCKET") {
    outgoing.once("upgrade", (incoming, raw, head) => {
      if (head.length > 0) raw.unshift(head);
      resolve({ ...responseOf(incoming, raw), input: raw });
    });
  }
  outgoing.on("error", (cause) => reject(new Fault("uncertain", `\`${to}\` broke off before it answered`, { cause })));
  outgoing.once("close", () => reject(new Fault("uncertain", `\`${to}\` hung up before it answered`)));
  outgoing.end(request.body);
  return promise.finally(() => late.cancel());
}

const withBody: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH"]);

function open({ tool, scheme, host, port, path, query, headers, body }: WebRequest, socket: Socket): ClientRequest {
  const usual = port === (scheme === "https" ? 443 : 80);
  const isUpgrade = tool === "WEBSOCKET";
  const lines: WebHeaders = [
    ["host", usual ? hostText(host) : endpointText({ host, port })],
    ...headers,
    ...(body.length > 0 || withBody.has(tool) ? [["content-length", String(body.length)] as const] : []),
    ...(isUpgrade ? ([["connection", "Upgrade"], ["upgrade", "websocket"]] as const) : ([["connection", "close"]] as const)),
  ];
  return ask({ createConnection: () => socket, method: isUpgrade ? "GET" : tool, path: `${path}${query === "" ? "" : `?${query}`}`, headers: lines.flat(), setHost: false, insecureHTTPParser: false });
}

/** `alt-svc` would send the client's next request past the door. */
const responseOf = ({ statusCode = 502, rawHeaders }: IncomingMessage, body: Readable): WebResponse => ({
  status: statusCode,
  headers: endToEnd(rawHeaders).filter(([name]) => name !== "alt-svc"),
  body,
});
