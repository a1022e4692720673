import { isObject, type Json, type JsonObject } from "@lanyard/contract";

// Header mirroring of Streamable HTTP (2026-07-28, basic/transports/streamable-http, request metadata).

/** Per tool: header name (`Mcp-Param-...`) and the path of the argument mirrored in it. */
export type HeaderMap = Map<string, readonly { readonly header: string; readonly path: readonly string[] }[]>;

const nameKeys: ReadonlyMap<string, string> = new Map([
  ["tools/call", "name"],
  ["prompts/get", "name"],
  ["resources/read", "uri"],
]);

/** The parameter that `Mcp-Name` mirrors. */
export const nameOf = (method: string, params: JsonObject): string | null => {
  const key = nameKeys.get(method) ?? (method.startsWith("tasks/") ? "taskId" : "");
  const value = params[key];
  return typeof value === "string" ? value : null;
};

const plain = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/;

/** Anything that is not plain visible ASCII travels in the Base64 sentinel (same page, value encoding). */
export const encodeHeader = (value: string): string =>
  plain.test(value) && !(value.startsWith("=?base64?") && value.endsWith("?=")) ? value : `=?base64?${Buffer.from(value, "utf8").toString("base64")}?=`;

/** The value a header stands for; null when its encoding is broken. */
export function decodeHeader(value: string): string | null {
  const encoded = /^=\?base64\?([A-Za-z0-9+/]*={0,2})\?=$/.exec(value);
  if (encoded) return Buffer.from(encoded[1] ?? "", "base64").toString("utf8");
  return value.startsWith("=?base64?") || !plain.test(value) ? null : value;
}

/** The headers that a stateless request must carry beside its body. */
export function mirroredHeaders(method: string, params: JsonObject, map: HeaderMap): Record<string, string> {
  const name = nameOf(method, params);
  const headers: Record<string, string> = { "mcp-method": method, ...(name !== null && { "mcp-name": encodeHeader(name) }) };
  for (const { header, path } of (method === "tools/call" && name !== null && map.get(name)) || []) {
    const value = path.reduce<Json | undefined>((at, key) => (isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined), params["arguments"]);
    if (typeof value === "string" || typeof value === "boolean" || typeof value === "number") headers[header] = encodeHeader(String(value));
  }
  return headers;
}

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;

/** Finds `x-mcp-header` marks along chains of `properties`; marks elsewhere do not count. */
export function headersOfTool(schema: Json | undefined): { header: string; path: string[] }[] {
  const found: { header: string; path: string[] }[] = [];
  const open: { schema: Json | undefined; path: string[] }[] = [{ schema, path: [] }];
  for (let at = open.pop(); at && found.length < 64; at = open.pop()) {
    const properties = isObject(at.schema) ? at.schema["properties"] : undefined;
    if (!isObject(properties) || at.path.length > 16) continue;
    for (const [key, child] of Object.entries(properties)) {
      const path = [...at.path, key];
      const mark = isObject(child) ? child["x-mcp-header"] : undefined;
      if (typeof mark === "string" && token.test(mark)) found.push({ header: `mcp-param-${mark.toLowerCase()}`, path });
      open.push({ schema: child, path });
    }
  }
  return found;
}

/** Learns the marks of a server's tools from its list. */
export function learnHeaders(map: HeaderMap, method: string, items: readonly Json[]): void {
  if (method !== "tools/list") return;
  map.clear();
  for (const item of items) {
    if (!isObject(item) || typeof item["name"] !== "string") continue;
    const marks = headersOfTool(item["inputSchema"]);
    if (marks.length > 0) map.set(item["name"], marks);
  }
}
