import { expect, test } from "vitest";
import { until } from "../daemon.ts";
import { alertWorld, orderOf } from "../kits/alert.ts";
import { HttpReceiver, MailReceiver } from "../kits/receivers.ts";

// Alerts over the real outbox and channels to real receivers on this machine; only the clock is a test's.

const minute = 60_000;
const at = (text: string): number => Date.parse(text);

interface PagerEvent {
  readonly event_action: string;
  readonly dedup_key: string;
  readonly payload?: { readonly summary: string; readonly severity: string; readonly custom_details: { readonly commands: readonly string[] } };
}

test("PagerDuty: an alert triggers, escalates under the same key, is acknowledged and resolved", async () => {
  await using pager = await HttpReceiver.start();
  pager.usual = { status: 202 };
  const yaml = `
version: 1
users: { ana: {} }
channels: { pager: { kind: pagerduty, routing_key: "\${env:PD}", url: "${pager.url}/v2/enqueue" } }
alerts:
  contacts: { ana: [pager] }
  routes: { page: { levels: [{ users: [ana], minutes: 5 }, { channels: [pager] }] } }
  conditions: { breaker: { route: page } }
`;
  await using w = await alertWorld({ startMs: at("2026-11-22T02:13:00Z"), yaml });
  w.facts.quarantines = [orderOf({ sinceMs: w.clock.nowMs() })];
  await w.advance(1000);
  await until(() => pager.received.length === 1, "it was triggered");
  const id = w.only();
  await w.advance(5 * minute + 1000);
  await until(() => pager.received.length === 2, "it was triggered again");
  await w.alerts.acknowledge(id, "ana");
  await until(() => pager.received.length === 3, "it was acknowledged");
  w.facts.quarantines = [];
  await w.advance(2 * minute);
  await until(() => pager.received.length === 4, "it was resolved");
  const events = pager.received.map((_, index) => pager.json(index) as unknown as PagerEvent);
  expect(events.map(({ event_action: action, dedup_key: key }) => [action, key])).toEqual([["trigger", id], ["trigger", id], ["acknowledge", id], ["resolve", id]]);
  expect(events[0]?.payload).toMatchObject({ severity: "critical", summary: "Breaker denials tripped: agent clerk is quarantined" });
  expect(events[0]?.payload?.custom_details.commands).toEqual(["lanyard explain 41", "lanyard undo ses_1", "lanyard resume st_1", "lanyard incident ses_1", `lanyard alerts ack ${id}`]);
});

test("an incident is resolved at the next start when the daemon died before it could say that it was over", async () => {
  await using pager = await HttpReceiver.start();
  pager.usual = { status: 202 };
  const yaml = `
version: 1
users: { ana: {} }
channels: { pager: { kind: pagerduty, routing_key: "\${env:PD}", url: "${pager.url}/v2/enqueue" } }
alerts:
  contacts: { ana: [pager] }
  routes: { page: { levels: [{ users: [ana], minutes: 5 }] } }
  conditions: { breaker: { route: page } }
`;
  await using w = await alertWorld({ startMs: at("2026-11-22T02:13:00Z"), yaml });
  w.facts.quarantines = [orderOf({ sinceMs: w.clock.nowMs() })];
  await w.advance(1000);
  await until(() => pager.received.length === 1, "it was triggered");
  const id = w.only();
  // It went on record, and nothing more.
  await w.store.append({ type: "alert.resolve", id, times: 1 }, { state: [{ kind: "alert", key: id, value: null }] });
  w.facts.quarantines = [];
  for (const start of [1, 2]) {
    await w.restart({ orderly: false });
    await w.advance(start * 1000);
    await until(() => pager.received.length === 2, "it was resolved");
  }
  expect(pager.json(1)).toMatchObject({ event_action: "resolve", dedup_key: id });
});

