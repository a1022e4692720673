import { webServer, type Action, type JsonObject, type ResourceFact } from "@lanyard/contract";
import type { Clock } from "./base/clock.ts";
import type { Config } from "./base/config/config.ts";
import { isKnownLookup } from "./stages/flow/known-lookup.ts";
import { yieldsOf } from "./base/config/labels.ts";
import type { LiveConfig } from "./base/config/live.ts";
import type { Answer } from "./base/exchange.ts";
import type { Classifier } from "./base/labels/classifier.ts";
import { handsOutKeys, keysIn } from "./base/labels/key-tools.ts";
import { labelsOfResult } from "./base/labels/labels-of.ts";
import type { Facts, Intent, Passage } from "./base/path.ts";
import type { Store } from "./base/store/port.ts";
import { isModelHost } from "./base/usage.ts";
import type { WebHeaders } from "./base/web.ts";
import { Flow, type Learned } from "./stages/flow/flow.ts";
import { PassingBody } from "./stages/flow/passing-body.ts";
import { pastOf } from "./stages/flow/past.ts";
import type { ResultYields } from "./stages/flow/result-yields.ts";
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
export const noting = (flow: Flow, config: () => Config) => ({
  say: (action: Action, { principal }: Pick<Passage, "principal">, { seq }: Pick<Intent, "seq">, facts: Facts | null): void => flow.say(principal, action, { seq, effects: facts?.input.effects ?? [], isKnown: isKnownLookup(action.args, facts?.input.facts ?? {}), begins: Object.values(facts?.input.facts ?? {}).flatMap(({ shell }) => shell?.begins ?? []) }),
  learn: (action: Action, answer: Answer, { principal }: Pick<Passage, "principal">, { seq, said = seq }: Pick<Intent, "seq"> & Pick<Partial<Learned>, "said">, facts: Facts | null): Answer => {
    const came = { principal, seq, said, action: action.name, touched: facts?.input.resources ?? [] };
    if ("result" in answer && answer.web) return learnedOfWeb(flow, config(), came, answer, action.args["host"]);
    flow.learn({ ...came, answer });
    return answer;
  },
});

/** Its head is there and is taken note of now, its body as it passes. What flows both ways nobody reads, nor what an API of models says: that is the model's own, if it is trusted. */
function learnedOfWeb(flow: Flow, config: Config, came: Omit<Parameters<Flow["learn"]>[0], "answer">, answer: Extract<Answer, { result: object }>, host: unknown): Answer {
  const { web, result, labels = [] } = answer;
  const isTrusted = yieldsOf(config, webServer, came.action, came.touched).trust === "trusted";
  const missed = (): void => flow.learn({ ...came, answer: null });
  if (!web || (isModelHost(host) && isTrusted)) return answer;
  flow.learn({ ...came, answer: { result: { headers: Object.fromEntries(web.headers), ...leadsTo(web.headers, host), ...result }, labels } });
  if (!web.input && !isModelHost(host)) {
    const read = (text: string): void => flow.learn({ ...came, answer: { result: { body: text } } });
    return { ...answer, web: { ...web, body: new PassingBody(web.body, { headers: web.headers, isTrusted, limits: config.limits }, { read, missed }) } };
  }
  missed();
  return answer;
}

/** Where an answer sends its reader, in the parts that the next request has: a host without a dot is no value within a text. */
function leadsTo(headers: WebHeaders, from: unknown): JsonObject {
  const to = headers.flatMap(([name, value]) => (name.toLowerCase() === "location" ? (URL.parse(value, `http://${String(from)}`) ?? []) : []));
  const parts = to.map(({ hostname, pathname, search }) => ({ ...(hostname !== from && { host: hostname }), path: pathname, query: search.slice(1) }));
  return parts.length === 0 ? {} : { location: parts };
}

/** What a result is, by its contract, by what the call touched, and by what detectors find in it. */
const resultYields =
  ({ config, classifier }: Judges) =>
  (action: string, touched: readonly ResourceFact[], answer: Answer): ResultYields => {
    const own = yieldsOf(config(), action.slice(0, action.indexOf("/")), action, touched);
    const labels = [...new Set([...own.labels, ...touched.flatMap((resource) => resource.labels)])].sort();
    const found = classifier();
    const all = answer.labels ?? labelsOfResult(found, own, touched, answer);
    const yields = { trust: own.trust, except: own.except, author: own.author, labels, all, spans: (text: string, field: string) => found.spans(text, field) };
    if (!handsOutKeys(action.slice(action.indexOf("/") + 1))) return yields;
    return { ...yields, all: [...all, "credential"], spans: (text, field) => [...found.spans(text, field), ...keysIn(text, field)] };
  };
