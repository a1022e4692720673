import { Fault, isObject, parseQuorum, type Json, type JsonObject, type Reason } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import type { Config } from "../../base/config/config.ts";
import type { Log } from "../../base/log.ts";
import type { StateChange, Store } from "../../base/store/port.ts";
import type { Answerer } from "./answer.ts";
import { reasonsOf, textsOf, voicesOf, type ApprovalRequest } from "./request.ts";
import { grantText, scopeCovers, scopeOf, textHash, type GrantScope, type Widening } from "./scope.ts";
import type { Turns } from "./turns.ts";
import { areHeard, missingOf, voiceOf, whyMute, type Voice } from "./voice.ts";

/**
 * A yes given beforehand, to calls like one that was asked about. It stands for the answers of those who gave it and for nothing else: what it
 * answers is a request like any other, bound and used once (invariant I6).
 */
interface Grant {
  readonly id: string;
  readonly agent: string;
  readonly user: string;
  readonly action: string;
  readonly definition: string | null;
  readonly transforms: readonly string[];
  readonly reversibility: string;
  /** The rules it lifts, as they stood; another one that asks is not lifted. */
  readonly reasons: readonly Reason[];
  readonly groups: readonly string[];
  /** Null when it was erased since: then it covers nothing. */
  readonly scope: GrantScope | null;
  /** Where the scope lies sealed. */
  readonly payload: string;
  readonly given: readonly Voice[];
  readonly times: number;
  readonly left: number;
  readonly untilMs: number;
}

/** A grant as people are shown it: plain JSON. */
export type GrantCard = {
  id: string;
  /** `proposed` while somebody of a quorum has not said yes. */
  state: "in force" | "proposed";
  /** As policy text, and the hash that names it. */
  text: string;
  shown: string;
  agent: string;
  user: string;
  action: string;
  groups: string[];
  missing: string[];
  given: string[];
  times: number;
  left: number;
  until_ms: number;
};

/** How a grant widens the request it is made from, and for how long and how often it holds. */
export interface GrantWish extends Widening {
  readonly times: number;
  readonly untilMs: number;
}

interface GrantRooms {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly config: () => Config;
  readonly turns: Turns;
}

/** Standing approvals: who gave which, what they cover, and how often they were used. */
export class Grants {
  readonly #rooms: GrantRooms;
  readonly #grants = new Map<string, Grant>();

  constructor(rooms: GrantRooms) {
    this.#rooms = rooms;
    for (const { key, value } of rooms.store.list("grant")) this.#grants.set(key, fromState(rooms.store, key, value));
  }

  /** Oldest first; with `user` only those they gave, could give, or are acted for in. */
  list(user?: string): GrantCard[] {
    this.sweep();
    const config = this.#rooms.config();
    const concerns = (grant: Grant): boolean => user === undefined || grant.user === user || voiceOf(config, grant, user).length > 0;
    return [...this.#grants.values()].filter(concerns).map(cardOf);
  }

  /** What a grant made from a request would say. Throws Fault `invalid_request`, and `forbidden` for whoever could not approve it. */
  draft(request: ApprovalRequest, wish: GrantWish, by: string): { text: string; shown: string } {
    const { text } = this.#make(request, wish, by);
    return { text, shown: textHash(text) };
  }

  /**
   * Gives a grant, as somebody who could approve the request it is made from; `shown` names the text they were shown. With a quorum it is in force
   * once enough have joined. Throws Fault `conflict` when the text is another, `forbidden`, `invalid_request`, `limit_exceeded`.
   */
  give(request: ApprovalRequest, wish: GrantWish, { user, via }: Answerer, shown: string): Promise<GrantCard> {
    return this.#rooms.turns.take(async () => {
      const { store, clock, config } = this.#rooms;
      const { grants } = config().limits;
      const made = this.#make(request, wish, user);
      if (textHash(made.text) !== shown) throw new Fault("conflict", "the grant would say something else than what was shown");
      if (this.#grants.size >= grants) throw new Fault("limit_exceeded", `${grants} grants are in force or proposed, the limit grants`);
      const sealed = store.seal(`user:${request.user}`, made.scope as unknown as Json);
      const { agent, user: actedFor, action, groups, bound, reasons, reversibility } = request;
      const grant: Grant = {
        id: clock.id("gr"), agent, user: actedFor, action, definition: bound.definition, transforms: bound.transforms, reversibility, reasons, groups, scope: made.scope, payload: sealed.payload,
        given: [{ by: user, groups: made.voice, comment: null }], times: wish.times, left: wish.times, untilMs: wish.untilMs,
      };
      await store.append(
        {
          type: "grant.give", id: grant.id, approval: request.id, by: `user:${user}`, groups: [...made.voice], agent, user: actedFor, action, times: wish.times, until_ms: wish.untilMs,
          scope: sealed.commitment, payload: sealed.payload, complete: isComplete(grant), ...(via !== null && { via }),
        },
        { sealed, state: [stateOf(grant)] },
      );
      this.#grants.set(grant.id, grant);
      return cardOf(grant);
    });
  }

