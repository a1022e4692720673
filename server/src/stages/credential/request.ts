import type { CredentialEntry, HostPattern, Injection } from "../../base/config/credentials.ts";
import type { Outgoing } from "../../base/path.ts";
import { isSame } from "../../base/same.ts";
import { findPlaceholder } from "./placeholders.ts";

/** A credential that a session may use, with what stands for it there. */
export interface Usable {
  readonly name: string;
  readonly entry: CredentialEntry;
  readonly placeholder: string;
}

/** What placeholders there are in a request. */
export interface PlaceholderReading {
  /** Names of credentials whose placeholder is in its place, at a host that they serve; sorted. */
  readonly lent: readonly string[];
  /** Where else there is a placeholder, in words for the agent; null when nowhere. */
  readonly misplaced: { readonly name: string | null; readonly where: string } | null;
}

/**
 * Reads the placeholders in a request, and puts what `valueOf` gives in their place. In its place is: the whole header, the whole value of the
 * query parameter, or the password of Basic, at a host, path and method that the credential serves. Anything else is misplaced, in whatever it is
 * encoded.
 */
export function readRequest<R extends Outgoing>(request: R, usable: readonly Usable[], valueOf: (name: string) => string | null): PlaceholderReading & { readonly request: R } {
  const lent = new Set<string>();
  const serving = usable.filter(({ entry }) => serves(entry, request));
  const fill = (take: (credential: Usable) => ((value: string) => string) | null): string | null => {
    for (const credential of serving) {
      const put = take(credential);
      if (!put) continue;
      lent.add(credential.name);
      return put(valueOf(credential.name) ?? credential.placeholder);
    }
    return null;
  };
  const stray: string[] = [request.host];
  const headers = request.headers.map(([name, value]): readonly [string, string] => {
    const filled = fill(({ entry, placeholder }) => inHeader(entry.inject, name, value, placeholder));
    if (filled === null) stray.push(name, value);
    return [name, filled ?? value];
  });
  const query = request.query.split("&").map((pair) => {
    const filled = fill(({ entry, placeholder }) => inQuery(entry.inject, pair, placeholder));
    if (filled === null) stray.push(pair);
    return filled ?? pair;
  });
  const texts = [["in the path", request.path], ["in the host, the query or a header where it does not belong", stray.join("\n")], ["in the body", request.body?.toString("latin1") ?? ""]] as const;
  let misplaced: PlaceholderReading["misplaced"] = null;
  for (const [where, text] of texts) {
    const found = findPlaceholder(text);
    if (found !== null) misplaced ??= { name: ownerOf(found, usable), where };
  }
  return { lent: [...lent].sort(), misplaced, request: lent.size === 0 ? request : { ...request, headers, query: query.join("&") } };
}

/** Whose placeholder is in what was found; null when it is none of this session's. */
export function ownerOf(found: string, usable: readonly Usable[]): string | null {
  const lower = found.toLowerCase();
  return usable.find(({ placeholder, entry }) => lower.includes(placeholder.slice(entry.shape.length)))?.name ?? null;
}

function inHeader(inject: Injection | null, name: string, value: string, placeholder: string): ((value: string) => string) | null {
  if (inject?.kind === "header") return name === inject.name && isSame(value, inject.prefix + placeholder) ? (text) => inject.prefix + text : null;
  if ((inject?.kind !== "basic" && inject?.kind !== "askpass") || name !== "authorization") return null;
  const [, digits] = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(value) ?? [];
  if (digits === undefined || !isSame(Buffer.from(digits, "base64").toString("utf8"), `${inject.user}:${placeholder}`)) return null;
  return (text) => `Basic ${Buffer.from(`${inject.user}:${text}`).toString("base64")}`;
}

function inQuery(inject: Injection | null, pair: string, placeholder: string): ((value: string) => string) | null {
  if (inject?.kind !== "query") return null;
  const [name, value, ...more] = new URLSearchParams(pair).entries().toArray().flat();
  if (name !== inject.name || value === undefined || more.length > 0 || !isSame(value, placeholder)) return null;
  return (text) => `${encodeURIComponent(inject.name)}=${encodeURIComponent(text)}`;
}

/** What a server may take for a slash or a step up once it has decoded it: then a path is not what it looks like. */
const unclearPath = /%2f|%5c|%2e|\\|\/\.{1,2}(?:\/|$)|\/\//i;
const otherMethod = /^x-(?:http-)?method(?:-override)?$/;

function serves({ serves: { hosts, paths, methods } }: CredentialEntry, { tool, scheme, host, port, path, headers }: Outgoing): boolean {
  if (tool === "TCP" || !hosts.some((pattern) => isHost(pattern, { scheme, host, port }))) return false;
  if (paths && (unclearPath.test(path) || !paths.some((pattern) => (pattern.endsWith("*") ? path.startsWith(pattern.slice(0, -1)) : path === pattern)))) return false;
  return methods === null || (methods.includes(tool === "WEBSOCKET" ? "GET" : tool) && !headers.some(([name]) => otherMethod.test(name)));
}

export const isHost = (pattern: HostPattern, { scheme, host, port }: Pick<Outgoing, "scheme" | "host" | "port">): boolean =>
  pattern.scheme === scheme && pattern.port === port && (pattern.host.startsWith("*.") ? host.endsWith(pattern.host.slice(1)) && host.length >= pattern.host.length : host === pattern.host);
