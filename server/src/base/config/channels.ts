import { resolve } from "node:path";
import { z } from "zod";
import { canonicalHost } from "../host.ts";
import { credentialsIn } from "./environment.ts";
import { noControl, secretTemplate } from "./template.ts";

// The `channels:` of lanyard.yaml: ways to reach people. Secrets are templates, filled in at each use.

/** A way to reach people, as the daemon uses it. Fields named in {@link secretsOf} are templates. */
export type ChannelEntry =
  | { readonly kind: "webhook"; readonly url: string; /** Key of the signature. */ readonly secret: string }
  | {
      readonly kind: "slack";
      /** How messages get there: an incoming webhook, whose URL is a secret, or a bot's token. */
      readonly by: { readonly webhook: string } | { readonly token: string; readonly channel: string };
      /** Verifies what Slack sends when somebody presses a button; null: messages have none. */
      readonly signingSecret: string | null;
      /** Id of the only workspace that answers are taken from; null: any that the app is installed in. */
      readonly workspace: string | null;
      /** URL of Slack's API. */
      readonly api: string;
    }
  | { readonly kind: "pagerduty"; readonly routingKey: string; /** URL of the Events API. */ readonly url: string }
  | {
      readonly kind: "smtp";
      readonly host: string;
      readonly port: number;
      /** `tls` from the first byte, `starttls` before anything is said; `none` only to this machine. */
      readonly security: "tls" | "starttls" | "none";
      readonly user: string | null;
      readonly password: string | null;
      readonly from: string;
      /** Who gets what is not addressed to somebody. */
      readonly to: readonly string[];
      /** Absolute path of further root certificates in PEM, or null. */
      readonly ca: string | null;
    };

const loopbackHost = /^(?:127(?:\.\d{1,3}){3}|localhost|\[?::1\]?)$/;

/** True for https, and for http to this machine: what is sent to people travels there. */
export function isSafeUrl(text: string): boolean {
  const url = URL.parse(text);
  if (!url || url.username || url.password || url.hash) return false;
  return url.protocol === "https:" || (url.protocol === "http:" && loopbackHost.test(url.hostname));
}

const url = z.string().max(2048).refine(noControl, "control characters are not allowed here").refine(isSafeUrl, "an https URL without a user in it (http only to this machine)");
const text = z.string().min(1).max(256).refine(noControl, "control characters are not allowed here");

