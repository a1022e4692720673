import { Fault } from "@lanyard/contract";
import type { Clock } from "../clock.ts";
import { secretsOf, type ChannelEntry } from "../config/channels.ts";
import type { Config } from "../config/config.ts";
import { Undelivered, type Deliver } from "./channel.ts";
import { pagerDutyChannel } from "./pagerduty.ts";
import { slackChannel } from "./slack.ts";
import { smtpChannel } from "./smtp.ts";
import { webhookChannel } from "./webhook.ts";

interface Tools {
  readonly clock: Clock;
  readonly config: () => Config;
  /** Fills in templates. Throws Fault `no_credential`, `invalid_config`. */
  readonly fill: (templates: Readonly<Record<string, string>>) => Promise<Readonly<Record<string, string>>>;
}

/** The configured channels by name. Secrets are read at each attempt, so that a new one counts at once and none is kept. */
export const channelsOf = ({ clock, config, fill }: Tools) => {
  const secrets = async (entry: ChannelEntry): Promise<Readonly<Record<string, string>>> => {
    try {
      return await fill(secretsOf(entry));
    } catch (cause) {
      if (cause instanceof Fault) throw new Undelivered("no_credential", { passing: true, cause });
      throw cause;
    }
  };
  return (name: string): Deliver | null => {
    const entry = config().channels.get(name);
    return entry === undefined ? null : async (attempt) => open(entry, await secrets(entry), { clock, source: sourceOf(config()) })(attempt);
  };
};

/** How this daemon calls itself towards others. */
const sourceOf = ({ publicUrl, listen }: Config): string => publicUrl ?? `lanyard at ${listen.host}:${listen.port}`;

function open(entry: ChannelEntry, given: Readonly<Record<string, string>>, { clock, source }: { readonly clock: Clock; readonly source: string }): Deliver {
  if (entry.kind === "webhook") return webhookChannel({ url: entry.url, secret: given["secret"] ?? "", clock });
  if (entry.kind === "pagerduty") return pagerDutyChannel({ url: entry.url, routingKey: given["routing_key"] ?? "", source });
  if (entry.kind === "slack") {
    const by = "webhook" in entry.by ? { webhook: given["webhook"] ?? "" } : { token: given["token"] ?? "", channel: entry.by.channel };
    return slackChannel({ by, api: entry.api, answerable: entry.signingSecret !== null });
  }
  const { host, port, security, user, from, to, ca } = entry;
  return smtpChannel({ host, port, security, login: user === null ? null : { user, pass: given["password"] ?? "" }, from, to, ca });
}
