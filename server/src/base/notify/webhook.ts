import { createHmac } from "node:crypto";
import type { Clock } from "../clock.ts";
import { Undelivered, type Deliver } from "./channel.ts";
import { httpPost } from "./http-post.ts";

/**
 * A program that is told by HTTP, signed after Standard Webhooks: `webhook-id` stays the same over all attempts, `webhook-signature` is HMAC-SHA256
 * over id, time and body. Any answer but 2xx is tried again, except 410, with which a receiver says that it wants no more.
 */
export const webhookChannel = ({ url, secret, clock }: { readonly url: string; readonly secret: string; readonly clock: Clock }): Deliver => {
  return async ({ notice, signal }) => {
    const { id, kind, severity, dedup, title, lines, fields, commands, link, data } = notice;
    const now = clock.nowMs();
    const timestamp = String(Math.floor(now / 1000));
    const told = { id, severity, dedup, title, lines, fields: Object.fromEntries(fields), commands, link, data };
    const body = JSON.stringify({ type: `lanyard.${kind}`, timestamp: new Date(now).toISOString(), data: told });
    const headers = { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": webhookSignature(secret, { id, timestamp, body }) };
    const { status, afterMs } = await httpPost(url, { body, headers, signal });
    if (status < 200 || status > 299) throw new Undelivered(`status_${status}`, { passing: status !== 410, afterMs });
    return null;
  };
};

/** `timestamp`: in seconds, as the header has it. */
export const webhookSignature = (secret: string, { id, timestamp, body }: { readonly id: string; readonly timestamp: string; readonly body: string }): string =>
  `v1,${createHmac("sha256", keyOf(secret)).update(`${id}.${timestamp}.${body}`).digest("base64")}`;

/** `whsec_` and base64, as Standard Webhooks writes keys; anything else is the key itself. */
const keyOf = (secret: string): Buffer => (secret.startsWith("whsec_") ? Buffer.from(secret.slice("whsec_".length), "base64") : Buffer.from(secret));