  /** Another of a quorum says yes to a grant as it was shown. Throws Fault `not_found`, `conflict`, `forbidden`. */
  join(id: string, { user, via }: Answerer, shown: string): Promise<GrantCard> {
    return this.#rooms.turns.take(async () => {
      const { store, config } = this.#rooms;
      const grant = this.#live(id);
      if (cardOf(grant).shown !== shown) throw new Fault("conflict", `grant \`${id}\` says something else than what was shown`);
      const voice = voiceOf(config(), grant, user);
      if (voice.length === 0) throw new Fault("forbidden", whyMute(config(), grant, user));
      if (isComplete(grant)) throw new Fault("conflict", `grant \`${id}\` is in force already`);
      if (grant.given.some(({ by }) => by === user)) throw new Fault("conflict", `\`${user}\` has given \`${id}\` already; missing: ${missingOf(grant).join(", ")}`);
      const next: Grant = { ...grant, given: [...grant.given, { by: user, groups: voice, comment: null }] };
      await store.append({ type: "grant.join", id, by: `user:${user}`, groups: voice, complete: isComplete(next), ...(via !== null && { via }) }, { state: [stateOf(next)] });
      this.#grants.set(id, next);
      return cardOf(next);
    });
  }

  /** Takes a grant back. `user`: null for the operator; else one who could give it, or is acted for. Throws Fault `not_found`, `forbidden`, `ledger_unavailable`: then it stays, and nothing can happen by it either. */
  revoke(id: string, user: string | null, actor: string): Promise<void> {
    return this.#rooms.turns.take(async () => {
      const grant = this.#grants.get(id);
      if (!grant) throw new Fault("not_found", `no grant \`${id}\` is in force`);
      const config = this.#rooms.config();
      const may = user === null || user === grant.user || grant.given.some(({ by }) => by === user) || voiceOf(config, grant, user).length > 0;
      if (!may) throw new Fault("forbidden", `grant \`${id}\` is not \`${user}\`'s to revoke`);
      await this.#rooms.store.append({ type: "grant.revoke", id, by: actor }, { state: [gone(id)] });
      this.#grants.delete(id);
    });
  }

  /**
   * Answers a pending request by a grant that covers it: one use, counted in the commit that approves the request. Null when none does. Must be
   * called within a turn.
   */
  async answer(request: ApprovalRequest, approved: (given: readonly Voice[]) => { readonly next: ApprovalRequest; readonly state: StateChange }): Promise<ApprovalRequest | null> {
    this.sweep();
    const grant = [...this.#grants.values()].find((one) => this.#covers(one, request));
    if (!grant) return null;
    const { next, state } = approved(grant.given.map(({ by, groups }) => ({ by, groups: groups.filter((term) => request.groups.includes(term)), comment: null })));
    const left = grant.left - 1;
    await this.#rooms.store.append({ type: "grant.use", id: grant.id, approval: request.id, left }, { state: [state, left === 0 ? gone(grant.id) : stateOf({ ...grant, left })] });
    if (left === 0) this.#grants.delete(grant.id);
    else if (this.#grants.has(grant.id)) this.#grants.set(grant.id, { ...grant, left });
    return next;
  }

  /** Ends what time has ended, and what somebody gave who could not give it any more. */
  sweep(): void {
    for (const grant of this.#grants.values()) {
      const why = grant.untilMs <= this.#rooms.clock.nowMs() ? "time" : grant.scope === null ? "erased" : areHeard(this.#rooms.config(), grant, grant.given) ? null : "voice";
      if (why === null) continue;
      this.#grants.delete(grant.id);
      this.#rooms.store.append({ type: "grant.expire", id: grant.id, why }, { state: [gone(grant.id)] }).catch((error: unknown) => {
        // Kept on disk it would come back with the next start, only to end again there: for the same reason, before it covers anything.
        this.#rooms.log.warn("grant.unrecorded", { id: grant.id, error });
      });
    }
  }

  /** Ends those of which nothing is left to say what they cover. */
  forgetErased(): void {
    for (const grant of this.#grants.values()) if (this.#rooms.store.unseal(grant.payload) === null) this.#grants.set(grant.id, { ...grant, scope: null });
    this.sweep();
  }

  #live(id: string): Grant {
    this.sweep();
    const grant = this.#grants.get(id);
    if (!grant) throw new Fault("not_found", `no grant \`${id}\` is in force; it may have ended`);
    return grant;
  }

  #covers(grant: Grant, { agent, user, action, sent, bound, groups, reasons, reversibility }: ApprovalRequest): boolean {
    if (!isComplete(grant) || grant.scope === null || sent === null || sent.beside !== null) return false;
    const same = grant.agent === agent && grant.user === user && grant.action === action && grant.reversibility === reversibility && grant.definition === bound.definition && JSON.stringify(grant.transforms) === JSON.stringify(bound.transforms);
    const lifted = new Set(grant.reasons.map(reasonKey));
    return same && groups.every((term) => grant.groups.includes(term)) && reasons.every((reason) => lifted.has(reasonKey(reason))) && scopeCovers(grant.scope, sent.args);
  }

  #make(request: ApprovalRequest, wish: GrantWish, by: string): { scope: GrantScope; text: string; voice: string[] } {
    const { clock, config } = this.#rooms;
    const { grant_ms: longest, grant_uses: most } = config().limits;
    const voice = voiceOf(config(), request, by);
    if (voice.length === 0) throw new Fault("forbidden", whyMute(config(), request, by));
    if (request.sent === null || request.sent.beside !== null) throw new Fault("invalid_request", "only a call of which everything is in its arguments can be granted beforehand");
    if (wish.untilMs <= clock.nowMs() || wish.untilMs > clock.nowMs() + longest) throw new Fault("invalid_request", `a grant ends in the future, at most ${longest} ms from now (the limit grant_ms)`);
    if (!Number.isSafeInteger(wish.times) || wish.times < 1 || wish.times > most) throw new Fault("invalid_request", `a grant is for 1 to ${most} uses (the limit grant_uses)`);
    const scope = scopeOf(request.sent.args, wish);
    return { scope, text: grantText({ ...request, scope, times: wish.times, untilMs: wish.untilMs }), voice };
  }
}

