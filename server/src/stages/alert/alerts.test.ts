import { expect, test } from "vitest";
import { alertSettings, alertWorld, orderOf } from "../../../../test/kits/alert.ts";
import type { Alert } from "./alert.ts";
import { summaryOf } from "./pages.ts";

const noon = Date.parse("2026-11-25T12:00:00Z");
const night = Date.parse("2026-11-25T06:45:00Z");
const minute = 60_000;
const count = (percent: number) => ({ budget: "max_calls", scope: "session ses_1", used: `${percent} calls`, limit: "100 calls", percent, warn: null, agent: "clerk", session: "ses_1" });

test("who is on call is paged within a second, the next level when nobody acknowledges, all again as often as is said, then nobody", async () => {
  await using w = await alertWorld({ startMs: noon });
  w.facts.quarantines = [orderOf({ sinceMs: noon })];
  await w.advance(1000);
  expect(w.sent()).toEqual(["ana-phone: Breaker denials tripped: agent clerk is quarantined"]);
  await w.advance(5 * minute - 1000);
  expect(w.sent()).toEqual([]);
  await w.advance(2000);
  expect(w.sent()).toEqual(["ben-phone: Escalated: Breaker denials tripped: agent clerk is quarantined", "ops: Escalated: Breaker denials tripped: agent clerk is quarantined"]);
  await w.advance(10 * minute + 1000);
  expect(w.sent().map((line) => line.split(":")[0])).toEqual(["ana-phone"]);
  await w.advance(5 * minute + 1000);
  expect(w.sent().map((line) => line.split(":")[0])).toEqual(["ben-phone", "ops"]);
  await w.advance(60 * minute);
  expect(w.sent()).toEqual([]);
  expect(w.records().map((record) => (record.type === "alert.raise" ? record.channels : record.type === "alert.escalate" ? record.page : record.type))).toEqual([["ana-phone"], 2, 3, 4]);
});

test("a page says what happened, what was already done, and the commands to explain, undo and resume", async () => {
  await using w = await alertWorld({ startMs: noon });
  w.facts.quarantines = [orderOf({ sinceMs: noon })];
  await w.advance(1000);
  const [{ notice } = { notice: null }] = w.notices();
  expect(notice).toMatchObject({
    kind: "alert",
    severity: "critical",
    lines: ["Why: 20 denials in a minute", "2 sessions were quarantined.", "1 call was cancelled.", "Reads are still allowed, as policy says; nothing else is carried out."],
    commands: ["lanyard explain 41", "lanyard undo ses_1", "lanyard resume st_1", "lanyard incident ses_1", `lanyard alerts ack ${w.only()}`],
    dedup: w.only(),
  });
  expect(notice?.fields).toContainEqual(["Paged", "ana"]);
});

test("an acknowledgement by whoever can be paged ends the paging and says who; nobody else's does", async () => {
  await using w = await alertWorld({ startMs: noon });
  w.facts.quarantines = [orderOf()];
  await w.advance(1000);
  await expect(w.alerts.acknowledge("al_none", "ana")).rejects.toMatchObject({ code: "not_found" });
  await expect(w.alerts.acknowledge(w.only(), "eve")).rejects.toMatchObject({ code: "forbidden" });
  const id = w.only();
  expect(await w.alerts.acknowledge(id, "lea")).toMatchObject({ state: "acknowledged", acknowledged_by: "user:lea", next_at_ms: null });
  await expect(w.alerts.acknowledge(id, "ana")).rejects.toThrow("user:lea has acknowledged");
  w.sent();
  await w.advance(30 * minute);
  expect(w.sent()).toEqual([]);
  expect(w.records().at(-1)).toMatchObject({ type: "alert.acknowledge", id, by: "user:lea" });
});

