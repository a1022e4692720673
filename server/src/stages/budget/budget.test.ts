import type { DecisionInput, JsonObject, Principal } from "@lanyard/contract";
import { newSigner } from "@lanyard/ledger";
import { describe, expect, test } from "vitest";
import { stillClock } from "../../../../test/kits/clock.ts";
import { someDecision, someOutcome } from "../../../../test/kits/records.ts";
import { systemClock } from "../../base/clock.ts";
import { parseConfig } from "../../base/config/read.ts";
import type { Answer } from "../../base/exchange.ts";
import type { OutcomeStatus, Reservation } from "../../base/path.ts";
import { MemoryMedium, openMemory } from "../../base/store/memory.ts";
import { BudgetStage, type BudgetTrip } from "./budget.ts";

const head = "version: 1\nteams: { shop: {}, lab: {} }\nusers: { ana: {}, ben: {} }\nagents: { bot: { team: shop }, cat: { team: shop }, dog: { team: lab } }\nservers: { bank: { command: none } }\ntools: { bank/rows: { effects: [read], rows: found } }\n";
const noon = Date.parse("2026-11-25T12:00:00Z");

/** The stage over a real ledger in memory, which restarts and crashes. */
async function world(budgets: string, maxCalls: Record<string, number> = {}) {
  const clock = stillClock(noon);
  const disk = { medium: new MemoryMedium(), signer: newSigner("lanyard.local/test"), tenant: systemClock.random(32) };
  const wall = { offMs: 0 };
  let config = parseConfig(new TextEncoder().encode(`${head}budgets:\n${budgets}`), "/tmp/lanyard.yaml");
  let store = await openMemory({ ...disk, clock });
  const trips: BudgetTrip[] = [];
  const start = () => new BudgetStage({ store, clock: { nowMs: () => clock.nowMs() + wall.offMs }, config: () => config, maxCallsOf: (session) => maxCalls[session] ?? null, quarantine: (trip) => void trips.push(trip) });
  let stage = start();
  const principalOf = (session: string, over: Partial<Principal> = {}): Principal => Object.freeze({ session, agent: "bot", user: "ana", purpose: "p", chain: [], tools: null, labels: [], isolation: "none", expiresAtMs: 9e15, ...over });
  const known = new Map<string, Principal>();
  const open = async (session: string, over: Partial<Principal> = {}): Promise<Principal> => {
    const principal = principalOf(session, over);
    known.set(session, principal);
    await store.append({ type: "config.change", config: "A".repeat(43), before: null, by: "test" }, { state: [{ kind: "session", key: session, value: { agent: principal.agent } }] });
    return principal;
  };
  const reserve = (principal: Principal, name = "bank/pay", { effects = ["money"], money, args = {} }: { effects?: DecisionInput["effects"]; money?: [number, string] | "unknown"; args?: JsonObject } = {}): Reservation => {
    const [server = "", tool = ""] = name.split("/");
    const action = { protocol: server === "web" ? "http" : "mcp", server, method: "tools/call", tool, name, args, params: {}, digest: "d" } as const;
    const facts = money === undefined ? {} : { amount: { role: "amount" as const, labels: [], origins: [], money: money === "unknown" ? { class: "unknown" as const, minor: 0, currencies: [] } : { class: "plain" as const, minor: money[0], currencies: [money[1]] } } };
    const team = config.agents.get(principal.agent)?.team ?? "";
    const input: DecisionInput = { agent: { id: principal.agent, team, classes: [] }, user: { id: principal.user, groups: [] }, session: { id: principal.session, purpose: "p", depth: 0, labels: [], isolation: "none" }, action: name, args, effects, facts, approvals: [], nowMs: clock.nowMs() };
    return stage.reserve(action, principal, { input });
  };
  let calls = 0;
  /** The intent is on record; what is returned ends it. */
  const permit = async (reservation: Reservation): Promise<(status?: OutcomeStatus, answer?: Answer | null, durationUs?: number) => Promise<void>> => {
    const id = `d_${(calls += 1)}`;
    const { seq } = await store.append(someDecision("allow", { id }), { state: reservation.intended(id) });
    return async (status = "done", answer = { result: {} }, durationUs = 1000) => {
      reservation.settle({ status, answer, durationUs });
      const { state, written } = reservation.settled();
      await store.append({ ...someOutcome(seq), status }, { state });
      written(true);
    };
  };
  return {
    clock, wall, trips, open, reserve, permit,
    get stage() {
      return stage;
    },
    record: (record: Parameters<typeof store.append>[0], state: Parameters<typeof store.append>[1] = {}): Promise<unknown> => store.append(record, state),
    configure: (yaml: string) => void (config = parseConfig(new TextEncoder().encode(`${head}budgets:\n${yaml}`), "/tmp/lanyard.yaml")),
    pay: async (principal: Principal, minor: number, currency = "EUR", status: OutcomeStatus = "done"): Promise<string> => {
      const reservation = reserve(principal, "bank/pay", { money: [minor, currency] });
      if (reservation.refuse) return reservation.refuse.text;
      await (await permit(reservation))(status);
      return "done";
    },
    /** Name and scope -> spent, reserved. */
    counts: (): Record<string, [number, number]> => Object.fromEntries(stage.list().map(({ budget, scope, spent, reserved }) => [`${budget.name} ${Object.values(scope).join("+")}`.trim(), [spent, reserved]])),
    documents: () => store.list("budget").map(({ key }) => key),
    crash: async () => {
      store = await openMemory({ ...disk, clock });
      stage = start();
    },
  };
}
const spends = (answer: JsonObject): Answer => ({ result: answer });

