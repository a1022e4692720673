import type { WebHeaders } from "./web.ts";

const always: ReadonlySet<string> = new Set(["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"]);

/** The headers of a message, names in lower case, without those that speak of one connection only (RFC 9110, 7.6.1), those that `connection` names included. */
export function endToEnd(rawHeaders: readonly string[]): WebHeaders {
  const pairs = pairsOf(rawHeaders);
  const named = new Set(pairs.flatMap(([name, value]) => (name === "connection" ? value.toLowerCase().split(/[\s,]+/) : [])));
  return pairs.filter(([name]) => !always.has(name) && !named.has(name));
}

export const pairsOf = (rawHeaders: readonly string[]): WebHeaders =>
  rawHeaders.flatMap((name, at): [string, string][] => (at % 2 === 0 ? [[name.toLowerCase(), rawHeaders[at + 1] ?? ""]] : []));