/** An address as `MAIL FROM` and `RCPT TO` take it: nothing in it could be read as more than one, or end a line. */
export const emailAddress = z.string().max(254).regex(/^[A-Za-z0-9][A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{0,63}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/, "an e-mail address such as `ana@example.com`, without a name before it");
/** A Slack user's id. */
export const slackUser = z.string().regex(/^[UW][A-Z0-9]{2,31}$/, "the id of a Slack user begins with `U` or `W`; it is in the user's profile under `Copy member ID`");

const webhook = z.strictObject({ kind: z.literal("webhook"), url, secret: secretTemplate });

const slack = z
  .strictObject({
    kind: z.literal("slack"),
    webhook: secretTemplate.optional(),
    token: secretTemplate.optional(),
    channel: z.string().regex(/^[CGD][A-Z0-9]{2,31}$/, "the id of a Slack channel begins with `C`, `G` or `D`").optional(),
    signing_secret: secretTemplate.optional(),
    workspace: z.string().regex(/^[TE][A-Z0-9]{2,31}$/, "the id of a Slack workspace begins with `T`").optional(),
    api: url.optional(),
  })
  .superRefine(({ webhook: hook, token, channel }, context) => {
    const wrong = (message: string) => context.addIssue({ code: "custom", message, path: [] });
    if ((hook === undefined) === (token === undefined)) wrong("a Slack channel needs either `webhook`, or `token` and `channel`");
    else if ((token === undefined) !== (channel === undefined)) wrong("`token` and `channel` go together; an incoming webhook has its own channel");
  });

const pagerduty = z.strictObject({ kind: z.literal("pagerduty"), routing_key: secretTemplate, url: url.optional() });

const smtp = z
  .strictObject({
    kind: z.literal("smtp"),
    host: z.string().refine((name) => canonicalHost(name) !== null, "the name or the address of a mail server"),
    port: z.int().min(1).max(65_535).optional(),
    security: z.enum(["tls", "starttls", "none"]).optional(),
    user: text.optional(),
    password: secretTemplate.optional(),
    from: emailAddress,
    to: z.array(emailAddress).max(64).optional(),
    ca: text.optional(),
  })
  .superRefine(({ host, security, user, password }, context) => {
    const wrong = (message: string, path: string[]) => context.addIssue({ code: "custom", message, path });
    if (security === "none" && !loopbackHost.test(host)) wrong("without TLS only to this machine: mails hold links and what agents are about to do", ["security"]);
    if ((user === undefined) !== (password === undefined)) wrong("`user` and `password` go together", [user === undefined ? "password" : "user"]);
  });

export const channelShape = z.discriminatedUnion("kind", [webhook, slack, pagerduty, smtp], { error: "`kind` is one of webhook, slack, pagerduty, smtp" });

type ChannelFile = z.infer<typeof channelShape>;

/** Whom a request for approval is told to: channels, or channels by the group that is asked; `*` stands for every other group. */
export const notifyShape = (name: z.ZodString) => z.union([z.array(name).max(64), z.record(z.union([name, z.literal("*")]), z.array(name).max(64))], "a list of channels, or lists of channels by group");

/** One checked entry of the file as the daemon uses it; `folder` places relative paths. */
export function channelEntry(file: ChannelFile, folder: string): ChannelEntry {
  if (file.kind === "webhook") return file;
  if (file.kind === "pagerduty") return { kind: "pagerduty", routingKey: file.routing_key, url: file.url ?? "https://events.pagerduty.com/v2/enqueue" };
  if (file.kind === "slack") {
    const { webhook: hook, token = "", channel = "", signing_secret: signingSecret = null, workspace = null, api = "https://slack.com/api" } = file;
    return { kind: "slack", by: hook === undefined ? { token, channel } : { webhook: hook }, signingSecret, workspace, api: api.replace(/\/$/, "") };
  }
  const { host, security = "starttls", port = { tls: 465, starttls: 587, none: 25 }[security], user = null, password = null, from, to = [], ca } = file;
  return { kind: "smtp", host, port, security, user, password, from, to, ca: ca === undefined ? null : resolve(folder, ca) };
}

/** The templates of a channel, by their key in the file. */
export function secretsOf(entry: ChannelEntry): Readonly<Record<string, string>> {
  if (entry.kind === "webhook") return { secret: entry.secret };
  if (entry.kind === "pagerduty") return { routing_key: entry.routingKey };
  if (entry.kind === "smtp") return entry.password === null ? {} : { password: entry.password };
  return { ...("webhook" in entry.by ? { webhook: entry.by.webhook } : { token: entry.by.token }), ...(entry.signingSecret !== null && { signing_secret: entry.signingSecret }) };
}

interface Referring {
  readonly channels?: Readonly<Record<string, ChannelFile>> | undefined;
  readonly credentials?: Readonly<Record<string, { readonly serves?: { readonly channels?: readonly string[] | undefined } | undefined }>> | undefined;
  readonly users?: Readonly<Record<string, { readonly slack?: string | undefined }>> | undefined;
  readonly groups?: Readonly<Record<string, unknown>> | undefined;
  readonly approvals?: { readonly notify?: readonly string[] | Readonly<Record<string, readonly string[]>> | undefined } | undefined;
}

/** That channels are there where they are named, and are given only credentials that serve them. `missing` words that a name is not registered. */
export function checkChannels(
  { channels = {}, credentials = {}, users = {}, groups = {}, approvals = {} }: Referring,
  wrong: (path: readonly (string | number)[], message: string, at?: "key") => void,
  missing: (kind: string, name: string, known: readonly string[]) => string,
): void {
  const names = Object.keys(channels);
  const known = (name: string, path: readonly (string | number)[]) => names.includes(name) || wrong(path, missing("channel", name, names));
  for (const [channel, entry] of Object.entries(channels)) {
    for (const [key, text] of Object.entries(secretsOf(channelEntry(entry, "/")))) {
      for (const name of credentialsIn(text)) {
        if (!credentials[name]) wrong(["channels", channel, key], missing("credential", name, Object.keys(credentials)));
        else if (!credentials[name].serves?.channels?.includes(channel)) wrong(["channels", channel, key], `the credential \`${name}\` does not serve this channel; write \`serves: {channels: [${channel}]}\` there`);
      }
    }
  }
  for (const [name, { serves }] of Object.entries(credentials)) serves?.channels?.forEach((channel, index) => known(channel, ["credentials", name, "serves", "channels", index]));
  const { notify = [] } = approvals;
  const lists = Array.isArray(notify) ? [[null, notify as readonly string[]] as const] : Object.entries(notify as Readonly<Record<string, readonly string[]>>);
  for (const [group, list] of lists) {
    const at = ["approvals", "notify", ...(group === null ? [] : [group])];
    if (group !== null && group !== "*" && !Object.hasOwn(groups, group)) wrong(at, missing("group", group, Object.keys(groups)), "key");
    list.forEach((channel, index) => known(channel, [...at, index]));
  }
  const holders = new Map<string, string>();
  for (const [user, { slack: id }] of Object.entries(users)) {
    const other = id === undefined ? undefined : holders.get(id);
    if (other !== undefined) wrong(["users", user, "slack"], `\`${other}\` is the Slack user \`${id ?? ""}\` already`);
    if (id !== undefined) holders.set(id, user);
  }
}