describe("money", () => {
  test("is reserved before, settled after, refused when there is no room, and says how much is left and when more is", async () => {
    const w = await world("  pocket: { of: money, limit: 100.00 EUR, per: user, window: 1h }");
    const ana = await w.open("s1");
    const first = w.reserve(ana, "bank/pay", { money: [6000, "EUR"] });
    expect(w.counts()).toEqual({ "pocket ana": [0, 6000] });
    expect(w.reserve(ana, "bank/pay", { money: [4001, "EUR"] })).toMatchObject({ budget: { warn: ["pocket"], ask: [], over: ["pocket"] }, refuse: { code: "budget_exceeded", text: "budget `pocket` (user ana) has 40.00 EUR of 100.00 EUR left, and this call takes 40.01 EUR; there may be room once calls under way have ended" } });
    await (await w.permit(first))();
    expect(w.counts()).toEqual({ "pocket ana": [6000, 0] });
    expect(await w.pay(ana, 4001)).toMatch(/this call takes 40.01 EUR; there is room for it at 2026-11-25T13:01:00.000Z$/);
    expect(await w.pay(ana, 10_001)).toMatch(/which is more than there ever is$/);
    expect(await w.pay(ana, 4000)).toBe("done");
    await w.clock.advance(3_659_999);
    expect(w.counts()).toEqual({ "pocket ana": [10_000, 0] });
    await w.clock.advance(1);
    expect(w.counts()).toEqual({ "pocket ana": [0, 0] });
  });

  test("that is negative, huge, no whole number, of another currency, or not said makes no room and finds none", async () => {
    const w = await world("  pocket: { of: money, limit: 100 EUR, per: user }");
    const ana = await w.open("s1");
    for (const [minor, currency] of [[-5000, "EUR"], [2 ** 53, "EUR"], [Number.MAX_SAFE_INTEGER, "EUR"], [0.5, "EUR"], [Number.NaN, "EUR"], [Infinity, "EUR"], [100, "USD"], [100, ""]] as const) expect(await w.pay(ana, minor, currency), `${minor} ${currency}`).toMatch(/^budget `pocket`/);
    for (const money of ["unknown", undefined] as const) expect(w.reserve(ana, "bank/pay", money === undefined ? {} : { money }).refuse?.text).toMatch(/nobody can say how much this call takes of EUR$/);
    expect(w.counts()).toEqual({ "pocket ana": [0, 0] });
    expect(await w.pay(ana, 10_000)).toBe("done");
  });

  test("of a currency is the concern of the budget that counts it", async () => {
    const w = await world("  euros: { of: money, limit: 10 EUR }\n  yen: { of: money, limit: 500 JPY }\n  any: { of: money, limit: 20, per: all }");
    const ana = await w.open("s1");
    expect(await w.pay(ana, 400, "JPY")).toBe("done");
    expect(await w.pay(ana, 101, "JPY")).toMatch(/^budget `yen` \(session s1\) has 100 JPY of 500 JPY left, and this call takes 101 JPY/);
    expect(await w.pay(ana, 1000, "EUR")).toBe("done");
    expect(await w.pay(ana, 1, "USD")).toMatch(/^budget `euros`/);
    expect(w.counts()).toEqual({ "euros s1": [1000, 0], "yen s1": [400, 0], any: [1400, 0] });
  });

  test("split into many payments, over sessions, agents and children, meets the user's budget all the same", async () => {
    const w = await world("  pocket: { of: money, limit: 100 EUR, per: user, window: 1d }\n  shop: { of: money, limit: 150 EUR, per: team, window: day, zone: Europe/Berlin }");
    const sessions = [await w.open("s1"), await w.open("s2"), await w.open("s3", { agent: "cat" }), await w.open("s4", { chain: ["s1"] })];
    let paid = 0;
    for (let turn = 0; turn < 40; turn++) if ((await w.pay(sessions[turn % 4] as Principal, 900)) === "done") paid += 900;
    expect(paid).toBe(9900);
    const ben = await w.open("s5", { user: "ben" });
    for (let turn = 0; turn < 20; turn++) if ((await w.pay(ben, 900)) === "done") paid += 900;
    expect(paid).toBe(14_400);
    await w.clock.advance(11 * 3_600_000); // midnight in Berlin; the sliding day of ana is not over
    expect([await w.pay(ben, 900), (await w.pay(sessions[0] as Principal, 900)).slice(0, 15)]).toEqual(["done", "budget `pocket`"]);
  });
});