test("what comes and goes by itself is one alert that came often, and over once it has been away for a minute; whoever was paged is told", async () => {
  await using w = await alertWorld({ startMs: noon });
  const down = [{ server: "notes", failures: 3 }];
  w.facts.servers = down;
  await w.advance(2 * minute + 2000);
  expect(w.sent()).toEqual(["ops: Server notes cannot be reached"]);
  for (let round = 0; round < 3; round++) {
    w.facts.servers = [];
    await w.advance(30_000);
    w.facts.servers = down;
    await w.advance(1000);
  }
  expect(w.sent()).toEqual([]);
  expect(w.alerts.list()).toMatchObject([{ times: 4 }]);
  const id = w.only();
  w.facts.servers = [];
  await w.advance(2 * minute);
  expect(w.sent()).toEqual(["ops: Resolved: Server notes cannot be reached"]);
  expect(w.records().at(-1)).toMatchObject({ type: "alert.resolve", id, times: 4 });
});

test("a lifted quarantine is over at once, and another one after it is another page", async () => {
  await using w = await alertWorld({ startMs: noon });
  w.facts.quarantines = [orderOf()];
  await w.advance(1000);
  const id = w.only();
  w.facts.quarantines = [];
  await w.advance(1000);
  expect(w.records().at(-1)).toMatchObject({ type: "alert.resolve", id, times: 1 });
  w.facts.quarantines = [orderOf({ id: "st_2" })];
  await w.advance(1000);
  expect(w.sent().map((line) => line.replace(/: .*?: /, ": "))).toEqual(["ana-phone: agent clerk is quarantined", "ana-phone: Breaker denials tripped: agent clerk is quarantined", "ana-phone: agent clerk is quarantined"]);
});

test("one condition of one subject is one alert; another subject is another; a quarantine by a person is its own condition", async () => {
  await using w = await alertWorld({ startMs: noon });
  w.facts.quarantines = [orderOf(), orderOf({ id: "st_2", subject: "agent other", breaker: null, by: "user:ana" })];
  await w.advance(3000);
  expect(w.alerts.list().map((card) => `${String(card["condition"])} ${String(card["subject"])}`).sort()).toEqual(["breaker agent clerk", "quarantine agent other"]);
  expect(w.sent()).toHaveLength(2);
});

test("approvals, open intents, servers and budgets become alerts after their time, one for an agent", async () => {
  await using w = await alertWorld({ startMs: noon });
  w.facts.approvals = [1, 2].map((n) => ({ id: `apr_${n}`, agent: "clerk", action: "notes/delete\u202e\nresume", groups: ["leads"], sinceMs: noon }));
  w.facts.intents = [{ seq: 7, agent: "clerk", session: "ses_1", action: "files/write", sinceMs: noon - 3 * minute }];
  w.facts.servers = [{ server: "notes", failures: 3 }];
  w.facts.budgets = [count(79)];
  await w.advance(2 * minute + 2000);
  expect(w.sent()).toEqual(["ops: Server notes cannot be reached"]);
  w.facts.budgets = [count(80), { ...count(99), warn: 100 }];
  await w.advance(6 * minute);
  expect(w.sent()).toEqual(["ops: Budget max_calls of session ses_1 is at 80 %", "ops: 1 call of agent clerk has no known end"]);
  await w.advance(7 * minute);
  expect(w.notices().map(({ notice }) => [notice.title, notice.lines[0]])).toEqual([["2 calls of agent clerk wait for approval", "The first is notes/delete\\u{202E}\\u{A}resume; leads can decide."]]);
});

