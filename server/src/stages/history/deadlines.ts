import type { DecisionInput, JsonObject } from "@lanyard/contract";
import { awaitedBy, type AwaitedEvent, type HistoryEvent, type HistoryLeaf } from "@lanyard/policy";
import type { Clock } from "../../base/clock.ts";
import type { Limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { Store } from "../../base/store/port.ts";

interface DeadlineDeps {
  readonly store: Pick<Store, "append" | "list">;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: Pick<Limits, "deadlines" | "deadline_kept_ms">;
}

/** What a call must be followed by, and is not yet. */
export interface Deadline {
  /** The decision whose call it follows from. */
  readonly of: number;
  readonly policy: string;
  readonly session: string;
  readonly agent: string;
  readonly action: string;
  /** Milliseconds since the epoch; what comes right then is in time. */
  readonly dueMs: number;
  /** What is awaited, as the policy says it. */
  readonly text: string;
  readonly missed: boolean;
}

interface Awaited extends Deadline {
  readonly leaf: HistoryLeaf;
  /** Null where nothing could meet it: the call lacks what later events are compared with. */
  readonly event: AwaitedEvent | null;
}

/** What calls must be followed by: kept across restarts, met in silence, and told when it is missed. It stops nothing. */
export class Deadlines implements Disposable {
  readonly #deps: DeadlineDeps;
  readonly #open = new Map<string, Awaited>();
  /** By the action or group of what is awaited. */
  readonly #byAction = new Map<string, Set<Awaited>>();
  #alarm: { cancel(): void } | null = null;

  constructor(deps: DeadlineDeps) {
    this.#deps = deps;
  }

  /** Whether no more are taken: a call that must be followed by something must not begin then. */
  get isFull(): boolean {
    return this.#open.size >= this.#deps.limits.deadlines;
  }

  /** Takes up what was open when the process ended; `callOf` gives the event of a recorded call, null where it was erased. */
  restore(callOf: (of: number) => HistoryEvent | null): void {
    for (const { value } of this.#deps.store.list("deadline")) {
      const { of, policy, session, agent, action, due_ms: dueMs, missed, leaf } = value as unknown as Stored;
      const call = callOf(of);
      this.#keep({ of, policy, session, agent, action, dueMs, text: leaf.text, missed, leaf, event: call && awaitedBy(leaf, call) });
    }
    this.#wake();
  }

  /** A call has been carried out: what `policy` awaits by `leaf` has its time from now on. */
  begin(of: number, { session, agent, action }: DecisionInput, call: HistoryEvent, policy: string, leaf: HistoryLeaf): void {
    const event = awaitedBy(leaf, call);
    const made: Awaited = { of, policy, session: session.id, agent: agent.id, action, dueMs: call.atMs + (event?.windowMs ?? 0), text: leaf.text, missed: false, leaf, event };
    this.#keep(made);
    this.#write({ type: "deadline.open", of, policy, session: made.session, agent: made.agent, due_ms: made.dueMs }, made, storedOf(made));
    this.#wake();
  }

  /** Something has happened: it may be what was awaited. */
  heed(event: HistoryEvent): void {
    if (this.#open.size === 0) return;
    for (const name of [event.action, ...event.groups]) {
      for (const awaited of this.#byAction.get(name) ?? []) {
        if (!awaited.event?.isMetBy(event)) continue;
        this.#drop(awaited);
        this.#write({ type: "deadline.met", of: awaited.of, policy: awaited.policy, session: awaited.session, late: event.atMs > awaited.dueMs }, awaited, null);
      }
    }
  }

  /** Those that were missed and have not been met since. */
  missed(): readonly Deadline[] {
    const beforeMs = this.#deps.clock.nowMs() - this.#deps.limits.deadline_kept_ms;
    return [...this.#open.values()].filter(({ missed, dueMs }) => missed && dueMs >= beforeMs);
  }

  [Symbol.dispose](): void {
    this.#alarm?.cancel();
  }

  #keep(awaited: Awaited): void {
    this.#open.set(keyOf(awaited), awaited);
    const name = awaited.leaf.queries[0]?.actions[0] ?? "";
    this.#byAction.set(name, (this.#byAction.get(name) ?? new Set()).add(awaited));
  }

  #drop(awaited: Awaited): void {
    this.#open.delete(keyOf(awaited));
    this.#byAction.get(awaited.leaf.queries[0]?.actions[0] ?? "")?.delete(awaited);
  }

  /** Wakes when the next one is over. */
  #wake(): void {
    this.#alarm?.cancel();
    this.#alarm = null;
    const nowMs = this.#deps.clock.nowMs();
    const next = [...this.#open.values()].reduce((least, { missed, dueMs }) => Math.min(least, missed ? dueMs + this.#deps.limits.deadline_kept_ms : dueMs), Number.POSITIVE_INFINITY);
    if (next < Number.POSITIVE_INFINITY) this.#alarm = this.#deps.clock.after(Math.min(Math.max(1, next - nowMs + 1), longestMs), () => this.#look());
  }

  #look(): void {
    const nowMs = this.#deps.clock.nowMs();
    for (const awaited of [...this.#open.values()]) {
      if (awaited.missed && awaited.dueMs + this.#deps.limits.deadline_kept_ms < nowMs) {
        this.#drop(awaited);
        this.#write({ type: "deadline.close", of: awaited.of, policy: awaited.policy, session: awaited.session }, awaited, null);
      } else if (!awaited.missed && awaited.dueMs < nowMs) {
        const missed = { ...awaited, missed: true };
        this.#drop(awaited);
        this.#keep(missed);
        this.#write({ type: "deadline.miss", of: awaited.of, policy: awaited.policy, session: awaited.session, agent: awaited.agent }, missed, storedOf(missed));
      }
    }
    this.#wake();
  }

  #write(record: Parameters<Store["append"]>[0], awaited: Awaited, value: JsonObject | null): void {
    this.#deps.store.append(record, { state: [{ kind: "deadline", key: keyOf(awaited), value }] }).catch((error: unknown) => this.#deps.log.error("deadline.unwritten", { of: awaited.of, error }));
  }
}

/** Timers take no longer ones. */
const longestMs = 24 * 3_600_000;

interface Stored {
  readonly of: number;
  readonly policy: string;
  readonly session: string;
  readonly agent: string;
  readonly action: string;
  readonly due_ms: number;
  readonly missed: boolean;
  readonly leaf: HistoryLeaf;
}

const storedOf = ({ of, policy, session, agent, action, dueMs, missed, leaf }: Awaited): JsonObject => ({ of, policy, session, agent, action, due_ms: dueMs, missed, leaf }) satisfies Stored as unknown as JsonObject;

const keyOf = ({ of, policy }: Pick<Deadline, "of" | "policy">): string => `${of} ${policy}`;