describe("how a call ended", () => {
  test("refused is given back, all else counts: also what failed, and what nobody knows the end of", async () => {
    const w = await world("  pocket: { of: money, limit: 100 EUR, per: user }");
    const ana = await w.open("s1");
    for (const status of ["refused", "failed", "uncertain", "done"] as const) expect(await w.pay(ana, 1000, "EUR", status)).toBe("done");
    expect(w.counts()).toEqual({ "pocket ana": [3000, 0] });
  });

  test("a call that was denied, asked for, or cancelled before it began takes nothing; a retry reserves anew", async () => {
    const w = await world("  pocket: { of: money, limit: 100 EUR, per: user }");
    const ana = await w.open("s1");
    w.reserve(ana, "bank/pay", { money: [10_000, "EUR"] })[Symbol.dispose]();
    expect(w.counts()).toEqual({ "pocket ana": [0, 0] });
    const again = w.reserve(ana, "bank/pay", { money: [10_000, "EUR"] });
    expect(again.refuse).toBeNull();
    await (await w.permit(again))();
    again[Symbol.dispose]();
    again.settle({ status: "refused", answer: null, durationUs: 0 });
    expect(w.counts()).toEqual({ "pocket ana": [10_000, 0] });
  });

  test("an intent whose record could not be written takes nothing", async () => {
    const w = await world("  pocket: { of: money, limit: 100 EUR, per: user }");
    const ana = await w.open("s1");
    const lost = w.reserve(ana, "bank/pay", { money: [10_000, "EUR"] });
    lost.intended("d_lost");
    lost[Symbol.dispose]();
    expect(w.counts()).toEqual({ "pocket ana": [0, 0] });
    await w.crash();
    expect(w.counts()).toEqual({});
  });

  test("rows, tokens and time are settled to what they were; a budget that is spent refuses the next call", async () => {
    const w = await world("  seen: { of: rows, limit: 10 }\n  words: { of: tokens, limit: 1000, expect: 100 }\n  busy: { of: time, limit: 5s }");
    const ana = await w.open("s1");
    const read = async (answer: Answer, ms: number) => (await w.permit(w.reserve(ana, "bank/rows", { effects: ["read"] })))("done", answer, ms * 1000);
    const under = w.reserve(ana, "bank/rows", { effects: ["read"] });
    expect(w.counts()).toEqual({ "seen s1": [0, 1], "words s1": [0, 100], "busy s1": [0, 1] });
    await (await w.permit(under))("done", spends({ structuredContent: { found: [1, 2, 3], other: [1, 2, 3, 4] }, usage: { input_tokens: 40, output_tokens: 2 } }), 1_500_300);
    expect(w.counts()).toEqual({ "seen s1": [3, 0], "words s1": [42, 0], "busy s1": [1501, 0] });
    await read(spends({ content: [{ type: "text", text: '{"rows":[1,2,3,4,5],"usage":{"total_tokens":858}}' }] }), 1);
    expect(w.counts()).toEqual({ "seen s1": [8, 0], "words s1": [900, 0], "busy s1": [1502, 0] });
    await read(spends({ structuredContent: { found: Array.from({ length: 500 }, () => 1) }, _meta: { usage: { promptTokenCount: 1, candidatesTokenCount: -5 } } }), 1);
    expect(w.counts()).toEqual({ "seen s1": [508, 0], "words s1": [901, 0], "busy s1": [1503, 0] }); // one call may overshoot what nobody could know
    expect(w.reserve(ana, "bank/rows", { effects: ["read"] }).refuse?.text).toMatch(/^budget `seen` \(session s1\) has 0 rows of 10 rows left, .*`words` .* takes 100 tokens; it does not free by itself$/s);
  });

  test("bytes that leave are counted before they do", async () => {
    const w = await world("  out: { of: bytes_out, limit: 1 kB }");
    const ana = await w.open("s1");
    const out = (name: string, args: JsonObject) => w.reserve(ana, name, { effects: ["egress"], args });
    expect(out("web/POST", { body: "x", body_bytes: 900 }).refuse).toBeNull();
    expect(out("bank/mail", { text: "é".repeat(50) }).refuse?.text).toMatch(/has 98 bytes of 1000 bytes left, and this call takes 111 bytes/);
    for (const tool of ["web/TCP", "web/WEBSOCKET"]) expect(out(tool, {}).refuse?.text).toMatch(/nobody can say/);
    expect(w.reserve(ana, "bank/look", { effects: ["read"], args: { text: "x".repeat(5000) } }).budget).toBeNull();
  });
});

