import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { unsealTemplate } from "../../server/src/base/config/environment.ts";
import { silent } from "../../server/src/base/log.ts";
import { channelsOf } from "../../server/src/base/notify/channels.ts";
import { DurableOutbox } from "../../server/src/base/notify/outbox.ts";
import { Surfaces } from "../../server/src/edge/surfaces/surfaces.ts";
import { identityStage, type Identity } from "../../server/src/stages/identity/identity.ts";
import { until } from "../daemon.ts";
import { approvalWorld, yamlConfig } from "./approval.ts";
import { settled } from "./clock.ts";
import { HttpReceiver, MailReceiver } from "./receivers.ts";

export const signingSecret = "a-signing-secret-of-slack";

const yaml = (receiver: string, mailPort: number, notify: string): string => `
version: 1
groups: { leads: {}, sre: {} }
users:
  ana: { groups: [leads], slack: U00ANA, email: ana@example.com }
  lea: { groups: [leads], slack: U00LEA, email: lea@example.com }
  sam: { groups: [sre], slack: U00SAM, email: sam@example.com }
  ben: { slack: U00BEN }
channels:
  team: { kind: slack, token: "\${env:TOKEN}", channel: C0TEAM, signing_secret: "\${env:SIGN}", workspace: T0HOME, api: "${receiver}/api" }
  other: { kind: slack, webhook: "\${env:HOOK}", signing_secret: "\${env:SIGN}" }
  hook: { kind: webhook, url: "${receiver}/hook", secret: "\${env:SIGN}" }
  mail: { kind: smtp, host: 127.0.0.1, port: ${mailPort}, security: none, from: lanyard@example.com }
approvals: { notify: ${notify} }
limits: { callbacks: 16 }
`;

interface FormAnswer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

/** Surfaces over a real approval and identity stage, with a Slack-shaped receiver, a mail server and HTTP in front; time stands still. */
export class SurfacesWorld implements AsyncDisposable {
  readonly base: Awaited<ReturnType<typeof approvalWorld>>;
  readonly slack: HttpReceiver;
  readonly mail: MailReceiver;
  readonly #server = createServer(getRequestListener(async (request) => (await this.#surfaces.handle(request)) ?? new Response("the API", { status: 404 }), { overrideGlobalObjects: false }));
  #identity: Identity;
  #outbox: DurableOutbox;
  #surfaces: Surfaces;
  url = "";

