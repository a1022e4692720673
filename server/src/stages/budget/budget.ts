import { Fault, isObject, parseJson, type Action, type BudgetFacts, type DecisionInput, type JsonObject, type LedgerRecord, type Principal } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import { estimated, sessionBudget, sessionCalls, type Budget } from "../../base/config/budgets.ts";
import type { Config } from "../../base/config/config.ts";
import { nothingReserved, type CallEnding, type Facts, type Reservation } from "../../base/path.ts";
import type { Store } from "../../base/store/port.ts";
import { asked, told } from "./amounts.ts";
import { counterKey, Counters, type BudgetCounter, type CountedFor, type Taking } from "./counters.ts";
import { refusalText } from "./words.ts";

/** Whose conduct met a threshold of a budget that quarantines. */
export interface BudgetTrip {
  readonly agent: string;
  readonly session: string;
  readonly budget: string;
  readonly count: number;
  readonly limit: number;
  readonly windowMs: number;
}

/** A count of a budget as people are shown it; amounts in the smallest unit. */
export interface BudgetState {
  readonly budget: Budget;
  readonly scope: CountedFor;
  readonly spent: number;
  readonly reserved: number;
  /** What is left; less than nothing when a call used more than anybody could know. */
  readonly left: number;
  /** When some of what is spent counts no longer; null when that will never be, or nothing is spent. */
  readonly freesAtMs: number | null;
  /** Whether it is past its warning. */
  readonly isNear: boolean;
  /** Who took from it last since the daemon started. */
  readonly by: BudgetCounter["by"];
}

interface BudgetRooms {
  readonly store: Pick<Store, "list" | "get" | "follow">;
  readonly clock: Pick<Clock, "nowMs">;
  readonly config: () => Pick<Config, "budgets" | "agents" | "rows" | "limits">;
  /** Calls that an open session may make, those of its children included; null: as many as it likes, or it is none. */
  readonly maxCallsOf: (session: string) => number | null;
  readonly quarantine: (trip: BudgetTrip) => void;
}

/** A budget that counts a call, with one of its counts and what the call takes of it. */
interface Line {
  readonly budget: Budget;
  readonly counter: BudgetCounter;
  amount: number;
}

/** Different kinds of calls of which is remembered which budgets count them, and how much they took at most. */
const remembered = 4096;

/**
 * Budgets. What a call takes is reserved before it is decided, so that no two calls are promised the same; it becomes durable with the record that
 * permits the call, and what it used with the record of its outcome.
 *
 * Invariant: I14, at no moment is more spent and reserved than the limit, where it is known beforehand what a call takes.
 */
export class BudgetStage implements Disposable {
  readonly #rooms: BudgetRooms;
  readonly #counters = new Counters();
  readonly #following: { stop(): void };
  /** Budgets by what calls they count, for the configuration that they are of. */
  #counted = new Map<string, readonly Budget[]>();
  #of: Config["budgets"] | null = null;
  #known = new WeakMap<Principal, Map<Budget, readonly BudgetCounter[]>>();
  readonly #sessionBudgets = new Map<number, Budget>();
  /** What calls took at most of what nobody knows before, by unit and action. */
  readonly #most = new Map<string, number>();
  #nowMs = 0;

  constructor(rooms: BudgetRooms) {
    this.#rooms = rooms;
    this.#restore();
    this.#following = rooms.store.follow((record) => this.#heed(record));
  }

  // The path takes its steps as plain functions, so these are bound.

