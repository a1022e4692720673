import { Fault, type Decision, type DecisionInput, type HistoryFacts } from "@lanyard/contract";
import { callEvent, HistoryMonitor, reachOf, type HistoryEvent, type HistoryLeaf, type Snapshot } from "@lanyard/policy";
import type { Clock } from "../../base/clock.ts";
import type { Answer } from "../../base/exchange.ts";
import type { Limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { OutcomeStatus } from "../../base/path.ts";
import type { Store } from "../../base/store/port.ts";
import type { Deadlines } from "./deadlines.ts";
import { Moments } from "./moments.ts";
import { endOf, once, outputOf, recordedEvents, recordedInput, timeOf, timeReached } from "./recorded-events.ts";
import { RecordedRoots } from "./roots.ts";
import { Views } from "./views.ts";

export interface HistoryDeps {
  /** Where what has happened is on record; null where nothing has. */
  readonly store: Pick<Store, "scan" | "unsealAll" | "entry" | "entries" | "settled" | "size"> | null;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: Pick<Limits, "history_rows_per_agent" | "history_records">;
  /** What decides now, or beside: all that may ask. */
  readonly snapshots: () => readonly Snapshot[];
  /** The first of the sessions above one. */
  readonly rootOf: (session: string) => string;
  /** What calls must be followed by; null where nobody waits for it. */
  readonly deadlines: Pick<Deadlines, "isFull" | "restore" | "begin" | "heed"> | null;
}

/** An event that questions which still read the ledger have to be told afterwards. */
interface Waiting {
  readonly event: HistoryEvent;
  /** The decision that it comes from; null until that is on record. */
  of: number | null;
}

/** Questions that are new: they read what has happened so far, while what happens meanwhile waits for them. */
interface Reading {
  readonly monitor: HistoryMonitor;
  readonly leaves: readonly HistoryLeaf[];
  readonly waiting: Waiting[];
}

const retryMs = 2000;

/**
 * Answers what policies ask of history. A decision is an event in the moment it is made, its end in the moment that is known: the very next decision sees
 * both, calls under way included. Nothing is kept that is not in the ledger: after a restart, and for questions that are new, it is read from there;
 * until then they have no answer, and a policy that needs one denies.
 */
export class HistoryStage implements Disposable {
  readonly #deps: HistoryDeps;
  readonly #moments: Moments;
  readonly #monitor = new HistoryMonitor();
  readonly #owners = new Map<string, { rows: number }>();
  /** Calls that have been let through and have not ended. */
  readonly #open = new Map<number, { readonly input: DecisionInput; readonly root: string }>();
  /** Requests that are not on record yet, while somebody reads. */
  #unrecorded = new Map<DecisionInput, Waiting>();
  #fitted: readonly Snapshot[] = [];
  #views = new Views([]);
  #reading: Reading | null = null;
  #settled: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(deps: HistoryDeps) {
    this.#deps = deps;
    this.#moments = new Moments(deps.clock);
  }

  /** Begins with what the ledger has; resolves when that is read, or cannot be for now. */
  start(): Promise<void> {
    if (this.#deps.store) this.#moments.reach(timeReached(this.#deps.store));
    this.#fit();
    this.#deps.deadlines?.restore((of) => this.#callOf(of));
    return this.#settled;
  }

  /** Other policies may decide now: what they ask begins to be read before the first call that needs it. */
  refit(): void {
    if (!this.#closed) this.#fit();
  }

  /**
   * The part of a decision's input: answers to what the policies ask for such a call, the call itself included; null where none asks anything of history. What
   * cannot be answered is left out. Throws Fault `limit_exceeded` when too much is kept of the agent already: a call that could not be remembered must not happen.
   */
  facts(input: DecisionInput): HistoryFacts | null {
    const snapshots = this.#fit();
    const wanted = snapshots.map((snapshot) => ({ questions: snapshot.questions, leaves: snapshot.asks(input.agent, input.action) }));
    const atMs = this.#moments.now(input.nowMs);
    if (this.#monitor.idle && wanted.every(({ leaves }) => leaves.length === 0)) return atMs === input.nowMs ? null : { at: atMs };
    this.#checkRoom(input.agent.id);
    if (this.#deps.deadlines?.isFull && wanted.some(({ leaves }) => leaves.some(({ op }) => op === "eventually"))) throw new Fault("limit_exceeded", "too much is awaited already (limit deadlines); what must follow this call could not be looked for");
    const answers = this.#monitor.answers(wanted, this.#eventOf(input, atMs, { kind: "request" }));
    return atMs === input.nowMs ? answers : { ...answers, at: atMs };
  }

  /** A decision has been made; called in the same turn of the event loop. */
  decided(input: DecisionInput, { effect }: Pick<Decision, "effect">): void {
    if (effect === "ask") return; // Whoever is asked has not answered: it is decided anew then.
    const waiting: Waiting = { event: this.#eventOf(input, this.#moments.now(timeOf(input)), { kind: "request", decision: effect }), of: null };
    this.#note(waiting);
    if (this.#reading) this.#unrecorded.set(input, waiting);
  }

  /** A decision is on record as entry `of`. */
  begun(of: number, input: DecisionInput, { effect }: Pick<Decision, "effect">): void {
    const waiting = this.#unrecorded.get(input);
    if (waiting) waiting.of = of;
    this.#unrecorded.delete(input);
    if (effect === "allow") this.#open.set(of, { input, root: this.#deps.rootOf(input.session.id) });
  }

  /** A call has ended. Gives the time that history has it at, which belongs on record: it is read from there again. */
  concluded(of: number, status: OutcomeStatus, answer: Answer | null): number {
    const [call, atMs] = [this.#open.get(of), this.#moments.now()];
    if (call === undefined) return atMs;
    this.#open.delete(of);
    const event = this.#eventOf(call.input, atMs, { ...endOf(status), output: once(() => outputOf(answer)) }, call.root); // its session may be over
    this.#note({ event, of });
    const isOver = status === "failed" || status === "refused"; // What is uncertain may have happened.
    for (const { policy, leaf } of isOver ? [] : (this.#fitted[0]?.promises(call.input) ?? [])) this.#deps.deadlines?.begin(of, call.input, event, policy, leaf);
    return atMs;
  }

  [Symbol.dispose](): void {
    this.#closed = true;
  }

  #note(waiting: Waiting): void {
    const { event } = waiting;
    this.#monitor.note(event, this.#owner(event.scope.agent));
    this.#reading?.waiting.push(waiting);
    this.#deps.deadlines?.heed(event);
  }

  #eventOf(input: DecisionInput, atMs: number, happened: Omit<Parameters<typeof callEvent>[2], "rootSession" | "atMs">, rootSession = this.#deps.rootOf(input.session.id)): HistoryEvent {
    return callEvent(input, this.#views.seen(input), { ...happened, atMs, rootSession });
  }

  /** The event that a recorded call is; null when it was erased. */
  #callOf(of: number): HistoryEvent | null {
    const { store } = this.#deps;
    const input = store && recordedInput(store, of);
    return input ? this.#eventOf(input, this.#moments.now(), { kind: "response" }) : null;
  }

  #owner(agent: string): { rows: number } {
    const known = this.#owners.get(agent) ?? { rows: 0 };
    this.#owners.set(agent, known);
    return known;
  }

  #checkRoom(agent: string): void {
    const most = this.#deps.limits.history_rows_per_agent;
    if (this.#owner(agent).rows < most) return;
    this.#monitor.sweep(this.#moments.now());
    if (this.#owner(agent).rows >= most) throw new Fault("limit_exceeded", `${most} rows of history are kept of agent \`${agent}\` (limit history_rows_per_agent); what more it does could not be remembered`);
  }

  /** What asks now. Questions that nobody asks any more are forgotten, new ones begin to read. */
  #fit(): readonly Snapshot[] {
    const now = this.#deps.snapshots();
    if (now.length === this.#fitted.length && now.every((snapshot, at) => snapshot === this.#fitted[at])) return now;
    this.#fitted = now;
    this.#views = new Views(now);
    const wanted = union(now.map(({ leaves }) => leaves));
    this.#monitor.keep(new Set(wanted.map(({ id }) => id)));
    if (this.#reading === null) this.#learn(wanted.filter(({ id }) => !this.#monitor.has(id)));
    return now;
  }

  #learn(leaves: readonly HistoryLeaf[]): void {
    if (leaves.length === 0 || this.#closed) return;
    const { store, clock, log, limits } = this.#deps;
    if (store === null) {
      for (const leaf of leaves) this.#monitor.add(leaf, Number.NEGATIVE_INFINITY);
      return;
    }
    const monitor = this.#monitor.sibling();
    const from = Math.max(0, store.size() - limits.history_records);
    const nowMs = this.#moments.now();
    const reachMs = leaves.reduce((most, leaf) => Math.max(most, reachOf(leaf)), 0);
    const knownFromMs = from === 0 ? Number.NEGATIVE_INFINITY : (store.entry(from)?.at_ms ?? nowMs);
    for (const leaf of leaves) monitor.add(leaf, knownFromMs);
    const reading: Reading = { monitor, leaves, waiting: [] };
    this.#reading = reading;
    this.#settled = this.#read(store, reading, from, nowMs - reachMs).then(
      () => this.#fitAgain(),
      (error: unknown) => {
        log.error("history.unread", { error });
        this.#forget(reading);
        clock.after(retryMs, () => this.#fitAgain());
      },
    );
  }

  async #read(store: NonNullable<HistoryDeps["store"]>, { monitor, leaves, waiting }: Reading, from: number, sinceMs: number): Promise<void> {
    const startedUs = this.#deps.clock.monotonicUs();
    await store.settled(); // What happened before this question was asked is on record now.
    const done = { requests: new Set<number>(), ends: new Set<number>() };
    const views = this.#views;
    for await (const events of recordedEvents(store, { from, sinceMs, roots: new RecordedRoots(store), wants: (action) => monitor.wants(action, views.groups(action)), seen: views.seen })) {
      if (this.#closed) return;
      for (const { of, event } of events) {
        if (event === null) continue; // what was erased is forgotten
        this.#moments.reach(event.atMs);
        monitor.note(event, this.#owner(event.scope.agent));
        (event.kind === "request" ? done.requests : done.ends).add(of);
      }
    }
    await store.settled();
    await new Promise((resolve) => void setImmediate(resolve)); // What is on record is known to be by now.
    for (const { event, of } of waiting) {
      if (of !== null && (event.kind === "request" ? done.requests : done.ends).has(of)) continue;
      monitor.note(event, this.#owner(event.scope.agent));
    }
    this.#monitor.adopt(monitor);
    this.#reading = null;
    this.#unrecorded = new Map();
    this.#deps.log.info("history.read", { questions: leaves.length, events: done.requests.size + done.ends.size, ms: Math.round((this.#deps.clock.monotonicUs() - startedUs) / 1000) });
  }

  #forget(reading: Reading): void {
    reading.monitor.keep(new Set());
    this.#reading = null;
    this.#unrecorded = new Map();
  }

  #fitAgain(): void {
    this.#fitted = [];
    if (!this.#closed) this.#fit();
  }
}

const union = (lists: readonly (readonly HistoryLeaf[])[]): readonly HistoryLeaf[] => (lists.length === 1 ? (lists[0] ?? []) : [...new Map(lists.flat().map((leaf) => [leaf.id, leaf])).values()]);
