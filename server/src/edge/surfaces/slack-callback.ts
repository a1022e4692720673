import { createHmac } from "node:crypto";
import { Fault, isObject, parseJson, type ErrorCode, type Json, type JsonObject } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import { secretsOf, type ChannelEntry } from "../../base/config/channels.ts";
import type { Config } from "../../base/config/config.ts";
import type { Log } from "../../base/log.ts";
import { Undelivered } from "../../base/notify/channel.ts";
import { httpPost } from "../../base/notify/http-post.ts";
import { isSame } from "../../base/same.ts";
import type { Approvals } from "../../stages/approval/approval.ts";
import type { Doors } from "../../stages/identity/doors.ts";
import type { AnswerValues } from "./answers.ts";
import { bodyBytes, formOf } from "./body.ts";

const windowMs = 300_000;

interface Rooms {
  readonly clock: Clock;
  readonly log: Log;
  readonly config: () => Config;
  readonly approvals: Pick<Approvals, "decide">;
  readonly identity: Pick<Doors, "turnedAway">;
  readonly answers: AnswerValues;
  readonly fill: (templates: Readonly<Record<string, string>>) => Promise<Readonly<Record<string, string>>>;
}

type SlackEntry = Extract<ChannelEntry, { kind: "slack" }>;

/** What Slack says when somebody presses a button. */
interface Press {
  readonly slackUser: string;
  /** Of the message and of the person; in a channel shared with others they can differ. */
  readonly workspaces: readonly (string | null)[];
  readonly value: string;
  readonly comment: string;
  readonly answerTo: string | null;
}

/**
 * Where Slack sends what people press: `/slack/<channel>`. Slack proves itself by a signature over the bytes and a time at most five minutes away, each
 * of which counts once; the person is who Slack says, if lanyard.yaml knows that Slack user. Whoever is not allowed to answer is told so in Slack.
 */
export class SlackCallback {
  readonly #rooms: Rooms;
  /** Signatures that were taken, until their time is too old anyway. */
  readonly #seen = new Map<string, number>();
  readonly #answering = new Set<Promise<void>>();

  constructor(rooms: Rooms) {
    this.#rooms = rooms;
  }

