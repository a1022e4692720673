import { Fault, isolations, type Isolation, type JsonObject, type Principal } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import type { Config } from "../../base/config/config.ts";
import type { Log } from "../../base/log.ts";
import type { Mandate } from "../../base/mandate.ts";
import type { Reservation } from "../../base/path.ts";
import type { Sealed, StateChange, Store } from "../../base/store/port.ts";
import { fingerprint, newToken, TokenTable } from "./token.ts";

/** An open session: who acts, what it may do at most, and what it has used of that. */
export interface Session {
  readonly principal: Principal;
  readonly mandate: Mandate;
  /** Id of the agent's credential it was opened with, or its root was; null when an operator opened it. */
  readonly credential: string | null;
  readonly openedAtMs: number;
  /** It lives no longer than somebody holds it. */
  readonly held: boolean;
  /** Calls admitted, those of its children included. */
  readonly calls: number;
}

/** What a new session is made of, everything checked. */
export interface Opening {
  readonly agent: string;
  readonly user: string;
  readonly purpose: string;
  readonly isolation: Isolation;
  readonly held: boolean;
  readonly mandate: Mandate;
  readonly credential: string | null;
  readonly parent: Session | null;
  /** What it takes of budgets that count child sessions; absent for any other. */
  readonly reservation?: Reservation;
}

type Live = Session & {
  readonly print: string;
  /** Key of the sealed purpose. */
  readonly payload: string;
  readonly parent: Live | null;
  readonly children: Set<Live>;
  calls: number;
  inFlight: number;
  /** Sessions below it that are being opened. */
  opening: number;
  /** Those of `calls` that children made which are closed by now: the ledger's decisions of this session do not show them. */
  spent: number;
};

const sweepMs = 5000;
const endedKept = 1000;
// Past this many the exact number of a restored session's calls no longer matters to a reader of `session.close`.
const countedCalls = 10_000;

/** Open sessions, by token and by id. They are state of the ledger and outlive the daemon; tokens are kept as hashes. */
export class Sessions {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #config: () => Config;
  readonly #log: Log;
  readonly #table = new TokenTable<Live>();
  readonly #live = new Map<string, Live>();
  /** Fingerprints of sessions that ended lately, so that their holders read `session_expired` rather than a riddle. */
  readonly #ended = new Set<string>();
  /** Ended, but the ledger does not know yet. */
  readonly #unrecorded = new Map<string, { readonly session: Live; readonly why: string }>();
  readonly #listeners = new Set<(session: string) => void>();
  /** Sessions that are not on record yet, by agent. */
  readonly #opening = new Map<string, number>();
  #sweeper: { cancel(): void } | null = null;
  #closed = false;

  constructor({ store, clock, config, log }: { store: Store; clock: Clock; config: () => Config; log: Log }) {
    this.#store = store;
    this.#clock = clock;
    this.#config = config;
    this.#log = log;
    this.#restore();
    this.#arm();
  }

