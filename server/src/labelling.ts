import type { LiveConfig } from "./base/config/live.ts";
import type { Classifier } from "./base/labels/classifier.ts";
import { classifierOf } from "./base/labels/own.ts";
import type { Log } from "./base/log.ts";
import type { Store } from "./base/store/port.ts";

/**
 * What looks for data classes, as the configuration in force says. A change whose files of values cannot be read is logged, and what was looked for
 * before goes on being looked for. Throws Fault `invalid_config` when that is so at the start.
 */
export function labelling({ store, live, log }: { store: Pick<Store, "derive">; live: Pick<LiveConfig, "current" | "onChange">; log: Log }, held: AsyncDisposableStack): () => Classifier {
  const key = store.derive("labels");
  let classifier = classifierOf(live.current().labels, key);
  const following = live.onChange(({ labels }) => {
    try {
      classifier = classifierOf(labels, key);
    } catch (error) {
      log.error("labels.unread", { error });
    }
  });
  held.defer(() => following.stop());
  return () => classifier;
}
