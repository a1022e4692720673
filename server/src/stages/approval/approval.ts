import { Fault, type Action, type LedgerRecord, type Principal } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import type { Config } from "../../base/config/config.ts";
import type { Exchange } from "../../base/exchange.ts";
import type { Log } from "../../base/log.ts";
import type { Approval, Facts, Hold, Intent, Ruling } from "../../base/path.ts";
import type { Sealed, Store } from "../../base/store/port.ts";
import { cardOf, fromState, grantOf, keyOf, missingGroups, stateOf, type ApprovalCard, type ApprovalRequest } from "./request.ts";

const progressMs = 5000;
const sweepMs = 5000;
const maxCommentChars = 1000;

/** A request with what is only of this process. */
interface Held {
  request: ApprovalRequest;
  /** Taken by a call that is about to be decided again. */
  claimed: boolean;
  /** Of a denial: who, and why. */
  denial: { readonly by: string; readonly comment: string } | null;
  /** Wake the calls that wait for an answer. */
  readonly waiting: Set<() => void>;
  /** Resolves when the request is on disk. */
  readonly written: Promise<void>;
}

/**
 * Step 7: calls that wait for people. A request outlives the call that made it and the daemon; the identical retry joins it, or
 * takes what was granted meanwhile.
 *
 * Invariant: time never approves. Whatever ends without an answer expires.
 */
export class Approvals {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #config: () => Config;
  readonly #held = new Map<string, Held>();
  /** The request that an identical call meets, by {@link keyOf}. */
  readonly #byCall = new Map<string, Held>();
  /** Spent or over in memory, but the ledger does not know yet: retried by the sweep. */
  readonly #owed = new Map<string, () => Promise<unknown>>();
  readonly #following: { stop(): void };
  #working: Promise<unknown> = Promise.resolve();
  #sweeper: { cancel(): void } | null = null;
  #closed = false;

