import { Fault } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import type { Config } from "../../base/config/config.ts";
import type { Bound, Facts, Reservation } from "../../base/path.ts";
import { checkRequest, childOpening, rootOpening, type SessionRequest } from "../../stages/identity/opening.ts";
import { principalOf, type Session } from "../../stages/identity/sessions.ts";
import type { OpenLine } from "./line.ts";

interface TrialApproval {
  readonly groups: readonly string[];
  readonly bound: Bound;
  readonly untilMs: number;
}

/** A session of a trace, under the name the trace gives it. */
export interface TrialSession extends Session {
  /** Calls that were allowed and of which no line has told the result, by their tool. */
  running: { readonly tool: string; readonly line: number; readonly reservation: Reservation; readonly facts: Facts | null }[];
  readonly parent: TrialSession | null;
  /** Digest and name of the call that was asked for last, and whom. `isMeant`: the trace says that it is to go through. */
  asked: { readonly digest: string; readonly action: string; readonly approvers: readonly string[]; readonly bound: Bound; readonly atMs: number; readonly isMeant: boolean } | null;
  /** What was approved and not made since, by the call's digest: good for these policies and changes, and until then, as at the daemon. */
  readonly given: Map<string, TrialApproval>;
}

/** The sessions of a trace: opened and narrowed by the rules of the daemon, kept in memory. */
export class TrialSessions {
  readonly #clock: Clock;
  readonly #config: () => Config;
  readonly #open = new Map<string, TrialSession>();

  constructor({ clock, config }: { clock: Clock; config: () => Config }) {
    this.#clock = clock;
    this.#config = config;
  }

  /** Opens a session; a name that is open already begins anew. Throws Fault as opening a session does. */
  open(name: string, line: OpenLine): TrialSession {
    const { agent, on_behalf_of, task, purpose = task, parent, labels, tools, minutes, max_calls, isolation } = line;
    const request: SessionRequest = {
      ...(agent !== undefined && { agent }),
      ...(on_behalf_of !== undefined && { onBehalfOf: on_behalf_of }),
      ...(purpose !== undefined ? { purpose } : parent === undefined && { purpose: "a trial" }),
      ...(labels && { labels }),
      ...(tools && { tools }),
      ...(minutes !== undefined && { minutes }),
      ...(max_calls !== undefined && { maxCalls: max_calls }),
      ...(isolation !== undefined && { isolation }),
    };
    const most = this.#config().limits.trace_sessions;
    if (!this.#open.has(name) && this.#open.size >= most) throw new Fault("limit_exceeded", `${most} sessions of the trace are open, the limit trace_sessions; end some with \`{"session":..,"close":{}}\``);
    checkRequest(request, this.#config());
    const above = parent === undefined ? null : this.need(parent);
    const opening = above ? childOpening({ sessions: this, clock: this.#clock }, above.principal, request) : rootOpening({ config: this.#config(), clock: this.#clock }, "operator", request);
    const chain = above ? [...above.principal.chain, above.principal.session] : [];
    const session: TrialSession = { principal: principalOf(name, chain, opening), mandate: opening.mandate, credential: null, openedAtMs: this.#clock.nowMs(), held: opening.held, calls: 0, running: [], parent: above, asked: null, given: new Map() };
    this.#open.set(name, session);
    return session;
  }

  get(name: string): TrialSession | null {
    return this.#open.get(name) ?? null;
  }

  /** Throws Fault `unauthenticated` when no line has opened it. */
  need(name: string): TrialSession {
    const session = this.#open.get(name);
    if (!session) throw new Fault("unauthenticated", unopened(name));
    return session;
  }

  /** What a user says of the session: it carries these labels from now on. */
  mark(name: string, labels: readonly string[]): void {
    const session = this.need(name);
    const all = [...new Set([...session.principal.labels, ...labels])].sort();
    this.#open.set(name, Object.assign(session, { principal: { ...session.principal, labels: all } }));
  }

  close(name: string): void {
    this.need(name);
    this.#open.delete(name);
  }
}

/** What to tell who uses a session that no line has opened. */
export const unopened = (name: string): string => `session \`${name}\` is not open; open it with a line \`{"session":..,"open":{"agent":..,"on_behalf_of":..,"task":..}}\``;
