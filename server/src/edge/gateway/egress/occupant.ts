import type { Duplex, Readable } from "node:stream";
import type { EgressFault, Principal } from "@lanyard/contract";
import type { Clock } from "../../../base/clock.ts";
import type { EgressRules } from "../../../base/config/config.ts";
import type { Limits } from "../../../base/limits.ts";
import type { Log } from "../../../base/log.ts";
import type { InboundCall } from "../../../base/path.ts";
import type { WebRequest } from "../../../base/web.ts";
import type { Reply } from "../../../mediation/stages.ts";
import type { WayBack } from "./answer.ts";
import type { SessionAuthority } from "./authority.ts";
import type { RequestHead, TunnelEnd } from "./request.ts";
import type { TurnedAway } from "./turned-away.ts";

/** What the egress door needs of the rest of Lanyard. */
export interface EgressOptions {
  identify(token: string | null, audience: string): Principal;
  /** Names of the credentials that a request would be lent, sorted. */
  credentials(principal: Principal, request: WebRequest): readonly string[];
  mediate(call: InboundCall): Promise<Reply>;
  record(refusal: { session: string; agent: string; fault: EgressFault; times: number }): Promise<void>;
  rules(): EgressRules;
  /** A secret of 32 bytes for one purpose, the same after a restart. */
  derive(purpose: string): Buffer;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly log: Log;
}

/** A connection out of a sandbox. Its session was fixed before its first byte. */
export interface Occupant {
  readonly token: string;
  readonly principal: Principal;
  /** What its tunnel was opened for; null while it is a plain proxy connection. */
  readonly origin: TunnelEnd | null;
}

/** What a connection can come to at the door. */
export interface EgressWays {
  readonly options: EgressOptions;
  /** Reads HTTP/1.1 requests off a connection. */
  speak(socket: Duplex, occupant: Occupant): void;
  /** Reads the body that belongs to a head, and carries both. Throws TurnedAway. */
  take(occupant: Occupant, head: RequestHead, body: Readable, back: WayBack): Promise<void>;
  /** Puts a request onto the path of an action and answers with what came of it. */
  carry(occupant: Occupant, request: WebRequest, back: WayBack): Promise<void>;
  /** Notes what cannot become an action. */
  note(occupant: Occupant, fault: TurnedAway): void;
  /** Notes it and answers it; what is no such thing is a bug, and says so in the log. */
  turnAway(occupant: Occupant, back: WayBack, error: unknown): void;
  /** The authority that a session's sandbox has to trust. */
  authority(principal: Pick<Principal, "session" | "expiresAtMs">): Promise<SessionAuthority>;
}
