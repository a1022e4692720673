import type { AlertCondition, AlertRule } from "../../base/config/alerts.ts";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Holding } from "./alert.ts";
import { damaged, deadlineMissed, ledgerDown, nearlySpent, openIntents, quarantined, serverDown, waiting } from "./messages.ts";
import type { Sources } from "./sources.ts";

/** Whether an alert of this condition and subject is open. */
export type IsOpen = (condition: AlertCondition, subject: string) => boolean;

/** What was seen at one look. Of `blind` conditions nothing is known: whoever was asked failed, as reading does while the disk refuses. */
export interface Sighting {
  readonly holding: readonly Holding[];
  readonly blind: ReadonlySet<AlertCondition>;
}

/**
 * Which conditions hold, and for long enough. How long is counted in this process, from what the clock on the wall said first: one that is set
 * later neither hurries nor delays anything.
 */
export class ConditionWatch {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #sources: Sources;
  #since = new Map<string, { readonly us: number; readonly agoMs: number }>();
  #next = new Map<string, { readonly us: number; readonly agoMs: number }>();

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Log }, sources: Sources) {
    this.#clock = clock;
    this.#log = log;
    this.#sources = sources;
  }

  /** What holds now, by the rules. What `isOpen` already need not last again to count. Never throws. */
  look(rules: ReadonlyMap<AlertCondition, AlertRule>, isOpen: IsOpen): Sighting {
    const blind = new Set<AlertCondition>();
    const found = [...rules].flatMap(([condition, rule]) => {
      try {
        return this.#ofCondition(condition, rule, isOpen);
      } catch (error) {
        this.#log.error("alert.unseen", { condition, error });
        blind.add(condition);
        return [];
      }
    });
    // A breaker that quarantines is one thing that happened, not two.
    const tripped = new Set(found.flatMap(({ condition, mark }) => (condition === "breaker" ? [mark] : [])));
    [this.#since, this.#next] = [this.#next, new Map()];
    return { holding: found.filter(({ condition, mark }) => condition !== "quarantine" || !tripped.has(mark)), blind };
  }

  #ofCondition(condition: AlertCondition, rule: AlertRule, isOpen: IsOpen): Holding[] {
    switch (condition) {
      case "quarantine":
        return this.#sources.quarantines().map((order) => quarantined(order));
      case "breaker":
        return this.#sources.quarantines().filter(({ breaker }) => breaker !== null).map((order) => ({ ...quarantined(order), condition: "breaker" }));
      case "approval_waiting":
        return byAgent(this.#sources.approvals().filter(({ id, sinceMs }) => this.#lasts(id, sinceMs, rule))).map(waiting);
      case "open_intent":
        return byAgent(this.#sources.intents().filter(({ seq, sinceMs }) => this.#lasts(`intent ${seq}`, sinceMs, rule))).map(openIntents);
      case "budget":
        return grouped(this.#sources.budgets().filter(({ percent, warn }) => percent >= (warn ?? rule.percent)), ({ agent, budget, scope }) => agent ?? `${budget} ${scope}`).map((counts) => nearlySpent(counts, this.#clock.nowMs()));
      case "deadline":
        return byAgent(this.#sources.deadlines()).map(deadlineMissed);
      case "upstream_down":
        return this.#sources
          .downServers()
          .map((server) => ({ lasts: this.#lasts(`server ${server.server}`, this.#clock.nowMs(), rule), holding: serverDown(server, this.#sinceMs(`server ${server.server}`)) }))
          .flatMap(({ lasts, holding }) => (lasts || isOpen(condition, holding.subject) ? [holding] : []));
      case "ledger_down":
        return this.#sources.ledgerWrites() || !this.#lasts("ledger", this.#clock.nowMs(), rule) ? [] : [ledgerDown(this.#sinceMs("ledger"))];
      case "verify_failed": {
        const verdict = this.#sources.verdict(rule.everyMs);
        return verdict && verdict.findings.length > 0 ? [damaged(verdict)] : [];
      }
    }
  }

  /** Whether what began at `sinceMs` has lasted for as long as the rule says. */
  #lasts(key: string, sinceMs: number, { ms }: AlertRule): boolean {
    const us = this.#clock.monotonicUs();
    const first = this.#since.get(key) ?? { us, agoMs: Math.max(0, this.#clock.nowMs() - sinceMs) };
    this.#next.set(key, first);
    return first.agoMs + (us - first.us) / 1000 >= ms;
  }

  #sinceMs(key: string): number {
    const first = this.#next.get(key);
    return this.#clock.nowMs() - Math.floor(first ? first.agoMs + (this.#clock.monotonicUs() - first.us) / 1000 : 0);
  }
}

/** Groups of one agent each: ten sessions of one agent that go wrong are one page. */
const byAgent = <T extends { readonly agent: string }>(all: readonly T[]): [T, ...T[]][] => grouped(all, ({ agent }) => agent);

function grouped<T>(all: readonly T[], keyOf: (one: T) => string): [T, ...T[]][] {
  const groups = new Map<string, [T, ...T[]]>();
  for (const one of all) {
    const group = groups.get(keyOf(one));
    if (group) group.push(one);
    else groups.set(keyOf(one), [one]);
  }
  return [...groups.values()];
}