test("thresholds: policy sees what is near, and who keeps asking for more is quarantined", async () => {
  const w = await world("  few: { of: calls, limit: 10, warn: 50%, ask: 80%, quarantine: 3 }\n  much: { of: money, limit: 10 EUR, quarantine: 200% }");
  const ana = await w.open("s1");
  const seen: unknown[] = [];
  for (let call = 0; call < 13; call++) seen.push(w.reserve(ana, "bank/look", { effects: ["read"] }).budget);
  expect(seen.map((budget) => JSON.stringify(budget)).filter((one, at, all) => one !== all[at - 1])).toEqual(['{"warn":[],"ask":[],"over":[]}', '{"warn":["few"],"ask":[],"over":[]}', '{"warn":["few"],"ask":["few"],"over":[]}', '{"warn":["few"],"ask":["few"],"over":["few"]}']);
  expect(w.trips).toEqual([{ agent: "bot", session: "s1", budget: "few", count: 3, limit: 3, windowMs: 0 }]);
  const ben = await w.open("s2", { user: "ben", agent: "dog" });
  expect([await w.pay(ben, 1999), w.trips.length, await w.pay(ben, 2000), w.trips.slice(1)]).toMatchObject([/^budget/, 1, /^budget/, [{ agent: "dog", budget: "much", count: 2000, limit: 2000 }]].map((one) => (one instanceof RegExp ? expect.stringMatching(one) : one)));
});

describe("sessions", () => {
  test("I11: calls of children count for those above, each against its own limit", async () => {
    const w = await world("  few: { of: calls, limit: 5 }", { s1: 3, s2: 3, s3: 1 });
    const [top, mid, low] = [await w.open("s1"), await w.open("s2", { chain: ["s1"] }), await w.open("s3", { chain: ["s1", "s2"] })];
    expect(w.reserve(low).refuse).toBeNull();
    expect(w.reserve(low).refuse?.text).toMatch(/^budget `max_calls` \(session s3\) has 0 calls of 1 calls left/);
    expect([w.reserve(mid).refuse, w.reserve(top).refuse]).toEqual([null, null]);
    expect(w.reserve(mid).refuse?.text).toMatch(/^budget `max_calls` \(session s1\)/);
    expect(w.counts()).toEqual({ "few s1": [0, 3], "few s2": [0, 2], "few s3": [0, 1], "max_calls s1": [0, 3], "max_calls s2": [0, 2], "max_calls s3": [0, 1] });
  });

  test("that are opened below one are counted, and one too many is refused", async () => {
    const w = await world("  brood: { of: sessions, limit: 2, per: [session] }\n  swarm: { of: sessions, limit: 3, per: agent, window: 1m }");
    const top = await w.open("s1");
    const child = await w.open("s2", { chain: ["s1"] });
    const open = (parent: Principal) => w.stage.reserveChild(parent).settle({ status: "done", answer: null, durationUs: 0 });
    open(top);
    w.stage.reserveChild(child)[Symbol.dispose](); // could not be opened
    open(child);
    expect(() => open(child)).toThrow(/budget `brood` \(session s1\) has 0 child sessions of 2 child sessions left/);
    expect(w.reserve(top).budget).toBeNull();
  });

  test("leave nothing behind that counts for them alone", async () => {
    const w = await world("  few: { of: calls, limit: 5 }\n  all: { of: calls, limit: 50, per: all }");
    for (let n = 0; n < 20; n++) {
      const one = await w.open(`s${n}`);
      await (await w.permit(w.reserve(one)))();
      await w.record({ type: "session.close", session: one.session, why: "done", actions: 1 }, { state: [{ kind: "session", key: one.session, value: null }] });
    }
    const last = await w.open("last");
    await (await w.permit(w.reserve(last)))();
    expect(w.counts()).toEqual({ "few last": [1, 0], all: [21, 0] });
    expect(w.documents().filter((key) => key.includes("few"))).toHaveLength(1);
  });
});

