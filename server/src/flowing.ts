import type { Action } from "@lanyard/contract";
import type { Config } from "./base/config/config.ts";
import { yieldsOf } from "./base/config/labels.ts";
import type { Answer } from "./base/exchange.ts";
import type { Classifier } from "./base/labels/classifier.ts";
import { labelsOfResult } from "./base/labels/labels-of.ts";
import type { LiveConfig } from "./base/config/live.ts";
import type { Facts, Intent, Passage } from "./base/path.ts";
import type { Store } from "./base/store/port.ts";
import { Flow } from "./stages/flow/flow.ts";
import type { Identity } from "./stages/identity/identity.ts";

export interface FlowingRooms {
  readonly flow: Flow;
  readonly config: () => Config;
  readonly classifier: () => Classifier;
}

/** What sessions have read, for as long as they are open. */
export function flowing({ store, live, identity }: { store: Pick<Store, "derive">; live: Pick<LiveConfig, "current">; identity: Pick<Identity, "onClose"> }, held: AsyncDisposableStack): Flow {
  const flow = new Flow({ key: store.derive("flow"), config: () => live.current() });
  const following = identity.onClose((session) => flow.ended(session));
  held.defer(() => following.stop());
  return flow;
}

/** Takes note of what came back: what its contract and detectors say of it, and where each of its values stands. */
export const learning =
  ({ flow, config, classifier }: FlowingRooms) =>
  (action: Action, answer: Answer, { principal }: Pick<Passage, "principal">, { seq }: Pick<Intent, "seq">, facts: Facts | null): Answer => {
    const own = yieldsOf(config(), action.server, action.name);
    const touched = facts?.input.resources ?? [];
    const labels = [...new Set([...own.labels, ...touched.flatMap((resource) => resource.labels)])].sort();
    const found = classifier();
    flow.learn({ principal, seq, answer, yields: { trust: own.trust, labels, all: answer.labels ?? labelsOfResult(found, own, touched, answer), spans: (text, field) => found.spans(text, field) } });
    return answer;
  };
