import { createHash } from "node:crypto";
import { isUtf8 } from "node:buffer";
import type { Readable, Writable } from "node:stream";
import { webHeaders, type JsonObject } from "@lanyard/contract";
import { hostText } from "./host.ts";

export type WebHeaders = readonly (readonly [name: string, value: string])[];

/** A request that leaves a sandbox, as it is sent on: what policy is asked about and what goes out are made from this one thing. */
export interface WebRequest {
  /** Name of the tool at the server `web`: the method, `WEBSOCKET` or `TCP`. */
  readonly tool: string;
  readonly scheme: "http" | "https";
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** Without the `?`. */
  readonly query: string;
  /** Names in lower case, in their order; nothing in it is about the connection it came over. */
  readonly headers: WebHeaders;
  readonly body: Buffer;
}

/** What came back, its body not yet read. */
export interface WebResponse {
  readonly status: number;
  readonly headers: WebHeaders;
  readonly body: Readable;
  /** To the server, of a websocket or a TCP connection. */
  readonly input?: Writable;
}

/** How much of a body passed, once it has ended. */
export interface BodySum {
  readonly bytes: number;
  /** base64url. */
  readonly sha256: string;
  /** Data classes and labels of what passed, as far as it was looked through. */
  readonly labels?: readonly string[];
  /** What an API of models said that the call used; absent for any other, and where it said nothing. */
  readonly tokens?: number;
}

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("base64url");

/** The arguments policy sees of a request. `shownBytes`: how much of its body; `credentials`: names of those that it would be lent. */
export function webArguments(request: WebRequest, shownBytes: number, credentials: readonly string[]): JsonObject {
  const { tool, scheme, host, port, path, query, headers, body } = request;
  if (tool === "TCP") return { host, port };
  const values = Object.fromEntries(Map.groupBy(headers, ([name]) => name).entries().map(([name, lines]) => [name, lines.map(([, value]) => value).join(name === "cookie" ? "; " : ", ")]));
  const names = Object.keys(values).sort();
  const shown = Object.fromEntries(webHeaders.flatMap((name) => (values[name] === undefined ? [] : [[name, values[name]]])));
  const more = Object.fromEntries(names.filter((name) => !Object.hasOwn(shown, name)).map((name) => [name, values[name] ?? ""]));
  const isText = body.length > 0 && values["content-encoding"] === undefined && isUtf8(body);
  const cut = body.length > shownBytes;
  return {
    ...{ scheme, host, port, path, query, headers: { ...shown, ...more }, header_names: names },
    ...(isText && { body: textOf(body, shownBytes) }),
    ...{ body_cut: cut || (body.length > 0 && !isText), body_bytes: body.length, body_sha256: sha256(body), credentials: [...credentials] },
  };
}

/** Where a request went, by its arguments: `https://a.example:443/b?c`, of a connection without more `a.example:5432`. */
export function addressIn({ scheme, host, port, path = "", query = "" }: JsonObject): string {
  const address = `${hostText(String(host))}:${port}`;
  return scheme === undefined ? address : `${scheme}://${address}${path}${query === "" ? "" : `?${query}`}`;
}

/** The beginning of a text, whole characters only. */
function textOf(body: Buffer, bytes: number): string {
  let end = Math.min(body.length, bytes);
  while (end < body.length && end > 0 && ((body[end] ?? 0) & 0xc0) === 0x80) end--;
  return body.toString("utf8", 0, end);
}