  /** Reserves what a call takes of every budget that counts it, or nothing when one has no room. Never throws for want of room. */
  readonly reserve = (action: Action, principal: Principal, { input }: Pick<Facts, "input">): Reservation => {
    const effects = input.effects ?? [];
    const budgets = [...this.#countedBy(action.name, effects), ...this.#sessionLimits(principal)];
    if (budgets.length === 0) return nothingReserved;
    const held = new Set(budgets.flatMap(({ currency }) => currency ?? []));
    return this.#take(budgets, principal, input.agent.team, action, (budget) => asked(budget, action, input, held));
  };

  /** Reserves a child session of `parent`. Throws Fault `budget_exceeded`. */
  readonly reserveChild = (parent: Principal): Reservation => {
    const budgets = [...this.#rooms.config().budgets.values()].filter(({ of }) => of === "sessions");
    if (budgets.length === 0) return nothingReserved;
    const reservation = this.#take(budgets, parent, this.teamOf(parent.agent), null, () => 1);
    if (reservation.refuse) throw new Fault("budget_exceeded", reservation.refuse.text);
    return reservation;
  };

  /** Counts in use. */
  list(): BudgetState[] {
    const nowMs = this.#now();
    const { budgets } = this.#rooms.config();
    return [...this.#counters.list()].flatMap((counter) => {
      const budget = counter.budget === sessionCalls ? this.#sessionLimit(counter.scope.session ?? "") : budgets.get(counter.budget);
      if (!budget || counterKey(budget, counter.scope) !== counter.key) return []; // Of a budget that there is no more.
      const spent = counter.spent.total(nowMs);
      return [{ budget, scope: counter.scope, spent, reserved: counter.reserved, left: budget.limit - spent - counter.reserved, freesAtMs: counter.spent.frees(1, nowMs), isNear: budget.limit > 0 && (spent + counter.reserved) * 100 >= budget.limit * budget.warn, by: counter.by }];
    });
  }

  /** Empty when there is no such agent. */
  readonly teamOf = (agent: string): string => this.#rooms.config().agents.get(agent)?.team ?? "";

  /** A session has ended: what is counted for it alone is no more. */
  forget(session: string): void {
    this.#counters.forget(session);
  }

  /** How many counts are past their warning. */
  near(): number {
    return this.list().filter(({ isNear }) => isNear).length;
  }

  [Symbol.dispose](): void {
    this.#following.stop();
  }

  #take(budgets: readonly Budget[], principal: Principal, team: string, action: Action | null, amountOf: (budget: Budget) => number | null): Reservation {
    const nowMs = this.#now();
    const names = { warn: new Set<string>(), ask: new Set<string>(), over: new Set<string>() };
    const lines: Line[] = [];
    const refused: { budget: Budget; counter: BudgetCounter; amount: number | null }[] = [];
    for (const budget of budgets) {
      const amount = amountOf(budget);
      const counters = this.#countersOf(budget, principal, team, nowMs);
      if (counters === null) return refusal({ warn: [], ask: [], over: [budget.name] }, `more counts of budgets are in use than the limit budget_counters, so that budget \`${budget.name}\` cannot count this call`);
      for (const counter of counters) {
        const used = counter.spent.total(nowMs) + counter.reserved;
        const takes = amount === null || !estimated.has(budget.of) ? amount : this.#estimate(budget, action, budget.limit - used);
        if (takes === null || takes > budget.limit - used) refused.push({ budget, counter, amount: takes });
        else lines.push({ budget, counter, amount: takes });
        mark(names, budget, takes === null ? Number.POSITIVE_INFINITY : used + takes);
      }
    }
    const facts: BudgetFacts = { warn: [...names.warn].sort(), ask: [...names.ask].sort(), over: [...names.over].sort() };
    const by = { agent: principal.agent, session: principal.session };
    if (refused.length > 0) {
      for (const one of refused) this.#refused(one, by, nowMs);
      return refusal(facts, refused.slice(0, 3).map(({ budget, counter, amount }) => refusalText(budget, counter, amount, nowMs)).join("; "));
    }
    for (const { counter } of lines) counter.by = by;
    return this.#reservation(facts, lines, this.#counters.take(lines, nowMs), action);
  }

