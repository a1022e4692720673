import { Fault, type Action, type Decision, type Json, type JsonObject, type Principal } from "@lanyard/contract";
import { parseTransform, type ResultChange } from "@lanyard/policy";
import type { Config } from "../../base/config/config.ts";
import { yieldsOf } from "../../base/config/labels.ts";
import type { Answer, Exchange } from "../../base/exchange.ts";
import { impliedBy, type Classifier } from "../../base/labels/classifier.ts";
import { conceal, maskField, redactedAs } from "../../base/labels/conceal.ts";
import { labelsOfResult } from "../../base/labels/labels-of.ts";
import type { Facts } from "../../base/path.ts";
import type { Hidden, Pseudonyms } from "./pseudonyms.ts";
import { LabelledBody, WithheldBody } from "./screened-body.ts";

interface ScreenRooms {
  readonly classifier: () => Classifier;
  readonly config: () => Config;
  readonly pseudonyms: Pseudonyms;
}

/** An allowed call whose answer is looked at. */
export interface Screened {
  readonly action: Action;
  readonly principal: Principal;
  readonly decision: Decision;
  readonly facts: Facts | null;
}

/** Taking out of values what the decision says may not be seen; `hidden` collects what tokens stand for. */
interface Screen {
  readonly changes: readonly ResultChange[];
  /** Labels that what comes back carries, whatever is in it. */
  readonly yielded: readonly string[];
  readonly hidden: Hidden[];
  change(value: Json): Json;
}

/** Those of a decision's changes that are about what comes back. Throws Fault `result_withheld` on one that nobody knows (invariant I4). */
const resultChanges = (transforms: readonly string[]): ResultChange[] =>
  transforms.flatMap((text) => {
    const change = parseTransform(text);
    if (change === null) throw new Fault("result_withheld", "a policy changes the answer in a way that is not known");
    return change.of === "result" ? [change] : [];
  });

function screenOf({ classifier, config, pseudonyms }: ScreenRooms, { action, principal, decision, facts }: Screened): Screen {
  const changes = resultChanges(decision.transforms ?? []);
  const touched = (facts?.input.resources ?? []).flatMap(({ labels }) => labels);
  const yielded = impliedBy([...yieldsOf(config(), action.server, action.name).labels, ...touched]);
  const hidden: Hidden[] = [];
  const tokenised = (label: string) => (value: string): string => {
    const token = pseudonyms.tokenOf(principal, label, value);
    hidden.push({ token, label, value });
    return token;
  };
  const one = (value: Json, change: ResultChange): Json => {
    if (change.kind === "mask") {
      const masked = maskField(value, change.path);
      if (masked === null) throw new Fault("result_withheld", `a policy masks \`${change.path.join(".")}\` in what \`${action.name}\` answers, and the answer speaks of it in a form that cannot be masked`);
      return masked;
    }
    const { label } = change;
    return conceal(classifier(), value, { label, as: change.kind === "redact" ? () => redactedAs(label) : tokenised(label), isHeld: yielded.includes(label) });
  };
  return { changes, yielded, hidden, change: (value) => changes.reduce(one, value) };
}

/**
 * The answer as the agent may see it, with its labels: what policy says is taken out of it (`transform:result...`), and what is left is looked through.
 * Durable on return, as far as tokens stand in it. Throws Fault `result_withheld` when a change cannot be carried out.
 */
export async function screen(rooms: ScreenRooms, call: Screened, answer: Answer): Promise<Answer> {
  const { principal } = call;
  const screening = screenOf(rooms, call);
  const { changes, yielded, hidden } = screening;
  const labels = (given: Answer): readonly string[] => labelsOfResult(rooms.classifier(), { labels: yielded }, [], given);
  if ("result" in answer && answer.web) {
    const { web } = answer;
    if (changes.length > 0 && web.input) throw new Fault("result_withheld", `a policy changes what \`${call.action.name}\` answers, and what flows both ways cannot be changed on its way`);
    const body = changes.length === 0 ? new LabelledBody(web.body, rooms.classifier()) : new WithheldBody(web.body, web.headers, async (text) => {
      const changed = String(screening.change(text));
      await rooms.pseudonyms.keep(principal, hidden.splice(0));
      return { text: changed, labels: rooms.classifier().detect(changed) };
    });
    const head = changes.length === 0 ? answer.result : (screening.change(answer.result) as JsonObject);
    await rooms.pseudonyms.keep(principal, hidden.splice(0));
    const given = { ...answer, result: head };
    const known = labels({ result: head });
    return { ...given, labels: known, web: { ...web, headers: body.headers(web.headers), body, sum: () => ({ ...(web.sum?.() ?? { bytes: 0, sha256: "" }), ...body.sum(), labels: impliedBy([...known, ...body.labels()]) }) } };
  }
  if (changes.length === 0) return { ...answer, labels: labels(answer) };
  const given: Answer = "error" in answer ? { error: screening.change(answer.error as unknown as Json) as unknown as { code: number; message: string } } : { ...answer, result: screening.change(answer.result) as JsonObject };
  await rooms.pseudonyms.keep(principal, hidden);
  return { ...given, labels: labels(given) };
}

/**
 * The line on which a server speaks while a call is open, changed as its answer will be. What would have to be tokenised is redacted there: tokens
 * are durable before they are seen, and what is said on the way does not wait.
 */
export function screenedLine(rooms: ScreenRooms, call: Screened, exchange: Exchange): Exchange {
  const { changes } = screenOf(rooms, call);
  if (changes.length === 0) return exchange;
  const redacting = changes.map((change) => (change.kind === "mask" ? `result.mask(${change.path.join(".")})` : `result.redact(${change.label})`));
  const { change } = screenOf(rooms, { ...call, decision: { ...call.decision, transforms: redacting } });
  const changed = <V>(value: V): V | null => {
    try {
      return change(value as Json) as V;
    } catch {
      return null; // A change that cannot be made: then it is not said.
    }
  };
  return {
    ...exchange,
    progress: (update) => {
      const said = update.message === undefined ? "" : changed(update.message);
      exchange.progress({ ...update, ...(update.message !== undefined && { message: said ?? redactedAs("withheld") }) });
    },
    notify: (method, params) => {
      const said = changed(params);
      if (said !== null) exchange.notify(method, said);
    },
    ask: async (method, params) => {
      const said = changed(params);
      if (said === null) throw new Fault("result_withheld", "what the server asked on the way cannot be changed as policy wants it");
      return exchange.ask(method, said);
    },
  };
}
