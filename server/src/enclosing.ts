import { homedir } from "node:os";
import { join } from "node:path";
import type { Clock } from "./base/clock.ts";
import type { Config, IsolatedServer } from "./base/config/config.ts";
import { settings, type Environment } from "./base/config/environment.ts";
import type { Limits } from "./base/limits.ts";
import type { Log } from "./base/log.ts";
import type { EgressDoor } from "./edge/gateway/egress/door.ts";
import type { CredentialStage } from "./stages/credential/credential.ts";
import type { Enclosure } from "./stages/execution/enclosed.ts";
import { homeInside } from "./stages/execution/sandbox/bubblewrap.ts";
import { chooseDriver } from "./stages/execution/sandbox/choice.ts";
import { egressEnvironment, egressPort } from "./stages/execution/sandbox/egress-environment.ts";
import type { Identity } from "./stages/identity/identity.ts";

interface Rooms {
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: Limits;
  readonly environment: Environment;
  readonly config: () => Config;
  readonly identity: Pick<Identity, "open" | "close" | "hold">;
  readonly credentials: CredentialStage;
  readonly door: Pick<EgressDoor, "enter" | "authority">;
}

const closed: Pick<Enclosure, "doors" | "environment" | "files" | "ended"> = { doors: new Map(), environment: {}, files: new Map(), ended: () => {} };

/**
 * Makes what a server that is a guest lives in. With `egress` it has a session of its own, of the agent that lanyard.yaml names: what it sends is
 * that agent's action, decided by its policies and lent its credentials. Without, it has no way out but its stdout. Throws Fault
 * `isolation_unavailable`, and what opening a session throws.
 */
export function enclosing({ clock, log, limits, environment, config, identity, credentials, door }: Rooms): (name: string, isolated: IsolatedServer) => Promise<Enclosure> {
  return async (name, { driver: wanted, readable, egress }) => {
    const { home } = settings(environment);
    const agent = environment["LANYARD_GUEST_AGENT"];
    const cache = environment["XDG_CACHE_HOME"] || join(homedir(), ".cache");
    const driver = await chooseDriver({ clock, home, cache, ...(agent !== undefined && { agent }) }, wanted ?? undefined);
    const common = { driver, readable, kept: [config().data, home], wallMs: limits.session_ms };
    if (!egress) return { ...common, ...closed };
    const minutes = config().agents.get(egress.agent)?.sessionMinutes ?? Math.floor(limits.session_ms / 60_000);
    const { principal, token } = await identity.open("operator", { agent: egress.agent, onBehalfOf: egress.onBehalfOf, purpose: `server ${name}`, minutes, isolation: driver.tier, held: true });
    const holding = identity.hold(principal.session); // Or a daemon that is killed would leave it open.
    const ended = () => {
      void identity.close("operator", principal.session, "the server ended").catch((error: unknown) => log.warn("session.unclosed", { error }));
      holding[Symbol.dispose]();
    };
    try {
      const ca = `${homeInside}/.lanyard-ca.pem`;
      return {
        ...common,
        wallMs: Math.max(1, principal.expiresAtMs - clock.nowMs()),
        doors: new Map([[egressPort, (connection) => door.enter(connection, token)]]),
        environment: { ...egressEnvironment(ca), ...credentials.placeholders(principal) },
        files: new Map([[ca, (await door.authority(principal)).pem]]),
        ended,
      };
    } catch (error) {
      ended();
      throw error;
    }
  };
}