  constructor({ store, clock, log, config }: { store: Store; clock: Clock; log: Log; config: () => Config }) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#config = config;
    for (const { key, value } of store.list("approval")) {
      this.#keep({ request: fromState(store, key, value), claimed: false, denial: null, waiting: new Set(), written: Promise.resolve() });
    }
    this.#following = store.follow((record) => this.#heed(record));
    this.#arm();
  }

  // The path takes its steps as plain functions, so these three are bound.

  /** What was granted for the identical call and not used yet, taken so that no second call can. Null when there is nothing. */
  readonly claim = ({ session }: Principal, { digest }: Action): Approval | null => {
    const held = this.#byCall.get(keyOf({ session, digest }));
    return held ? this.#take(held) : null;
  };

  /** Gives back what was claimed; `void` ends it. Without effect once an allow decision has named it: then it is spent. */
  readonly unclaim = ({ id }: Approval, why: "unused" | "void"): void => {
    const held = this.#held.get(id);
    if (!held) return;
    held.claimed = false;
    if (why === "void") this.#end(held);
  };

  /**
   * Asks people about a call and waits for them, at most the limit hold_ms, telling the client every 5 s that it still does. Resolves
   * `approved` (claimed for this call), `denied`, or `pending` when nobody answered in time or the client went away; the request
   * then stays open. Throws Fault `limit_exceeded`, `ledger_unavailable`.
   */
  readonly hold = async (action: Action, principal: Principal, intent: Intent, facts: Facts, ruling: Ruling, exchange: Exchange): Promise<Hold> => {
    const untilMs = this.#clock.nowMs() + this.#config().limits.hold_ms;
    const held = this.#join(action, principal, intent, facts, ruling);
    await held.written;
    if (held.request.state === "pending") await this.#wait(held, untilMs, exchange);
    const { id } = held.request;
    // Invariant: nothing is claimed for a client that went away; its retry will.
    const approval = exchange.signal.aborted ? null : this.#take(held);
    if (approval) return { kind: "approved", approval };
    if (held.denial) return { kind: "denied", id, ...held.denial };
    const missing = missingGroups(held.request);
    return { kind: "pending", id, groups: missing.length > 0 ? missing : held.request.groups };
  };

  /**
   * Requests that are open: pending, or approved and not used yet. Oldest first. With `user` only those this user may answer, or is acted for
   * in: a card shows arguments.
   */
  list(user?: string): ApprovalCard[] {
    const groups = user === undefined ? null : (this.#config().users.get(user)?.groups ?? []);
    const concerns = ({ request }: Held) => groups === null || request.user === user || request.groups.some((group) => groups.includes(group));
    const open = [...this.#held.values()].filter((held) => held.request.state !== "denied" && !this.#isOver(held) && concerns(held));
    return open.map(({ request }) => cardOf(request)).toSorted((a, b) => a.of - b.of);
  }

  /**
   * A user's answer, given for every needed group they are in. One denial denies; approved is what all groups approved. Throws Fault
   * `not_found`, `forbidden` (not of a needed group, or the user the call is made for), `conflict` (answered or over),
   * `invalid_request`, `ledger_unavailable`.
   */
  decide(id: string, verdict: "approve" | "deny", user: string, comment: string): Promise<ApprovalCard> {
    return this.#turn(async () => {
      const held = this.#held.get(id);
      if (!held || this.#isOver(held)) throw new Fault("not_found", `no approval \`${id}\` is open; it may have expired`);
      const groups = this.#voiceOf(held, user);
      if (comment.length > maxCommentChars || !comment.isWellFormed()) throw new Fault("invalid_request", `\`comment\` must be text of at most ${maxCommentChars} characters`);
      const sealed = comment === "" ? null : this.#store.seal(`user:${user}`, comment);
      if (verdict === "approve") await this.#approve(held, user, groups, sealed);
      else await this.#deny(held, user, comment, sealed);
      return cardOf(held.request);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#sweeper?.cancel();
    this.#following.stop();
    for (const { waiting } of this.#held.values()) for (const wake of waiting) wake();
    await this.#working;
  }

  /** The open request of an identical call, if it asks the same question; a new one otherwise. */
  #join(action: Action, principal: Principal, intent: Intent, facts: Facts, ruling: Ruling): Held {
    const held = this.#byCall.get(keyOf({ session: principal.session, digest: action.digest }));
    const asked = ruling.decision.approvers;
    if (!held || this.#isOver(held)) return this.#ask(action, principal, intent, facts, ruling, asked);
    const { request, claimed } = held;
    const same = request.bundle === ruling.bundle && request.definition === facts.pin.definition && JSON.stringify(request.transforms) === JSON.stringify(ruling.decision.transforms ?? []);
    if (same && !claimed && asked.every((group) => request.groups.includes(group))) return held;
    if (claimed) this.#byCall.delete(keyOf(request)); // Another call is using it up; this one needs its own.
    else this.#end(held);
    // What was granted no longer counts, but the decision was made with it: its groups are needed again beside those asked for now.
    const groups = same && request.state === "approved" ? [...new Set([...request.groups, ...asked])].sort() : asked;
    return this.#ask(action, principal, intent, facts, ruling, groups);
  }

  #ask(action: Action, principal: Principal, intent: Intent, { pin }: Facts, { bundle, decision }: Ruling, groups: readonly string[]): Held {
    const { session, agent, user } = principal;
    this.#checkRoom(session, agent);
    if (bundle === null || groups.length === 0) throw new Fault("internal", "a call is held that no policy asked about");
    const { limits } = this.#config();
    const request: ApprovalRequest = {
      id: this.#clock.id("apr"),
      agent,
      user,
      session,
      action: action.name,
      digest: action.digest,
      args: action.args,
      beside: action.beside ?? null,
      groups,
      bundle,
      definition: pin.definition,
      transforms: decision.transforms ?? [],
      of: intent.seq,
      expiresAtMs: this.#clock.nowMs() + limits.approval_ms,
      state: "pending",
      given: [],
    };
    const { id, digest, of, expiresAtMs } = request;
    const written = this.#store
      .append(
        { type: "approval.request", id, of, digest, groups: [...request.groups], session, expires_at_ms: expiresAtMs },
        { state: [{ kind: "approval", key: id, value: stateOf(request) }] },
      )
      .then(() => {});
    const held: Held = { request, claimed: false, denial: null, waiting: new Set(), written };
    this.#keep(held);
    written.catch(() => this.#drop(held));
    return held;
  }

  #checkRoom(session: string, agent: string): void {
    const { approvals, approvals_per_session, approvals_per_agent } = this.#config().limits;
    if (this.#held.size >= approvals) throw new Fault("limit_exceeded", `${approvals} requests for approval are open, the limit approvals`);
    const ofAgent = [...this.#held.values()].filter(({ request }) => request.agent === agent);
    if (ofAgent.length >= approvals_per_agent) throw new Fault("limit_exceeded", `agent \`${agent}\` has ${approvals_per_agent} requests for approval open, the limit approvals_per_agent`);
    if (ofAgent.filter(({ request }) => request.session === session).length >= approvals_per_session) {
      throw new Fault("limit_exceeded", `session \`${session}\` has ${approvals_per_session} requests for approval open, the limit approvals_per_session`);
    }
  }

  /** Returns when somebody answered, the request is over, the client went away, or it is `untilMs`. */
  async #wait(held: Held, untilMs: number, exchange: Exchange): Promise<void> {
    if (exchange.signal.aborted || this.#closed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const gone = () => resolve();
    const remaining = () => Math.min(untilMs, held.request.expiresAtMs) - this.#clock.nowMs();
    let ticks = 0;
    let timer: { cancel(): void } = { cancel: gone };
    const tick = () => {
      if (remaining() <= 0) return resolve();
      // Progress must increase, and the server's own may follow under the same token: so steps of a thousandth, and no total.
      exchange.progress({ progress: ++ticks / 1000, message: `waiting for approval ${held.request.id} by ${missingGroups(held.request).join(", ")}` });
      timer = this.#clock.after(Math.min(progressMs, remaining()), tick);
    };
    held.waiting.add(gone);
    exchange.signal.addEventListener("abort", gone, { once: true });
    tick();
    await promise;
    timer.cancel();
    held.waiting.delete(gone);
    exchange.signal.removeEventListener("abort", gone);
  }

  /** The needed groups a user may answer for. Throws Fault `conflict`, `forbidden`. */
  #voiceOf({ request }: Held, user: string): string[] {
    if (request.state !== "pending") throw new Fault("conflict", `approval \`${request.id}\` is ${request.state} already`);
    if (user === request.user) throw new Fault("forbidden", `\`${user}\` may not answer for a call made on behalf of \`${user}\``);
    const own = this.#config().users.get(user)?.groups ?? [];
    const groups = request.groups.filter((group) => own.includes(group));
    if (groups.length === 0) throw new Fault("forbidden", `\`${user}\` is in none of the groups needed: ${request.groups.join(", ")}`);
    if (request.given.some(({ by }) => by === user)) throw new Fault("conflict", `\`${user}\` has approved \`${request.id}\` already; missing: ${missingGroups(request).join(", ")}`);
    return groups;
  }

  async #approve(held: Held, user: string, groups: string[], sealed: Sealed | null): Promise<void> {
    const given = [...held.request.given, { by: user, groups }];
    const state = missingGroups({ groups: held.request.groups, given }).length === 0 ? "approved" : "pending";
    const next: ApprovalRequest = { ...held.request, given, state };
    await this.#store.append(
      { type: "approval.approve", id: next.id, by: `user:${user}`, groups, comment: sealed?.commitment ?? null, payload: sealed?.payload ?? null },
      { ...(sealed && { sealed }), state: [{ kind: "approval", key: next.id, value: stateOf(next) }] },
    );
    held.request = next;
    if (state === "approved") for (const wake of held.waiting) wake();
  }

  /** A denial stays in memory until the request's expiry, so that a model which tries again meets it and nobody is asked twice. */
  async #deny(held: Held, user: string, comment: string, sealed: Sealed | null): Promise<void> {
    const { id } = held.request;
    await this.#store.append(
      { type: "approval.deny", id, by: `user:${user}`, comment: sealed?.commitment ?? null, payload: sealed?.payload ?? null },
      { ...(sealed && { sealed }), state: [{ kind: "approval", key: id, value: null }] },
    );
    held.request = { ...held.request, state: "denied" };
    held.denial = { by: user, comment };
    for (const wake of held.waiting) wake();
  }

  #take(held: Held): Approval | null {
    const { request } = held;
    if (request.state !== "approved" || held.claimed || this.#isOver(held)) return null;
    // Who approved must still have a voice: a group can lose a member between the answer and the retry.
    const { users } = this.#config();
    if (!request.given.every(({ by, groups }) => groups.every((group) => users.get(by)?.groups.includes(group)))) {
      this.#end(held);
      return null;
    }
    held.claimed = true;
    return grantOf(request);
  }

  #isOver({ request }: Held): boolean {
    return this.#held.get(request.id)?.request !== request || request.expiresAtMs <= this.#clock.nowMs();
  }

  /** Over in memory at once, in the ledger as soon as it can be written. */
  #end(held: Held): void {
    const { id, state } = held.request;
    this.#drop(held);
    if (state === "denied") return;
    this.#owe(id, () => this.#store.append({ type: "approval.expire", id }, { state: [{ kind: "approval", key: id, value: null }] }));
  }

  /** Invariant: the allow decision that names an approval spends it: the same commit takes its state away, before any effect. */
  #heed(record: LedgerRecord): void {
    if (record.type === "decision" && record.effect === "allow" && record.approval !== null) {
      const held = this.#held.get(record.approval);
      if (held) this.#drop(held);
    }
    if (record.type !== "session.close") return;
    for (const held of [...this.#held.values()]) if (held.request.session === record.session) this.#end(held);
  }

  #keep(held: Held): void {
    this.#held.set(held.request.id, held);
    this.#byCall.set(keyOf(held.request), held);
  }

  #drop(held: Held): void {
    this.#held.delete(held.request.id);
    const key = keyOf(held.request);
    if (this.#byCall.get(key) === held) this.#byCall.delete(key);
    for (const wake of held.waiting) wake();
  }

  #owe(id: string, write: () => Promise<unknown>): void {
    this.#owed.set(id, write);
    void this.#turn(() => this.#pay(id)).catch((error: unknown) => this.#log.warn("approval.unrecorded", { id, error }));
  }

  async #pay(id: string): Promise<void> {
    const write = this.#owed.get(id);
    if (!write) return;
    await write();
    this.#owed.delete(id);
  }

  /** Ends what expired and writes what is owed. Never throws. */
  async sweep(): Promise<void> {
    for (const held of [...this.#held.values()]) if (!held.claimed && this.#isOver(held)) this.#end(held);
    for (const id of [...this.#owed.keys()]) {
      await this.#turn(() => this.#pay(id)).catch((error: unknown) => this.#log.warn("approval.unrecorded", { id, error }));
    }
  }

  #arm(): void {
    if (this.#closed) return;
    this.#sweeper = this.#clock.after(sweepMs, () => void this.sweep().finally(() => this.#arm()));
  }

  /** One change at a time, in the order they came. */
  #turn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#working.then(work);
    this.#working = turn.catch(() => {});
    return turn;
  }
}

/** Builds the approval stage; it listens to the ledger until disposed. */
export const approvalStage = (rooms: ConstructorParameters<typeof Approvals>[0]): Approvals => new Approvals(rooms);