describe("over a restart", () => {
  test("every count is what it was; what was under way counts as used; what was staged waits on", async () => {
    const w = await world("  pocket: { of: money, limit: 100 EUR, per: user, window: 1d }\n  few: { of: calls, limit: 5 }");
    const ana = await w.open("s1");
    for (const minor of [100, 200, 300]) await w.pay(ana, minor);
    await w.permit(w.reserve(ana, "bank/pay", { money: [1000, "EUR"] }));
    const staged = w.reserve(ana, "bank/pay", { money: [5000, "EUR"] });
    const end = await w.permit(staged);
    staged.stage("hld_1");
    await w.record({ type: "config.change", config: "A".repeat(43), before: null, by: "test" }, { state: [{ kind: "held", key: "hld_1", value: { id: "hld_1" } }] });
    await end("refused");
    staged[Symbol.dispose]();
    expect(w.counts()).toEqual({ "pocket ana": [600, 6000], "few s1": [3, 2] });
    await w.clock.advance(1000);
    await w.crash();
    expect(w.counts()).toEqual({ "pocket ana": [1600, 5000], "few s1": [4, 1] });
    await w.record({ type: "held.withdraw", id: "hld_1", session: "s1", by: "operator" }, { state: [{ kind: "held", key: "hld_1", value: null }] });
    expect(w.counts()).toEqual({ "pocket ana": [1600, 0], "few s1": [4, 0] });
    await w.crash();
    await w.crash();
    expect(w.counts()).toEqual({ "pocket ana": [1600, 0], "few s1": [4, 0] });
    await w.pay(ana, 1);
    expect(w.documents()).toHaveLength(2);
  });

  test("a clock that is put back frees nothing and loses nothing", async () => {
    const w = await world("  pocket: { of: money, limit: 10 EUR, per: user, window: day }");
    const ana = await w.open("s1");
    await w.pay(ana, 1000);
    w.wall.offMs = -3 * 86_400_000;
    expect(await w.pay(ana, 1)).toMatch(/^budget/);
    await w.crash();
    expect(await w.pay(ana, 1)).toMatch(/^budget/);
    expect(w.counts()).toEqual({ "pocket ana": [1000, 0] });
  });

  test("a limit that was raised goes on from what was spent; a budget of another kind begins anew", async () => {
    const w = await world("  pocket: { of: money, limit: 10 EUR, per: user, window: day }");
    const ana = await w.open("s1");
    await w.pay(ana, 1000);
    w.configure("  pocket: { of: money, limit: 15 EUR, per: user, window: day }");
    expect(await w.pay(ana, 600)).toMatch(/has 5.00 EUR of 15.00 EUR left/);
    expect(await w.pay(ana, 500)).toBe("done");
    w.configure("  pocket: { of: money, limit: 15 EUR, per: agent, window: day }");
    expect(await w.pay(ana, 1500)).toBe("done");
    await w.crash();
    expect(w.counts()).toEqual({ "pocket bot": [1500, 0] });
  });
});

test("limit budget_counters: a call that needs one more is refused until others are at zero", async () => {
  const w = await world("  few: { of: calls, limit: 5, per: user, window: 1m }\nlimits: { budget_counters: 2 }");
  const [ana, ben] = [await w.open("s1"), await w.open("s2", { user: "ben" })];
  const eve = await w.open("s3", { user: "eve" });
  for (const one of [ana, ben]) await (await w.permit(w.reserve(one)))();
  expect(w.reserve(eve).refuse?.text).toMatch(/limit budget_counters/);
  await w.clock.advance(120_000);
  expect(w.reserve(eve).refuse).toBeNull();
});

test("records of a reservation carry the state that they are tied to", async () => {
  const w = await world("  few: { of: calls, limit: 5 }");
  const ana = await w.open("s1");
  const reservation = w.reserve(ana);
  expect(reservation.intended("d_x")).toEqual([{ kind: "budget", key: "call/d_x", value: { lines: [['counter/["few","calls  none  session",{"session":"s1"}]', 1]] } }]);
});
