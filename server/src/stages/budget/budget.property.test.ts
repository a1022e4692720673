import type { ArgumentFacts, JsonObject, Principal } from "@lanyard/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseConfig } from "../../base/config/read.ts";
import type { OutcomeStatus, Reservation } from "../../base/path.ts";
import type { StateChange } from "../../base/store/port.ts";
import { BudgetStage } from "./budget.ts";

const hourMs = 3_600_000;
const limit = 1000;
const config = parseConfig(
  new TextEncoder().encode(`version: 1
teams: { t: {} }
users: { ana: {}, ben: {} }
agents: { bot: { team: t } }
budgets:
  hour: { of: money, limit: ${limit / 100} EUR, per: user, window: 1h }
  day: { of: money, limit: ${limit / 50} EUR, per: all, window: day, zone: America/New_York }
  good: { of: money, limit: ${limit / 20} EUR, per: [agent, user] }
`),
  "/w/lanyard.yaml",
);

interface Call {
  readonly user: string;
  readonly amount: number;
  readonly reservation: Reservation;
  /** As what it counts since when, or until when at the latest where a crash ended it; null while it is under way. */
  ended: { readonly atMs: number; readonly amount: number } | null;
  lateMs: number | null;
  isWritten: boolean;
  isQueued: boolean;
}

/**
 * The stage over documents that change when a record is written, and only then: outcomes wait for the disk, some are refused by it, and a crash loses
 * the stage and what waits, and keeps the documents.
 */
class Bench {
  nowMs = Date.parse("2026-10-31T20:00:00Z");
  calls: Call[] = [];
  readonly #documents = new Map<string, JsonObject>();
  #stage = this.#start();
  #ids = 0;
  #queue: (() => void)[] = [];
  #isExact = true;

  #start(): BudgetStage {
    const store = { list: () => [...this.#documents].map(([key, value]) => ({ key, value })), get: () => null, follow: () => ({ stop: () => {} }) };
    return new BudgetStage({ store, clock: { nowMs: () => this.nowMs }, config: () => config, maxCallsOf: () => null, quarantine: () => {} });
  }

  #write(state: readonly StateChange[]): void {
    for (const { key, value } of state) {
      if (value === null) this.#documents.delete(key);
      else this.#documents.set(key, structuredClone(value));
    }
  }

  reserve(user: string, amount: number, fate: "denied" | "unwritten" | "permitted"): void {
    const principal: Principal = { session: `s-${user}`, agent: "bot", user, purpose: "p", chain: [], tools: null, labels: [], isolation: "none", expiresAtMs: 9e15 };
    const facts: Record<string, ArgumentFacts> = { amount: { role: "amount", labels: [], origins: [], money: { class: "plain", minor: amount, currencies: ["EUR"] } } };
    const input = { agent: { id: "bot", team: "t", classes: [] }, user: { id: user, groups: [] }, session: { id: "s", purpose: "p", depth: 0, labels: [], isolation: "none" as const }, action: "b/pay", args: {}, effects: ["money" as const], facts, approvals: [], nowMs: this.nowMs };
    const reservation = this.#stage.reserve({ protocol: "mcp", server: "b", method: "tools/call", tool: "pay", name: "b/pay", args: {}, params: {}, digest: "d" }, principal, { input });
    const fits = this.#used("hour", user) + amount <= limit && this.#used("day") + amount <= 2 * limit && this.#used("good", user) + amount <= 5 * limit;
    if (fits) expect(reservation.refuse).toBeNull(); // What a true count has no room for is refused; a window that is a little too long may refuse more, in its last minute only.
    if (reservation.refuse) return;
    if (fate === "denied") return reservation[Symbol.dispose]();
    const state = reservation.intended(`d_${(this.#ids += 1)}`);
    if (fate === "unwritten") return reservation[Symbol.dispose]();
    this.flush();
    this.#write(state);
    this.calls.push({ user, amount, reservation, ended: null, lateMs: null, isWritten: false, isQueued: false });
  }

