import type { BreakerKind, LedgerRecord } from "@lanyard/contract";
import type { BreakerRules, Threshold } from "../../base/config/stop.ts";
import { isOfOrder } from "./orders.ts";

/** What the limit of a breaker was met by. */
export interface Trip {
  readonly agent: string;
  readonly session: string;
  readonly breaker: BreakerKind;
  readonly count: number;
  readonly limit: number;
  readonly windowMs: number;
  readonly what: string | null;
}

interface Actor {
  readonly agent: string;
  readonly session: string;
}

const slots = 10;
/** Different calls of one agent that are counted at a time; the one not seen longest makes room. */
const callsKept = 256;

/** A sum over the last stretch of time, in ten slots that pass one by one: the window is as long as it is said to be, or up to a tenth shorter. */
export class SlidingSum {
  readonly #sums = new Float64Array(slots);
  readonly #slotMs: number;
  #slot = 0;
  #total = 0;

  constructor(windowMs: number) {
    this.#slotMs = windowMs / slots;
  }

  /** Adds, and returns the sum with it. */
  add(amount: number, nowMs: number): number {
    const slot = Math.max(this.#slot, Math.floor(nowMs / this.#slotMs)); // A clock that is put back makes nothing younger.
    for (let passed = Math.min(slot - this.#slot, slots); passed > 0; passed--) {
      const at = (slot - passed + 1) % slots;
      this.#total -= this.#sums[at] as number;
      this.#sums[at] = 0;
    }
    this.#slot = slot;
    const at = slot % slots;
    this.#sums[at] = (this.#sums[at] as number) + amount;
    this.#total += amount;
    return this.#total;
  }
}

/** What is counted of one agent, or of one session where only that is quarantined. Thrown away when its rules change. */
class Conduct {
  readonly rules: BreakerRules;
  readonly #sums = new Map<"denials" | "errors" | "spend", SlidingSum>();
  readonly #calls = new Map<string, SlidingSum>();

  constructor(rules: BreakerRules) {
    this.rules = rules;
  }

  add(breaker: "denials" | "errors" | "spend", { ms }: Threshold, amount: number, nowMs: number): number {
    const sum = this.#sums.get(breaker) ?? new SlidingSum(ms);
    this.#sums.set(breaker, sum);
    return sum.add(amount, nowMs);
  }

  repeat(digest: string, { ms }: Threshold, nowMs: number): number {
    const sum = this.#calls.get(digest) ?? new SlidingSum(ms);
    this.#calls.delete(digest);
    this.#calls.set(digest, sum);
    if (this.#calls.size > callsKept) for (const oldest of [...this.#calls.keys()].slice(0, 1)) this.#calls.delete(oldest);
    return sum.add(1, nowMs);
  }
}

export interface BreakerOptions {
  rulesOf(agent: string): BreakerRules;
  trip(trip: Trip, quarantines: BreakerRules["quarantines"]): void;
}

/**
 * Circuit breakers. They count what the ledger says was refused, failed and repeated: behind the path, not on it. A record costs a few look-ups,
 * whatever was counted before; what is kept is bounded by agents and calls under way.
 */
export class Breakers {
  readonly #options: BreakerOptions;
  readonly #conducts = new Map<string, Conduct>();
  /** Whose an intent is whose outcome is still to come. */
  readonly #open = new Map<number, Actor>();

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  /** Counts a committed record. With `silently` it trips nothing: for what happened before a restart. */
  heed(record: LedgerRecord, silently = false): void {
    if (record.type === "decision") this.#decided(record, silently);
    else if (record.type === "outcome") this.#ended(record, silently);
    else if (record.type === "stop.lift") this.forget(record.subject.name);
    else if (record.type === "session.close") this.#conducts.delete(sessionKey(record.session));
  }

  /** Counts money that is about to be moved. False when that is more than may be: it has tripped then. What is no amount counts as more than any. */
  spend(actor: Actor, amount: number, nowMs: number): boolean {
    const { rules, conduct } = this.#conductOf(actor);
    if (!rules.spend) return true;
    const sum = Number.isFinite(amount) ? conduct.add("spend", rules.spend, Math.abs(amount), nowMs) : Number.MAX_SAFE_INTEGER;
    if (sum <= rules.spend.count) return true;
    this.#trip(actor, "spend", rules.spend, sum, null, rules);
    return false;
  }

  /** Begins anew for an agent or a session: a person has looked at it and lets it go on. */
  forget(name: string): void {
    this.#conducts.delete(agentKey(name));
    this.#conducts.delete(sessionKey(name));
  }

  #decided({ seq, at_ms: atMs, agent, session, action, digest, effect, by, approval }: Extract<LedgerRecord, { type: "decision" }>, silently: boolean): void {
    const actor = { agent, session };
    const { rules, conduct } = this.#conductOf(actor);
    if (effect === "allow") this.#open.set(seq, actor);
    if (isOfOrder(by)) return; // Refused because it is stopped: that is no conduct of its own.
    // Whoever staged a call was told to ask for it anew: that is no denial, though it can be a loop.
    const denials = effect === "deny" && by !== "staged" && rules.denials ? conduct.add("denials", rules.denials, 1, atMs) : 0;
    // One call that people were asked about is two decisions.
    const equal = effect !== "ask" && approval === null && rules.loop ? conduct.repeat(digest, rules.loop, atMs) : 0;
    if (silently) return;
    if (rules.denials && denials >= rules.denials.count) this.#trip(actor, "denials", rules.denials, denials, null, rules);
    else if (rules.loop && equal >= rules.loop.count) this.#trip(actor, "loop", rules.loop, equal, action, rules);
  }

  #ended({ of, status, code, at_ms: atMs }: Extract<LedgerRecord, { type: "outcome" }>, silently: boolean): void {
    const actor = this.#open.get(of);
    this.#open.delete(of);
    if (!actor || status === "done" || code === "staged" || isOfOrder(code)) return;
    const { rules, conduct } = this.#conductOf(actor);
    const errors = rules.errors ? conduct.add("errors", rules.errors, 1, atMs) : 0;
    if (!silently && rules.errors && errors >= rules.errors.count) this.#trip(actor, "errors", rules.errors, errors, null, rules);
  }

  #trip({ agent, session }: Actor, breaker: BreakerKind, { count: limit, ms }: Threshold, count: number, what: string | null, { quarantines }: BreakerRules): void {
    this.#conducts.delete(quarantines === "agent" ? agentKey(agent) : sessionKey(session));
    this.#options.trip({ agent, session, breaker, count: whole(count), limit: whole(limit), windowMs: ms, what }, quarantines);
  }

  #conductOf({ agent, session }: Actor): { rules: BreakerRules; conduct: Conduct } {
    const rules = this.#options.rulesOf(agent);
    const key = rules.quarantines === "agent" ? agentKey(agent) : sessionKey(session);
    const known = this.#conducts.get(key);
    const conduct = known?.rules === rules ? known : new Conduct(rules);
    if (conduct !== known) this.#conducts.set(key, conduct);
    return { rules, conduct };
  }
}

const agentKey = (agent: string): string => `agent ${agent}`;
const sessionKey = (session: string): string => `session ${session}`;
const whole = (amount: number): number => Math.min(Math.ceil(amount), Number.MAX_SAFE_INTEGER);
