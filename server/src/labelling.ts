import { Fault } from "@lanyard/contract";
import type { Ground } from "@lanyard/policy";
import type { Config } from "./base/config/config.ts";
import type { LiveConfig } from "./base/config/live.ts";
import type { Answer } from "./base/exchange.ts";
import { yieldsOf } from "./base/config/labels.ts";
import { impliedBy, type Classifier } from "./base/labels/classifier.ts";
import { classifierOf } from "./base/labels/own.ts";
import type { Limits } from "./base/limits.ts";
import type { Log } from "./base/log.ts";
import type { Store } from "./base/store/port.ts";
import type { Rooms } from "./edge/api/rooms.ts";
import type { Stages } from "./mediation/stages.ts";
import type { DecisionStage } from "./stages/decision/stage.ts";
import type { Flow } from "./stages/flow/flow.ts";
import { Concealing } from "./stages/inspection/concealing.ts";
import { Pseudonyms } from "./stages/inspection/pseudonyms.ts";
import { screen, screenedLine } from "./stages/inspection/screen.ts";

interface Labelled {
  readonly store: Store;
  readonly live: Pick<LiveConfig, "current" | "onChange">;
  readonly limits: Limits;
  readonly log: Log;
}

/** What looks for data classes, and what stands for values that agents may not see. */
export interface Labelling {
  readonly classifier: () => Classifier;
  readonly pseudonyms: Pseudonyms;
}

/**
 * As the configuration in force says. A change whose files of values cannot be read is logged, and what was looked for before goes on being looked
 * for. Throws Fault `invalid_config` when that is so at the start.
 */
export function labelling({ store, live, limits, log }: Labelled, held: AsyncDisposableStack): Labelling {
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
  return { classifier: () => classifier, pseudonyms: new Pseudonyms({ store, limits }) };
}

/** Its part of the path. `inspect`: what holds of every answer, before anything is taken out of it. */
export function screening({ classifier, pseudonyms }: Labelling, config: () => Config, inspect: (...inspected: [...Parameters<Stages["inspect"]>]) => Answer): Pick<Stages, "conceal" | "remember" | "line" | "inspect"> {
  const rooms = { classifier, pseudonyms, config };
  const { conceal, remember } = new Concealing(rooms);
  return {
    conceal,
    remember,
    line: (exchange, action, principal, allowed) => screenedLine(rooms, { action, principal, ...allowed }, exchange),
    inspect: async (action, answer, passage, allowed) => screen(rooms, { action, principal: passage.principal, ...allowed }, inspect(action, answer, passage, allowed)),
  };
}

/** Label by label, the tools that yield it by contract or touch what carries it, of those that `visible` lets through. */
export function reachOf(config: Config, tools: readonly { readonly server: string; readonly tool: string }[], visible: (actions: readonly string[]) => readonly string[]): { label: string; tools: string[] }[] {
  const shown = new Set(visible(tools.map(({ server, tool }) => `${server}/${tool}`)));
  const found = new Map<string, Set<string>>();
  for (const { server, tool } of tools) {
    const action = `${server}/${tool}`;
    if (!shown.has(action)) continue;
    const type = config.tools.get(action)?.resource?.type;
    const touched = type === undefined ? [] : Object.values(config.resources.get(type) ?? {}).flatMap(({ labels }) => labels);
    for (const label of impliedBy([...yieldsOf(config, server, action).labels, ...touched])) found.set(label, (found.get(label) ?? new Set()).add(action));
  }
  return [...found].map(([label, actions]) => ({ label, tools: [...actions].sort() })).sort((a, b) => (a.label < b.label ? -1 : 1));
}

/** Its part of the administration. */
export const dataRoom = ({ live, ground, decision, labels, flow }: { live: Pick<LiveConfig, "current">; ground: () => Ground; decision: Pick<DecisionStage, "visible">; labels: Labelling; flow: Flow }): Rooms["data"] => ({
  reach: (id) => {
    const agent = live.current().agents.get(id);
    if (!agent) throw new Fault("not_found", `no agent \`${id}\` is registered`);
    const tools = ground().tools.filter(({ server }) => !agent.servers || agent.servers.includes(server));
    return reachOf(live.current(), tools, (actions) => decision.visible({ id, team: agent.team, classes: agent.classes }, [...actions]));
  },
  reveal: (token, by, user) => labels.pseudonyms.reveal(token, by, user),
  mark: (principal, marked) => flow.mark(principal, marked),
});
