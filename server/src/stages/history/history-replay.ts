import type { DecisionInput, HistoryFacts } from "@lanyard/contract";
import { callEvent, concerns, HistoryMonitor, reachOf, type HistoryEvent, type HistoryLeaf, type Snapshot } from "@lanyard/policy";
import type { Limits } from "../../base/limits.ts";
import type { Store } from "../../base/store/port.ts";
import { recordedEvents, timeOf, type LostEvent, type RecordedEvent } from "./recorded-events.ts";
import { RecordedRoots } from "./roots.ts";
import { Views } from "./views.ts";

export interface HistoryReplayOptions {
  readonly store: Pick<Store, "scan" | "unsealAll" | "entry" | "entries">;
  readonly limits: Pick<Limits, "history_rows_per_agent" | "replayed_history_rows">;
  /** Whose questions may be asked. */
  readonly snapshots: readonly Snapshot[];
  /** The time, as history has it, of the first call that is asked about; how far before it is read, the questions say. */
  readonly sinceMs: number;
  /** Told now and then how many events have been read. */
  readonly progress?: (events: number) => void;
  /** True once nobody waits for answers any more. */
  readonly isOver?: () => boolean;
}

/** Why a call has no answers, which the daemon would have had. */
const unanswered = {
  erased: "what policies ask of history was erased",
  rows: "more history is looked at than is kept at once (limit replayed_history_rows)",
  agent: "more is remembered of the agent than may be, so the call would have been refused (limit history_rows_per_agent)",
} as const;

/**
 * Answers what policies ask of history about calls on record, each as it would have been answered then: the events of the ledger are run through the questions
 * in the order of the record, by the same reading that rebuilds history after a restart. Reads as far as it is asked, forward only; live calls go first.
 */
export class HistoryReplay {
  readonly #options: HistoryReplayOptions;
  readonly #views: Views;
  readonly #roots: RecordedRoots;
  readonly #monitor = new HistoryMonitor();
  readonly #events: AsyncGenerator<RecordedEvent[]>;
  readonly #owners = new Map<string, Owner>();
  readonly #kept = { rows: 0 };
  readonly #losses: Losses;
  #run: readonly RecordedEvent[] = [];
  #next = 0;
  #read = 0;
  #lastMs = 0;
  #isFull = false;

  constructor(options: HistoryReplayOptions) {
    this.#options = options;
    this.#views = new Views(options.snapshots);
    this.#roots = new RecordedRoots(options.store);
    const leaves = options.snapshots.flatMap((snapshot) => snapshot.leaves);
    for (const leaf of leaves) this.#monitor.add(leaf, Number.NEGATIVE_INFINITY);
    const reachMs = leaves.reduce((most, leaf) => Math.max(most, reachOf(leaf)), 0);
    this.#losses = new Losses(this.#views);
    const wants = (action: string): boolean => this.#monitor.wants(action, this.#views.groups(action));
    this.#events = recordedEvents(options.store, { from: 0, sinceMs: Math.max(0, options.sinceMs - reachMs), roots: this.#roots, wants, seen: this.#views.seen });
  }

  /**
   * The answers to `leaves` for the call that entry `seq` decided, which is none before the one asked about last; or, in words, why there are none. A question that
   * the call itself lacks something for is left out, as it was then.
   */
  async answers(seq: number, input: DecisionInput, leaves: readonly HistoryLeaf[]): Promise<HistoryFacts | string> {
    await this.#readUpTo(seq);
    const atMs = Math.max(this.#lastMs, timeOf(input));
    if (this.#isFull) return unanswered.rows;
    if (this.#crowded(input.agent.id, atMs)) return unanswered.agent;
    const event = callEvent(input, this.#views.seen(input), { kind: "request", atMs, rootSession: this.#roots.ofCall(input, seq) });
    return this.#losses.touch(leaves, event) ? unanswered.erased : this.#monitor.named(leaves, event);
  }

  async #readUpTo(seq: number): Promise<void> {
    const { isOver, progress } = this.#options;
    while (isOver?.() !== true) {
      for (let one = this.#run[this.#next]; one !== undefined; one = this.#run[(this.#next += 1)]) {
        if (one.at >= seq) return;
        this.#note(one);
      }
      const more = await this.#events.next();
      if (more.done === true) return;
      [this.#run, this.#next] = [more.value, 0];
      progress?.((this.#read += more.value.length));
    }
  }

  #note(one: RecordedEvent): void {
    if (one.event === null) return this.#losses.note(one.lost);
    this.#lastMs = one.event.atMs;
    if (this.#isFull) return;
    this.#monitor.note(one.event, this.#owner(one.event.scope.agent));
    const most = this.#options.limits.replayed_history_rows;
    if (this.#kept.rows >= most) this.#monitor.sweep(this.#lastMs);
    this.#isFull = this.#kept.rows >= most;
  }

  #crowded(agent: string, atMs: number): boolean {
    const most = this.#options.limits.history_rows_per_agent;
    if (this.#owner(agent).rows >= most) this.#monitor.sweep(atMs);
    return this.#owner(agent).rows >= most;
  }

  #owner(agent: string): Owner {
    const known = this.#owners.get(agent) ?? new Owner(this.#kept);
    this.#owners.set(agent, known);
    return known;
  }
}

/** What is kept of one agent's calls, counted with everybody's. */
class Owner {
  readonly #all: { rows: number };
  #rows = 0;

  constructor(all: { rows: number }) {
    this.#all = all;
  }

  get rows(): number {
    return this.#rows;
  }

  set rows(rows: number) {
    this.#all.rows += rows - this.#rows;
    this.#rows = rows;
  }
}

const keptLosses = 10_000;

/** Where something is missing from history, and until when it matters: of whom, of which action, and when it was. */
class Losses {
  readonly #views: Views;
  /** By whose history; then by action, when something of it was lost last. */
  readonly #lost = new Map<string, Map<string, number>>();
  /** Past the bound everybody's history counts as incomplete, from the last of those on. */
  #everybodysMs = Number.NEGATIVE_INFINITY;

  constructor(views: Views) {
    this.#views = views;
  }

  note({ atMs, action, agent, user, session }: LostEvent): void {
    if (this.#lost.size >= keptLosses) {
      this.#everybodysMs = atMs;
      this.#lost.clear();
    }
    // No record says which team an agent was in then: it may have been any.
    for (const whose of [`session ${session}`, `agent ${agent}`, `user ${user}`, "team", "all"]) {
      const times = this.#lost.get(whose) ?? new Map<string, number>();
      this.#lost.set(whose, times.set(action, atMs));
    }
  }

  /** Whether some question looks back to where something is missing. */
  touch(leaves: readonly HistoryLeaf[], { scope, atMs }: HistoryEvent): boolean {
    if (this.#lost.size === 0 && this.#everybodysMs === Number.NEGATIVE_INFINITY) return false;
    return leaves.some((leaf) => {
      const sinceMs = atMs - reachOf(leaf);
      if (this.#everybodysMs >= sinceMs) return true;
      const times = this.#lost.get(leaf.across === "team" || leaf.across === "all" ? leaf.across : `${leaf.across} ${scope[leaf.across]}`);
      return [...(times ?? [])].some(([action, lostMs]) => lostMs >= sinceMs && concerns(leaf, action, this.#views.groups(action)));
    });
  }
}
