import type { Clock } from "./base/clock.ts";
import type { LiveConfig } from "./base/config/live.ts";
import type { Log } from "./base/log.ts";
import { channelsOf } from "./base/notify/channels.ts";
import type { Outbox } from "./base/notify/notice.ts";
import { DurableOutbox } from "./base/notify/outbox.ts";
import type { Store } from "./base/store/port.ts";
import type { CredentialStage } from "./stages/credential/credential.ts";

interface NotifyingRooms {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly live: LiveConfig;
  readonly credentials: CredentialStage;
}

/** The outbox over the configured channels; what it was left with by an earlier run goes out at once. */
export const notifying = ({ store, clock, log, live, credentials }: NotifyingRooms): Outbox => {
  const config = () => live.current();
  const channel = channelsOf({ clock, config, fill: (templates) => credentials.fill(templates) });
  return new DurableOutbox({ store, clock, log, config, channel });
};