  async handle(request: Request, channel: string): Promise<Response> {
    try {
      const entry = this.#rooms.config().channels.get(channel);
      if (entry?.kind !== "slack" || entry.signingSecret === null) throw new Fault("not_found", "there is no such address");
      if (request.method !== "POST") return new Response(null, { status: 405, headers: { allow: "POST" } });
      const bytes = await bodyBytes(request, this.#rooms.config().limits.callback_bytes);
      await this.#verify(request, entry, bytes);
      const press = pressOf(formOf(request, bytes).get("payload") ?? "");
      this.#reply(entry, press, await this.#decide(channel, entry, press));
      return new Response(null, { status: 200 });
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      if (error.code !== "not_found") this.#rooms.identity.turnedAway(error.code, "slack");
      return new Response(null, { status: statuses[error.code] ?? 400 });
    }
  }

  /** Resolves when nothing is said to Slack any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#answering);
  }

  /** Throws Fault `unauthenticated`, `conflict` (sent before), `limit_exceeded`. */
  async #verify(request: Request, entry: SlackEntry, bytes: Buffer): Promise<void> {
    const { clock, config, fill } = this.#rooms;
    const time = request.headers.get("x-slack-request-timestamp") ?? "";
    const given = request.headers.get("x-slack-signature") ?? "";
    const nowMs = clock.nowMs();
    if (!/^\d{1,12}$/.test(time) || Math.abs(nowMs - Number(time) * 1000) > windowMs) throw new Fault("unauthenticated", "the request is too old, or from the future");
    const { signing_secret: secret } = secretsOf(entry);
    const { signing_secret: key = "" } = await fill({ signing_secret: secret ?? "" });
    const made = slackSignature(key, time, bytes);
    if (key === "" || !isSame(given, made)) throw new Fault("unauthenticated", "the signature does not fit");
    for (const [signature, untilMs] of this.#seen) if (untilMs < nowMs) this.#seen.delete(signature);
    if (this.#seen.has(made)) throw new Fault("conflict", "the request was sent before");
    if (this.#seen.size >= config().limits.callbacks) throw new Fault("limit_exceeded", `${config().limits.callbacks} callbacks came in five minutes, the limit callbacks`);
    this.#seen.set(made, Number(time) * 1000 + windowMs);
  }

  /** What happened, in words for the person who pressed. */
  async #decide(channel: string, { workspace }: SlackEntry, press: Press): Promise<string> {
    const { config, approvals, answers, identity, log } = this.#rooms;
    const refused = (code: ErrorCode, why: string): string => {
      identity.turnedAway(code, "slack");
      return `Not answered: ${why}.`;
    };
    if (workspace !== null && !press.workspaces.every((one) => one === workspace)) return refused("forbidden", "this workspace is not the one that answers are taken from");
    const user = [...config().users].find(([, { slack }]) => slack === press.slackUser)?.[0];
    if (user === undefined) return refused("forbidden", "lanyard.yaml names no user for your Slack user");
    const answer = answers.readButton(channel, press.value);
    if (!answer) return refused("forbidden", "this button is none of this channel's");
    try {
      const { state, missing } = await approvals.decide(answer.id, answer.verdict, { user, via: channel }, press.comment, answer.digest);
      return state === "pending" ? `Your yes counts. Still missing: ${missing.join(", ")}.` : `You said ${answer.verdict}.`;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      log.info("slack.refused", { code: error.code, user, channel });
      return error.code === "forbidden" ? refused("forbidden", error.message) : `Not answered: ${error.message}.`;
    }
  }

  /** To the one who pressed alone. Best effort: what was decided is in the ledger, and everybody hears of it by the outbox. */
  #reply(entry: SlackEntry, { answerTo }: Press, text: string): void {
    if (answerTo === null || !isSlacks(entry, answerTo)) return;
    const { clock, config, log } = this.#rooms;
    const late = new AbortController();
    const timer = clock.after(config().limits.channel_ms, () => late.abort());
    const body = JSON.stringify({ response_type: "ephemeral", replace_original: false, text: plain(text) });
    const answering = httpPost(answerTo, { body, headers: {}, signal: late.signal })
      .then(() => {}, (error: unknown) => log.debug("slack.unanswered", { code: error instanceof Undelivered ? error.code : "internal" }))
      .finally(() => {
        timer.cancel();
        this.#answering.delete(answering);
      });
    this.#answering.add(answering);
  }
}

/** `time`: in seconds, as the header has it. */
export const slackSignature = (key: string, time: string, bytes: Uint8Array): string => `v0=${createHmac("sha256", key).update(`v0:${time}:`).update(bytes).digest("hex")}`;

const statuses: { readonly [C in ErrorCode]?: number } = { not_found: 404, unauthenticated: 401, conflict: 409, limit_exceeded: 413, no_credential: 503, invalid_config: 503 };

/** Foreign words in mrkdwn: no mention, no link. */
const plain = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** Slack names the address to answer at; nothing is sent to another host than Slack's, or the one configured as its API. */
const isSlacks = ({ api }: SlackEntry, url: string): boolean => {
  const origin = URL.parse(url)?.origin;
  return origin === "https://hooks.slack.com" || origin === new URL(api).origin;
};

/** Throws Fault `invalid_request`. */
function pressOf(payload: string): Press {
  const said = objectOf(readJson(payload));
  const [action, ...others] = Array.isArray(said["actions"]) ? said["actions"] : [];
  const [user, team] = [objectOf(said["user"]), objectOf(said["team"])];
  const value = objectOf(action)["value"];
  if (said["type"] !== "block_actions" || others.length > 0 || typeof value !== "string" || typeof user["id"] !== "string") throw new Fault("invalid_request", "this is no button of Lanyard's");
  const comment = objectOf(objectOf(objectOf(objectOf(said["state"])["values"])["comment"])["comment"])["value"];
  return {
    slackUser: user["id"],
    workspaces: [textOf(team["id"]), ...(user["team_id"] === undefined ? [] : [textOf(user["team_id"])])],
    value,
    comment: typeof comment === "string" ? comment : "",
    answerTo: textOf(said["response_url"]),
  };
}

const textOf = (value: Json | undefined): string | null => (typeof value === "string" ? value : null);
const objectOf = (value: unknown): JsonObject => (isObject(value) ? value : {});

function readJson(text: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    throw new Fault("invalid_request", "the payload is no JSON", { cause });
  }
}
