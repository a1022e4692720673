import { Fault, isObject, noticeKinds, type JsonObject, type NewRecord } from "@lanyard/contract";
import type { Clock } from "../clock.ts";
import type { Config } from "../config/config.ts";
import type { Log } from "../log.ts";
import type { StateChange, Store } from "../store/port.ts";
import { Undelivered, type Deliver } from "./channel.ts";
import type { Notice, Outbox } from "./notice.ts";

const firstPauseMs = 1000;
const longestPauseMs = 300_000;
const longestAskedPauseMs = 3_600_000;
const owedPauseMs = 5000;
const idChars = 128;
/** How often an alert is tried for each time that anything else is. */
const alertTries = 8;
/** Old documents that go with one record: fewer than state_changes allows, for the record brings its own. */
const droppedAtOnce = 64;

/** A notice as it is kept: what it says lies sealed, named by `payload`. */
interface Waiting {
  readonly channel: string;
  readonly kind: string;
  readonly id: string;
  readonly dedup: string;
  readonly payload: string;
  readonly commitment: string;
  readonly untilMs: number;
  readonly order: number;
  /** Resolves when it is on disk. */
  readonly written: Promise<void>;
  attempts: number;
  /** What the last attempt met. */
  problem: string | null;
  /** How it ended, while the ledger does not know yet. */
  ended: Ended | null;
}

/** A thing that people were told of and whose end they were not told. */
export interface OpenThread {
  readonly channel: string;
  readonly dedup: string;
}

/** Delivered or given up: known so that it is not sent again, and so that what follows it can refer to it. */
interface Kept {
  readonly channel: string;
  readonly kind: string;
  readonly dedup: string;
  readonly reference: string | null;
  readonly order: number;
}

type Ended = { readonly code: null; readonly reference: string | null } | { readonly code: string };

interface Lane {
  busy: boolean;
  /** Failures since the last success. */
  failures: number;
  notBeforeMs: number;
  timer: { cancel(): void } | null;
}

interface Rooms {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly config: () => Config;
  /** The way to a configured channel, or null when there is none of this name. */
  readonly channel: (name: string) => Deliver | null;
}

/**
 * The outbox in the daemon's own ledger: posting is a record, and so is the end of each notice. Each channel is a lane of its own with one delivery at
 * a time; after a failure the lane pauses, twice as long each time, and the notice tried least goes first, alerts before all else. Notices about
 * one thing keep their order.
 *
 * Invariant: what was posted is delivered or recorded as failed, whatever happens to the process in between.
 */
export class DurableOutbox implements Outbox {
  readonly #rooms: Rooms;
  readonly #waiting = new Map<string, Waiting>();
  readonly #kept = new Map<string, Kept>();
  readonly #lanes = new Map<string, Lane>();
  readonly #running = new Set<Promise<void>>();
  readonly #ending = new AbortController();
  #order = 0;

