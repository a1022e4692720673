import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { ErrorCode, Fault } from "@lanyard/contract";
import { http } from "../../../base/http.ts";

/** The session that whatever comes through the door belongs to. */
export interface DoorTarget {
  /** The daemon's MCP endpoint, `http://host:port/mcp`. */
  readonly url: string;
  readonly token: string;
  /** What it takes to let anything through. */
  readonly authority: DoorAuthority;
}

/** The right to let something through, which the daemon renews and can take. */
export interface DoorAuthority {
  /** Why nothing may pass now; null while it may. */
  refusal(): Fault | null;
  /** Aborts when what is passing must end. */
  readonly signal: AbortSignal;
}

const hopByHop = new Set(["authorization", "connection", "host", "keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"]);

/**
 * The door of a sandbox to the daemon's MCP endpoint, and to nothing else of the daemon. Invariant: the session is that of the sandbox the
 * connection came from; the token is put in here and is not to be had inside, so no call from elsewhere can pass for one from inside.
 */
export function mcpDoor(target: () => DoorTarget | null): (connection: Duplex) => void {
  const server = http.createServer((incoming, outgoing) => {
    const to = target();
    if (!to || !isMcp(incoming.url)) return refuse(outgoing, 404, "this door leads to /mcp and nowhere else");
    const { "content-length": length = "0", "transfer-encoding": encoding } = incoming.headers;
    if (incoming.method !== "POST" && (encoding !== undefined || length !== "0")) return refuse(outgoing, 400, "only POST has a body here");
    const why = to.authority.refusal();
    if (why) return refuse(outgoing, 503, why.message, why.code);
    forward(to, incoming, outgoing);
  });
  return (connection) => void server.emit("connection", connection);
}

/** Compared as it is sent on, without a second spelling: a step up, an escape or a second slash is none of ours. */
const isMcp = (url = ""): boolean => /^\/mcp(?:\/[A-Za-z0-9][A-Za-z0-9._-]{0,63})?\/?(?:\?[\x21-\x7e]*)?$/.test(url);

function forward({ url, token, authority }: DoorTarget, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const { hostname, port } = new URL(url);
  const headers = { ...passing(incoming.headers), authorization: `Bearer ${token}` };
  const onward = http.request({ host: hostname.replace(/^\[|\]$/g, ""), port, method: incoming.method, path: incoming.url, headers, agent: false }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, passing(answer.headers));
    answer.pipe(outgoing);
    answer.once("error", () => outgoing.destroy());
  });
  onward.once("error", () => (outgoing.destroyed || outgoing.writableEnded ? undefined : outgoing.headersSent ? outgoing.destroy() : refuse(outgoing, 502, "the Lanyard daemon cannot be reached; the call may not have been made")));
  const { signal } = authority;
  const cut = () => {
    onward.destroy();
    if (outgoing.headersSent) outgoing.destroy();
    else refuse(outgoing, 503, `${authority.refusal()?.message ?? "the authority to act was lost"}; the call may have been made`, "uncertain");
  };
  signal.addEventListener("abort", cut, { once: true });
  outgoing.once("close", () => {
    signal.removeEventListener("abort", cut);
    onward.destroy();
  });
  incoming.pipe(onward);
}

const passing = (headers: IncomingHttpHeaders): IncomingHttpHeaders => Object.fromEntries(Object.entries(headers).filter(([name]) => !hopByHop.has(name)));

function refuse(outgoing: ServerResponse, status: number, error: string, code?: ErrorCode): void {
  outgoing.writeHead(status, { "content-type": "application/json" });
  outgoing.end(JSON.stringify({ error, ...(code !== undefined && { code }) }));
}
