import { Fault, type JsonObject, type NewRecord } from "@lanyard/contract";
import type { AlertCondition, AlertRoute, AlertRule } from "../../base/config/alerts.ts";
import type { Config } from "../../base/config/config.ts";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Notice } from "../../base/notify/notice.ts";
import type { OpenThread } from "../../base/notify/outbox.ts";
import type { Store } from "../../base/store/port.ts";
import { cardOf, fromState, stateOf, type Alert, type Holding, type Reach } from "./alert.ts";
import { endOf, forgottenEnd, levelOf, pageOf, reachOf, summaryOf, takenOf } from "./pages.ts";
import type { Postman } from "./postman.ts";
import { isQuiet } from "./rota.ts";
import type { IsOpen, Sighting } from "./watch.ts";

const lookMs = 1000;
/** Conditions that come and go by themselves must be away for so long before their alert is over: what flaps is one alert that came often, not many. */
const settleMs = 60_000;
const flapping: ReadonlySet<AlertCondition> = new Set(["approval_waiting", "budget", "ledger_down", "upstream_down"]);

/** An alert with what is only of this process. Times of this kind do not jump with the clock on the wall. */
interface Standing {
  alert: Alert;
  /** When the next level is due, and since when the condition is away; monotonic. */
  dueUs: number | null;
  awayUs: number | null;
}

interface AlertRooms {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly config: () => Config;
  /** What holds now and for long enough. Everything that is an alert is found here; nothing else raises or resolves one. */
  readonly watch: (isOpen: IsOpen) => Sighting;
  readonly postman: Postman;
  /** What people were told of and not told the end of. */
  readonly told: () => readonly OpenThread[];
}

/**
 * Conditions become alerts, alerts become pages until somebody acknowledges, and end with their condition.
 *
 * Invariant: what is open is state of the ledger, so that a restart pages nobody twice; but nothing here waits for the ledger: while it refuses,
 * alerts live in memory, pages go out, and the records follow when it writes again.
 */
export class Alerts {
  readonly #rooms: AlertRooms;
  readonly #standing = new Map<string, Standing>();
  /** What the ledger does not know yet, oldest first. */
  readonly #owed: { readonly record: NewRecord; readonly id: string }[] = [];
  readonly #following: { stop(): void };
  #working: Promise<unknown> = Promise.resolve();
  #timer: { cancel(): void } | null = null;
  #closed = false;

