import { Fault, parseJson, type Json } from "@lanyard/contract";
import type { Dispatcher } from "undici";

const askMs = 10_000;
const answerBytes = 256 * 1024;

/**
 * One exchange with a keeper of secrets; `json` is null when it answered with something else. Follows no redirect, for what is asked with may go to no other host, and uses no proxy. Throws Fault
 * `no_credential` when there is no answer within 10 s, or one over 256 KiB.
 */
export async function askJson(url: string, asked: { method: string; headers?: Record<string, string>; body?: string }): Promise<{ status: number; json: Json }> {
  const { origin } = new URL(url);
  const { request } = await import("undici"); // Few daemons have such a keeper; all others start without it.
  try {
    const { statusCode: status, body } = await request(url, { ...asked, method: asked.method as Dispatcher.HttpMethod, signal: AbortSignal.timeout(askMs) });
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > answerBytes) throw new Fault("no_credential", `\`${origin}\` answered with more than ${answerBytes} bytes`);
      chunks.push(chunk);
    }
    return { status, json: jsonOf(Buffer.concat(chunks).toString("utf8")) };
  } catch (error) {
    if (error instanceof Fault) throw error;
    const { code } = error as { code?: unknown };
    throw new Fault("no_credential", `\`${origin}\` could not be asked (${typeof code === "string" ? code : (error as Error).name})`);
  }
}

function jsonOf(text: string): Json {
  try {
    return parseJson(text) as Json;
  } catch {
    return null;
  }
}