  private constructor(base: Awaited<ReturnType<typeof approvalWorld>>, slack: HttpReceiver, mail: MailReceiver) {
    this.base = base;
    this.slack = slack;
    this.mail = mail;
    [this.#identity, this.#outbox, this.#surfaces] = this.#build();
  }

  static async start(notify = "[team, mail]"): Promise<SurfacesWorld> {
    const [slack, mail] = [await HttpReceiver.start(), await MailReceiver.start("none")];
    slack.usual = { body: JSON.stringify({ ok: true, channel: "C0TEAM", ts: "1700000000.000100" }) };
    const base = await approvalWorld();
    base.live.config = yamlConfig(yaml(slack.url, mail.port, notify));
    const world = new SurfacesWorld(base, slack, mail);
    await new Promise<void>((resolve) => world.#server.listen(0, "127.0.0.1", resolve));
    world.url = `http://127.0.0.1:${(world.#server.address() as AddressInfo).port}`;
    world.#surfaces.announce();
    return world;
  }

  get identity(): Identity {
    return this.#identity;
  }

  #build(): [Identity, DurableOutbox, Surfaces] {
    const { store, clock, approvals, live } = this.base;
    const rooms = { store, clock, log: silent, config: () => live.config };
    const environment = { TOKEN: "xoxb-token", SIGN: signingSecret, HOOK: `${this.slack.url}/services/secret` };
    const fill = (templates: Readonly<Record<string, string>>) => Promise.resolve().then(() => unsealTemplate(templates, environment));
    const identity = identityStage(rooms);
    const outbox = new DurableOutbox({ ...rooms, channel: channelsOf({ clock, config: rooms.config, fill }) });
    return [identity, outbox, new Surfaces({ ...rooms, approvals, identity, outbox, fill, url: () => this.url })];
  }

  /** The daemon ends and starts anew on the same store. */
  async restart(): Promise<void> {
    await this.#surfaces[Symbol.asyncDispose]();
    await this.#outbox[Symbol.asyncDispose]();
    await this.#identity[Symbol.asyncDispose]();
    await this.base.restart();
    [this.#identity, this.#outbox, this.#surfaces] = this.#build();
    this.#surfaces.announce();
    await settled();
  }

  /** Resolves once everything that was posted to channels is delivered or given up. */
  async delivered(): Promise<void> {
    await settled();
    await until(() => this.base.records("notice.post").length === this.base.records("notice.deliver", "notice.fail").length, "all notices are delivered");
  }

  /** A question on its way to people: the request's id. */
  async ask(mark = "a", more: Parameters<Awaited<ReturnType<typeof approvalWorld>>["call"]>[0] = {}): Promise<string> {
    const before = new Set(this.base.approvals.list().map(({ id }) => id));
    await this.base.call({ mark, ...more });
    await this.delivered();
    return this.base.approvals.list().find(({ id }) => !before.has(id))?.id ?? "";
  }

  /** The value on a button of the newest message. */
  button(verdict: "approve" | "deny"): string {
    for (const { body } of this.slack.received.toReversed()) {
      const [value] = new RegExp(`${verdict}\\.apr_[\\w-]+\\.[\\w-]{43}\\.[\\w-]{43}`).exec(body) ?? [];
      if (value !== undefined) return value;
    }
    return "";
  }

  /** The path of the newest link that was mailed to somebody. */
  link(to: string): string {
    const mail = this.mail.received.findLast((one) => one.to.includes(to) && one.raw.includes("/approve/"));
    const text = (mail?.raw ?? "").replace(/=\r\n/g, "").replace(/=3D/g, "=");
    return /\/approve\/[\w-]+/.exec(text)?.[0] ?? "";
  }

  async press(value: string, { user = "U00LEA", channel = "team", workspace = "T0HOME", home = workspace, comment = "", ...how }: { user?: string; channel?: string; workspace?: string; home?: string; comment?: string } & SlackCall = {}): Promise<number> {
    const payload = {
      type: "block_actions", user: { id: user, team_id: home }, team: { id: workspace }, response_url: `${this.slack.url}/actions/answer`,
      actions: [{ action_id: value.split(".")[0], value }], state: { values: { comment: { comment: { type: "plain_text_input", value: comment } } } },
    };
    const replies = () => this.slack.received.filter(({ url }) => url === "/actions/answer").length;
    const before = replies();
    const status = await this.slackCalls(channel, `payload=${encodeURIComponent(JSON.stringify(payload))}`, how);
    if (status === 200) await until(() => replies() > before, "Slack is answered");
    return status;
  }

  async slackCalls(channel: string, body: string, { secret = signingSecret, atMs = this.base.clock.nowMs(), signature, signed = body, method = "POST" }: SlackCall = {}): Promise<number> {
    const time = String(Math.floor(atMs / 1000));
    const made = signature ?? `v0=${createHmac("sha256", secret).update(`v0:${time}:${signed}`).digest("hex")}`;
    const headers = { "content-type": "application/x-www-form-urlencoded", "x-slack-request-timestamp": time, "x-slack-signature": made };
    const { status } = await fetch(`${this.url}/slack/${channel}`, { method, headers, ...(method === "POST" && { body }) });
    await settled();
    return status;
  }

  /** What the person who pressed was told last. */
  toldInSlack(): string {
    const last = this.slack.received.findLast(({ url }) => url === "/actions/answer");
    return String((JSON.parse(last?.body ?? "{}") as { text?: string }).text ?? "");
  }

  async visit(path: string, { cookie = "", method = "GET" } = {}): Promise<FormAnswer> {
    const response = await fetch(`${this.url}${path}`, { method, redirect: "manual", headers: { cookie } });
    return { status: response.status, text: await response.text(), headers: response.headers };
  }

  /** A form as a browser sends it; `origin` null for none. */
  async submit(path: string, fields: Readonly<Record<string, string>>, { cookie = "", origin = this.url as string | null } = {}): Promise<FormAnswer> {
    const headers = { cookie, "content-type": "application/x-www-form-urlencoded", ...(origin !== null && { origin }) };
    const response = await fetch(`${this.url}${path}`, { method: "POST", redirect: "manual", headers, body: new URLSearchParams(fields).toString() });
    return { status: response.status, text: await response.text(), headers: response.headers };
  }

  async credential(user: string): Promise<string> {
    return (await this.#identity.issue("user", user, "operator")).secret;
  }

  /** Opens a link and signs in: the cookie, and the key of the form that the card is shown with. */
  async signIn(path: string, secret: string): Promise<{ cookie: string; form: string; status: number; text: string }> {
    const entry = await this.visit(path);
    const answer = await this.submit(`${path}/sign-in`, { form: formKey(entry.text), credential: secret });
    const [cookie = ""] = (answer.headers.get("set-cookie") ?? "").split(";");
    const shown = await this.visit(path, { cookie });
    return { cookie, form: formKey(shown.text), status: answer.status, text: answer.status === 303 ? shown.text : answer.text };
  }

  /** How requests stand, as the ledger has it. */
  answers(): string[] {
    return this.base.records("approval.approve", "approval.deny").map((record) => `${record.type} ${"by" in record ? String(record.by) : ""} ${"via" in record ? String(record.via) : ""}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#surfaces[Symbol.asyncDispose]();
    await this.#outbox[Symbol.asyncDispose]();
    await this.#identity[Symbol.asyncDispose]();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
    await this.slack[Symbol.asyncDispose]();
    await this.mail[Symbol.asyncDispose]();
  }
}

interface SlackCall {
  readonly secret?: string;
  readonly atMs?: number;
  readonly signature?: string;
  /** The body that the signature is made over. */
  readonly signed?: string;
  readonly method?: string;
}

export const formKey = (text: string): string => /name="form" value="([\w-]+)"/.exec(text)?.[1] ?? "";