test("quiet hours hold, and sum up when they end: what is over by then is told, and ends with the summary", async () => {
  await using w = await alertWorld({ startMs: night });
  w.facts.servers = [{ server: "notes", failures: 3 }, { server: "mail", failures: 1 }];
  w.facts.budgets = [count(100)];
  await w.advance(5 * minute);
  w.facts.servers = [{ server: "notes", failures: 9 }];
  await w.advance(5 * minute);
  expect(w.sent()).toEqual([]);
  expect(w.alerts.list().map((card) => card["state"])).toEqual(["held", "held", "held"]);
  await w.restart();
  await w.advance(5 * minute + 2000);
  const [{ channel, notice } = { channel: "", notice: null }, ...more] = w.notices();
  expect([channel, more]).toEqual(["ops", []]);
  expect(notice?.title).toBe("3 alerts held in quiet hours, 2 still open");
  expect(notice?.lines.map((text) => text.replace(/al_[\w-]+/, "al_"))).toEqual(["Budget max_calls of session ses_1 is at 100 % (al_)", "Server notes cannot be reached (al_)", "Over by now: Server mail cannot be reached"]);
  expect(w.alerts.list()).toHaveLength(2);
  w.sent();
  w.facts.servers = [];
  await w.advance(2 * minute);
  expect(w.sent()).toEqual([]); // the thread goes on with the other
  w.facts.budgets = [];
  await w.advance(2 * minute);
  expect(w.sent()).toEqual(["ops: Resolved: Budget max_calls of session ses_1 is at 100 %"]);
});

test("however many were held, the summary is no longer than a message may be, and says how many more there are", async () => {
  await using w = await alertWorld({ startMs: noon });
  const message = { title: `Server ${"n".repeat(64)} cannot be reached`, lines: [], fields: [], commands: [] };
  const all = Array.from({ length: 1000 }, (_, at): Alert => ({
    id: `al_${at}`, condition: "upstream_down", subject: `server ${"n".repeat(64)}`, severity: "warning", route: "calm", sinceMs: noon, raisedAtMs: noon, times: 1, mark: "", pages: 1, nextAtMs: null, acknowledgedBy: null,
    ...{ channels: [], people: [], lastPage: { channels: [], people: [] }, thread: "al_0", message },
  }));
  const { title, lines, ...more } = summaryOf(all.slice(0, 400), all.slice(400));
  expect([title, lines.length, lines.at(-1)]).toEqual(["1000 alerts held in quiet hours, 400 still open", 51, "and 950 more: `lanyard alerts` and `lanyard log` name them"]);
  expect(Buffer.byteLength(JSON.stringify([title, lines, more]))).toBeLessThan(w.config.limits.notice_bytes);
});

test("a summary that was recorded but not posted when the daemon died is posted at the next start, with all that it names", async () => {
  await using w = await alertWorld({ startMs: night });
  w.facts.servers = ["a", "b"].map((server) => ({ server, failures: 3 }));
  await w.advance(14 * minute);
  w.post.refuses = true;
  w.post.channelFails = true;
  await w.advance(2 * minute);
  expect(w.sent()).toEqual([]);
  w.post.refuses = false;
  await w.restart({ orderly: false });
  expect(w.sent()).toEqual(["ops: 2 alerts held in quiet hours, 2 still open"]);
});

test("a quarantine that follows on another between two looks is another alert, and pages whoever acknowledged the first", async () => {
  await using w = await alertWorld({ startMs: noon });
  w.facts.quarantines = [orderOf()];
  await w.advance(1000);
  await w.alerts.acknowledge(w.only(), "ana");
  w.sent();
  w.facts.quarantines = [orderOf(), orderOf({ id: "st_2" })]; // While the first holds, another is nothing new.
  await w.advance(2000);
  expect(w.sent()).toEqual([]);
  w.facts.quarantines = [orderOf({ id: "st_2" })];
  await w.advance(1000);
  expect(w.sent()).toEqual(["ana-phone: Resolved: Breaker denials tripped: agent clerk is quarantined", "ana-phone: Breaker denials tripped: agent clerk is quarantined"]);
});

test("what alone was held is paged as itself; critical is not held", async () => {
  await using w = await alertWorld({ startMs: night });
  w.facts.quarantines = [orderOf()];
  w.facts.servers = [{ server: "notes", failures: 3 }];
  await w.advance(5 * minute - 10_000);
  expect(w.sent()).toEqual(["ana-phone: Breaker denials tripped: agent clerk is quarantined"]);
  await w.alerts.acknowledge(w.only(), "ana");
  expect(w.sent()).toEqual(["ana-phone: user:ana has it: Breaker denials tripped: agent clerk is quarantined"]);
  await w.advance(11 * minute);
  expect(w.sent()).toEqual(["ops: Server notes cannot be reached"]);
});

