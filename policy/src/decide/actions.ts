import { webServer } from "@lanyard/contract";
import { equalBytes, type BundleLines } from "../bundle.ts";
import type { Entity } from "../cedar/request.ts";
import { requestAction, type ActionShape } from "../schema/schema.ts";
import { actionEntity, serverEntity } from "./context.ts";
import { planOf, type Plan } from "./plan.ts";

/** An action made ready: how its arguments are read, and who it is to the evaluator. */
export interface ReadyAction {
  readonly shape: ActionShape;
  readonly plan: Plan;
  readonly entity: Entity;
  readonly server: Entity;
}

/** A shape of arguments and the way to read it. Equal ones are one: tools of a family share theirs, and what is one stays in the processor's cache. */
type Inputs = Map<string, { readonly input: ActionShape["input"]; readonly plan: Plan }>;

const readyAction = (written: ActionShape, inputs: Inputs): ReadyAction => {
  const key = JSON.stringify(written.input);
  const known = inputs.get(key) ?? { input: written.input, plan: planOf(written.input) };
  inputs.set(key, known);
  const shape = { ...written, input: known.input };
  return { shape, plan: known.plan, entity: actionEntity(shape), server: serverEntity(shape) };
};

/** Names of methods are the agents' to choose: past this many all are forgotten. */
const rememberedRequests = 512;

/** The actions of a bundle, each made ready when it is first asked for. */
export class Actions {
  readonly #lines: BundleLines;
  readonly #places: ReadonlyMap<string, number>;
  readonly #servers: ReadonlySet<string>;
  readonly #ready: (ReadyAction | undefined)[];
  readonly #requests = new Map<string, ReadyAction>();
  readonly #inputs: Inputs;

  /** Takes over what `before` has of equal actions. */
  constructor(lines: BundleLines, before?: Actions) {
    this.#lines = lines;
    const count = lines.actions.length;
    const same = before !== undefined && count === before.#lines.actions.length && equalBytes(lines.actionBytes(0, count), before.#lines.actionBytes(0, count));
    this.#places = same ? before.#places : new Map(lines.actions.map((name, at) => [name, at]));
    this.#servers = same ? before.#servers : new Set(lines.actions.map((name) => name.slice(0, name.indexOf("/"))));
    this.#inputs = same ? before.#inputs : new Map();
    this.#ready = same ? before.#ready : new Array<undefined>(count).fill(undefined);
  }

  /** The action of this name; any MCP method of a known server is one; null for a tool that the bundle does not know. */
  get(name: string): ReadyAction | null {
    const place = this.#places.get(name);
    if (place !== undefined) return (this.#ready[place] ??= readyAction(this.#lines.action(place), this.#inputs));
    return this.#requests.get(name) ?? this.#request(name);
  }

  /** Makes the action at this place ready; false when there is none. */
  prepare(at: number): boolean {
    const name = this.#lines.actions[at];
    return name !== undefined && this.get(name) !== null;
  }

  #request(name: string): ReadyAction | null {
    const [, server = "", method = ""] = /^([^/]+)\/mcp:(.+)$/s.exec(name) ?? [];
    if (server === webServer || !this.#servers.has(server) || !method.isWellFormed()) return null;
    if (this.#requests.size >= rememberedRequests) this.#requests.clear();
    const ready = readyAction(requestAction(server, method), this.#inputs);
    this.#requests.set(name, ready);
    return ready;
  }
}