  constructor(rooms: Rooms) {
    this.#rooms = rooms;
    for (const { key, value } of rooms.store.list("notice").toSorted((a, b) => Number(a.value["order"]) - Number(b.value["order"]))) {
      this.#order = Math.max(this.#order, Number(value["order"]) + 1);
      if (value["state"] === "waiting") this.#waiting.set(key, waitingFrom(value));
      else this.#kept.set(key, keptFrom(value));
    }
    for (const { channel } of this.#waiting.values()) this.#wake(channel);
  }

  async post(channel: string, notice: Notice): Promise<void> {
    const key = keyOf(channel, notice.id);
    if (this.has(channel, notice.id)) return this.#waiting.get(key)?.written;
    const waiting = this.#write(key, channel, notice);
    this.#waiting.set(key, waiting);
    try {
      await waiting.written;
    } catch (error) {
      this.#waiting.delete(key);
      throw error;
    }
    this.#wake(channel);
  }

  /** Whether posting this id to this channel would do nothing. */
  has(channel: string, id: string): boolean {
    const key = keyOf(channel, id);
    return this.#waiting.has(key) || this.#kept.has(key);
  }

  /** What notices of this kind were posted about, as far as it is known and not over: nothing about it was `resolved` on that channel. */
  open(kind: Notice["kind"]): OpenThread[] {
    const threads = new Map<string, OpenThread & { open: boolean }>();
    for (const one of [...this.#kept.values(), ...this.#waiting.values()].sort((a, b) => a.order - b.order)) {
      const key = keyOf(one.channel, one.dedup);
      if (one.kind === kind && !threads.has(key)) threads.set(key, { channel: one.channel, dedup: one.dedup, open: true });
      const thread = threads.get(key);
      if (one.kind === "resolved" && thread) thread.open = false;
    }
    return [...threads.values()].filter(({ open }) => open).map(({ channel, dedup }) => ({ channel, dedup }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    for (const { timer } of this.#lanes.values()) timer?.cancel();
    await Promise.all(this.#running);
  }

  #write(key: string, channel: string, notice: Notice): Waiting {
    const { store, clock, config } = this.#rooms;
    const { limits, channels } = config();
    if (!channels.has(channel)) throw new Fault("not_found", `no channel \`${channel}\` is configured under \`channels\` in lanyard.yaml`);
    if (!isName(notice.id) || !isName(notice.dedup)) throw new Fault("invalid_request", `a notice has an id and a dedup of 1 to ${idChars} characters`);
    const bytes = Buffer.byteLength(JSON.stringify(notice));
    if (bytes > limits.notice_bytes) throw new Fault("limit_exceeded", `a notice of ${bytes} bytes is over the limit notice_bytes (${limits.notice_bytes})`);
    // Alerts have a limit of their own: whoever asks for much must not keep a page from being sent.
    const queued = [...this.#waiting.values()].filter((one) => one.channel === channel && isAlert(one) === isAlert(notice)).length;
    if (queued >= limits.notices) throw new Fault("limit_exceeded", `${limits.notices} notices wait for the channel \`${channel}\`, the limit notices`);
    const { id, dedup, kind, about = "lanyard" } = notice;
    const sealed = store.seal(about, notice as unknown as JsonObject);
    const untilMs = Math.min(notice.untilMs ?? Infinity, clock.nowMs() + limits.notice_ms);
    const { payload, commitment } = sealed;
    const order = this.#order++;
    const value = { state: "waiting", channel, kind, id, dedup, payload, commitment, until_ms: untilMs, order };
    const dropped = this.#dropOld();
    const record: NewRecord = { type: "notice.post", id, channel, kind, notice: commitment, payload };
    const written = store.append(record, { sealed, state: [{ kind: "notice", key, value }, ...dropped] }).then(() => {});
    return { channel, kind, id, dedup, payload, commitment, untilMs, order, written, attempts: 0, problem: null, ended: null };
  }

  /** The oldest that are kept beyond the limit. Should the record fail they stay in the store until the next start, and then go. */
  #dropOld(): StateChange[] {
    const excess = Math.max(0, this.#kept.size - this.#rooms.config().limits.notices_kept + 1);
    const keys = [...this.#kept.keys()].slice(0, Math.min(excess, droppedAtOnce));
    for (const key of keys) this.#kept.delete(key);
    return keys.map((key) => ({ kind: "notice", key, value: null }));
  }

  #laneOf(channel: string): Lane {
    const lane = this.#lanes.get(channel) ?? { busy: false, failures: 0, notBeforeMs: 0, timer: null };
    this.#lanes.set(channel, lane);
    return lane;
  }

  /** Lets a lane go on: now, or when its pause is over. */
  #wake(channel: string): void {
    const lane = this.#laneOf(channel);
    if (lane.busy || this.#ending.signal.aborted) return;
    lane.timer?.cancel();
    lane.timer = null;
    const next = this.#nextOf(channel);
    if (!next) return;
    const pauseMs = lane.notBeforeMs - this.#rooms.clock.nowMs();
    if (pauseMs > 0) {
      lane.timer = this.#rooms.clock.after(pauseMs, () => this.#wake(channel));
      return;
    }
    lane.busy = true;
    const run = this.#attempt(next, lane).finally(() => {
      lane.busy = false;
      this.#running.delete(run);
      this.#wake(channel);
    });
    this.#running.add(run);
  }

  /** What the ledger is owed; else the one whose turn it is, see {@link turnOf}, and of those the first, that no earlier notice about the same thing is before. */
  #nextOf(channel: string): Waiting | null {
    const firsts = new Map<string, Waiting>();
    for (const one of this.#waiting.values()) if (one.channel === channel && !firsts.has(one.dedup)) firsts.set(one.dedup, one);
    const [next = null] = [...firsts.values()].sort((a, b) => Number(a.ended === null) - Number(b.ended === null) || turnOf(a) - turnOf(b) || a.order - b.order);
    return next;
  }

  /** Never throws. */
  async #attempt(one: Waiting, lane: Lane): Promise<void> {
    const { clock, log } = this.#rooms;
    try {
      await one.written;
      one.ended ??= await this.#deliver(one);
      lane.failures = 0;
    } catch (error) {
      if (this.#ending.signal.aborted) return;
      const failure = error instanceof Undelivered ? error : new Undelivered("internal", { passing: true, cause: error });
      const { code, passing, afterMs, cause } = failure;
      // Of other causes the text might repeat what was sent, or the address, which for some channels is a secret.
      log.warn("notice.undelivered", { id: one.id, channel: one.channel, attempts: one.attempts, code, ...(cause instanceof Fault && { why: cause.message }) });
      one.problem = code;
      if (passing) return this.#pause(lane, one.untilMs, afterMs);
      one.ended = { code };
    }
    try {
      await this.#conclude(one, one.ended);
    } catch (error) {
      log.warn("notice.unrecorded", { id: one.id, channel: one.channel, error });
      lane.notBeforeMs = clock.nowMs() + owedPauseMs; // What is owed to the ledger is written before more is sent.
    }
  }

  #pause(lane: Lane, untilMs: number, afterMs: number): void {
    const { clock } = this.#rooms;
    const longest = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(lane.failures++, 20));
    const spread = longest / 2 + (longest / 2) * (clock.random(2).readUInt16BE() / 65_536); // so that daemons do not all come back at once
    const pauseMs = Math.max(spread, Math.min(afterMs, longestAskedPauseMs));
    // Not beyond the time at which the notice is given up: that is recorded when it is due.
    lane.notBeforeMs = Math.min(clock.nowMs() + Math.ceil(pauseMs), Math.max(untilMs, clock.nowMs() + 1));
  }

  async #deliver(one: Waiting): Promise<Ended> {
    const { clock, config, channel } = this.#rooms;
    if (clock.nowMs() >= one.untilMs) return { code: one.problem ?? "expired" };
    const send = channel(one.channel);
    if (!send) return { code: "no_channel" };
    const notice = this.#open(one);
    if (!notice) return { code: "erased" };
    one.attempts++;
    const late = new AbortController();
    const timer = clock.after(config().limits.channel_ms, () => late.abort());
    const earlier = [...this.#kept.values()].findLast(({ channel: its, dedup, reference }) => its === one.channel && dedup === one.dedup && reference !== null);
    try {
      const reference = await send({ notice, earlier: earlier?.reference ?? null, signal: AbortSignal.any([late.signal, this.#ending.signal]) });
      return { code: null, reference };
    } catch (error) {
      throw late.signal.aborted ? new Undelivered("timeout", { passing: true, cause: error }) : error;
    } finally {
      timer.cancel();
    }
  }

  #open({ payload, commitment }: Waiting): Notice | null {
    const [opened] = this.#rooms.store.unsealAll([{ payload, commitment }]);
    return typeof opened === "object" && opened.opens && isNotice(opened.value) ? opened.value : null;
  }

  async #conclude(one: Waiting, ended: Ended): Promise<void> {
    const { id, channel, kind, dedup, order, attempts } = one;
    const key = keyOf(channel, id);
    const reference = ended.code === null ? ended.reference : null;
    const value = { state: ended.code === null ? "delivered" : "failed", channel, kind, dedup, order, ...(reference !== null && { reference }), ...(ended.code !== null && { code: ended.code }) };
    const record: NewRecord = ended.code === null ? { type: "notice.deliver", id, channel, attempts } : { type: "notice.fail", id, channel, code: ended.code, attempts };
    await this.#rooms.store.append(record, { state: [{ kind: "notice", key, value }] });
    if (ended.code !== null) this.#rooms.log.error("notice.failed", { id, channel, code: ended.code, attempts });
    this.#waiting.delete(key);
    this.#kept.set(key, { channel, kind, dedup, reference, order });
  }
}

const keyOf = (channel: string, id: string): string => `${channel} ${id}`;

const isAlert = ({ kind }: { readonly kind: string }): boolean => kind === "alert";

/** The lower, the sooner: what was tried least. An alert is before everything else, but one that always fails holds nothing up for ever. */
const turnOf = (one: Waiting): number => (isAlert(one) ? one.attempts / alertTries - 1 : one.attempts);

const isName = (text: string): boolean => text.length >= 1 && text.length <= idChars && text.isWellFormed();

const isNotice = (value: unknown): value is Notice => isObject(value) && typeof value["id"] === "string" && noticeKinds.some((kind) => kind === value["kind"]);

const waitingFrom = (value: JsonObject): Waiting => ({
  channel: String(value["channel"]),
  kind: String(value["kind"]),
  id: String(value["id"]),
  dedup: String(value["dedup"]),
  payload: String(value["payload"]),
  commitment: String(value["commitment"]),
  untilMs: Number(value["until_ms"]),
  order: Number(value["order"]),
  written: Promise.resolve(),
  attempts: 0,
  problem: null,
  ended: null,
});

const keptFrom = (value: JsonObject): Kept => ({
  channel: String(value["channel"]),
  kind: String(value["kind"]),
  dedup: String(value["dedup"]),
  reference: typeof value["reference"] === "string" ? value["reference"] : null,
  order: Number(value["order"]),
});
