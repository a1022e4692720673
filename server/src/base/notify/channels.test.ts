import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault } from "@lanyard/contract";
import { expect, test } from "vitest";
import { yamlConfig } from "../../../../test/kits/approval.ts";
import { stillClock } from "../../../../test/kits/clock.ts";
import { HttpReceiver, MailReceiver } from "../../../../test/kits/receivers.ts";
import { unsealTemplate } from "../config/environment.ts";
import type { Undelivered } from "./channel.ts";
import { channelsOf } from "./channels.ts";
import type { Notice } from "./notice.ts";
import { webhookSignature } from "./webhook.ts";

const secrets = { HOOK: `whsec_${Buffer.from("a signing key of some length").toString("base64")}`, PD: "R0UT1NGKEY", TOKEN: "xoxb-token", SIGN: "signing", PASS: "p4ss word" };
const clock = stillClock();

const alarm: Notice = {
  id: "alr_1:raise", kind: "alert", severity: "critical", dedup: "alr_1", title: "session ses_1 is quarantined", lines: ["12 calls were denied in a minute", "nothing but reads is allowed now"],
  fields: [["agent", "coder"], ["last call", "files/write\n{\"path\": \"a\"}"]], commands: ["lanyard explain 12", "lanyard undo ses_1"], link: null, data: { alert: "alr_1" },
};
const question: Notice = { ...alarm, id: "apr_1", kind: "approval", severity: "warning", dedup: "apr_1", answers: { approve: "yes.1", deny: "no.1" } };

/** A channel as lanyard.yaml describes it; how one attempt ends. */
function channel(yaml: string, environment: Record<string, string> = secrets) {
  const config = yamlConfig(`version: 1\npublic_url: https://lanyard.example.com/\nchannels:\n  it: ${yaml}\n`);
  const fill = (templates: Readonly<Record<string, string>>) => Promise.resolve().then(() => unsealTemplate(templates, environment));
  const send = channelsOf({ clock, config: () => config, fill })("it");
  if (!send) throw new Error("no channel");
  const deliver = (notice: Notice, { earlier = null as string | null, signal = new AbortController().signal } = {}) => send({ notice, earlier, signal });
  return { deliver, failing: (notice: Notice) => deliver(notice).then(() => "delivered", ({ code, passing, afterMs }: Undelivered) => ({ code, passing, afterMs })) };
}

test("webhook: signed as Standard Webhooks says, with the notice's id", async () => {
  await using receiver = await HttpReceiver.start();
  const { deliver } = channel(`{ kind: webhook, url: "${receiver.url}/hook", secret: "\${env:HOOK}" }`);
  expect(await deliver(alarm)).toBeNull();
  const [{ headers, body, url } = { headers: {}, body: "", url: "" }] = receiver.received;
  expect([url, headers["webhook-id"], headers["webhook-timestamp"], headers["content-type"]]).toEqual(["/hook", "alr_1:raise", String(clock.nowMs() / 1000), "application/json; charset=utf-8"]);
  const signature = createHmac("sha256", "a signing key of some length").update(`alr_1:raise.${clock.nowMs() / 1000}.${body}`).digest("base64");
  expect(headers["webhook-signature"]).toBe(`v1,${signature}`);
  expect(JSON.parse(body)).toMatchObject({ type: "lanyard.alert", data: { id: "alr_1:raise", severity: "critical", fields: { agent: "coder" }, commands: alarm.commands, data: { alert: "alr_1" } } });
});

