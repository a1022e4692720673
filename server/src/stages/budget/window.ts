import { dayOf, instantOf, wallAt, wallOf } from "../../base/wall-clock.ts";
import type { BudgetWindow } from "../../base/config/budgets.ts";

/** An amount, and the instant from which it counts no longer. */
export type Slot = readonly [untilMs: number, amount: number];

/** Later than any clock shows: what counts for good. */
export const forGood = Number.MAX_SAFE_INTEGER;

const slots = 60;

/**
 * What was used within a window. A sliding one is kept in sixty slots, each of which counts until the last moment of it has left the window: it is
 * as long as it is said to be, or up to a sixtieth longer, so that no stretch of that length ever sees more than the limit.
 */
export class WindowSum {
  readonly #window: BudgetWindow;
  /** By their end, earliest first. */
  #slots: [number, number][] = [];
  #total = 0;
  /** The slot of now: from when until before when another begins, and the end of its amounts. */
  #slot = { fromMs: 0, nextMs: 0, untilMs: 0 };

  constructor(window: BudgetWindow, before: readonly Slot[] = []) {
    this.#window = window;
    this.#slots = before.map(([untilMs, amount]) => [untilMs, amount]);
    this.#sum();
  }

  /** Counts from `atMs` on, which may be a while ago. */
  add(amount: number, atMs: number): void {
    if (amount === 0) return;
    const untilMs = this.#until(atMs);
    let at = this.#slots.length;
    while (at > 0 && (this.#slots[at - 1] as [number, number])[0] > untilMs) at--;
    const same = this.#slots[at - 1];
    if (same?.[0] === untilMs) same[1] = Math.min(Number.MAX_SAFE_INTEGER, same[1] + amount);
    else this.#slots.splice(at, 0, [untilMs, amount]);
    this.#total = Math.min(Number.MAX_SAFE_INTEGER, this.#total + amount);
  }

  total(nowMs: number): number {
    this.#pass(nowMs);
    return this.#total;
  }

  /** When so much of it counts no longer; null when that will never be. */
  frees(amount: number, nowMs: number): number | null {
    this.#pass(nowMs);
    let freed = 0;
    for (const [untilMs, each] of this.#slots) {
      freed += each;
      if (freed >= amount) return untilMs === forGood ? null : untilMs;
    }
    return null;
  }

  clear(): void {
    this.#slots = [];
    this.#total = 0;
  }

  slots(): readonly Slot[] {
    return this.#slots;
  }

  #pass(nowMs: number): void {
    let passed = 0;
    while ((this.#slots[passed]?.[0] ?? forGood) <= nowMs) passed++;
    if (passed === 0) return;
    this.#slots.splice(0, passed);
    this.#sum();
  }

  #sum(): void {
    this.#total = Math.min(Number.MAX_SAFE_INTEGER, this.#slots.reduce((sum, [, amount]) => sum + amount, 0));
  }

  #until(nowMs: number): number {
    if (nowMs < this.#slot.fromMs || nowMs >= this.#slot.nextMs) this.#slot = slotAt(this.#window, nowMs);
    return this.#slot.untilMs;
  }
}

function slotAt(window: BudgetWindow, nowMs: number): { fromMs: number; nextMs: number; untilMs: number } {
  if (window.kind === "none") return { fromMs: 0, nextMs: forGood, untilMs: forGood };
  if (window.kind === "sliding") {
    const slotMs = Math.ceil(window.ms / slots);
    const fromMs = Math.floor(nowMs / slotMs) * slotMs;
    return { fromMs, nextMs: fromMs + slotMs, untilMs: fromMs + slotMs + window.ms };
  }
  const { unit, zone } = window;
  const day = dayOf(wallOf(zone, nowMs));
  const [first, next] = unit === "day" ? [day, day + 1] : monthOf(day);
  const untilMs = instantOf(zone, wallAt(next, 0));
  return { fromMs: instantOf(zone, wallAt(first, 0)), nextMs: untilMs, untilMs };
}

/** First days of the month of a day, and of the next. */
function monthOf(day: number): [number, number] {
  const date = new Date(wallAt(day, 0));
  const first = (months: number): number => dayOf(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months, 1));
  return [first(0), first(1)];
}
