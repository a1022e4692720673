import { Fault, type Action, type LedgerRecord, type Principal } from "@lanyard/contract";
import { boundOf, changedIn } from "../../base/bound.ts";
import type { Clock } from "../../base/clock.ts";
import type { Config } from "../../base/config/config.ts";
import type { Exchange } from "../../base/exchange.ts";
import type { Log } from "../../base/log.ts";
import type { Approval, Bound, Facts, Hold, Intent, Ruling } from "../../base/path.ts";
import type { Store } from "../../base/store/port.ts";
import type { Answerer } from "./answer.ts";
import type { ApprovalChange } from "./change.ts";
import { cardOf, readBefore, readsOf, type ApprovalCard } from "./card.ts";
import { Grants, type GrantCard, type GrantWish } from "./grants.ts";
import { HeldRequests, type Held } from "./held.ts";
import { approvalOf, boundHash, foldOf, fromState, stateOf, untrustedIn, type ApprovalRequest, type UntrustedValue } from "./request.ts";
import { Turns } from "./turns.ts";
import { areHeard, missingOf, voiceOf, whyMute, type Asked } from "./voice.ts";
import { waitForPeople } from "./waiting.ts";

const sweepMs = 5000;
const maxCommentChars = 1000;

/** Why a request is over without a use. */
type Ending = "time" | "session" | "voice" | "groups" | keyof Bound;

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
  /** Yeses given beforehand. Those that need a request to be made from are given through {@link giveGrant}. */
  readonly grants: Grants;
  readonly #held: HeldRequests;
  /** Spent or over in memory, but the ledger does not know yet: retried by the sweep. */
  readonly #owed = new Map<string, () => Promise<unknown>>();
  readonly #listeners = new Set<(change: ApprovalChange) => void>();
  readonly #following: { stop(): void };
  readonly #turns = new Turns();
  #sweeper: { cancel(): void } | null = null;
  #closed = false;

  constructor({ store, clock, log, config }: { store: Store; clock: Clock; log: Log; config: () => Config }) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#config = config;
    this.#held = new HeldRequests(clock);
    this.grants = new Grants({ store, clock, log, config, turns: this.#turns });
    for (const { key, value } of store.list("approval")) this.#keep(fromState(store, key, value), Promise.resolve()).announced = true;
    this.#following = store.follow((record) => this.#heed(record));
    this.#arm();
  }

  // The path takes its steps as plain functions, so these three are bound.

  /** What was granted for the identical call and not used yet, taken so that no second call can. Null when there is nothing. */
  readonly claim = ({ session }: Principal, { digest }: Action): Approval | null => {
    const held = this.#held.atCall(session, digest);
    return held ? this.#take(held) : null;
  };

  /** Gives back what was claimed; whatever changed since ends it. Without effect once an allow decision has named it: then it is spent. */
  readonly unclaim = ({ id }: Approval, why: "unused" | keyof Bound): void => {
    const held = this.#held.get(id);
    if (!held) return;
    held.claimed = false;
    if (why !== "unused") this.#end(held, why);
  };

  /**
   * Asks people about a call and waits for them, at most the limit hold_ms, telling the client every 5 s that it still does. Resolves
   * `approved` (claimed for this call), `denied`, `void`, or `pending` when nobody answered in time or the client went away; the request
   * then stays open. Throws Fault `limit_exceeded`, `ledger_unavailable`.
   */
  readonly hold = async (action: Action, principal: Principal, intent: Intent, facts: Facts, ruling: Ruling, exchange: Exchange): Promise<Hold> => {
    const untilMs = this.#clock.nowMs() + this.#config().limits.hold_ms;
    const held = this.#join(action, principal, intent, facts, ruling);
    await held.written;
    const isLifted = await this.#lift(held);
    this.#announce(held);
    const { id, state, expiresAtMs } = held.request;
    // What takes back looked right before at what it overwrites: while people think, however short, somebody else may change it. So a yes of theirs is for the next look.
    const mustLookAgain = exchange.undoes !== undefined && !isLifted;
    if (state === "pending" && !mustLookAgain && !this.#closed && !this.#held.isOver(held)) {
      const message = () => `waiting for approval ${id} by ${missingOf(held.request).join(", ")}`;
      await waitForPeople(this.#clock, exchange, { untilMs: Math.min(untilMs, expiresAtMs), wakers: held.waiting, message });
    }
    if (held.voided) return { kind: "void" };
    // Invariant: nothing is claimed for a client that went away; its retry will.
    const approval = exchange.signal.aborted || mustLookAgain ? null : this.#take(held);
    if (approval) return { kind: "approved", approval };
    if (held.denial) return { kind: "denied", id, ...held.denial };
    const missing = missingOf(held.request);
    return { kind: "pending", id, groups: missing.length > 0 ? missing : held.request.groups };
  };

  /**
   * Cards of the requests that are open: pending, or approved and not used yet. Oldest first. With `user` only those this user may answer, or is
   * acted for in: a card shows arguments.
   */
  list(user?: string): ApprovalCard[] {
    const folds = Map.groupBy(this.#held.open().filter(({ request }) => user === undefined || this.#concerns(request, user)), ({ request }) => foldOf(request));
    return [...folds.values()].map((folded) => this.#card(folded)).toSorted((a, b) => a.of - b.of);
  }

  /** True when a card concerns a user: they may answer it, or are acted for in it. */
  concerns({ agent, user: actedFor, groups }: ApprovalCard, user: string): boolean {
    return this.#concerns({ agent, user: actedFor, groups }, user);
  }

  /**
   * A user's answer, given for every term they have a voice in. A yes is for the one request named, whatever else is on its card; approved is what
   * all terms are given for. A no denies all identical requests that are pending. `digest`: what the user was shown, compared where given. Throws
   * Fault `not_found`, `forbidden` (see `voiceOf`), `conflict` (answered or over, or another digest), `invalid_request`, `ledger_unavailable`.
   */
  decide(id: string, verdict: "approve" | "deny", by: Answerer, comment: string, digest?: string): Promise<ApprovalCard> {
    return this.#turns.take(async () => {
      const held = this.#held.opened(id);
      if (digest !== undefined && digest !== held.request.digest) throw new Fault("conflict", `approval \`${id}\` is about another call than the one that was shown`);
      const groups = this.#voice(held, verdict, by.user);
      if (comment.length > maxCommentChars || !comment.isWellFormed()) throw new Fault("invalid_request", `\`comment\` must be text of at most ${maxCommentChars} characters`);
      const alike = verdict === "approve" ? [held] : this.#held.alike(held.request);
      for (const one of alike) await this.#answer(one, verdict, by, groups, comment);
      if (this.#held.isOver(held)) throw new Fault("conflict", `approval \`${id}\` ended while it was answered`);
      return this.#card([held]);
    });
  }

  /** The session of an open request, and the values that whoever vouches with their yes vouches for. Throws Fault `not_found`. */
  questioned(id: string): { readonly session: string; readonly untrusted: readonly UntrustedValue[] } {
    const { session, sent } = this.#held.opened(id).request;
    return { session, untrusted: sent?.untrusted ?? [] };
  }

  /** What a grant made from an open request would say, see {@link Grants.draft}. Throws Fault `not_found`, `conflict`. */
  draftGrant(id: string, wish: GrantWish, user: string): { text: string; shown: string } {
    return this.grants.draft(this.#waits(id), wish, user);
  }

  /** Gives a grant made from an open request, and lets it answer what waits already, see {@link Grants.give}. Throws Fault `not_found`. */
  async giveGrant(id: string, wish: GrantWish, by: Answerer, shown: string): Promise<GrantCard> {
    const grant = await this.grants.give(this.#waits(id), wish, by, shown);
    for (const held of this.#held.open()) await this.#lift(held);
    return grant;
  }

  /** See {@link Grants.join}. */
  async joinGrant(id: string, by: Answerer, shown: string): Promise<GrantCard> {
    const grant = await this.grants.join(id, by, shown);
    for (const held of this.#held.open()) await this.#lift(held);
    return grant;
  }

  /**
   * Ends every open request that matches, also one that is approved or being used, and has its calls decided anew: for stops. At once in memory;
   * resolves to their number once it is on record. `why` is recorded as it is: an id, no words of people. Throws Fault `ledger_unavailable`; they
   * are over all the same.
   */
  async void(match: (request: ApprovalRequest) => boolean, why: string): Promise<number> {
    const hit = this.#held.open().filter(({ request }) => match(request));
    for (const held of hit) {
      held.voided = true;
      this.#drop(held, "void");
      this.#owed.set(held.request.id, () => this.#store.append({ type: "approval.void", id: held.request.id, why }, { state: [{ kind: "approval", key: held.request.id, value: null }] }));
    }
    await Promise.all(hit.map(({ request }) => this.#turns.take(() => this.#pay(request.id))));
    return hit.length;
  }

  /** Calls back after every change, once it is durable but for endings; not of requests that a grant answers at once. */
  onChange(listener: (change: ApprovalChange) => void): { stop(): void } {
    this.#listeners.add(listener);
    return { stop: () => void this.#listeners.delete(listener) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#sweeper?.cancel();
    this.#following.stop();
    for (const { waiting } of this.#held.all()) for (const wake of waiting) wake();
    await this.#turns.idle();
  }

  /** The open request of an identical call, if it asks the same question; a new one otherwise. */
  #join(action: Action, principal: Principal, intent: Intent, facts: Facts, ruling: Ruling): Held {
    const held = this.#held.atCall(principal.session, action.digest);
    const asked = ruling.decision.approvers;
    if (!held || this.#held.isOver(held)) return this.#ask(action, principal, intent, facts, ruling, asked);
    const { request, claimed } = held;
    const changed = changedIn(request.bound, boundOf(facts, ruling));
    if (changed === null && !claimed && asked.every((term) => request.groups.includes(term))) return held;
    if (claimed) this.#held.detach(held); // Another call is using it up; this one needs its own.
    else this.#end(held, changed ?? "groups");
    // What was granted no longer counts, but the decision was made with it: its groups are needed again beside those asked for now.
    const groups = changed === null && request.state === "approved" ? [...new Set([...request.groups, ...asked])].sort() : asked;
    return this.#ask(action, principal, intent, facts, ruling, groups);
  }

  #ask(action: Action, principal: Principal, intent: Intent, facts: Facts, ruling: Ruling, groups: readonly string[]): Held {
    const { session, agent, user, purpose } = principal;
    const sent = { args: action.args, beside: action.beside ?? null, resources: facts.input.resources ?? [], purpose, untrusted: untrustedIn(facts.input) };
    this.#held.checkRoom(this.#config().limits, session, agent, sent);
    if (ruling.bundle === null || groups.length === 0) throw new Fault("internal", "a call is held that no policy asked about");
    const config = this.#config();
    const request: ApprovalRequest = {
      id: this.#clock.id("apr"),
      agent,
      user,
      session,
      action: action.name,
      digest: action.digest,
      sent,
      groups,
      bound: boundOf(facts, ruling),
      reasons: ruling.decision.reasons,
      reversibility: facts.input.reversibility ?? facts.pin.contract.reversibility,
      read: readsOf(this.#store, config, session),
      of: intent.seq,
      askedAtMs: this.#clock.nowMs(),
      expiresAtMs: this.#clock.nowMs() + config.limits.approval_ms,
      state: "pending",
      given: [],
    };
    const { id, digest, of, expiresAtMs, read } = request;
    const written = this.#store
      .append(
        { type: "approval.request", id, of, digest, groups: [...groups], session, expires_at_ms: expiresAtMs, bound: boundHash(request.bound), read: [...read] },
        { state: [{ kind: "approval", key: id, value: stateOf(request) }] },
      )
      .then(() => {});
    const held = this.#keep(request, written);
    written.catch(() => this.#drop(held, null));
    return held;
  }

  /** Told once, and only of what people must answer: not of what a grant has answered. */
  #announce(held: Held): void {
    if (held.announced || held.request.state !== "pending" || this.#held.isOver(held)) return;
    held.announced = true;
    this.#tell("asked", held, null, "asked");
  }

  /** The terms a user may answer for now. Throws Fault `conflict`, `forbidden`. */
  #voice({ request }: Held, verdict: "approve" | "deny", user: string): string[] {
    if (request.state !== "pending") throw new Fault("conflict", `approval \`${request.id}\` is ${request.state} already`);
    const groups = voiceOf(this.#config(), request, user);
    if (groups.length === 0) throw new Fault("forbidden", whyMute(this.#config(), request, user));
    const again = verdict === "approve" && request.given.some(({ by }) => by === user);
    if (again) throw new Fault("conflict", `\`${user}\` has approved \`${request.id}\` already; missing: ${missingOf(request).join(", ")}`);
    return groups;
  }

  async #answer(held: Held, verdict: "approve" | "deny", { user, via }: Answerer, groups: readonly string[], comment: string): Promise<void> {
    const { request } = held;
    const sealed = comment === "" ? null : this.#store.seal(`user:${user}`, comment);
    const payload = sealed?.payload ?? null;
    const said = { id: request.id, by: `user:${user}`, comment: sealed?.commitment ?? null, payload, ...(via !== null && { via }) };
    const box = sealed && { sealed };
    if (verdict === "deny") {
      await this.#store.append({ type: "approval.deny", ...said }, { ...box, state: [{ kind: "approval", key: request.id, value: null }] });
      // It stays in memory until the request's expiry, so that a model which tries again meets it and nobody is asked twice.
      held.request = { ...request, state: "denied" };
      held.denial = { by: user, comment };
    } else {
      const given = [...request.given, { by: user, groups, comment: payload }];
      const next: ApprovalRequest = { ...request, given, state: missingOf({ groups: request.groups, given }).length === 0 ? "approved" : "pending" };
      await this.#store.append({ type: "approval.approve", ...said, groups: [...groups] }, { ...box, state: [{ kind: "approval", key: next.id, value: stateOf(next) }] });
      held.request = next;
    }
    if (this.#held.isOver(held)) return; // over meanwhile
    if (held.request.state !== "pending") for (const wake of held.waiting) wake();
    this.#tell("answered", held, user, verdict);
  }

  /** Has a pending request answered by a grant that covers it, if there is one; true when one did. What cannot be written leaves it pending. */
  async #lift(held: Held): Promise<boolean> {
    if (held.request.state !== "pending") return false;
    const lifted = this.#turns.take(async () => {
      if (held.request.state !== "pending" || this.#held.isOver(held)) return false;
      const { request } = held;
      const next = await this.grants.answer(request, (given) => {
        const approved: ApprovalRequest = { ...request, given, state: "approved" };
        return { next: approved, state: { kind: "approval", key: request.id, value: stateOf(approved) } };
      });
      if (!next || this.#held.isOver(held)) return false;
      held.request = next;
      for (const wake of held.waiting) wake();
      this.#tell("answered", held, null, "grant");
      return true;
    });
    return await lifted.catch((error: unknown) => {
      this.#log.warn("grant.unused", { id: held.request.id, error });
      return false;
    });
  }

  #waits(id: string): ApprovalRequest {
    const { request } = this.#held.opened(id);
    if (request.state !== "pending") throw new Fault("conflict", `approval \`${id}\` is ${request.state} already`);
    return request;
  }

  #take(held: Held): Approval | null {
    const { request } = held;
    if (request.state !== "approved" || held.claimed || this.#held.isOver(held)) return null;
    if (!areHeard(this.#config(), request, request.given)) {
      this.#end(held, "voice");
      return null;
    }
    held.claimed = true;
    return approvalOf(this.#store, request);
  }

  #concerns(question: Asked, user: string): boolean {
    return question.user === user || voiceOf(this.#config(), question, user).length > 0;
  }

  #card(folded: readonly Held[]): ApprovalCard {
    const [first, ...others] = folded;
    if (!first) throw new Fault("internal", "a card of no request");
    return cardOf(this.#config(), [first.request, ...others.map(({ request }) => request)], first.read);
  }

  #tell(kind: ApprovalChange["kind"], held: Held, by: string | null, how: string): void {
    if (this.#listeners.size === 0) return;
    const alike = kind === "ended" ? [] : this.#held.alike(held.request);
    const change: ApprovalChange = { kind, id: held.request.id, card: this.#card(alike.length > 0 ? alike : [held]), by, how };
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (error) {
        this.#log.error("approval.unheard", { id: change.id, error }); // a surface's fault must not undo what is on record
      }
    }
  }

  /** Over in memory at once, in the ledger as soon as it can be written. */
  #end(held: Held, why: Ending): void {
    const { id, state } = held.request;
    this.#drop(held, why);
    if (state === "denied") return;
    this.#owed.set(id, () => this.#store.append({ type: "approval.expire", id, why }, { state: [{ kind: "approval", key: id, value: null }] }));
    void this.#turns.take(() => this.#pay(id)).catch((error: unknown) => this.#log.warn("approval.unrecorded", { id, error }));
  }

  /** Invariant: the allow decision that names an approval spends it: the same commit takes its state away, before any effect. */
  #heed(record: LedgerRecord): void {
    if (record.type === "decision" && record.effect === "allow" && record.approval !== null) {
      const held = this.#held.get(record.approval);
      if (held) this.#drop(held, "used");
    }
    if (record.type === "erase") {
      this.#held.reread(this.#store);
      this.grants.forgetErased();
    }
    if (record.type !== "session.close") return;
    for (const held of this.#held.all()) if (held.request.session === record.session) this.#end(held, "session");
  }

  #keep(request: ApprovalRequest, written: Promise<void>): Held {
    return this.#held.keep(request, readBefore(this.#store, request.read), written);
  }

  /** `how` it ended, for whoever follows; null when it never was on record. */
  #drop(held: Held, how: Ending | "used" | "void" | null): void {
    if (!this.#held.forget(held)) return;
    for (const wake of held.waiting) wake();
    if (how !== null) this.#tell("ended", held, null, how);
  }

  async #pay(id: string): Promise<void> {
    const write = this.#owed.get(id);
    if (!write) return;
    await write();
    this.#owed.delete(id);
  }

  /** Ends what expired and writes what is owed. Never throws. */
  async sweep(): Promise<void> {
    this.grants.sweep();
    for (const held of this.#held.all()) if (!held.claimed && this.#held.isOver(held)) this.#end(held, "time");
    for (const id of [...this.#owed.keys()]) {
      await this.#turns.take(() => this.#pay(id)).catch((error: unknown) => this.#log.warn("approval.unrecorded", { id, error }));
    }
  }

  #arm(): void {
    if (this.#closed) return;
    this.#sweeper = this.#clock.after(sweepMs, () => void this.sweep().finally(() => this.#arm()));
  }
}

/** Builds the approval stage; it listens to the ledger until disposed. */
export const approvalStage = (rooms: ConstructorParameters<typeof Approvals>[0]): Approvals => new Approvals(rooms);