test("webhook: the example that libraries of Standard Webhooks are tested with", () => {
  const example = { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: "1614265330", body: '{"test": 2432232314}' };
  expect(webhookSignature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", example)).toBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
});

test("webhook: answers are not told to programs", async () => {
  await using receiver = await HttpReceiver.start();
  await channel(`{ kind: webhook, url: "${receiver.url}", secret: "\${env:HOOK}" }`).deliver(question);
  expect(receiver.received[0]?.body).not.toMatch(/yes\.1|no\.1/);
});

test("webhook: anything but 2xx is tried again, but 410; a redirect is not followed", async () => {
  await using receiver = await HttpReceiver.start();
  await using elsewhere = await HttpReceiver.start();
  const { failing } = channel(`{ kind: webhook, url: "${receiver.url}", secret: "\${env:HOOK}" }`);
  receiver.queued.push({ status: 500 }, { status: 404 }, { status: 429, headers: { "retry-after": "7" } }, { status: 302, headers: { location: elsewhere.url } }, { status: 410 }, { status: 204 });
  expect([await failing(alarm), await failing(alarm), await failing(alarm), await failing(alarm), await failing(alarm), await failing(alarm)]).toEqual([
    { code: "status_500", passing: true, afterMs: 0 },
    { code: "status_404", passing: true, afterMs: 0 },
    { code: "status_429", passing: true, afterMs: 7000 },
    { code: "status_302", passing: true, afterMs: 0 },
    { code: "status_410", passing: false, afterMs: 0 },
    "delivered",
  ]);
  expect(elsewhere.received).toEqual([]);
});

test("an answer without end is not read to its end, and a receiver that is silent is left when the attempt's time is over", async () => {
  await using receiver = await HttpReceiver.start();
  const { deliver, failing } = channel(`{ kind: webhook, url: "${receiver.url}", secret: "\${env:HOOK}" }`);
  receiver.queued.push({ status: 200, body: "x".repeat(8 * 1024 * 1024) }, { hang: true });
  expect(await failing(alarm)).toBe("delivered");
  const late = new AbortController();
  const hanging = deliver(alarm, { signal: late.signal }).catch(({ code }: Undelivered) => code);
  late.abort();
  expect(await hanging).toBe("unreachable");
});

test("a secret that cannot be had, or an address that is not safe, sends nothing", async () => {
  await using receiver = await HttpReceiver.start();
  expect(await channel(`{ kind: webhook, url: "${receiver.url}", secret: "\${env:HOOK}" }`, {}).failing(alarm)).toEqual({ code: "no_credential", passing: true, afterMs: 0 });
  for (const url of ["http://example.com/x", "ftp://127.0.0.1/", "https://user:pass@example.com/", "not a url"]) {
    expect(await channel(`{ kind: slack, webhook: "\${env:URL}" }`, { URL: url }).failing(alarm)).toEqual({ code: "address", passing: false, afterMs: 0 });
  }
  expect(receiver.received).toEqual([]);
});

test("pagerduty: triggers, acknowledges and resolves by the dedup key; tried again after 429 and 5xx alone", async () => {
  await using receiver = await HttpReceiver.start();
  receiver.usual = { status: 202 };
  const { deliver, failing } = channel(`{ kind: pagerduty, routing_key: "\${env:PD}", url: "${receiver.url}/v2/enqueue" }`);
  for (const kind of ["alert", "acknowledged", "resolved"] as const) await deliver({ ...alarm, kind });
  expect([receiver.json(0), receiver.json(1), receiver.json(2)]).toMatchObject([
    { routing_key: "R0UT1NGKEY", event_action: "trigger", dedup_key: "alr_1", payload: { summary: alarm.title, source: "https://lanyard.example.com", severity: "critical", custom_details: { agent: "coder", commands: alarm.commands } } },
    { event_action: "acknowledge", dedup_key: "alr_1" },
    { event_action: "resolve", dedup_key: "alr_1" },
  ]);
  await deliver({ ...question, lines: ["too long: cut here"], fields: [["what", "bank/pay"], ["lines", "forged"]] });
  expect(receiver.json(3)).toMatchObject({ payload: { custom_details: { lines: ["too long: cut here"], what: "bank/pay" } } });
  receiver.queued.push({ status: 400 }, { status: 429, headers: { "retry-after": "30" } }, { status: 500 }, { status: 200 });
  expect([await failing(alarm), await failing(alarm), await failing(alarm), await failing(alarm)]).toMatchObject([{ passing: false }, { passing: true, afterMs: 30_000 }, { passing: true }, { passing: false }]);
});

test("slack: an incoming webhook gets the message, with buttons only where answers can be verified", async () => {
  await using receiver = await HttpReceiver.start();
  const way = (more: string) => channel(`{ kind: slack, webhook: "\${env:URL}"${more} }`, { ...secrets, URL: `${receiver.url}/services/T/B/secret` });
  expect(await way("").deliver(question)).toBeNull();
  expect(JSON.stringify(receiver.json(0))).not.toContain("yes.1");
  await way(', signing_secret: "${env:SIGN}"').deliver(question);
  const actions = (receiver.json(1)["blocks"] as { type: string; elements?: unknown[] }[]).filter(({ type }) => type === "actions");
  expect(actions).toMatchObject([{ elements: [{ action_id: "approve", value: "yes.1" }, { action_id: "deny", value: "no.1" }] }]);
});

test("slack: with a token it posts, and what follows changes the message that is there", async () => {
  await using receiver = await HttpReceiver.start();
  receiver.usual = { body: JSON.stringify({ ok: true, channel: "C0123456", ts: "1700000000.000100" }) };
  const { deliver, failing } = channel(`{ kind: slack, token: "\${env:TOKEN}", channel: C0123456, signing_secret: "\${env:SIGN}", api: "${receiver.url}/api" }`);
  const earlier = await deliver(question);
  expect(earlier).toBe("C0123456 1700000000.000100");
  await deliver({ ...question, id: "apr_1:end", kind: "resolved" }, { earlier });
  expect(receiver.received.map(({ url, headers }) => [url, headers.authorization])).toEqual([["/api/chat.postMessage", "Bearer xoxb-token"], ["/api/chat.update", "Bearer xoxb-token"]]);
  expect(receiver.json(1)).toMatchObject({ channel: "C0123456", ts: "1700000000.000100" });
  receiver.queued.push({ body: '{"ok":false,"error":"channel_not_found"}' }, { body: '{"ok":false,"error":"ratelimited"}' }, { body: "<html>" }, { status: 503 });
  expect([await failing(alarm), await failing(alarm), await failing(alarm), await failing(alarm)]).toMatchObject([
    { code: "channel_not_found", passing: false },
    { code: "ratelimited", passing: true },
    { code: "no_answer", passing: true },
    { code: "status_503", passing: true },
  ]);
});

const rootOf = (receiver: MailReceiver) => {
  const folder = mkdtempSync(join(tmpdir(), "lanyard-mail-"));
  writeFileSync(join(folder, "ca.pem"), receiver.ca);
  return { path: join(folder, "ca.pem"), [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
};

test("smtp: TLS from the start and by STARTTLS, with a login, to the channel's addresses or the notice's", async () => {
  for (const mode of ["tls", "starttls"] as const) {
    await using receiver = await MailReceiver.start(mode, { login: { user: "lanyard", password: secrets.PASS } });
    using root = rootOf(receiver);
    const { deliver } = channel(`{ kind: smtp, host: localhost, port: ${receiver.port}, security: ${mode}, user: lanyard, password: "\${env:PASS}", from: lanyard@example.com, to: [ops@example.com], ca: "${root.path}" }`);
    await deliver({ ...alarm, link: "https://lanyard.example.com/approve/x" });
    await deliver({ ...alarm, to: ["ana@example.com"] });
    expect(receiver.received).toMatchObject([{ from: "lanyard@example.com", to: ["ops@example.com"], secure: true, user: "lanyard" }, { to: ["ana@example.com"] }]);
    const [{ raw } = { raw: "" }] = receiver.received;
    expect(raw).toMatch(/^Message-ID: <alr_1=3araise@example\.com>\r$/m);
    expect(raw).toMatch(/^Subject: session ses_1 is quarantined\r$/m);
    expect(raw).toMatch(/^Auto-Submitted: auto-generated\r$/im);
    expect(raw).toContain("https://lanyard.example.com/approve/x");
    expect(raw).toContain("  lanyard explain 12\r\n  lanyard undo ses_1");
  }
});

test("smtp: without TLS, with a certificate nobody signed, or with a wrong password nothing is sent", async () => {
  await using plain = await MailReceiver.start("none");
  await using untrusted = await MailReceiver.start("starttls");
  await using guarded = await MailReceiver.start("starttls", { login: { user: "lanyard", password: "other" } });
  using root = rootOf(guarded);
  const at = (receiver: MailReceiver, more = "") => channel(`{ kind: smtp, host: localhost, port: ${receiver.port}, from: lanyard@example.com, to: [ops@example.com]${more} }`);
  expect([await at(plain).failing(alarm), await at(untrusted).failing(alarm)]).toMatchObject([{ code: "tls", passing: true }, { passing: true }]);
  expect(await at(guarded, `, user: lanyard, password: "\${env:PASS}", ca: "${root.path}"`).failing(alarm)).toMatchObject({ code: "smtp_535", passing: false });
  expect([plain, untrusted, guarded].flatMap(({ received }) => received)).toEqual([]);
  expect(await at(plain, ", security: none").failing(alarm)).toBe("delivered");
});

test("smtp: tried again after a 4yz answer, given up after a 5yz one, and when nobody is named", async () => {
  await using receiver = await MailReceiver.start("none");
  const { failing } = channel(`{ kind: smtp, host: 127.0.0.1, port: ${receiver.port}, security: none, from: lanyard@example.com }`);
  receiver.refusals.push({ code: 451, text: "later" }, { code: 550, text: "never" });
  const notice = { ...alarm, to: ["ana@example.com"] };
  expect([await failing(notice), await failing(notice), await failing(notice), await failing(alarm)]).toMatchObject([{ code: "smtp_451", passing: true }, { code: "smtp_550", passing: false }, "delivered", { code: "no_receiver", passing: false }]);
});

test("smtp: an attempt that is over before it began ends, and nothing is left to fail unheard", async () => {
  const receiver = await MailReceiver.start("none");
  const { deliver } = channel(`{ kind: smtp, host: 127.0.0.1, port: ${receiver.port}, security: none, from: lanyard@example.com, to: [ops@example.com] }`);
  await receiver[Symbol.asyncDispose]();
  expect(await deliver(alarm, { signal: AbortSignal.abort() }).catch(({ code }: Undelivered) => code)).toBe("timeout");
});

test("lanyard.yaml: what is wrong with a channel is said with its place", () => {
  const problems = (text: string): string => {
    try {
      yamlConfig(`version: 1\n${text}`);
      return "";
    } catch (error) {
      return error instanceof Fault ? error.message.replaceAll("/srv/lanyard.yaml:", "") : String(error);
    }
  };
  expect(problems('channels:\n  a: { kind: fax }\n')).toMatch(/^3:\d+: .*`kind` is one of webhook, slack, pagerduty, smtp/m);
  expect(problems('channels:\n  a: { kind: webhook, url: "https://a.example", secret: plain }\n')).toMatch(/^3:\d+: .*a secret does not stand in this file/m);
  expect(problems('channels:\n  a: { kind: webhook, url: "http://a.example", secret: "${env:A}" }\n')).toMatch(/^3:\d+: .*an https URL/m);
  expect(problems('channels:\n  a: { kind: webhook, url: "https://a.example", secret: "${credential:hook}" }\n')).toMatch(/^3:\d+: no credential `hook`/m);
  expect(problems('credentials: { hook: { from: { env: A } } }\nchannels:\n  a: { kind: webhook, url: "https://a.example", secret: "${credential:hook}" }\n')).toMatch(/^4:\d+: the credential `hook` does not serve this channel/m);
  expect(problems('credentials: { hook: { from: { env: A }, serves: { channels: [b] } } }\n')).toMatch(/no channel `b`/);
  expect(problems("channels:\n  a: { kind: slack }\n")).toMatch(/either `webhook`, or `token` and `channel`/);
  expect(problems('channels:\n  a: { kind: smtp, host: mail.example.com, security: none, from: a@example.com }\n')).toMatch(/without TLS only to this machine/);
  expect(problems('channels:\n  a: { kind: smtp, host: mail.example.com, from: "a@example.com, b@example.com" }\n')).toMatch(/an e-mail address/);
  expect(problems("approvals: { notify: [ops] }\n")).toMatch(/^2:\d+: no channel `ops`/m);
  expect(problems("approvals: { notify: { sre: [] } }\n")).toMatch(/^2:\d+: no group `sre`/m);
  expect(problems("users: { ana: { slack: U0123 }, ben: { slack: U0123 } }\n")).toMatch(/^2:\d+: `ana` is the Slack user `U0123` already/m);
  expect(problems('users: { ana: { email: "ana@example.com\\nBcc: x@example.com" } }\n')).toMatch(/an e-mail address/);
  expect(problems("public_url: http://lanyard.example.com\n")).toMatch(/an https URL without path/);
  const config = yamlConfig('version: 1\npublic_url: https://lanyard.example.com/\ngroups: { sre: {} }\nusers: { ana: { email: ana@example.com } }\ncredentials: { pd: { from: { env: A }, serves: { channels: [pager] } } }\nchannels: { pager: { kind: pagerduty, routing_key: "${credential:pd}" } }\napprovals: { notify: { sre: [pager], "*": [] } }\n');
  expect(config).toMatchObject({ publicUrl: "https://lanyard.example.com" });
  expect([...config.notify]).toEqual([["sre", ["pager"]], ["*", []]]);
  expect(config.channels.get("pager")).toEqual({ kind: "pagerduty", routingKey: "${credential:pd}", url: "https://events.pagerduty.com/v2/enqueue" });
});