const isComplete = (grant: Grant): boolean => missingOf(grant).length === 0 && grant.groups.every((term) => parseQuorum(term) !== null);

const reasonKey = ({ policy, text, remedy }: Reason): string => JSON.stringify([policy, text, remedy]);

const gone = (id: string): StateChange => ({ kind: "grant", key: id, value: null });

const cardOf = (grant: Grant): GrantCard => {
  const { id, agent, user, action, groups, given, times, left, untilMs } = grant;
  const text = grantText({ ...grant, scope: grant.scope ?? {} });
  return { id, state: isComplete(grant) ? "in force" : "proposed", text, shown: textHash(text), agent, user, action, groups: [...groups], missing: missingOf(grant), given: given.map(({ by }) => by), times, left, until_ms: untilMs };
};

/** What is kept across a restart; the scope lies sealed. */
const stateOf = ({ id, scope: _scope, ...kept }: Grant): StateChange => ({ kind: "grant", key: id, value: structuredClone(kept) as unknown as JsonObject });

function fromState(store: Pick<Store, "unseal">, id: string, value: JsonObject): Grant {
  const text = (key: string): string => String(value[key]);
  const scope = store.unseal(text("payload"))?.value;
  return {
    id,
    agent: text("agent"),
    user: text("user"),
    action: text("action"),
    definition: typeof value["definition"] === "string" ? value["definition"] : null,
    transforms: textsOf(value["transforms"]),
    reversibility: text("reversibility"),
    reasons: reasonsOf(value["reasons"]),
    groups: textsOf(value["groups"]),
    scope: isObject(scope) ? (scope as unknown as GrantScope) : null,
    payload: text("payload"),
    given: voicesOf(value["given"]),
    times: Number(value["times"]),
    left: Number(value["left"]),
    untilMs: Number(value["untilMs"]),
  };
}
