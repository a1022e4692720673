import { isIPv4, isIPv6 } from "node:net";

/** A host, in its one form, and a port. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * A host as it may stand in a URL, in the one form policies see: a name in lower case, an IPv4 address in four plain numbers, an IPv6 address
 * as RFC 5952 writes it, without brackets. Null for anything else: other spellings of an address (`0x7f.1`, `2130706433`, `::ffff:127.0.0.1`), a dot at
 * the end, escapes, letters beyond ASCII and their `xn--` form, which a person cannot tell from another name.
 */
export function canonicalHost(text: string): string | null {
  if (text.startsWith("[") && text.endsWith("]")) return canonicalIPv6(text.slice(1, -1));
  if (isIPv4(text)) return text; // node takes four decimal numbers without leading zeros and nothing else.
  const name = text.toLowerCase();
  const labels = name.split(".");
  if (name.length > 253 || !labels.every((part) => label.test(part) && !part.startsWith("xn--"))) return null;
  // Such a last label makes the whole an address to most software (WHATWG URL, "ends in a number").
  return /^(?:\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? "") ? null : name;
}

function canonicalIPv6(text: string): string | null {
  if (!isIPv6(text) || text.includes("%")) return null;
  const canonical = URL.parse(`http://[${text}]/`)?.hostname.slice(1, -1);
  return canonical === text.toLowerCase() ? canonical : null;
}

/** `host` or `host:port`, IPv6 in brackets; null when it is neither. */
export function parseAuthority(text: string, usualPort: number | null): Endpoint | null {
  const [, name = "", digits] = /^(\[[^\]]*\]|[^:]*)(?::([1-9]\d{0,4}))?$/.exec(text) ?? [];
  const host = canonicalHost(name);
  const port = digits === undefined ? usualPort : Number(digits);
  return host === null || port === null || port > 65_535 ? null : { host, port };
}

/** The text of an endpoint: `host:port`, IPv6 in brackets. */
export const endpointText = ({ host, port }: Endpoint): string => `${hostText(host)}:${port}`;

/** A host as it stands in a URL. */
export const hostText = (host: string): string => (host.includes(":") ? `[${host}]` : host);