  /** Durable on return. `token` is returned this once. Throws Fault `limit_exceeded`, `session_expired` (the parent's), `ledger_unavailable`. */
  async open({ agent, user, purpose, isolation, held, mandate, credential, parent, reservation }: Opening): Promise<{ session: Session; token: string }> {
    const above = parent ? this.#need(parent.principal.session) : null;
    this.#checkRoom(agent, above);
    const token = newToken(this.#clock, "session");
    const id = this.#clock.id("ses");
    const chain = above ? [...above.principal.chain, above.principal.session] : [];
    const sealed = this.#store.seal(`user:${user}`, purpose);
    const openedAtMs = this.#clock.nowMs();
    const live = makeLive({ id, agent, user, purpose, isolation, held, payload: sealed.payload, chain, mandate, credential, openedAtMs, print: fingerprint(token), parent: above });
    const end = this.#begin(live);
    try {
      await this.#record(live, sealed, reservation?.intended(id) ?? []);
      reservation?.settle({ status: "done", answer: null, durationUs: 0 });
      this.#keep(live);
    } finally {
      end();
    }
    if (above && !this.#live.has(above.principal.session)) {
      await this.close(id, "parent closed");
      throw new Fault("session_expired", `session \`${above.principal.session}\` was closed while its child was being opened`);
    }
    return { session: live, token };
  }

  /** The session a token belongs to. `ended` when it did until lately, null when nobody's. An expired session counts as ended. */
  find(token: string): Session | "ended" | null {
    const live = this.#table.find(token);
    if (live) return live.mandate.expiresAtMs > this.#clock.nowMs() ? live : "ended";
    return this.#ended.has(fingerprint(token)) ? "ended" : null;
  }

  get(id: string): Session | null {
    return this.#live.get(id) ?? null;
  }

  /** Open sessions, oldest first. */
  list(): Session[] {
    return [...this.#live.values()].toSorted((a, b) => a.openedAtMs - b.openedAtMs);
  }

  /**
   * Counts a call and takes a place for it until disposed, in the session and in every one above it: children share what their
   * parent has (invariant I11). Throws Fault `too_many_calls`, `session_expired`.
   */
  admit(id: string): Disposable {
    const line = lineage(this.#need(id));
    checkPlaces(line, this.#config().limits.calls_per_session);
    for (const session of line) {
      session.calls++;
      session.inFlight++;
    }
    let open = true;
    return {
      [Symbol.dispose]: () => {
        if (open) for (const session of line) session.inFlight--;
        open = false;
      },
    };
  }

  /**
   * Ends a session and its children, at once; resolves when that is recorded. Throws Fault `not_found`, or `ledger_unavailable`
   * when they have ended but the record is still owed (it is retried).
   */
  async close(id: string, why: string): Promise<void> {
    const live = this.#live.get(id);
    if (!live) throw new Fault("not_found", `no session \`${id}\` is open`);
    const ending = descendants(live);
    for (const session of ending) {
      this.#forget(session);
      this.#unrecorded.set(session.principal.session, { session, why: session === live ? why : "parent closed" });
    }
    await Promise.all(ending.map((session) => this.#recordEnd(session.principal.session)));
  }

  /** Calls back with the id of each session that ends, for whatever reason. */
  onClose(listener: (session: string) => void): { stop(): void } {
    this.#listeners.add(listener);
    return { stop: () => void this.#listeners.delete(listener) };
  }

  /** Ends what expired, and writes what is owed. Runs every 5 s; never throws. */
  async sweep(): Promise<void> {
    const now = this.#clock.nowMs();
    const owed = [...this.#unrecorded.keys()].map((id) => this.#recordEnd(id));
    const expired = [...this.#live.values()].filter(({ mandate }) => mandate.expiresAtMs <= now);
    const closed = expired.map(({ principal: { session } }) => (this.#live.has(session) ? this.close(session, "expired") : Promise.resolve()));
    for (const result of await Promise.allSettled([...owed, ...closed])) {
      if (result.status === "rejected") this.#log.warn("session.unrecorded", { error: result.reason });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#sweeper?.cancel();
  }

  #arm(): void {
    if (this.#closed) return;
    this.#sweeper = this.#clock.after(sweepMs, () => void this.sweep().finally(() => this.#arm()));
  }

  #need(id: string): Live {
    const live = this.#live.get(id);
    if (!live || live.mandate.expiresAtMs <= this.#clock.nowMs()) throw new Fault("session_expired", `session \`${id}\` has ended`);
    return live;
  }

  /** Counts a session that is not on record yet, so that many at once find no more room than one after the other. */
  #begin({ principal: { agent }, parent }: Live): () => void {
    const count = (by: 1 | -1) => {
      this.#opening.set(agent, (this.#opening.get(agent) ?? 0) + by);
      if (this.#opening.get(agent) === 0) this.#opening.delete(agent);
      for (const above of parent ? lineage(parent) : []) above.opening += by;
    };
    count(1);
    return () => count(-1);
  }

  #checkRoom(agent: string, parent: Live | null): void {
    const { limits } = this.#config();
    const opening = [...this.#opening.values()].reduce((sum, one) => sum + one, 0);
    if (this.#live.size + opening >= limits.sessions) throw new Fault("limit_exceeded", `${limits.sessions} sessions are open, the limit sessions`);
    let own = this.#opening.get(agent) ?? 0;
    for (const { principal } of this.#live.values()) if (principal.agent === agent) own++;
    if (own >= limits.sessions_per_agent) throw new Fault("limit_exceeded", `agent \`${agent}\` has ${limits.sessions_per_agent} sessions open, the limit sessions_per_agent`);
    if (!parent) return;
    if (parent.principal.chain.length + 1 > limits.session_depth) {
      throw new Fault("limit_exceeded", `session \`${parent.principal.session}\` already has ${limits.session_depth} above it, the limit session_depth`);
    }
    for (const above of lineage(parent)) {
      if (descendants(above).length - 1 + above.opening < limits.session_children) continue;
      throw new Fault("limit_exceeded", `session \`${above.principal.session}\` has ${limits.session_children} open below it, the limit session_children`);
    }
  }

  async #record(live: Live, sealed: Sealed, taken: readonly StateChange[]): Promise<void> {
    const { session, agent, user, chain, isolation } = live.principal;
    const { expiresAtMs } = live.mandate;
    await this.#store.append(
      { type: "session.open", session, agent, user, purpose: sealed.commitment, payload: sealed.payload, parent: chain.at(-1) ?? null, expires_at_ms: expiresAtMs, isolation, ...(live.held && { held: true as const }) },
      { sealed, state: [{ kind: "session", key: session, value: stateOf(live) }, ...taken] },
    );
  }

  async #recordEnd(id: string): Promise<void> {
    const owed = this.#unrecorded.get(id);
    if (!owed) return;
    this.#unrecorded.delete(id);
    const { parent, calls } = owed.session;
    const state: StateChange[] = [{ kind: "session", key: id, value: null }];
    if (parent && this.#live.has(parent.principal.session)) state.push({ kind: "session", key: parent.principal.session, value: stateOf(parent) });
    try {
      await this.#store.append({ type: "session.close", session: id, why: owed.why, actions: calls }, { state });
    } catch (error) {
      this.#unrecorded.set(id, owed);
      throw error;
    }
  }

  #keep(live: Live): void {
    this.#live.set(live.principal.session, live);
    this.#table.set(live.print, live);
    live.parent?.children.add(live);
  }

  #forget(live: Live): void {
    this.#live.delete(live.principal.session);
    this.#table.delete(live.print);
    live.parent?.children.delete(live);
    if (live.parent) live.parent.spent += live.calls;
    for (const listener of this.#listeners) listener(live.principal.session);
    this.#ended.add(live.print);
    for (const oldest of this.#ended) {
      if (this.#ended.size <= endedKept) break;
      this.#ended.delete(oldest);
    }
  }

  /** Sessions of the last run. One whose parent is gone is left out of use; the sweep that follows closes it. */
  #restore(): void {
    const states = this.#store.list("session").toSorted((a, b) => chainOf(a.value).length - chainOf(b.value).length);
    for (const { key, value } of states) {
      const live = this.#revive(key, value);
      if (live.principal.chain.length > 0 && !live.parent) this.#unrecorded.set(key, { session: live, why: "parent closed" });
      else this.#keep(live);
    }
  }

  #revive(id: string, value: JsonObject): Live {
    const payload = String(value["purpose"]);
    const purpose = this.#store.unseal(payload)?.value;
    const chain = chainOf(value);
    const mandate: Mandate = {
      tools: Array.isArray(value["tools"]) ? value["tools"].map(String) : null,
      labels: Array.isArray(value["labels"]) ? value["labels"].map(String) : [],
      audience: String(value["audience"]),
      expiresAtMs: Number(value["expires_at_ms"]),
      maxCalls: typeof value["max_calls"] === "number" ? value["max_calls"] : null,
    };
    const live = makeLive({
      id,
      agent: String(value["agent"]),
      user: String(value["user"]),
      purpose: typeof purpose === "string" ? purpose : "", // Erased with its user.
      isolation: isolations.find((tier) => tier === value["isolation"]) ?? "none", // Sessions from before there were tiers had none.
      held: value["held"] === true,
      payload,
      chain,
      mandate,
      credential: typeof value["credential"] === "string" ? value["credential"] : null,
      openedAtMs: Number(value["opened_at_ms"]),
      print: String(value["print"]),
      parent: this.#live.get(chain.at(-1) ?? "") ?? null,
    });
    // An ask and its allow are two decisions of one call: counted high, never low.
    live.spent = Number(value["spent"]);
    const made = live.spent + this.#store.entries({ session: id, types: ["decision"], limit: countedCalls }).length;
    for (const session of lineage(live)) session.calls += made;
    return live;
  }
}

const chainOf = (value: JsonObject): string[] => (Array.isArray(value["chain"]) ? value["chain"].map(String) : []);

type Parts = Omit<Live, "principal" | "children" | "calls" | "inFlight" | "opening" | "spent"> & Omit<Opening, "parent" | "reservation"> & { readonly id: string; readonly chain: readonly string[] };

function makeLive({ id, agent, user, purpose, isolation, chain, mandate, ...rest }: Parts): Live {
  return { principal: principalOf(id, chain, { agent, user, purpose, isolation, mandate }), mandate, ...rest, children: new Set(), calls: 0, inFlight: 0, opening: 0, spent: 0 };
}

/** Who acts in a session that was opened so. `chain`: the sessions above it, root first. */
export const principalOf = (session: string, chain: readonly string[], { agent, user, purpose, isolation, mandate }: Pick<Opening, "agent" | "user" | "purpose" | "isolation" | "mandate">): Principal =>
  Object.freeze({ session, agent, user, purpose, chain, tools: mandate.tools, labels: mandate.labels, isolation, expiresAtMs: mandate.expiresAtMs });

/** Whether a session and all above it have room for one more call. Throws Fault `too_many_calls`. */
function checkPlaces(line: readonly Live[], most: number): void {
  for (const { principal, inFlight } of line) {
    if (inFlight >= most) throw new Fault("too_many_calls", `session \`${principal.session}\` has ${most} calls in flight, the limit calls_per_session`);
  }
}

/** Invariant: the purpose's words are only in the payload, so that erasing the user erases them here too. */
const stateOf = ({ principal, mandate, credential, openedAtMs, held, print, payload, spent }: Live): JsonObject => ({
  print,
  agent: principal.agent,
  user: principal.user,
  purpose: payload,
  chain: [...principal.chain],
  tools: mandate.tools && [...mandate.tools],
  labels: [...mandate.labels],
  audience: mandate.audience,
  expires_at_ms: mandate.expiresAtMs,
  max_calls: mandate.maxCalls,
  isolation: principal.isolation,
  ...(held && { held }),
  credential,
  opened_at_ms: openedAtMs,
  spent,
});

/** The session and those above it, nearest first. */
function lineage(session: Live): Live[] {
  const line: Live[] = [];
  for (let at: Live | null = session; at; at = at.parent) line.push(at);
  return line;
}

/** The session and those below it, deepest first. */
const descendants = (session: Live): Live[] => [...[...session.children].flatMap(descendants), session];
