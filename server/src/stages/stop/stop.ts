import { Fault, isObject, webServer, type Action, type Json, type LedgerRecord, type NewRecord, type Principal, type Reversibility, type StopKind, type StopSubject, type StopSubjectKind } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import type { Config } from "../../base/config/config.ts";
import type { DeclaredArguments } from "../../base/extract/declared.ts";
import type { Log } from "../../base/log.ts";
import type { Facts, Passage, Pin } from "../../base/path.ts";
import type { Store } from "../../base/store/port.ts";
import type { Answer, Exchange } from "../../base/exchange.ts";
import { Breakers, type Trip } from "./breakers.ts";
import { Canaries } from "./canaries.ts";
import { faultOf, fromState, Orders, stateOf, subjectText, type StopTarget, type StopOrder } from "./orders.ts";
import { OpenPassage, Passages } from "./passages.ts";

/** Who asks for a stop or its end. */
export type StopActor = "operator" | { readonly kind: "user"; readonly name: string } | "lanyard";

/** What an order did at once. */
export interface StopEffect {
  readonly order: StopOrder;
  /** Open sessions it met. */
  readonly sessions: number;
  /** Calls that were under way and were ended. */
  readonly cancelled: number;
  /** Approvals that no longer count. */
  readonly voided: number;
  /** False while the ledger does not have it: it is in force all the same, and written as soon as that can be. */
  readonly recorded: boolean;
  /** True when the same was ordered before, and nothing new was written. */
  readonly already: boolean;
}

/** What the rest of Lanyard does when an order is given. `meets` tells of a session and an action whether the order is about it. */
export interface StopReach {
  /** Open sessions. */
  sessions(): readonly Principal[];
  /** Ends what waits for people; returns how many requests that were. Their records follow by themselves. */
  voidApprovals(order: StopOrder, meets: (principal: StopTarget["principal"], action: Pick<Action, "server" | "name">) => boolean): number;
  /** Closes what is open beside calls, at once: streams, connections to servers, sandboxes. `sessions`: whom it meets whole. */
  sever(order: StopOrder, sessions: readonly Principal[]): void;
}

interface StopRooms {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly config: () => Config;
}

const maxWhyChars = 1000;
const firstRetryMs = 100;
const lastRetryMs = 5000;
/** How long the answer to an order waits for the ledger, and for calls that were cut to have ended. The order is in force before. */
const answerMs = 1000;
/** What a restart counts again: all of an hour, but no more than the newest so many records. Money is not among it: amounts lie sealed. */
const rememberedMs = 3_600_000;
const remembered = 20_000;
/** How long the first person's yes to lifting `all` counts. */
const approvedMs = 3_600_000;

/**
 * Stops and quarantines. An order is in force in this process before anything else is done with it: a ledger that is slow or down makes no call
 * go on. It outlives the daemon, and holds for sessions that are opened later.
 *
 * Invariant: to stop needs no more than one person and no disk; to lift needs the disk, and for everything two people.
 */
export class StopStage implements AsyncDisposable {
  readonly #rooms: StopRooms;
  readonly #orders = new Orders();
  readonly #passages = new Passages();
  readonly #breakers: Breakers;
  /** What is looked for; empty until it is set. */
  readonly canaries = new Canaries();
  /** In force, but the ledger does not know yet. */
  readonly #owed = new Map<string, Promise<boolean>>();
  /** About to be lifted: in force until that is on record. */
  readonly #lifting = new Set<string>();
  readonly #following: { stop(): void };
  #reach: StopReach | null = null;
  #closed = false;

  constructor(rooms: StopRooms) {
    this.#rooms = rooms;
    for (const { key, value } of rooms.store.list("stop")) this.#orders.set(fromState(key, value));
    const rulesOf = (agent: string) => rooms.config().stop.breakersOf(agent, rooms.config().agents.get(agent)?.classes ?? []);
    this.#breakers = new Breakers({ rulesOf, trip: (...trip) => this.#trip(...trip) });
    const sinceMs = rooms.clock.nowMs() - rememberedMs;
    for (const record of rooms.store.entries({ sinceMs, types: ["decision", "outcome", "stop.lift"], limit: remembered, newest: true })) this.#breakers.heed(record, true);
    this.#following = rooms.store.follow((record) => this.#heed(record));
  }

