import { isObject, parseJson, type Json, type JsonObject } from "@lanyard/contract";
import { shortened, visible, visibleLines } from "../visible.ts";
import { Undelivered, type Deliver } from "./channel.ts";
import { httpPost } from "./http-post.ts";
import type { Notice } from "./notice.ts";

interface SlackWay {
  readonly by: { readonly webhook: string } | { readonly token: string; readonly channel: string };
  readonly api: string;
  /** Whether answers can come back: only then a message has buttons. */
  readonly answerable: boolean;
}

/** Errors of Slack's own; all others need somebody to change something. */
const passingErrors = new Set(["ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"]);

/**
 * Slack: a message with blocks, by an incoming webhook or `chat.postMessage`. With a token, what comes later about the same thing changes the
 * message that is there; so a question that is over has no buttons any more.
 */
export const slackChannel = ({ by, api, answerable }: SlackWay): Deliver => {
  return async ({ notice, earlier, signal }) => {
    const message = slackMessage(notice, answerable);
    if ("webhook" in by) {
      const { status, afterMs } = await httpPost(by.webhook, { body: JSON.stringify(message), headers: {}, signal });
      if (status !== 200) throw new Undelivered(`status_${status}`, { passing: status === 429 || status >= 500, afterMs });
      return null;
    }
    const [channel, ts] = earlier?.split(" ") ?? [by.channel];
    const [method, place] = ts === undefined ? ["chat.postMessage", { channel }] : ["chat.update", { channel, ts }];
    const { status, text, afterMs } = await httpPost(`${api}/${method}`, { body: JSON.stringify({ ...message, ...place }), headers: { authorization: `Bearer ${by.token}` }, signal });
    if (status !== 200) throw new Undelivered(`status_${status}`, { passing: status === 429 || status >= 500, afterMs });
    const answer = read(text);
    if (answer["ok"] === true) return typeof answer["channel"] === "string" && typeof answer["ts"] === "string" ? `${answer["channel"]} ${answer["ts"]}` : null;
    const code = typeof answer["error"] === "string" && /^[a-z_]{1,40}$/.test(answer["error"]) ? answer["error"] : "no_answer";
    throw new Undelivered(code, { passing: passingErrors.has(code) || code === "no_answer", afterMs });
  };
};

const read = (text: string): JsonObject => {
  try {
    const value = parseJson(text);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
};

const maxChars = { header: 150, line: 3000, preformatted: 2500 };
const maxLines = 10;
const maxFields = 16;

/** The notice as Block Kit. Foreign words are in `plain_text` and `rich_text` alone, where nothing is markup, and in `text` escaped. */
export function slackMessage(notice: Notice, answerable: boolean): JsonObject {
  const { title, lines, fields, commands, link, answers } = notice;
  const blocks: Json[] = [
    { type: "header", text: plainText(shortened(visible(title), maxChars.header)) },
    ...lines.slice(0, maxLines).map((line) => ({ type: "section", text: plainText(shortened(visible(line), maxChars.line)) })),
    ...fields.slice(0, maxFields).map(([name, value]) => preformatted(name, value)),
    ...(commands.length > 0 ? [preformatted("Commands", commands.join("\n"))] : []),
    ...(link === null ? [] : [{ type: "actions", elements: [{ type: "button", text: plainText("Open"), url: link }] }]),
    ...(answers && answerable ? answering(answers) : []),
  ];
  return { text: escapedMrkdwn(shortened(visible(title), maxChars.header)), mrkdwn: false, link_names: false, parse: "none", unfurl_links: false, unfurl_media: false, blocks };
}

const answering = ({ approve, deny }: NonNullable<Notice["answers"]>): Json[] => [
  { type: "input", block_id: "comment", optional: true, label: plainText("Comment, for the agent"), element: { type: "plain_text_input", action_id: "comment", max_length: 1000 } },
  {
    type: "actions",
    block_id: "answer",
    elements: [
      { type: "button", action_id: "approve", style: "primary", text: plainText("Approve"), value: approve },
      { type: "button", action_id: "deny", style: "danger", text: plainText("Deny"), value: deny },
    ],
  },
];

const plainText = (text: string): JsonObject => ({ type: "plain_text", text: text === "" ? " " : text, emoji: false });

const preformatted = (name: string, value: string): JsonObject => ({
  type: "rich_text",
  elements: [
    { type: "rich_text_section", elements: [{ type: "text", text: `${shortened(visible(name), maxChars.header)}:`, style: { bold: true } }] },
    { type: "rich_text_preformatted", elements: [{ type: "text", text: shortened(visibleLines(value), maxChars.preformatted) || " " }] },
  ],
});

/** Slack's three characters of control: what is left can mention nobody and link nowhere. */
const escapedMrkdwn = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
