import type { JsonObject } from "@lanyard/contract";
import type { Budget, BudgetScope, BudgetUnit } from "../../base/config/budgets.ts";
import type { StateChange } from "../../base/store/port.ts";
import { WindowSum, type Slot } from "./window.ts";

/** Whom a count is about: a value for each scope of its budget. */
export type CountedFor = Readonly<Partial<Record<BudgetScope, string>>>;

/** One count of a budget. */
export interface BudgetCounter {
  readonly key: string;
  readonly budget: string;
  readonly of: BudgetUnit;
  readonly scope: CountedFor;
  readonly spent: WindowSum;
  /** What calls under way have taken, and staged ones. */
  reserved: number;
  readonly refusals: WindowSum;
  /** Of those that took from it the last one: whom to look at. */
  by: { readonly agent: string; readonly session: string } | null;
  /** Thrown away: another one has its place when it is needed again. */
  dropped: boolean;
  /** What of `spent` is in its document. */
  readonly folded: WindowSum;
  stored: boolean;
}

/** What one call takes: of each counter so much, and once it is settled what it used. */
export interface Taking {
  readonly lines: { readonly counter: BudgetCounter; amount: number }[];
  /** Key of its document, once there is one. */
  key: string | null;
  /** Id that it is staged under. */
  held: string | null;
  atMs: number;
  phase: "taken" | "settled" | "folded";
}

/** Documents of settled calls on their way into those of counts. */
interface Fold {
  readonly state: readonly StateChange[];
  readonly calls: ReadonlySet<Taking>;
  /** Records under way that it goes with. */
  riders: number;
}

const foldedCalls = 40;
const foldedDocuments = 200;
const sweptCounters = 4;

export const counterKey = ({ name, kind }: Pick<Budget, "name" | "kind">, scope: CountedFor): string => `counter/${JSON.stringify([name, kind, scope])}`;

/**
 * All counts, in memory, with their documents. A call under way has a document of its own, written with the record that permits it and changed with
 * its outcome; what is settled is folded into the documents of the counts now and then, with some outcome, all or nothing. So every record changes
 * one small document, and what lies on the disk always adds up to what is counted here.
 *
 * Invariant: only one fold is on its way at a time, for a document of a count is written as a whole.
 */
export class Counters {
  readonly #counters = new Map<string, BudgetCounter>();
  readonly #bySession = new Map<string, Set<BudgetCounter>>();
  /** Settled, and not in a document of a count. */
  readonly #unfolded = new Set<Taking>();
  /** Takings of staged calls. */
  readonly #held = new Map<string, Taking>();
  /** Documents of what is no more. */
  readonly #dead = new Set<string>();
  #fold: Fold | null = null;
  #sweep: Iterator<BudgetCounter> | null = null;

  get size(): number {
    return this.#counters.size;
  }

  list(): Iterable<BudgetCounter> {
    return this.#counters.values();
  }

  find(key: string): BudgetCounter | null {
    return this.#counters.get(key) ?? null;
  }

  /** The counter of a budget for a scope, made when there is none; `before`: what its document says. */
  of(budget: Pick<Budget, "name" | "of" | "kind" | "window">, scope: CountedFor, key = counterKey(budget, scope), before: readonly Slot[] = []): BudgetCounter {
    const known = this.#counters.get(key);
    if (known) return known;
    const { name, of, window } = budget;
    const counter: BudgetCounter = { key, budget: name, of, scope, spent: new WindowSum(window, before), reserved: 0, refusals: new WindowSum(window), by: null, dropped: false, folded: new WindowSum(window, before), stored: before.length > 0 };
    this.#counters.set(key, counter);
    this.#dead.delete(key);
    if (scope.session !== undefined) this.#bySession.set(scope.session, (this.#bySession.get(scope.session) ?? new Set()).add(counter));
    return counter;
  }

  take(lines: readonly { readonly counter: BudgetCounter; readonly amount: number }[], nowMs: number): Taking {
    for (const { counter, amount } of lines) counter.reserved += amount;
    return { lines: lines.map((line) => ({ ...line })), key: null, held: null, atMs: nowMs, phase: "taken" };
  }

  /** The taking becomes durable with the record that has this. */
  intend(taking: Taking, id: string): readonly StateChange[] {
    taking.key = `call/${id}`;
    return [{ kind: "budget", key: taking.key, value: documentOf(taking) }];
  }

  /** Turns what was taken into what was used. Nothing when it was settled before. */
  settle(taking: Taking, used: (line: Taking["lines"][number]) => number, nowMs: number): void {
    if (taking.phase !== "taken") return;
    taking.phase = "settled";
    taking.atMs = nowMs;
    if (taking.held !== null) this.#held.delete(taking.held);
    for (const line of taking.lines) {
      line.counter.reserved -= line.amount;
      line.amount = used(line);
      line.counter.spent.add(line.amount, nowMs);
    }
    if (taking.key === null) return;
    if (taking.lines.some(({ amount }) => amount > 0)) this.#unfolded.add(taking);
    else this.#dead.add(taking.key); // With its own record, or if that cannot be written any more with another.
  }

