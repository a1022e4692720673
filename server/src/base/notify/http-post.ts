import { isSafeUrl } from "../config/channels.ts";
import { Undelivered } from "./channel.ts";

/** Of an answer so much is read; it says whether the message was taken, and nothing else of it counts. */
const answerBytes = 64 * 1024;

export interface ChannelAnswer {
  readonly status: number;
  /** At most 64 KiB. */
  readonly text: string;
  /** What `Retry-After` asks for, in milliseconds; 0 when it does not. */
  readonly afterMs: number;
}

/**
 * One POST to a channel's address. Follows no redirect, for what is sent may go to nobody else, and uses no proxy. Throws
 * {@link Undelivered}: `address` (not https, and not this machine), `unreachable`.
 */
export async function httpPost(url: string, { body, headers, signal }: { readonly body: string; readonly headers: Readonly<Record<string, string>>; readonly signal: AbortSignal }): Promise<ChannelAnswer> {
  if (!isSafeUrl(url)) throw new Undelivered("address", { passing: false });
  try {
    const { request } = await import("undici"); // Few daemons have a channel like this; all others start without it.
    const answer = await request(url, { method: "POST", body, headers: { "user-agent": "lanyard", "content-type": "application/json; charset=utf-8", ...headers }, signal });
    const { statusCode: status, headers: given } = answer;
    return { status, text: await readSome(answer.body), afterMs: afterMs(given["retry-after"]) };
  } catch (cause) {
    throw new Undelivered("unreachable", { passing: true, cause });
  }
}

async function readSome(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= answerBytes) break; // Leaving the loop ends the connection.
  }
  return Buffer.concat(chunks).subarray(0, answerBytes).toString("utf8");
}

/** Only the form in seconds: a date would be measured by another clock. */
const afterMs = (header: string | string[] | undefined): number => (typeof header === "string" && /^\d{1,6}$/.test(header) ? Number(header) * 1000 : 0);
