import type { Principal } from "@lanyard/contract";
import type { Config } from "./base/config/config.ts";
import type { LiveConfig } from "./base/config/live.ts";
import type { Log } from "./base/log.ts";
import type { AuthorityDoor } from "./edge/gateway/lease/door.ts";
import type { Gateway } from "./edge/gateway/gateway.ts";
import type { Approvals } from "./stages/approval/approval.ts";
import type { CredentialStage } from "./stages/credential/credential.ts";
import { readOwn } from "./stages/credential/sources/file.ts";
import type { Upstreams } from "./stages/execution/upstreams.ts";
import type { Identity } from "./stages/identity/identity.ts";
import type { StopReach, StopStage } from "./stages/stop/stop.ts";

interface Stoppable {
  readonly stop: StopStage;
  readonly identity: Pick<Identity, "sessions" | "onClose">;
  readonly approvals: Pick<Approvals, "void">;
  readonly credentials: Pick<CredentialStage, "fill" | "onChange">;
  readonly live: Pick<LiveConfig, "current" | "onChange">;
  readonly log: Log;
}

interface Reached {
  readonly face: Pick<Gateway, "sever">;
  readonly servers: Upstreams;
  readonly authority: AuthorityDoor;
}

/**
 * What an order does in the other rooms beside refusing and cancelling calls: all of it begins in the tick that the order is given in. Resolves
 * when the canaries are known. Throws Fault `invalid_config`, `no_credential` when one cannot be had.
 */
export async function linkStop({ stop, identity, approvals, credentials, live, log }: Stoppable, { face, servers, authority }: Reached, held: AsyncDisposableStack): Promise<void> {
  const unsevered = (what: string) => (error: unknown) => log.error("stop.unsevered", { what, error });
  const sever: StopReach["sever"] = ({ kind, subject }, sessions) => {
    if (kind !== "stop") return; // Whoever may read needs connections to read by.
    for (const { session } of sessions) authority.tell(session);
    for (const { session } of sessions) void face.sever(session).catch(unsevered(session));
    const stopped = servers.servers.filter((server) => stop.stopOfServer(server) !== null);
    for (const server of subject.kind === "server" || subject.kind === "all" ? stopped : []) void servers.renew(server, "kill").catch(unsevered(server));
  };
  const sessions = (): readonly Principal[] => identity.sessions().map(({ principal }) => principal);
  const voidApprovals: StopReach["voidApprovals"] = ({ id }, meets) => {
    const open = new Map(sessions().map((principal) => [principal.session, principal]));
    let voided = 0;
    const match = ({ session, action }: { readonly session: string; readonly action: string }): boolean => {
      const principal = open.get(session);
      const hit = principal === undefined || meets(principal, { name: action, server: action.slice(0, action.indexOf("/")) }); // Nobody's: nothing is lost with it.
      if (hit) voided++;
      return hit;
    };
    void approvals.void(match, id).catch(unsevered("approvals")); // Over on the first line of it; the record follows.
    return voided;
  };
  stop.reach = { sessions, voidApprovals, sever };
  const load = async () => stop.canaries.set(await canaryValues(live.current(), credentials));
  const reload = () => void load().catch((error: unknown) => log.error("canaries.unread", { error })); // Those known before go on being looked for.
  const following = [identity.onClose((session) => authority.ended(session)), live.onChange(reload), credentials.onChange(reload)];
  held.defer(() => {
    for (const one of following) one.stop();
  });
  await load();
}

async function canaryValues({ stop: { canaries } }: Config, credentials: Pick<CredentialStage, "fill">): Promise<ReadonlyMap<string, string>> {
  const templates = [...canaries].flatMap(([name, from]) => (from.kind === "text" ? [[name, from.template]] : []));
  const files = [...canaries].flatMap(([name, from]) => (from.kind === "file" ? [readOwn(from.path, name, "given").then((text) => [name, text.trim()] as const)] : []));
  return new Map([...Object.entries(await credentials.fill(Object.fromEntries(templates))), ...(await Promise.all(files))]);
}
