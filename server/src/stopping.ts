import type { Principal } from "@lanyard/contract";
import type { Log } from "./base/log.ts";
import type { Gateway } from "./edge/gateway/gateway.ts";
import type { Upstreams } from "./stages/execution/upstreams.ts";
import type { Identity } from "./stages/identity/identity.ts";
import type { StopReach, StopStage } from "./stages/stop/stop.ts";

interface Stoppable {
  readonly stop: StopStage;
  readonly identity: Pick<Identity, "sessions">;
  readonly log: Log;
}

/** What an order does in the other rooms beside refusing and cancelling calls: all of it begins in the tick that the order is given in. */
export function linkStop({ stop, identity, log }: Stoppable, { face, servers }: { readonly face: Gateway; readonly servers: Upstreams }): void {
  const unsevered = (what: string) => (error: unknown) => log.error("stop.unsevered", { what, error });
  const sever: StopReach["sever"] = ({ kind, subject }, sessions) => {
    if (kind !== "stop") return; // Whoever may read needs connections to read by.
    for (const { session } of sessions) void face.sever(session).catch(unsevered(session));
    const stopped = servers.servers.filter((server) => stop.stopOfServer(server) !== null);
    for (const server of subject.kind === "server" || subject.kind === "all" ? stopped : []) void servers.renew(server).catch(unsevered(server));
  };
  const sessions = (): readonly Principal[] => identity.sessions().map(({ principal }) => principal);
  stop.reach = { sessions, voidApprovals: () => 0, sever };
}
