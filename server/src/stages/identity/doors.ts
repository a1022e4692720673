import { Fault, webServer, type ErrorCode, type Principal } from "@lanyard/contract";
import type { Config } from "../../base/config/config.ts";
import { audienceCovers } from "../../base/mandate.ts";
import type { Credentials } from "./credentials.ts";
import type { Caller } from "./opening.ts";
import type { Refusals } from "./refusals.ts";
import type { Session, Sessions } from "./sessions.ts";
import { tokenKind } from "./token.ts";

export interface Doors {
  /**
   * Who makes a call through `door` (`mcp` or `mcp/<server>`). Throws Fault `unauthenticated`, `wrong_audience` or `session_expired`;
   * the refusal is recorded.
   */
  identify(token: string | null, door: string): Principal;
  /** Who speaks to the administration API. Throws like {@link Doors.identify}, recorded under the door, which is `api` by default. */
  authenticate(token: string | null, door?: "api" | "page"): Caller;
  /** Records that somebody was turned away at a surface, whose own signature or form had to prove who it was. */
  turnedAway(code: ErrorCode, door: "slack" | "page"): void;
}

interface Books {
  readonly sessions: Sessions;
  readonly credentials: Credentials;
  readonly refusals: Refusals;
  readonly config: () => Config;
}

/** Who comes in. Whoever does not is recorded; names are looked up in the configuration in force, not in that of when the session was opened. */
export function doors({ sessions, credentials, refusals, config }: Books): Doors {
  const refuse = (code: ErrorCode, door: string, message: string): never => {
    // The name of a door that does not exist is the caller's text and must not reach the ledger.
    const known = door === "api" || door === "page" || door === "mcp" || (door.startsWith("mcp/") && (door === `mcp/${webServer}` || config().servers.has(door.slice(4))));
    refusals.note(code, known ? door : "unknown");
    throw new Fault(code, message);
  };

  const sessionOf = (token: string, door: string): Session => {
    const session = sessions.find(token);
    if (session === null) return refuse("unauthenticated", door, "the session token is not known here");
    if (session === "ended") return refuse("session_expired", door, "the session of this token has ended");
    const { agent, user } = session.principal;
    const entry = config().agents.get(agent);
    if (!entry) return refuse("unauthenticated", door, `agent \`${agent}\` is no longer registered`);
    if (!config().users.has(user)) return refuse("unauthenticated", door, `user \`${user}\` is no longer registered`);
    if (entry.onBehalfOf && !entry.onBehalfOf.includes(user)) return refuse("unauthenticated", door, `agent \`${agent}\` may no longer act for \`${user}\``);
    return session;
  };

  return {
    identify(token, door) {
      if (token === null) return refuse("unauthenticated", door, "there is no bearer token");
      const kind = tokenKind(token);
      if (kind === null) return refuse("unauthenticated", door, "the bearer token is none of Lanyard's");
      if (kind !== "session") return refuse("wrong_audience", door, "a credential opens no door here; a session's token does");
      const { principal, mandate } = sessionOf(token, door);
      if (!audienceCovers(mandate.audience, door)) return refuse("wrong_audience", door, `the token is made for \`${mandate.audience}\`, not for this door`);
      return principal;
    },

    turnedAway: (code, door) => refusals.note(code, door),

    authenticate(token, door = "api") {
      if (token === null) return refuse("unauthenticated", door, "there is no bearer token");
      if (tokenKind(token) === "session") return { kind: "session", principal: sessionOf(token, door).principal };
      const credential = credentials.find(token);
      if (!credential) return refuse("unauthenticated", door, "the credential is not known here, or revoked");
      return { kind: credential.kind, name: credential.name, key: credential.key };
    },
  };
}