  #reservation(budget: BudgetFacts, lines: readonly Line[], taking: Taking, action: Action | null): Reservation {
    const counters = this.#counters;
    const settle = (used: (line: Taking["lines"][number]) => number): void => counters.settle(taking, used, this.#now());
    return {
      budget,
      refuse: null,
      intended: (id) => counters.intend(taking, id),
      stage: (held) => counters.stage(taking, held),
      settle: (ending) => {
        if (taking.held !== null) return; // It has not ended: it waits for its time.
        settle(({ counter, amount }) => this.#used(counter, amount, action, ending));
        if (taking.phase === "settled") this.#overshot(lines);
      },
      settled: () => counters.conclude(taking, this.#now()),
      [Symbol.dispose]: () => (taking.held === null ? settle(() => 0) : undefined),
    };
  }

  /** What a call used in the end. An error of a server is no proof that nothing happened. */
  #used({ of }: BudgetCounter, reserved: number, action: Action | null, { status, answer, durationUs }: CallEnding): number {
    if (status === "refused") return 0;
    if (!estimated.has(of) || action === null) return reserved;
    const known = of === "time" ? Math.ceil(durationUs / 1000) : answer && told(of === "rows" ? "rows" : "tokens", action, answer, this.#rooms.config().rows.get(action.name));
    if (known === null) return reserved;
    const key = `${of} ${action.name}`;
    if (this.#most.size >= remembered && !this.#most.has(key)) this.#most.clear();
    this.#most.set(key, Math.max(known, this.#most.get(key) ?? 0));
    return known;
  }

  /** What nobody declared is guessed, and a guess alone refuses nothing. */
  #estimate({ of, expect }: Budget, action: Action | null, left: number): number {
    if (expect !== null) return expect;
    return Math.max(1, Math.min(this.#most.get(`${of} ${action?.name ?? ""}`) ?? 1, left));
  }

  #refused({ budget, counter, amount }: { budget: Budget; counter: BudgetCounter; amount: number | null }, by: { agent: string; session: string }, nowMs: number): void {
    const { quarantine, limit, name } = budget;
    if (quarantine === null) return;
    counter.refusals.add(1, nowMs);
    const refusals = counter.refusals.total(nowMs);
    const asksFor = counter.spent.total(nowMs) + counter.reserved + (amount ?? 0);
    const [count, most] = "refusals" in quarantine ? [refusals, quarantine.refusals] : [asksFor, Math.ceil((limit * quarantine.percent) / 100)];
    if (count < most) return;
    counter.refusals.clear();
    this.#rooms.quarantine({ ...by, budget: name, count, limit: most, windowMs: budget.window.kind === "sliding" ? budget.window.ms : 0 });
  }

  /** Of what is known only afterwards one call can use more than there was. */
  #overshot(lines: readonly Line[]): void {
    const nowMs = this.#now();
    for (const { budget, counter } of lines) {
      if (!estimated.has(budget.of) || budget.quarantine === null || !("percent" in budget.quarantine) || counter.by === null) continue;
      const [count, most] = [counter.spent.total(nowMs), Math.ceil((budget.limit * budget.quarantine.percent) / 100)];
      if (count >= most) this.#rooms.quarantine({ ...counter.by, budget: budget.name, count, limit: most, windowMs: budget.window.kind === "sliding" ? budget.window.ms : 0 });
    }
  }

  #countedBy(action: string, effects: NonNullable<DecisionInput["effects"]>): readonly Budget[] {
    const { budgets } = this.#rooms.config();
    if (budgets.size === 0) return [];
    if (budgets !== this.#of) {
      [this.#of, this.#counted, this.#known] = [budgets, new Map(), new WeakMap()];
    }
    const key = `${effects.join(" ")} ${action}`;
    const known = this.#counted.get(key);
    if (known) return known;
    const found = [...budgets.values()].filter(({ counts }) => counts(action, effects));
    if (this.#counted.size >= remembered) this.#counted.clear();
    this.#counted.set(key, found);
    return found;
  }

  /** The own limits of a session and of those above it: one budget for each different number. */
  #sessionLimits({ session, chain }: Principal): readonly Budget[] {
    const found = new Set<Budget>();
    for (const one of [session, ...chain]) {
      const budget = this.#sessionLimit(one);
      if (budget) found.add(budget);
    }
    return [...found];
  }

  #sessionLimit(session: string): Budget | null {
    const most = this.#rooms.maxCallsOf(session);
    if (most === null) return null;
    const known = this.#sessionBudgets.get(most) ?? sessionBudget(most);
    if (this.#sessionBudgets.size >= remembered) this.#sessionBudgets.clear();
    this.#sessionBudgets.set(most, known);
    return known;
  }

  /** Null when there is no room for another. A session's calls count for those above it too (I11). */
  #countersOf(budget: Budget, principal: Principal, team: string, nowMs: number): readonly BudgetCounter[] | null {
    const known = this.#known.get(principal) ?? new Map<Budget, readonly BudgetCounter[]>();
    this.#known.set(principal, known);
    const before = known.get(budget);
    if (before && before.every(({ dropped }) => !dropped)) return before;
    const line = [principal.session, ...principal.chain];
    const sessions = budget.name === sessionCalls ? line.filter((session) => this.#rooms.maxCallsOf(session) === budget.limit) : line;
    const values = { agent: principal.agent, team, user: principal.user };
    const scopes = (budget.per.includes("session") ? sessions : [""]).map((session): CountedFor => Object.fromEntries(budget.per.map((scope) => [scope, scope === "session" ? session : values[scope]])));
    const { budget_counters: most } = this.#rooms.config().limits;
    if (this.#counters.size + scopes.length > most) this.#counters.sweep(nowMs, most + 1);
    if (this.#counters.size + scopes.length > most) return null;
    const counters = scopes.map((scope) => this.#counters.of(budget, scope));
    known.set(budget, counters);
    return counters;
  }

  #restore(): void {
    const nowMs = this.#now();
    const documents = this.#rooms.store.list("budget");
    for (const { key, value } of documents) if (key.startsWith("counter/")) this.#counterFrom(key, slotsOf(value));
    for (const { key, value } of documents) {
      if (!key.startsWith("call/")) continue;
      const held = typeof value["held"] === "string" ? value["held"] : null;
      const settledMs = typeof value["settled_ms"] === "number" ? value["settled_ms"] : null;
      const lines = linesOf(value).flatMap(([counter, amount]) => this.#counterFrom(counter, [])?.map((one) => ({ counter: one, amount })) ?? []);
      if (lines.length === 0 || (held !== null && this.#rooms.store.get("held", held) === null)) this.#counters.bury(key);
      else this.#counters.restore(key, lines, { held, settledMs, nowMs });
    }
  }

  /** The counter of a document; null when its budget is no more, or another by now, or its session has ended. */
  #counterFrom(key: string, before: readonly (readonly [number, number])[]): readonly BudgetCounter[] | null {
    const [name, kind, scope] = parseJson(key.slice("counter/".length)) as [string, string, CountedFor];
    const budget = name === sessionCalls ? sessionBudget(0) : this.#rooms.config().budgets.get(name);
    const isOver = scope.session !== undefined && this.#rooms.store.get("session", scope.session) === null;
    if (budget?.kind === kind && !isOver) return [this.#counters.of(budget, scope, key, before)];
    this.#counters.bury(key);
    return null;
  }

  #heed(record: LedgerRecord): void {
    if (record.type === "session.close") this.forget(record.session);
    else if (record.type === "held.release" || record.type === "held.withdraw" || record.type === "held.void") this.#counters.unstage(record.id, this.#now());
  }

  /** A clock that is put back frees nothing, and makes nothing younger. */
  #now(): number {
    this.#nowMs = Math.max(this.#nowMs, this.#rooms.clock.nowMs());
    return this.#nowMs;
  }
}

const refusal = (budget: BudgetFacts, text: string): Reservation => ({ ...nothingReserved, budget, refuse: { code: "budget_exceeded", text } });

/** Past which of its thresholds a budget would be. What is over is past all of them. */
function mark({ warn, ask, over }: Record<keyof BudgetFacts, Set<string>>, budget: Budget, amount: number): void {
  const isOver = amount > budget.limit;
  const isPast = (percent: number): boolean => isOver || amount * 100 >= budget.limit * percent;
  if (isPast(budget.warn)) warn.add(budget.name);
  if (budget.ask !== null && isPast(budget.ask)) ask.add(budget.name);
  if (isOver) over.add(budget.name);
}

const pairsOf = (value: unknown): unknown[][] => (Array.isArray(value) ? value.filter((pair) => Array.isArray(pair)) : []);
const slotsOf = (value: JsonObject): (readonly [number, number])[] => pairsOf(value["slots"]).map(([untilMs, amount]) => [Number(untilMs), Number(amount)]);
const linesOf = (value: JsonObject): (readonly [string, number])[] => (isObject(value) ? pairsOf(value["lines"]).map(([key, amount]) => [String(key), Number(amount)]) : []);