test("a webhook that fails and recovers gets the page once, with one id, and a restart in between sends it to nobody twice", async () => {
  await using hook = await HttpReceiver.start();
  hook.usual = { status: 503 };
  const yaml = `
version: 1
channels: { ops: { kind: webhook, url: "${hook.url}/hook", secret: "\${env:HOOK}" } }
alerts:
  routes: { page: { levels: [{ channels: [ops] }] } }
  conditions: { breaker: { route: page } }
`;
  await using w = await alertWorld({ startMs: at("2026-11-22T02:13:00Z"), yaml });
  w.facts.quarantines = [orderOf()];
  await w.advance(1000);
  await until(() => hook.received.length === 1, "it was tried");
  const later = async (done: () => boolean): Promise<boolean> => {
    await w.advance(1000);
    return done();
  };
  await until(() => later(() => hook.received.length > 1), "it was tried again");
  await w.restart({ orderly: false });
  hook.usual = { status: 200 };
  await until(() => later(() => w.store.entries({ types: ["notice.deliver"] }).length === 1), "it was delivered");
  const { length } = hook.received;
  await w.restart();
  await w.advance(10 * minute);
  expect(hook.received).toHaveLength(length);
  expect(new Set(hook.received.map(({ headers }) => headers["webhook-id"]))).toEqual(new Set([`${w.only()}.1`]));
});

test("mail goes to whoever is on call on the wall, through both changes of clocks; the two-o'clock hour that comes twice is the earlier shift's twice", async () => {
  await using mail = await MailReceiver.start("none");
  const yaml = `
version: 1
users: { ana: { email: ana@example.com }, ben: { email: ben@example.com } }
channels: { mail: { kind: smtp, host: 127.0.0.1, port: ${mail.port}, security: none, from: lanyard@example.com } }
alerts:
  contacts: { ana: [mail], ben: [mail] }
  rotas: { sre: { zone: Europe/Berlin, shifts: [{ who: ana, from: "22:00", to: "03:00" }, { who: ben, from: "03:00", to: "22:00" }] } }
  routes: { page: { levels: [{ rotas: [sre] }] } }
  conditions: { breaker: { route: page } }
`;
  const pagedAt = async (text: string): Promise<string> => {
    const before = mail.received.length;
    await using w = await alertWorld({ startMs: at(text), yaml });
    w.facts.quarantines = [orderOf()];
    await w.advance(1000);
    await until(() => mail.received.length > before, "a mail came");
    return String(mail.received.at(-1)?.to.join(" "));
  };
  // Back: 03:00 summer time is 02:00 again. Forward: after 01:59 comes 03:00.
  expect(await pagedAt("2026-10-25T00:30:00Z")).toBe("ana@example.com");
  expect(await pagedAt("2026-10-25T01:30:00Z")).toBe("ana@example.com");
  expect(await pagedAt("2026-10-25T02:00:00Z")).toBe("ben@example.com");
  expect(await pagedAt("2026-03-29T00:59:00Z")).toBe("ana@example.com");
  expect(await pagedAt("2026-03-29T01:00:00Z")).toBe("ben@example.com");
  const { raw } = mail.received[0] ?? { raw: "" };
  expect(raw).toMatch(/^Subject: .*Breaker denials tripped/m);
  for (const command of ["lanyard explain 41", "lanyard undo ses_1", "lanyard resume st_1"]) expect(raw).toContain(command);
});

test("while the ledger refuses, the real channel gets the page from memory", async () => {
  await using hook = await HttpReceiver.start();
  const yaml = `
version: 1
channels: { ops: { kind: webhook, url: "${hook.url}/hook", secret: "\${env:HOOK}" } }
alerts:
  routes: { page: { levels: [{ channels: [ops] }] } }
  conditions: { ledger_down: { route: page } }
`;
  await using w = await alertWorld({ startMs: at("2026-11-22T02:13:00Z"), yaml });
  w.medium.failure = new Error("disk full");
  await w.store.append({ type: "session.close", session: "s", why: "test", actions: 0 }).catch(() => {});
  await w.advance(1000);
  await until(() => hook.received.length === 1, "the page came");
  expect(hook.json(0)).toMatchObject({ data: { title: "The ledger cannot write" } });
  w.medium.failure = null;
  await w.advance(2 * minute);
  expect(w.records().map(({ type }) => type)).toEqual(["alert.raise", "alert.resolve"]);
  await until(() => hook.received.length === 2, "the end was told too");
});
