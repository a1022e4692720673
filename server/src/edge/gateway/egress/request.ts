import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { webMethods } from "@lanyard/contract";
import type { Clock } from "../../../base/clock.ts";
import type { Limits } from "../../../base/limits.ts";
import { endToEnd, pairsOf } from "../../../base/hop-by-hop.ts";
import { parseAuthority, type Endpoint } from "../../../base/host.ts";
import type { WebHeaders, WebRequest } from "../../../base/web.ts";
import { TurnedAway } from "./turned-away.ts";

/** What a connection was opened for: every request on it must say the same. */
export interface TunnelEnd extends Endpoint {
  readonly scheme: "http" | "https";
}

export type RequestHead = Omit<WebRequest, "body">;

/**
 * The head of an HTTP/1.1 request as it is sent on. node:http has refused already what does not parse (bare line feeds, folded lines, a length
 * beside chunks, two lengths); here goes what parses and can be read two ways. `origin`: null where the request itself names it. Throws TurnedAway.
 */
export function headOf(incoming: IncomingMessage, origin: TunnelEnd | null): RequestHead {
  const { httpVersion, method = "", url = "", rawHeaders } = incoming;
  if (httpVersion !== "1.1") throw new TurnedAway("version", `HTTP/${httpVersion.slice(0, 8)} is not taken here; send HTTP/1.1`);
  const given = pairsOf(rawHeaders);
  const valuesOf = (name: string) => given.flatMap(([each, value]) => (each === name ? [value] : []));
  const encodings = valuesOf("transfer-encoding");
  if (encodings.length > 1 || (encodings[0] ?? "chunked").toLowerCase() !== "chunked") throw new TurnedAway("header", "`Transfer-Encoding` can only be `chunked`, once");
  const [host, second] = valuesOf("host");
  if (host === undefined || second !== undefined) throw new TurnedAway("host", "a request has exactly one `Host`");
  const { to, target } = origin ? { to: origin, target: url } : absolute(url);
  sameHost(to, host);
  return { tool: toolOf(method, isWebsocket(incoming)), scheme: to.scheme, host: to.host, port: to.port, ...targetOf(target), headers: kept(rawHeaders, method) };
}

/** The head of an HTTP/2 request. Throws TurnedAway. */
export function headOfStream(rawHeaders: readonly string[], origin: TunnelEnd): RequestHead {
  const all = pairsOf(rawHeaders);
  const one = (name: string): string => {
    const [value, second] = all.flatMap(([each, text]) => (each === name ? [text] : []));
    if (value === undefined || second !== undefined) throw new TurnedAway("header", `a request has exactly one \`${name}\``);
    return value;
  };
  if (one(":scheme") !== origin.scheme) throw new TurnedAway("mismatch", "`:scheme` is not that of the connection", "misdirected");
  sameHost(origin, one(":authority"));
  if (all.some(([name]) => name === "host")) sameHost(origin, one("host"));
  const cookies = all.flatMap(([name, value]) => (name === "cookie" ? [value] : [])); // may come in crumbs (RFC 9113, 8.2.3)
  const rest = all.filter(([name]) => !name.startsWith(":") && name !== "cookie");
  const headers = kept([...rest, ...(cookies.length > 0 ? [["cookie", cookies.join("; ")] as const] : [])].flat(), one(":method"));
  return { tool: toolOf(one(":method"), false), ...{ scheme: origin.scheme, host: origin.host, port: origin.port }, ...targetOf(one(":path")), headers };
}

/** A request for a websocket; any other upgrade is passed over, as a server may. */
export const isWebsocket = ({ headers, method }: IncomingMessage): boolean =>
  method === "GET" && headers.upgrade?.toLowerCase() === "websocket" && (headers.connection ?? "").toLowerCase().split(/[\s,]+/).includes("upgrade");

export interface BodyLimits {
  readonly clock: Clock;
  readonly limits: Pick<Limits, "egress_body_bytes" | "egress_body_ms">;
  /** Told of each piece. */
  hold(bytes: number): void;
}

/** Reads a body whole. Throws TurnedAway past a limit, and when it ends early, and what `hold` throws; what has not been read by then is left where it is. */
export function bodyOf(stream: Readable, { clock, limits, hold }: BodyLimits): Promise<Buffer> {
  const { egress_body_bytes: mostBytes, egress_body_ms: mostMs } = limits;
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  const take = (chunk: Buffer): void => {
    try {
      bytes += chunk.length;
      if (bytes > mostBytes) throw new TurnedAway("body", `the body is over the limit egress_body_bytes (${mostBytes} bytes)`, "limit_exceeded");
      hold(chunk.length);
      chunks.push(chunk);
    } catch (error) {
      reject(error);
    }
  };
  const late = clock.after(mostMs, () => reject(new TurnedAway("slow", `the body took longer than the limit egress_body_ms (${mostMs} ms)`, "too_slow")));
  const broken = () => reject(new TurnedAway("body", "the request ended before its body did"));
  stream.on("data", take).once("end", () => resolve(Buffer.concat(chunks))).once("error", broken).once("close", broken);
  return promise.finally(() => {
    late.cancel();
    stream.off("data", take).pause();
  });
}