  /** What is done beside refusing and cancelling; without it an order does these two. */
  set reach(reach: StopReach) {
    this.#reach = reach;
    // What an order voided before the daemon ended may not have been written any more: a yes from then must not count once the order is lifted.
    for (const order of this.#orders.list()) reach.voidApprovals(order, this.#meeting(order));
  }

  // The path takes its steps as plain functions, so these are bound.

  readonly enter = (action: Action, principal: Principal, exchange: Exchange): Passage => {
    const passage = this.#passages.enter(action, principal, this.canaries.line(exchange, (name) => this.#sighted(principal, name)));
    const canary = this.canaries.inCall(passage);
    if (canary === null) return passage;
    passage.tainted = true;
    this.#sighted(principal, canary);
    return passage;
  };

  /** Why the call may not happen whatever policy says; null when nothing speaks against it. */
  readonly standing = (passage: Passage, { pin, input }: Pick<Facts, "pin"> & Partial<Pick<Facts, "input">>): Pin["refuse"] => {
    if (passage instanceof OpenPassage) passage.reads = readsOnly(pin, input?.reversibility ?? pin.contract.reversibility);
    const fault = this.#against(passage) ?? (passage instanceof OpenPassage && passage.tainted ? notPassed : null);
    return fault && { code: fault.code, text: fault.message };
  };

  /** The last look before an effect, `action` as it is carried out. Throws Fault `stopped`, `session_quarantined`. */
  readonly look = (passage: Passage, action: Action): void => {
    const paths = amountsOf(this.#rooms.config().arguments.get(action.name));
    const spends = paths.length > 0 && !this.#breakers.spend(passage.principal, paths.reduce((sum, path) => sum + amountIn(action, path), 0), this.#rooms.clock.nowMs());
    const fault = passage.cut ?? this.#against(passage) ?? (spends ? notPassed : null);
    if (fault) throw fault;
  };

  /** What came back, looked at before the agent has it and as it passes. Throws Fault `result_withheld`. */
  readonly watch = (passage: Passage, answer: Answer): Answer => {
    const canary = this.canaries.inAnswer(answer);
    if (canary === null) return this.canaries.watched(answer, (name) => this.#sighted(passage.principal, name));
    this.#sighted(passage.principal, canary);
    throw new Fault("result_withheld", "what came back is not to be passed on, and the session is quarantined");
  };

  /** Whether a session may be opened: a stopped agent opens none, nor does a stopped session one below it. Throws Fault `stopped`. */
  readonly mayOpen = (principal: StopTarget["principal"]): void => {
    const order = this.#orders.meeting(this.#standingOf(principal), null);
    if (order?.kind === "stop") throw faultOf(order);
  };

  /** The stop that meets a session as a whole; null when none does, or only a quarantine. */
  stopOf(principal: StopTarget["principal"]): Fault | null {
    const order = this.#orders.meeting(this.#standingOf(principal), null);
    return order?.kind === "stop" ? faultOf(order) : null;
  }

  /** Whether a stop or a quarantine meets a session as a whole, so that it changes nothing any more. */
  isHeld(principal: StopTarget["principal"]): boolean {
    return this.#orders.meeting(this.#standingOf(principal), null) !== null;
  }

  /** Whether a server as a whole is stopped. */
  stopOfServer(server: string): Fault | null {
    const order = [...this.#orders.of({ kind: "server", name: server }), ...this.#orders.of({ kind: "all", name: "all" })].find(({ kind }) => kind === "stop");
    return order ? faultOf(order) : null;
  }

  list(): readonly (StopOrder & { readonly recorded: boolean })[] {
    return this.#orders.list().map((order) => ({ ...order, recorded: !this.#owed.has(order.id) }));
  }

  /**
   * Stops or quarantines a subject. In force on the first line that runs; resolves when the calls it cut have ended and the ledger has it, or after
   * a second without. Throws Fault `forbidden`, `not_found`, `invalid_request`, `limit_exceeded`.
   */
  async order(kind: StopKind, subject: StopSubject, why: string, by: StopActor): Promise<StopEffect> {
    this.#mayOrder(by);
    const user = this.#check(subject, why);
    const [same] = this.#standing(subject).filter((order) => order.kind === kind); // One that is being lifted is no stop: this one outlives it.
    const { clock } = this.#rooms;
    const order = same ?? { id: clock.id("stp"), kind, subject, by: actorOf(by), why, atMs: clock.nowMs(), user, approved: null };
    return this.#give(order, same !== undefined);
  }

  /**
   * Lets a subject go on. `lifted` is false when a second person must say so too. Throws Fault `not_found` (nothing of it is stopped), `forbidden`,
   * `ledger_unavailable`: then it stays stopped.
   */
  async lift(subject: StopSubject, by: StopActor): Promise<{ readonly lifted: boolean; readonly orders: readonly StopOrder[] }> {
    const orders = this.#orders.of(subject);
    if (orders.length === 0) throw new Fault("not_found", `${subjectText(subject)} is neither stopped nor quarantined; \`lanyard stops\` shows what is`);
    this.#mayLift(subject, orders, by);
    const late = new Promise<void>((resolve) => this.#rooms.clock.after(answerMs, resolve));
    const owed = orders.flatMap(({ id }) => this.#owed.get(id) ?? []);
    if (owed.length > 0) await Promise.race([Promise.all(owed), late]); // One that was given this moment is being written.
    for (const { id } of orders) if (this.#owed.has(id)) throw new Fault("ledger_unavailable", `order ${id} is not on record yet, and what is not cannot be lifted`);
    const lifted: StopOrder[] = [];
    for (const order of orders) {
      const second = subject.kind === "all" ? this.#second(order, by) : null;
      if (subject.kind === "all" && second === null) await this.#approve(order, by);
      else await this.#lift(order, second === null ? actorOf(by) : (order.approved?.by ?? ""), second);
      if (!this.#orders.get(order.id)) lifted.push(order);
    }
    return { lifted: lifted.length === orders.length, orders };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#following.stop();
    await Promise.allSettled(this.#owed.values());
  }

  /** A budget's own threshold was met: as if a breaker had tripped. Never throws; in force at once. */
  readonly exceeded = ({ budget, ...trip }: Omit<Trip, "breaker" | "what"> & { readonly budget: string }): void => {
    const { quarantines } = this.#rooms.config().stop.breakersOf(trip.agent, this.#rooms.config().agents.get(trip.agent)?.classes ?? []);
    this.#trip({ ...trip, breaker: "budget", what: budget }, quarantines);
  };

  /** An agent's conduct met a limit: quarantines the agent, or its session. Never throws; in force at once. */
  #trip(trip: Trip, quarantines: "agent" | "session"): void {
    const subject: StopSubject = quarantines === "agent" ? { kind: "agent", name: trip.agent } : { kind: "session", name: trip.session };
    if (this.#standing(subject).length > 0) return; // It is held already, and counted by nobody.
    const user = subject.kind === "session" ? (this.#reach?.sessions().find((one) => one.session === subject.name)?.user ?? null) : null;
    const { agent, session, breaker, count, limit, windowMs, what } = trip;
    const order: StopOrder = { id: this.#rooms.clock.id("stp"), kind: "quarantine", subject, by: "lanyard", why: `breaker ${breaker}: ${tripText(trip)}`, atMs: this.#rooms.clock.nowMs(), user, approved: null };
    const record: NewRecord = { type: "breaker.trip", order: order.id, agent, session, breaker, count, limit, window_ms: windowMs, what };
    void this.#give(order, false, record).catch((error: unknown) => this.#rooms.log.error("breaker.unfinished", { error }));
  }

  #sighted({ agent, session }: Pick<Principal, "agent" | "session">, canary: string): void {
    const { quarantines } = this.#rooms.config().stop.breakersOf(agent, this.#rooms.config().agents.get(agent)?.classes ?? []);
    this.#trip({ agent, session, breaker: "canary", count: 1, limit: 1, windowMs: 0, what: canary }, quarantines);
  }

  #against(passage: Passage): Fault | null {
    if (this.#orders.size === 0) return null;
    const order = this.#orders.meeting(this.#standingOf(passage.principal), passage.action);
    return order && (order.kind === "stop" || !(passage instanceof OpenPassage && passage.reads)) ? faultOf(order) : null;
  }

  /** Orders about a subject that nobody is lifting. */
  #standing(subject: StopSubject): StopOrder[] {
    return this.#orders.of(subject).filter(({ id }) => !this.#lifting.has(id));
  }

  #standingOf(principal: StopTarget["principal"]): StopTarget {
    return { principal, team: this.#rooms.config().agents.get(principal.agent)?.team ?? null };
  }

  /** Whether one order is about a session, or what it does. */
  #meeting(order: StopOrder): (principal: StopTarget["principal"], action: Pick<Action, "server" | "name"> | null) => boolean {
    const only = new Orders();
    only.set(order);
    return (principal, action) => only.meeting(this.#standingOf(principal), action) !== null;
  }

  /** Invariant: from its first line on nothing of the subject begins; what does not wait comes before what does. */
  async #give(order: StopOrder, already: boolean, before?: NewRecord): Promise<StopEffect> {
    this.#orders.set(order);
    const cut = this.#passages.stop((passage) => this.#against(passage));
    const meets = this.#meeting(order);
    const sessions = (this.#reach?.sessions() ?? []).filter((principal) => meets(principal, null));
    const voided = this.#reach?.voidApprovals(order, meets) ?? 0;
    this.#reach?.sever(order, sessions);
    const effect = { order, sessions: sessions.length, cancelled: cut.length, voided, already };
    const { kind, subject, id, by, why } = order;
    const record: NewRecord = { type: "stop.order", id, kind, subject, by, why, sessions: effect.sessions, cancelled: effect.cancelled, voided };
    if (!already) this.#owed.set(id, this.#write(order, before ? [before] : [], record).finally(() => this.#owed.delete(id)));
    const written = this.#owed.get(id) ?? Promise.resolve(true);
    const late = new Promise<void>((resolve) => this.#rooms.clock.after(answerMs, resolve));
    await Promise.race([Promise.all([written, ...cut.map(({ ended }) => ended)]), late]);
    return { ...effect, recorded: !this.#owed.has(id) };
  }

  /** Tries until it is written. False when the daemon ended before. */
  async #write(order: StopOrder, before: readonly NewRecord[], record: NewRecord): Promise<boolean> {
    const { store, clock, log } = this.#rooms;
    let first = before;
    for (let waitMs = firstRetryMs; ; waitMs = Math.min(2 * waitMs, lastRetryMs)) {
      try {
        await Promise.all(first.map((each) => store.append(each)));
        first = [];
        await store.append(record, { state: [{ kind: "stop", key: order.id, value: stateOf(order) }] });
        return true;
      } catch (error) {
        log.error("stop.unrecorded", { order: order.id, error });
        if (this.#closed) return false; // Whatever is wrong with it, it is in force and has to be on record.
      }
      await new Promise<void>((resolve) => clock.after(waitMs, resolve));
    }
  }

  /** The other person, when one has said yes before and this is somebody else; null when nobody has. Throws Fault `forbidden` for the same one. */
  #second({ approved }: StopOrder, by: StopActor): string | null {
    if (!approved || this.#rooms.clock.nowMs() - approved.atMs > approvedMs) return null;
    if (approved.by === actorOf(by)) throw new Fault("forbidden", `${approved.by} has said so already; a second person must, with a credential of their own`);
    return actorOf(by);
  }

  async #approve(order: StopOrder, by: StopActor): Promise<void> {
    const next: StopOrder = { ...order, approved: { by: actorOf(by), atMs: this.#rooms.clock.nowMs() } };
    await this.#rooms.store.append({ type: "stop.approve", id: order.id, by: actorOf(by) }, { state: [{ kind: "stop", key: order.id, value: stateOf(next) }] });
    if (this.#orders.get(order.id)) this.#orders.set(next);
  }

  async #lift(order: StopOrder, by: string, second: string | null): Promise<void> {
    const { id, kind, subject } = order;
    this.#lifting.add(id);
    try {
      await this.#rooms.store.append({ type: "stop.lift", id, kind, subject, by, second }, { state: [{ kind: "stop", key: id, value: null }] });
      this.#orders.delete(order);
    } finally {
      this.#lifting.delete(id);
    }
  }

  /** Throws Fault `not_found`, `invalid_request`, `limit_exceeded`. Returns the user that a stopped session works for. */
  #check({ kind, name }: StopSubject, why: string): string | null {
    if (why.trim() === "" || why.length > maxWhyChars || !why.isWellFormed()) throw new Fault("invalid_request", `\`why\` must be 1 to ${maxWhyChars} characters of text`);
    const { limits, agents, teams, users, servers } = this.#rooms.config();
    if (this.#orders.size >= limits.stops && this.#orders.of({ kind, name }).length === 0 && kind !== "all") throw new Fault("limit_exceeded", `${limits.stops} stops are in force, the limit stops; \`lanyard stop all\` still works`);
    if (kind === "session") {
      const session = this.#reach?.sessions().find((one) => one.session === name);
      if (!session) throw new Fault("not_found", `no session \`${name}\` is open`);
      return session.user;
    }
    const server = kind === "tool" ? name.slice(0, Math.max(0, name.indexOf("/"))) : name;
    const known: Readonly<Record<Exclude<StopSubjectKind, "session">, boolean>> = {
      all: name === "all",
      agent: agents.has(name),
      team: teams.has(name) || [...agents.values()].some(({ team }) => team === name),
      user: users.has(name),
      server: servers.has(server) || server === webServer,
      tool: (servers.has(server) || server === webServer) && name.length > server.length + 1,
      label: /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name),
    };
    // Invariant: a name that nobody has is told, or whoever mistyped it at night would think that it is over.
    if (!known[kind]) throw new Fault("not_found", kind === "tool" ? `\`${name}\` is no \`<server>/<tool>\` of a registered server` : `there is no ${kind} \`${name}\``);
    return null;
  }

  #mayOrder(by: StopActor): void {
    if (typeof by === "string") return;
    if (!this.#isIn(by.name, this.#rooms.config().stop.mayStop)) throw new Fault("forbidden", `\`${by.name}\` is in no group under \`stop: may_stop:\` of lanyard.yaml`);
  }

  #mayLift(subject: StopSubject, orders: readonly StopOrder[], by: StopActor): void {
    if (subject.kind === "all" && typeof by === "string") throw new Fault("forbidden", "two people lift a stop of everything, each with a credential of their own (LANYARD_CREDENTIAL)");
    if (typeof by === "string") return;
    if (!this.#isIn(by.name, this.#rooms.config().stop.mayResume)) throw new Fault("forbidden", `\`${by.name}\` is in no group under \`stop: may_resume:\` of lanyard.yaml`);
    const own = (subject.kind === "user" && subject.name === by.name) || orders.some(({ user }) => user === by.name);
    if (own) throw new Fault("forbidden", `\`${by.name}\` cannot lift a stop of what is done for \`${by.name}\`; somebody else must`);
  }

  #isIn(user: string, groups: readonly string[]): boolean {
    return this.#rooms.config().users.get(user)?.groups.some((group) => groups.includes(group)) ?? false;
  }

  /** Counts; and an order about a session that has ended is about nothing any more: its id never comes back. */
  #heed(record: LedgerRecord): void {
    this.#breakers.heed(record);
    if (record.type !== "session.close") return;
    for (const order of this.#orders.of({ kind: "session", name: record.session })) {
      const written = this.#owed.get(order.id) ?? Promise.resolve();
      written.then(() => this.#lift(order, "lanyard", null)).catch((error: unknown) => this.#rooms.log.warn("stop.unlifted", { order: order.id, error }));
    }
  }
}

const actorOf = (by: StopActor): string => (typeof by === "string" ? by : `user:${by.name}`);

/** For a call that reads and carries a canary, or money past a limit: what is quarantined by now may not make it. */
const notPassed = new Fault("session_quarantined", "the call is not let through, and what it belongs to is quarantined");

/** The paths of the arguments that the contract says are money that is moved. */
const amountsOf = (declared: DeclaredArguments | undefined): readonly (readonly string[])[] =>
  declared ? [...declared].flatMap(([name, { kind, role }]) => (kind === "money" && (role === null || role === "amount") ? [name.split(".")] : [])) : [];

/** The amount where the contract says it is, as it is written; not a number where there is none. */
function amountIn({ args }: Action, path: readonly string[]): number {
  let at: Json | undefined = args;
  for (const step of path) at = isObject(at) && Object.hasOwn(at, step) ? at[step] : undefined;
  return typeof at === "number" ? at : typeof at === "string" && at.trim() !== "" ? Number(at) : Number.NaN;
}

/** By its effects, and by what its contract says of these very arguments, where it tells calls apart. */
const readsOnly = ({ contract }: Pin, of: Reversibility): boolean =>
  contract.effects.length > 0 && contract.effects.every((effect) => effect === "read") && (of === "read" || (of === "unknown" && contract.classes === undefined));

function tripText({ breaker, count, limit, windowMs, what }: Trip): string {
  if (breaker === "canary") return `canary ${what} was seen`;
  if (breaker === "budget") return `${what ?? ""} met its threshold of ${limit} with ${count}`;
  return `${count} within ${windowMs / 1000} s, the limit is ${limit}${what === null ? "" : ` (${what})`}`;
}
