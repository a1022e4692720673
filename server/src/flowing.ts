import type { Action, ResourceFact } from "@lanyard/contract";
import type { Clock } from "./base/clock.ts";
import type { Config } from "./base/config/config.ts";
import { yieldsOf } from "./base/config/labels.ts";
import type { LiveConfig } from "./base/config/live.ts";
import type { Answer } from "./base/exchange.ts";
import type { Classifier } from "./base/labels/classifier.ts";
import { labelsOfResult } from "./base/labels/labels-of.ts";
import type { Facts, Intent, Passage } from "./base/path.ts";
import type { Store } from "./base/store/port.ts";
import { Flow, type ResultYields } from "./stages/flow/flow.ts";
import { pastOf } from "./stages/flow/past.ts";
import { Vouching } from "./stages/flow/vouching.ts";
import { WrittenValues } from "./stages/flow/written.ts";
import type { Identity } from "./stages/identity/identity.ts";

interface Judges {
  readonly config: () => Config;
  readonly classifier: () => Classifier;
}

/** What sessions have read, as the ledger has it, for as long as they are open. */
export function flowing({ store, clock, live, identity, classifier }: { store: Store; clock: Clock; live: Pick<LiveConfig, "current">; identity: Pick<Identity, "onClose">; classifier: () => Classifier }, held: AsyncDisposableStack): Flow {
  const config = () => live.current();
  const written = new WrittenValues({ most: config().limits.flow_written_values, clock, past: store.list("written"), fetch: (key) => store.get("written", key) });
  const flow = new Flow({ key: store.derive("flow"), config, yieldsOf: resultYields({ config, classifier }), written, past: (root) => pastOf(store, root) });
  const following = identity.onClose((session) => flow.ended(session));
  held.defer(() => following.stop());
  return flow;
}

/** What people add to what open sessions know. */
export const vouchingIn = ({ store, live, identity, flow }: { store: Store; live: Pick<LiveConfig, "current">; identity: Pick<Identity, "sessions">; flow: Flow }): Vouching =>
  new Vouching({ store, config: () => live.current(), flow, principal: (id) => identity.sessions().find(({ principal }) => principal.session === id)?.principal ?? null });

/** What sessions have read that nobody records. */
export const unrecordedFlow = ({ clock, ...judges }: Judges & { readonly clock: Clock }): Flow =>
  new Flow({ key: clock.random(32), config: judges.config, yieldsOf: resultYields(judges), written: new WrittenValues({ most: judges.config().limits.flow_written_values, clock, past: [], fetch: () => null }), past: () => [] });

/** The parts of the path that take note of what a call says and of what comes back. */
export const noting = (flow: Flow) => ({
  say: (action: Action, { principal }: Pick<Passage, "principal">, { seq }: Pick<Intent, "seq">, facts: Facts | null): void => flow.say(principal, action, { seq, effects: facts?.input.effects ?? [] }),
  learn: (action: Action, answer: Answer, { principal }: Pick<Passage, "principal">, { seq }: Pick<Intent, "seq">, facts: Facts | null): Answer => {
    flow.learn({ principal, seq, action: action.name, touched: facts?.input.resources ?? [], answer });
    return answer;
  },
});

/** What a result is, by its contract, by what the call touched, and by what detectors find in it. */
const resultYields =
  ({ config, classifier }: Judges) =>
  (action: string, touched: readonly ResourceFact[], answer: Answer): ResultYields => {
    const own = yieldsOf(config(), action.slice(0, action.indexOf("/")), action);
    const labels = [...new Set([...own.labels, ...touched.flatMap((resource) => resource.labels)])].sort();
    const found = classifier();
    return { trust: own.trust, labels, all: answer.labels ?? labelsOfResult(found, own, touched, answer), spans: (text, field) => found.spans(text, field) };
  };
