import type { Fault, Principal, ToolDefinition } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import type { Era } from "../../base/exchange.ts";
import type { Limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { InboundCall } from "../../base/path.ts";
import type { Reply } from "../../mediation/stages.ts";
import type { Upstreams } from "../../stages/execution/upstreams.ts";

/** What the gateway needs of the rest of Lanyard. */
export interface GatewayOptions {
  /** Throws Fault `unauthenticated`, `wrong_audience` or `session_expired`, having recorded the refusal. */
  identify(token: string | null, audience: string): Principal;
  mediate(call: InboundCall): Promise<Reply>;
  /** The tools of a server's list that some policy could allow this principal, in the order given. */
  view(principal: Principal, server: string, tools: readonly ToolDefinition[]): readonly ToolDefinition[] | Promise<readonly ToolDefinition[]>;
  /** Servers that the principal's agent may use at all; all of them when absent. */
  serversOf?(principal: Principal): readonly string[];
  /** The stop that meets a session as a whole; null when none does. */
  stopOf?(principal: Principal): Fault | null;
  readonly upstreams: Upstreams;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly log: Log;
}

/** Who a message came from, as far as its face and its token tell. */
export interface Visitor {
  readonly token: string | null;
  readonly audience: string;
  readonly principal: Principal;
  /** What this door leads to for this principal, sorted: one server, or all it may use. */
  readonly servers: readonly string[];
  readonly era: Era;
}
