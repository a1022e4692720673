import { Fault, type Principal } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import type { Config } from "../../base/config/config.ts";
import type { Log } from "../../base/log.ts";
import type { Reservation } from "../../base/path.ts";
import type { Store } from "../../base/store/port.ts";
import { Credentials, type Credential } from "./credentials.ts";
import { doors, type Doors } from "./doors.ts";
import { Holders } from "./holders.ts";
import { checkRequest, childOpening, rootOpening, type Caller, type SessionRequest } from "./opening.ts";
import { Refusals } from "./refusals.ts";
import { Sessions, type Session } from "./sessions.ts";

export interface OpenedSession {
  readonly principal: Principal;
  /** The bearer token; returned this once. */
  readonly token: string;
}

/** Step 3 of the path, and the administration of who can take part in it. */
export interface Identity extends Doors, AsyncDisposable {
  /** Takes one of the session's places. Throws Fault `too_many_calls`, `session_expired`. */
  admit(principal: Principal): Disposable;
  /**
   * Opens a session: an operator for any agent, an agent for itself, a session a child of its own that can only narrow (I11).
   * Throws Fault `invalid_request`, `not_found`, `forbidden`, `limit_exceeded`, `budget_exceeded`, `session_expired`, `ledger_unavailable`.
   */
  open(opener: "operator" | Caller, request: SessionRequest): Promise<OpenedSession>;
  /** Ends a session and its children. A session may end itself and those below it. Throws Fault `not_found`, `forbidden`, `ledger_unavailable`. */
  close(closer: "operator" | Caller, id: string, why: string): Promise<void>;
  /** Holds a session that was opened to be held, until disposed of. One that nobody has held for `holder_ms` ends. */
  hold(session: string): Disposable;
  /** Sessions of the last run wait for their holders from here on. */
  awaitHolders(): void;
  /** Open sessions, oldest first. */
  sessions(): Session[];
  /** The session at the top of a session's family: the session itself when nobody opened it as a child. */
  rootOf(id: string): string;
  /** Calls that an open session may make, those of its children included; null when it may make any number, and for a session that is not open. */
  maxCallsOf(id: string): number | null;
  /** Calls back with the id of each session that ends, for whatever reason. */
  onClose(listener: (session: string) => void): { stop(): void };
  /** A new credential; the secret is returned this once. Throws Fault `not_found`, `limit_exceeded`, `ledger_unavailable`. */
  issue(kind: "agent" | "user", name: string, by: string): Promise<{ key: string; secret: string }>;
  /** Revokes a credential and ends the sessions that were opened with it. */
  revoke(key: string, by: string): Promise<void>;
  credentials(): Credential[];
}

interface Rooms {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly config: () => Config;
  /** Throws a Fault when a session like this may not be opened now, whoever opens it. */
  readonly mayOpen?: (session: Pick<Principal, "session" | "agent" | "user" | "chain" | "labels">) => void;
  /** Takes what a child session of `parent` needs of budgets. Throws Fault `budget_exceeded`. */
  readonly reserveChild?: (parent: Principal) => Reservation;
}

const refusalOf = (check: () => void): Fault | null => {
  try {
    check();
    return null;
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
};

export function identityStage(rooms: Rooms): Identity {
  const { config } = rooms;
  const sessions = new Sessions(rooms);
  const credentials = new Credentials(rooms);
  const refusals = new Refusals(rooms);
  const holders = holdersOf(rooms, sessions);

  return {
    ...doors({ sessions, credentials, refusals, config }),
    rootOf: (id) => sessions.get(id)?.principal.chain[0] ?? id,
    maxCallsOf: (id) => sessions.get(id)?.mandate.maxCalls ?? null,
    admit: ({ session }) => sessions.admit(session),

    open: (opener, request) => opened(rooms, { sessions, credentials, refusals, holders }, opener, request),

    async close(closer, id, why) {
      const session = sessions.get(id);
      if (!session) throw new Fault("not_found", `no session \`${id}\` is open`);
      if (closer !== "operator") {
        const own = closer.kind === "session" && (id === closer.principal.session || session.principal.chain.includes(closer.principal.session));
        if (!own) throw new Fault("forbidden", `session \`${id}\` is not yours to close`);
      }
      await sessions.close(id, why);
    },

    hold: (session) => holders.hold(session),
    awaitHolders: () => {
      for (const { held, principal } of sessions.list()) if (held) holders.expect(principal.session);
    },
    sessions: () => sessions.list(),
    onClose: (listener) => sessions.onClose(listener),
    issue: (kind, name, by) => credentials.issue(kind, name, by),

    async revoke(key, by) {
      const revoked = credentials.revoke(key, by);
      const opened = sessions.list().filter(({ credential, principal }) => credential === key && principal.chain.length === 0);
      const ended = await Promise.allSettled([revoked, ...opened.map(({ principal }) => sessions.close(principal.session, "credential revoked"))]);
      for (const result of ended) if (result.status === "rejected") throw result.reason;
    },

    credentials: () => credentials.list(),

    async [Symbol.asyncDispose]() {
      holders.dispose();
      await sessions[Symbol.asyncDispose]();
      await refusals[Symbol.asyncDispose]();
    },
  };
}

/** Why a session ended whose holder was killed, in the ledger. */
export const abandoned = "its holder is gone";

/** A session that nobody holds any more ends like one that is closed, on record. */
function holdersOf({ clock, log, config }: Rooms, sessions: Sessions): Holders {
  const end = (session: string): void => {
    log.warn("session.abandoned", { session });
    sessions.close(session, abandoned).catch((error: unknown) => log.warn("session.unrecorded", { error }));
  };
  const holders = new Holders({ clock, graceMs: () => config().limits.holder_ms, end });
  sessions.onClose((session) => holders.forget(session));
  return holders;
}

interface Parts {
  readonly sessions: Sessions;
  readonly credentials: Credentials;
  readonly refusals: Refusals;
  readonly holders: Holders;
}

/** `Identity.open`. */
async function opened(rooms: Rooms, { sessions, credentials, refusals, holders }: Parts, opener: "operator" | Caller, request: SessionRequest): Promise<OpenedSession> {
  const { clock, config } = rooms;
  checkRequest(request, config());
  const isChild = opener !== "operator" && opener.kind === "session";
  const opening = isChild ? childOpening({ sessions, clock }, opener.principal, request) : rootOpening({ config: config(), clock }, opener, request);
  const revoked = () => opening.credential !== null && !credentials.has(opening.credential);
  if (revoked()) throw new Fault("forbidden", "the credential was revoked");
  const above = opening.parent?.principal;
  const chain = above ? [...above.chain, above.session] : [];
  const stopped = (id: string): Fault | null => refusalOf(() => rooms.mayOpen?.({ ...opening, session: id, labels: opening.mandate.labels, chain }));
  const before = stopped("");
  if (before) {
    refusals.note(before.code, "api");
    throw before;
  }
  using reservation = (above && rooms.reserveChild?.(above)) ?? null;
  const { session, token } = await sessions.open({ ...opening, ...(reservation && { reservation }) });
  const meanwhile = stopped(session.principal.session);
  if (meanwhile) {
    await sessions.close(session.principal.session, "stopped");
    throw meanwhile;
  }
  if (revoked()) {
    await sessions.close(session.principal.session, "credential revoked");
    throw new Fault("forbidden", "the credential was revoked");
  }
  if (session.held) holders.expect(session.principal.session);
  return { principal: session.principal, token };
}