test("a restart pages nobody twice, forgets nothing, and goes on escalating from where it was", async () => {
  for (const orderly of [true, false]) {
    await using w = await alertWorld({ startMs: noon });
    w.facts.quarantines = [orderOf()];
    await w.advance(3 * minute);
    const { length } = w.notices();
    await w.restart({ orderly });
    await w.advance(minute);
    expect([length, w.notices().length]).toEqual([1, 1]);
    await w.advance(minute + 2000);
    expect(w.notices().map(({ channel }) => channel)).toEqual(["ana-phone", "ben-phone", "ops"]);
    await w.alerts.acknowledge(w.only(), "ana");
    w.sent();
    await w.restart({ orderly });
    await w.advance(60 * minute);
    expect(w.sent()).toEqual([]);
    expect(w.alerts.list()).toMatchObject([{ acknowledged_by: "user:ana" }]);
  }
});

test("a page that was recorded but not posted when the daemon died is posted at the next start", async () => {
  await using w = await alertWorld({ startMs: noon });
  w.post.refuses = true;
  w.post.channelFails = true;
  w.facts.quarantines = [orderOf()];
  await w.advance(1000);
  expect([w.records().length, w.notices().length]).toEqual([1, 0]);
  w.post.refuses = false;
  await w.restart({ orderly: false });
  expect(w.notices().map(({ channel }) => channel)).toEqual(["ana-phone"]);
});

test("a clock that is set forward or back neither pages all levels at once nor holds them back, running or over a restart", async () => {
  for (const jumpMs of [24 * 60 * minute, -24 * 60 * minute]) {
    await using w = await alertWorld({ startMs: noon });
    w.facts.quarantines = [orderOf({ sinceMs: noon })];
    w.facts.servers = [{ server: "notes", failures: 1 }];
    await w.advance(minute);
    w.wall.offMs = jumpMs;
    await w.advance(minute - 2000);
    expect(w.sent()).toEqual(["ana-phone: Breaker denials tripped: agent clerk is quarantined"]);
    await w.advance(3 * minute + 5000);
    expect(w.sent()).toHaveLength(3); // the second level, and the server, each at its own time
    w.wall.offMs = 0;
    await w.restart();
    await w.advance(1000);
    expect(w.sent().length).toBeLessThanOrEqual(1); // at most the level that was next
    await w.advance(20 * minute);
    expect(w.alerts.list()).toMatchObject([{ pages: 4 }, { pages: 1 }]);
  }
});

test("while the ledger refuses, pages go out from memory, and are on record later; it says so itself", async () => {
  await using w = await alertWorld({ startMs: noon });
  w.medium.failure = new Error("disk full");
  w.post.refuses = true;
  await w.store.append({ type: "session.close", session: "s", why: "test", actions: 0 }).catch(() => {});
  w.facts.quarantines = [orderOf()];
  await w.advance(2000);
  const direct = w.direct.map(({ channel, notice }) => `${channel}: ${notice.title}`).sort();
  expect(direct).toEqual(["ana-phone: Breaker denials tripped: agent clerk is quarantined", "ana-phone: The ledger cannot write"]);
  await w.alerts.acknowledge(w.only(), "ana");
  await w.advance(5 * minute);
  w.medium.failure = null;
  w.post.refuses = false;
  await w.advance(3 * minute);
  expect(w.direct.filter(({ channel, notice }) => channel === "ana-phone" && notice.kind === "alert")).toHaveLength(2);
  expect(w.records().map(({ type }) => type.slice(6))).toEqual(["raise", "raise", "acknowledge", "escalate", "resolve"]);
  expect(w.alerts.list()).toHaveLength(1);
  await w.restart();
  expect(w.alerts.list()).toHaveLength(1);
});