  /** Puts a taking off until the staged call is released or withdrawn. */
  stage(taking: Taking, held: string): void {
    taking.held = held;
    this.#held.set(held, taking);
  }

  /** What was staged is no longer: what it took is free. */
  unstage(held: string, nowMs: number): void {
    const taking = this.#held.get(held);
    if (taking) this.settle(taking, () => 0, nowMs);
  }

  /** Documents that change with the record of a call's outcome; `written` hears whether that was written. */
  conclude(taking: Taking, nowMs: number): { readonly state: readonly StateChange[]; readonly written: (isWritten: boolean) => void } {
    if (this.#fold === null) this.#fold = this.#newFold(taking, nowMs);
    const fold = this.#fold;
    // With the one record, unless that was not written; and with that of a call that is in it, which must not be on record without.
    const rides = fold !== null && (fold.riders === 0 || fold.calls.has(taking));
    const state = [...this.#own(taking), ...(rides ? fold.state : [])];
    if (rides) fold.riders++;
    const { key } = taking;
    return {
      state,
      written: (isWritten) => {
        if (isWritten && key !== null) this.#dead.delete(key);
        if (!rides) return;
        fold.riders--;
        if (isWritten && this.#fold === fold) this.#fold = null;
      },
    };
  }

  /** A session ended: what is counted for it alone is no more. */
  forget(session: string): void {
    for (const counter of this.#bySession.get(session) ?? []) this.#drop(counter);
  }

  /** Takes up what a document of a call says. What was under way when the daemon ended may have happened: it counts as used, and as late as can be. */
  restore(key: string, lines: readonly { readonly counter: BudgetCounter; readonly amount: number }[], { held, settledMs, nowMs }: { held: string | null; settledMs: number | null; nowMs: number }): void {
    const taking = { ...this.take(lines, nowMs), key };
    if (held !== null) this.stage(taking, held);
    else this.settle(taking, ({ amount }) => amount, settledMs ?? nowMs);
  }

  /** Forgets counters at zero, some at a time; all of them when there is no room for more. */
  sweep(nowMs: number, most = sweptCounters): void {
    for (let looked = 0; looked < most; looked++) {
      const next = (this.#sweep ??= this.#counters.values()).next();
      if (next.done === true) return void (this.#sweep = null);
      const counter: BudgetCounter = next.value;
      if (counter.reserved === 0 && counter.spent.total(nowMs) === 0 && counter.refusals.total(nowMs) === 0) this.#drop(counter);
    }
  }

  /** A document that nothing stands for any more goes with the next fold. */
  bury(key: string): void {
    this.#dead.add(key);
  }

  #drop(counter: BudgetCounter): void {
    counter.dropped = true;
    this.#counters.delete(counter.key);
    if (counter.stored) this.#dead.add(counter.key);
    const { session } = counter.scope;
    if (session === undefined) return;
    this.#bySession.get(session)?.delete(counter);
    if (this.#bySession.get(session)?.size === 0) this.#bySession.delete(session);
  }

  #own(taking: Taking): readonly StateChange[] {
    const { key, phase, held, lines } = taking;
    if (key === null || phase === "folded") return [];
    const isKept = held !== null && phase === "taken" ? true : lines.some(({ amount }) => amount > 0);
    return [{ kind: "budget", key, value: isKept ? documentOf(taking) : null }];
  }

  /** Settled calls, the one whose record it goes with first, as they change the documents of the counts. */
  #newFold(first: Taking, nowMs: number): Fold | null {
    const calls = new Set([...(this.#unfolded.has(first) ? [first] : []), ...[...this.#unfolded.values().take(foldedCalls)]]);
    if (calls.size === 0 && this.#dead.size === 0) return null;
    const state: StateChange[] = [];
    const changed = new Set<BudgetCounter>();
    const folded = new Set<Taking>();
    for (const call of calls) {
      if (state.length + changed.size + call.lines.length > foldedDocuments && call !== first) break;
      for (const { counter, amount } of call.lines) {
        if (counter.dropped || amount === 0) continue;
        counter.folded.add(amount, call.atMs);
        changed.add(counter);
      }
      call.phase = "folded";
      folded.add(call);
      this.#unfolded.delete(call);
      if (call.key !== null) state.push({ kind: "budget", key: call.key, value: null });
    }
    for (const counter of changed) {
      counter.stored = true;
      counter.folded.total(nowMs); // What counts no longer stays behind.
      state.push({ kind: "budget", key: counter.key, value: { slots: counter.folded.slots().map((slot) => [...slot]) } });
    }
    for (const key of this.#dead.values().take(Math.max(1, foldedDocuments - state.length))) {
      this.#dead.delete(key);
      if (key !== first.key) state.push({ kind: "budget", key, value: null });
    }
    this.sweep(nowMs);
    return { state, calls: folded, riders: 0 };
  }
}

const documentOf = ({ lines, held, phase, atMs }: Taking): JsonObject => ({
  lines: lines.map(({ counter, amount }) => [counter.key, amount]),
  ...(held !== null && { held }),
  ...(phase !== "taken" && { settled_ms: atMs }),
});