  constructor(rooms: AlertRooms) {
    this.#rooms = rooms;
    const [us, nowMs] = [rooms.clock.monotonicUs(), rooms.clock.nowMs()];
    for (const { key, value } of rooms.store.list("alert")) {
      const alert = fromState(key, value);
      const level = this.#routeOf(alert)?.levels[(alert.pages - 1) % (this.#routeOf(alert)?.levels.length ?? 1)];
      // A clock that was set meanwhile neither pages all levels at once nor holds the next one back for longer than its time.
      const leftMs = alert.nextAtMs === null ? null : Math.min(Math.max(0, alert.nextAtMs - nowMs), level?.ms ?? 0);
      this.#standing.set(keyOf(alert), { alert, dueUs: leftMs === null ? null : us + leftMs * 1000, awayUs: null });
    }
    this.#postAgain(nowMs);
    this.#following = rooms.store.follow(({ type }) => {
      if (/^(?:stop|breaker)\./.test(type)) this.#arm(0);
    });
    this.#arm(lookMs);
  }

  /** Open alerts, the worst and oldest first. */
  list(): JsonObject[] {
    return listed([...this.#standing.values()].map(({ alert }) => alert));
  }

  /** Somebody has it: no further page. Throws Fault `not_found`, `forbidden` (nobody who could be paged), `conflict` (somebody has it already). */
  acknowledge(id: string, user: string): Promise<JsonObject> {
    return this.#turn(async () => {
      const standing = [...this.#standing.values()].find(({ alert }) => alert.id === id);
      if (!standing) throw new Fault("not_found", `no alert \`${id}\` is open; \`lanyard alerts\` lists them`);
      if (!this.#rooms.config().alerts.contacts.has(user)) throw new Fault("forbidden", `\`${user}\` is nobody who is paged: \`alerts: contacts:\` of lanyard.yaml does not name them`);
      if (standing.alert.acknowledgedBy !== null) throw new Fault("conflict", `${standing.alert.acknowledgedBy} has acknowledged \`${id}\` already`);
      standing.alert = { ...standing.alert, acknowledgedBy: `user:${user}`, nextAtMs: null };
      standing.dueUs = null;
      await this.#record({ type: "alert.acknowledge", id, by: `user:${user}` }, id);
      this.#post(standing.alert, standing.alert, takenOf(standing.alert));
      return cardOf(standing.alert);
    });
  }

  /** Looks at all conditions now; what the timer does each second. Never throws. */
  look(): Promise<void> {
    return this.#turn(() => this.#look()).catch((error: unknown) => this.#rooms.log.error("alerts.failed", { error }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#following.stop();
    await this.#working;
  }

  async #look(): Promise<void> {
    const { watch, clock, postman } = this.#rooms;
    await this.#settleDebts();
    const us = clock.monotonicUs();
    const seen = watch((condition, subject) => this.#standing.has(keyOf({ condition, subject })));
    // Of several about one subject the one that is known goes on, while it holds.
    const holding = new Map(seen.holding.toSorted((a, b) => Number(this.#isKnown(a)) - Number(this.#isKnown(b))).map((one) => [keyOf(one), one]));
    for (const [key, one] of holding) await this.#heed(key, one);
    for (const [key, standing] of this.#standing) if (!holding.has(key) && !seen.blind.has(standing.alert.condition)) await this.#away(key, standing, us);
    await this.#release();
    for (const standing of this.#standing.values()) if (standing.dueUs !== null && standing.dueUs <= us && standing.awayUs === null) await this.#page(standing);
    postman.go();
  }

  #isKnown(one: Holding): boolean {
    return this.#standing.get(keyOf(one))?.alert.mark === one.mark;
  }

  /** The last pages and ends, at a start: posted before the daemon ended, or not. The outbox knows, by their ids. */
  #postAgain(nowMs: number): void {
    const paged = [...this.#standing.values()].flatMap(({ alert }) => (alert.pages > 0 && alert.acknowledgedBy === null ? [alert] : []));
    for (const alert of paged) {
      const leads = alert.thread === alert.id;
      const together = leads && alert.pages === 1 ? paged.filter(({ thread, pages }) => thread === alert.id && pages === 1) : [];
      if (leads || alert.pages > 1) this.#post(alert, alert.lastPage, together.length > 1 ? summaryOf(together, []) : pageOf(alert, alert.lastPage, nowMs));
    }
    const threads = new Set([...this.#standing.values()].map(({ alert }) => alert.thread));
    for (const { channel, dedup } of this.#rooms.told()) if (isAlertId(dedup) && !threads.has(dedup)) this.#rooms.postman.post(channel, forgottenEnd(dedup));
  }

  /** A condition holds. */
  async #heed(key: string, holding: Holding): Promise<void> {
    const { config, log } = this.#rooms;
    const standing = this.#standing.get(key);
    const another = standing !== undefined && standing.alert.pages > 0 && standing.alert.mark !== holding.mark;
    if (another) await this.#resolve(key, standing); // Whoever has the one need not know of the other.
    else if (standing) {
      const { alert } = standing;
      const again = standing.awayUs !== null || alert.mark !== holding.mark;
      standing.alert = { ...alert, times: alert.times + (again ? 1 : 0), mark: holding.mark, message: holding.message };
      standing.awayUs = null;
      return;
    }
    const rule = config().alerts.conditions.get(holding.condition);
    if (!rule) return;
    const { alerts } = config().limits;
    if (this.#standing.size >= alerts) return log.error("alert.crowded", { condition: holding.condition, subject: holding.subject, limit: "alerts", value: alerts });
    await this.#raise(key, holding, rule);
  }

  async #raise(key: string, { condition, subject, session, sinceMs, mark, message }: Holding, { route, severity }: AlertRule): Promise<void> {
    const { clock } = this.#rooms;
    const id = clock.id("al");
    const alert: Alert = {
      id, condition, subject, severity, route, sinceMs, mark, message, thread: id, raisedAtMs: clock.nowMs(), times: 1, pages: 0, nextAtMs: null, acknowledgedBy: null, channels: [], people: [], lastPage: { channels: [], people: [] },
    };
    const standing: Standing = { alert, dueUs: null, awayUs: null };
    this.#standing.set(key, standing);
    const way = this.#routeOf(alert);
    const held = way !== null && isQuiet(way, severity, alert.raisedAtMs);
    const raised = { type: "alert.raise", id, condition, subject, session, severity, route, since_ms: sinceMs, held } as const;
    if (!held) return this.#page(standing, raised);
    await this.#record({ ...raised, ...named(null) }, id);
  }

  /** Pages the next level; `raised` is the record it begins with, else it is an escalation. */
  async #page(standing: Standing, raised?: Omit<Extract<NewRecord, { type: "alert.raise" }>, "channels" | "people">): Promise<void> {
    const { clock } = this.#rooms;
    const reach = this.#advance(standing);
    if (!reach) return;
    const { id, pages } = standing.alert;
    await this.#record(raised ? { ...raised, ...named(reach) } : { type: "alert.escalate", id, page: pages, ...named(reach) }, id);
    this.#post(standing.alert, reach, pageOf(standing.alert, reach, clock.nowMs()));
  }

  /** Takes an alert to its next level; null when there is none. */
  #advance(standing: Standing): Reach | null {
    const { clock, config, log } = this.#rooms;
    const { alert } = standing;
    const route = this.#routeOf(alert);
    const level = route && levelOf(route, alert.pages);
    standing.dueUs = null;
    if (!route || !level) {
      standing.alert = { ...alert, nextAtMs: null };
      return null;
    }
    const reach = reachOf(config().alerts, level, clock.nowMs());
    if (reach.channels.length === 0) log.error("alert.unreachable", { id: alert.id, route: alert.route, page: alert.pages + 1 });
    const last = levelOf(route, alert.pages + 1) === null;
    standing.alert = {
      ...alert,
      pages: alert.pages + 1,
      nextAtMs: last ? null : clock.nowMs() + level.ms,
      channels: [...new Set([...alert.channels, ...reach.channels])],
      people: [...new Set([...alert.people, ...reach.people])],
      lastPage: reach,
    };
    standing.dueUs = last ? null : clock.monotonicUs() + level.ms * 1000;
    return reach;
  }

  /** A condition does not hold any more. What quiet hours hold stays, for the summary at their end. */
  async #away(key: string, standing: Standing, us: number): Promise<void> {
    standing.awayUs ??= us;
    const settled = !flapping.has(standing.alert.condition) || us - standing.awayUs >= settleMs * 1000;
    const held = standing.alert.pages === 0 && standing.alert.acknowledgedBy === null && this.#routeOf(standing.alert) !== null;
    if (!settled || held) return;
    await this.#resolve(key, standing);
  }

  async #resolve(key: string, { alert }: Standing): Promise<void> {
    this.#standing.delete(key);
    await this.#record({ type: "alert.resolve", id: alert.id, times: alert.times }, alert.id);
    const together = [...this.#standing.values()].some((other) => other.alert.thread === alert.thread);
    if (alert.pages > 0 && !together) this.#post(alert, alert, endOf(alert, this.#rooms.clock.nowMs()));
  }

  /** What quiet hours held, when they are over: one page for each route. */
  async #release(): Promise<void> {
    const nowMs = this.#rooms.clock.nowMs();
    const byRoute = new Map<string, Standing[]>();
    for (const standing of this.#standing.values()) {
      const { alert } = standing;
      const route = this.#routeOf(alert);
      if (alert.pages > 0 || alert.acknowledgedBy !== null || !route || isQuiet(route, alert.severity, nowMs)) continue;
      byRoute.set(alert.route, [...(byRoute.get(alert.route) ?? []), standing]);
    }
    for (const held of byRoute.values()) await this.#sumUp(held);
  }

  async #sumUp(held: readonly Standing[]): Promise<void> {
    const [first] = held;
    if (!first) return;
    if (held.length === 1 && first.awayUs === null) return this.#page(first);
    const thread = first.alert.id;
    let reach: Reach | null = null;
    for (const standing of held) {
      standing.alert = { ...standing.alert, thread };
      reach = this.#advance(standing) ?? reach;
      const { id, pages } = standing.alert;
      await this.#record({ type: "alert.escalate", id, page: pages, ...named(reach) }, id);
    }
    const over = held.filter(({ awayUs }) => awayUs !== null);
    const open = held.filter(({ awayUs }) => awayUs === null);
    const summary = summaryOf(open.map(({ alert }) => alert), over.map(({ alert }) => alert));
    if (reach) this.#post(first.alert, reach, summary);
    for (const { alert } of over) {
      this.#standing.delete(keyOf(alert));
      await this.#record({ type: "alert.resolve", id: alert.id, times: alert.times }, alert.id);
    }
  }

  /** By mail it goes to those people whose contact the channel is, and to the channel's own addresses where the route names the channel itself. */
  #post(alert: Alert, { channels, people }: Reach, notice: Notice): void {
    const { alerts, users, channels: known } = this.#rooms.config();
    for (const name of channels) {
      const channel = known.get(name);
      const direct = this.#routeOf(alert)?.levels.some((level) => level.channels.includes(name)) ?? false;
      const mails = people.flatMap((user) => (alerts.contacts.get(user)?.includes(name) ? (users.get(user)?.email ?? []) : []));
      const to = channel?.kind === "smtp" && mails.length > 0 ? [...new Set([...mails, ...(direct ? channel.to : [])])] : null;
      this.#rooms.postman.post(name, to ? { ...notice, to } : notice, () => this.#wentPast(alert.id, name));
    }
  }

  /** What reached people past the outbox is not given to it at the next start. */
  #wentPast(id: string, channel: string): void {
    for (const standing of this.#standing.values()) {
      const { lastPage } = standing.alert;
      if (standing.alert.id === id) standing.alert = { ...standing.alert, lastPage: { ...lastPage, channels: lastPage.channels.filter((name) => name !== channel) } };
    }
  }

  /** The route it was raised for; where that is gone from the file, the one its condition has now. */
  #routeOf({ route, condition }: Alert): AlertRoute | null {
    const { routes, conditions } = this.#rooms.config().alerts;
    return routes.get(route) ?? routes.get(conditions.get(condition)?.route ?? "") ?? null;
  }

  /** Writes a record with the alert as it is now; owed when the ledger refuses. */
  async #record(record: NewRecord, id: string): Promise<void> {
    this.#owed.push({ record, id });
    await this.#settleDebts();
  }

  async #settleDebts(): Promise<void> {
    const { store, log } = this.#rooms;
    // While the ledger refuses it tries by itself; to ask it again would only count as one more refusal.
    for (let next = this.#owed[0]; next !== undefined && store.healthy(); next = this.#owed[0]) {
      const { record, id } = next;
      const alert = [...this.#standing.values()].find((standing) => standing.alert.id === id)?.alert;
      try {
        await store.append(record, { state: [{ kind: "alert", key: id, value: alert ? stateOf(alert) : null }] });
      } catch (error) {
        if (error instanceof Fault && error.code === "ledger_unavailable") return;
        log.error("alert.unrecorded", { id, type: record.type, error });
      }
      this.#owed.shift();
    }
  }

  /** One change at a time. */
  #turn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#working.then(work);
    this.#working = turn.catch(() => {});
    return turn;
  }

  #arm(ms: number): void {
    if (this.#closed) return;
    this.#timer?.cancel();
    this.#timer = this.#rooms.clock.after(ms, () => {
      void this.look().finally(() => this.#arm(lookMs));
    });
  }
}

const rank = { critical: 0, warning: 1, info: 2 };
const listed = (alerts: readonly Alert[]): JsonObject[] => alerts.toSorted((a, b) => rank[a.severity] - rank[b.severity] || a.raisedAtMs - b.raisedAtMs || (a.id < b.id ? -1 : 1)).map(cardOf);

/** What was open when the daemon ended, for reading while none runs. */
export const storedAlerts = (store: Store): Pick<Alerts, "list" | "acknowledge"> => ({
  list: () => listed(store.list("alert").map(({ key, value }) => fromState(key, value))),
  acknowledge: () => Promise.reject(new Fault("conflict", "no daemon runs, and only one that runs can page or be told to stop; start it with `lanyard serve`")),
});

/** As a record names them, which has its limits. */
const named = (reach: Reach | null): { channels: string[]; people: string[] } => ({ channels: (reach?.channels ?? []).slice(0, 256), people: (reach?.people ?? []).slice(0, 256) });

/** As {@link Clock.id} makes them; a test of a channel is no alert. */
const isAlertId = (id: string): boolean => id.startsWith("al_");

const keyOf = ({ condition, subject }: { readonly condition: string; readonly subject: string }): string => `${condition} ${subject}`;
