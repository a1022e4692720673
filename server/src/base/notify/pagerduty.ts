import type { NoticeKind } from "@lanyard/contract";
import { shortened, visible, visibleLines } from "../visible.ts";
import { Undelivered, type Deliver } from "./channel.ts";
import { httpPost } from "./http-post.ts";

const actions: Readonly<Record<NoticeKind, "trigger" | "acknowledge" | "resolve">> = { approval: "trigger", alert: "trigger", withdrawal: "trigger", acknowledged: "acknowledge", resolved: "resolve" };
const summaryChars = 1024;

/** PagerDuty's Events API v2: a notice triggers, acknowledges or resolves the incident of its `dedup`. Tried again after 429 and 5xx, as their documentation says. */
export const pagerDutyChannel = ({ url, routingKey, source }: { readonly url: string; readonly routingKey: string; readonly source: string }): Deliver => {
  return async ({ notice, signal }) => {
    const { id, kind, severity, dedup, title, lines, fields, commands, link } = notice;
    const details = {
      ...Object.fromEntries(fields.map(([name, value]) => [visible(name), visibleLines(value)])),
      notice: id,
      lines: lines.map(visible),
      ...(commands.length > 0 && { commands }),
    };
    const event = {
      routing_key: routingKey,
      event_action: actions[kind],
      dedup_key: dedup,
      client: "Lanyard",
      ...(actions[kind] === "trigger" && { payload: { summary: shortened(visible(title), summaryChars), source, severity, component: "lanyard", class: kind, custom_details: details } }),
      ...(link !== null && { links: [{ href: link, text: "Open in Lanyard" }] }),
    };
    const { status, afterMs } = await httpPost(url, { body: JSON.stringify(event), headers: {}, signal });
    if (status !== 202) throw new Undelivered(`status_${status}`, { passing: status === 429 || status >= 500, afterMs });
    return null;
  };
};