/** Bytes of a head that is held. */
export const bytesOf = ({ path, query, headers }: RequestHead): number => headers.reduce((sum, [name, value]) => sum + name.length + value.length, path.length + query.length);

const methods: ReadonlySet<string> = new Set(webMethods);

function toolOf(method: string, isUpgrade: boolean): string {
  if (!methods.has(method)) throw new TurnedAway("method", `the method \`${method.slice(0, 32)}\` cannot leave a sandbox; these can: ${webMethods.join(", ")}`);
  return isUpgrade ? "WEBSOCKET" : method;
}

function sameHost(to: TunnelEnd, text: string): void {
  const named = parseAuthority(text, to.scheme === "https" ? 443 : 80);
  if (named === null) throw new TurnedAway("host", "`Host` is no name or address in its usual spelling");
  if (named.host !== to.host || named.port !== to.port) throw new TurnedAway("mismatch", "`Host` is not the host that the request goes to", "misdirected");
}

function absolute(url: string): { to: TunnelEnd; target: string } {
  const [, authority, target = ""] = /^http:\/\/([^/?#]*)(.*)$/is.exec(url) ?? [];
  if (authority === undefined) throw new TurnedAway("target", "a proxy is asked for `http://host/...`, or for a tunnel with CONNECT");
  const to = parseAuthority(authority, 80);
  if (to === null) throw new TurnedAway("host", "the host is no name or address in its usual spelling, or names a user");
  return { to: { ...to, scheme: "http" }, target: target.startsWith("/") ? target : `/${target}` };
}

const unreserved = /^[A-Za-z0-9._~-]$/;

/**
 * A target in the one form that policies see and that is sent. What servers are known to read as a step up or aside is refused in every spelling,
 * because whoever wrote a policy on paths did not mean it. Throws TurnedAway.
 */
export function targetOf(target: string): Pick<RequestHead, "path" | "query"> {
  const wrong = (why: string) => new TurnedAway("target", `the path ${why}`);
  if (!target.startsWith("/") || !/^[\x21-\x7e]*$/.test(target)) throw wrong("does not begin with `/`, or has what must be escaped");
  if (target.includes("#")) throw wrong("has a `#`");
  if (/%(?![0-9a-f]{2})/i.test(target)) throw wrong("has a `%` that escapes nothing");
  const plain = target.replace(/%[0-9a-f]{2}/gi, (escape) => {
    const character = String.fromCharCode(Number.parseInt(escape.slice(1), 16));
    return unreserved.test(character) ? character : escape.toUpperCase();
  });
  const cut = plain.indexOf("?");
  const path = cut < 0 ? plain : plain.slice(0, cut);
  if (path.includes("\\") || /%(?:00|5C)/.test(path)) throw wrong("has a backslash or a zero");
  if (!isText(path)) throw wrong("has escapes that are no UTF-8"); // overlong ones hide a dot from who reads them right
  const steps = path.replaceAll("%2F", "/").replaceAll("%25", "%").replace(/%2e/gi, ".").replace(/%2f/gi, "/").replace(/%3a/gi, ":").split("/");
  if (steps.some((step) => /^\.\.?(?:;.*)?$/.test(step))) throw wrong("has a step to `.` or `..`");
  // Left out by servers that merge slashes, and so a way around a rule on what follows; but for a URL within the path, which many serve by.
  const isEmpty = (step: string, at: number) => step.startsWith(";") || (step === "" && at > 0 && at < steps.length - 1 && !/^https?:$/i.test(steps[at - 1] ?? ""));
  if (steps.some(isEmpty)) throw wrong("has two slashes in a row");
  const url = URL.parse(`http://a${plain}`);
  if (url === null) throw wrong("cannot be read");
  return { path: url.pathname, query: url.search.slice(1) };
}

function isText(escaped: string): boolean {
  try {
    return decodeURIComponent(escaped).isWellFormed();
  } catch {
    return false;
  }
}

const ours: ReadonlySet<string> = new Set(["host", "content-length", "expect", "http2-settings"]);

/** By what servers take another method or path than the request line has; CGI reads `_` as `-`. */
const secondMethod = /^x-(?:http-)?method(?:-override)?$/;
const secondTarget = /^x-(?:original|rewrite|override)-url$/;

/** The headers that are sent on. Throws TurnedAway at one that says what is asked a second time, and otherwise; to ask for less by POST is usual where URLs get long. */
function kept(rawHeaders: readonly string[], method: string): WebHeaders {
  const headers = endToEnd(rawHeaders).filter(([name]) => !ours.has(name));
  const other = headers.find(([name, value]) => {
    const plain = name.replaceAll("_", "-");
    return secondTarget.test(plain) || (secondMethod.test(plain) && ![method, "GET"].includes(value.trim().toUpperCase()));
  });
  if (other) throw new TurnedAway("header", `\`${other[0]}\` asks the server for something else than the request line, which is what is decided`);
  return headers;
}