test("a channel that fails while the ledger refuses is tried again until one of both takes the page", async () => {
  await using w = await alertWorld({ startMs: noon });
  w.post.refuses = true;
  w.post.channelFails = true;
  w.facts.quarantines = [orderOf()];
  await w.advance(20_000);
  expect([w.direct, w.notices()]).toEqual([[], []]);
  w.post.channelFails = false;
  await w.advance(6000);
  await w.advance(20_000);
  expect(w.direct).toHaveLength(1);
});

test("a rota with nobody on call pages everybody in it", async () => {
  const settings = { ...alertSettings, rotas: { sre: { zone: "UTC", shifts: [{ who: "ana", days: ["mon"], from: "09:00", to: "10:00" }, { who: "ben", days: ["tue"], from: "09:00", to: "10:00" }] } } };
  await using w = await alertWorld({ startMs: noon, settings });
  w.facts.quarantines = [orderOf()];
  await w.advance(1000);
  expect(w.notices().map(({ channel }) => channel)).toEqual(["ana-phone", "ben-phone", "ops"]);
});

test("a verification that finds damage is paged at once with what it found, and one after it that finds nothing ends it", async () => {
  await using w = await alertWorld({ startMs: noon });
  w.facts.findings = ["record 3: the record is missing", "record 4: \u0007"];
  await w.advance(1000);
  expect(w.notices()[0]?.notice.lines.slice(0, 2)).toEqual(["record 3: the record is missing", "record 4: \\u{7}"]);
  w.facts.findings = [];
  await w.advance(2 * minute);
  expect(w.alerts.list()).toEqual([]);
});

test("as many alerts as the limit stand open, and no more", async () => {
  await using w = await alertWorld({ startMs: noon });
  const limited = { ...w.config, limits: { ...w.config.limits, alerts: 3 } };
  Object.assign(w.config, limited);
  w.facts.quarantines = Array.from({ length: 5 }, (_, n) => orderOf({ id: `st_${n}`, subject: `agent a${n}` }));
  await w.advance(3000);
  expect(w.alerts.list()).toHaveLength(3);
});

test("where a condition cannot be looked at, its alerts stay and go on escalating, and the others are looked at all the same", async () => {
  await using w = await alertWorld({ startMs: noon });
  w.facts.quarantines = [orderOf()];
  await w.advance(1000);
  w.facts.unreadable = true;
  w.facts.findings = ["entry 1: gone"];
  await w.advance(6 * minute);
  expect(w.sent().map((line) => line.replace(/: .*/, ""))).toEqual(["ana-phone", "ana-phone", "ben-phone", "ops", "ben-phone", "ops"]);
  expect(w.alerts.list().map((card) => card["condition"])).toEqual(["breaker", "verify_failed"]);
});

test("a route that is taken out of the file while an alert is open gives way to the one its condition has now; a condition that is taken out ends its alerts", async () => {
  await using w = await alertWorld({ startMs: night });
  w.facts.servers = [{ server: "notes", failures: 3 }];
  await w.advance(3 * minute);
  expect(w.alerts.list()).toMatchObject([{ state: "held" }]);
  const page = w.config.alerts.routes.get("page");
  const rule = w.config.alerts.conditions.get("upstream_down");
  if (!page || !rule) throw new Error("no route");
  Object.assign(w.config, { alerts: { ...w.config.alerts, routes: new Map([["page", page]]), conditions: new Map([["upstream_down", { ...rule, route: "page" }]]) } });
  await w.advance(2000);
  expect(w.sent()).toEqual(["ana-phone: Server notes cannot be reached"]);
  Object.assign(w.config, { alerts: { ...w.config.alerts, routes: new Map(), conditions: new Map() } });
  await w.advance(2 * minute);
  expect(w.alerts.list()).toEqual([]);
});
