import { Fault } from "@lanyard/contract";
import type { Clock } from "./base/clock.ts";
import type { LiveConfig } from "./base/config/live.ts";
import type { Log } from "./base/log.ts";
import { channelsOf } from "./base/notify/channels.ts";
import { DurableOutbox } from "./base/notify/outbox.ts";
import { channelStates } from "./base/notify/states.ts";
import type { Store } from "./base/store/port.ts";
import type { Rooms } from "./edge/api/rooms.ts";
import { Surfaces } from "./edge/surfaces/surfaces.ts";
import type { Approvals } from "./stages/approval/approval.ts";
import type { CredentialStage } from "./stages/credential/credential.ts";
import type { Identity } from "./stages/identity/identity.ts";

interface NotifyingRooms {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly live: LiveConfig;
  readonly credentials: CredentialStage;
}

/** The outbox over the configured channels; what it was left with by an earlier run goes out at once. */
export const notifying = ({ store, clock, log, live, credentials }: NotifyingRooms): DurableOutbox => {
  const config = () => live.current();
  const channel = channelsOf({ clock, config, fill: (templates) => credentials.fill(templates) });
  return new DurableOutbox({ store, clock, log, config, channel });
};

interface SurfacingRooms extends NotifyingRooms {
  readonly approvals: Approvals;
  readonly identity: Identity;
}

/** Slack and the page behind links in mails, as places to answer requests for approval at. `url`: where the daemon listens. */
export const surfacing = ({ store, clock, log, live, approvals, identity, credentials }: SurfacingRooms, outbox: DurableOutbox, url: () => string): Surfaces =>
  new Surfaces({ store, clock, log, config: () => live.current(), approvals, identity, outbox, fill: (templates) => credentials.fill(templates), url });

/** The channels as the administration sees them; without an outbox, when no daemon runs, only what is kept of them. */
export const channelsRoom = ({ store, live }: Pick<NotifyingRooms, "store" | "live">, outbox: DurableOutbox | null): Rooms["channels"] => ({
  list: () => channelStates(live.current(), store),
  post: (channel, notice) => outbox?.post(channel, notice) ?? Promise.reject(new Fault("conflict", "no daemon runs, and only one that runs can send; start it with `lanyard serve`")),
});
