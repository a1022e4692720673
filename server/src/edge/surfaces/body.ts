import { Fault } from "@lanyard/contract";

/** The body's bytes as they came. Throws Fault `limit_exceeded` past `limit` bytes, without reading on. */
export async function bodyBytes(request: Request, limit: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > limit) throw new Fault("limit_exceeded", `the body is over the limit callback_bytes (${limit})`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** A form as browsers and Slack send it. Throws Fault `invalid_request` for another type, bytes that are no UTF-8, and a field that is there twice. */
export function formOf(request: Request, bytes: Buffer): ReadonlyMap<string, string> {
  const [type = ""] = (request.headers.get("content-type") ?? "").split(";");
  if (type.trim().toLowerCase() !== "application/x-www-form-urlencoded") throw new Fault("invalid_request", "the body must be application/x-www-form-urlencoded");
  const fields = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(utf8(bytes))) {
    if (fields.has(name)) throw new Fault("invalid_request", "a field of the form is there twice");
    fields.set(name, value);
  }
  return fields;
}

function utf8(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Fault("invalid_request", "the body is not valid UTF-8", { cause });
  }
}