  end(at: number, status: OutcomeStatus, isWritten: boolean): void {
    const call = this.calls.filter(({ isQueued, isWritten: was }) => !was && !isQueued)[at];
    if (!call) return;
    if (call.ended === null) {
      call.reservation.settle({ status, answer: null, durationUs: 0 });
      call.ended = { atMs: this.nowMs, amount: status === "refused" ? 0 : call.amount };
    }
    const { state, written } = call.reservation.settled();
    call.isQueued = true;
    this.#queue.push(() => {
      if (isWritten) this.#write(state);
      written(isWritten);
      [call.isWritten, call.isQueued] = [isWritten, false];
    });
    call.reservation[Symbol.dispose]();
  }

  flush(): void {
    for (const append of this.#queue.splice(0)) append();
  }

  crash(): void {
    this.#queue = [];
    this.#isExact &&= this.calls.every(({ isWritten }) => isWritten); // What was under way is as late as can be, at each start until a fold has it.
    const told = this.#told();
    this.#stage = this.#start();
    if (this.#isExact) expect(this.#told()).toEqual(told);
    const before = this.#counts();
    // What was not on record counts in full, as late as can be, unless a fold had it by then.
    for (const user of ["ana", "ben"]) {
      const known = this.calls.filter((call) => call.user === user);
      const least = known.reduce((sum, { ended, amount }) => sum + (ended?.amount ?? amount), 0);
      const most = known.reduce((sum, { ended, amount, isWritten }) => sum + (ended && isWritten ? ended.amount : amount), 0);
      expect(before[`good bot+${user}`] ?? 0).toBeGreaterThanOrEqual(least);
      expect(before[`good bot+${user}`] ?? 0).toBeLessThanOrEqual(most);
      const cut = known.filter(({ isWritten }) => !isWritten);
      for (const call of cut) Object.assign(call, { ended: call.ended ?? { atMs: this.nowMs, amount: call.amount }, lateMs: this.nowMs, isWritten: true, isQueued: false });
      // Refused, but not on record: nothing happened, and it may count all the same.
      const counted = (before[`good bot+${user}`] ?? 0) - least;
      const [first] = known;
      if (first && counted > 0) this.calls.push({ ...first, amount: counted, ended: { atMs: 0, amount: counted }, lateMs: this.nowMs, isWritten: true, isQueued: false });
    }
    for (const call of this.calls) if (call.lateMs !== null) call.lateMs = this.nowMs; // Once more, unless a fold has it.
  }

  /** Never over, at no moment, by the calls themselves. */
  check(): void {
    for (const user of ["ana", "ben"]) {
      expect(this.#used("hour", user, hourMs)).toBeLessThanOrEqual(limit);
      expect(this.#used("good", user, Number.POSITIVE_INFINITY)).toBeLessThanOrEqual(5 * limit);
    }
    const counts = this.#counts();
    for (const user of ["ana", "ben"]) expect(counts[`good bot+${user}`] ?? 0).toBe(this.#used("good", user, Number.POSITIVE_INFINITY));
  }

  /** Everything that is said of counts, but of those at zero. */
  #told(): unknown {
    return this.#stage.list().flatMap(({ budget: { name }, scope, spent, freesAtMs }) => (spent === 0 ? [] : [{ name, scope, spent, freesAtMs }])).toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)));
  }

  #counts(): Record<string, number> {
    return Object.fromEntries(this.#stage.list().map(({ budget, scope, spent, reserved }) => [`${budget.name} ${Object.values(scope).join("+")}`, spent + reserved]));
  }

  /** What calls under way, and those that ended within the window, took; by default of a window that is sure to be as long as the stage's own. */
  #used(budget: "hour" | "day" | "good", user?: string, trueMs?: number): number {
    const windowMs = trueMs ?? { hour: hourMs + 60_000, day: 25 * hourMs, good: Number.POSITIVE_INFINITY }[budget];
    const since = ({ ended, lateMs }: Call): number => (trueMs === undefined && lateMs !== null ? lateMs : (ended?.atMs ?? 0));
    return this.calls.filter((call) => user === undefined || call.user === user).reduce((sum, call) => sum + (call.ended === null ? call.amount : since(call) > this.nowMs - windowMs ? call.ended.amount : 0), 0);
  }
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("reserve" as const), user: fc.constantFrom("ana", "ben"), amount: fc.integer({ min: 1, max: 300 }), fate: fc.constantFrom("denied" as const, "unwritten" as const, "permitted" as const, "permitted" as const, "permitted" as const) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("end" as const), at: fc.nat(2), status: fc.constantFrom<OutcomeStatus>("done", "failed", "refused", "uncertain"), isWritten: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: -hourMs, max: 5 * hourMs }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("flush" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("crash" as const) }) },
);

test("I14: whatever is reserved, denied, lost, ended and restarted, no budget is ever over, and none counts what did not happen", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      const bench = new Bench();
      let latestMs = bench.nowMs;
      for (const one of steps) {
        if (one.do === "reserve") bench.reserve(one.user, one.amount, one.fate);
        else if (one.do === "end") bench.end(one.at, one.status, one.isWritten);
        else if (one.do === "flush") bench.flush();
        else if (one.do === "wait") bench.nowMs = latestMs = Math.max(latestMs, bench.nowMs + one.ms);
        else bench.crash();
        bench.check();
      }
    }),
    { numRuns: 250 },
  );
});
