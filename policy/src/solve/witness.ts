import { Fault, isObject, isolations, reversibilities, type DecisionInput, type Json, type JsonObject, type Registry } from "@lanyard/contract";
import { resourcesOf } from "../schema/resources.ts";
import type { RecordShape, Shape } from "../schema/shape.ts";
import type { Assignment } from "./inquiry.ts";
import { textsIn } from "./known-space.ts";
import { elementOf, type ArgumentPath, type CallSpace } from "./call-space.ts";

/** A day on which nothing happens: the time of a call whose time does not matter. */
const someDayMs = Date.UTC(2026, 0, 5, 12);

/** The call that a model stands for, as the gateway would make it; null when no call is like that. */
export const witnessOf = (space: CallSpace, model: Assignment, resources: Registry["resources"]): DecisionInput | null => {
  const { agent, action } = space;
  const args = new Arguments(space, model).all();
  const touched = resourcesTouched(action.contract, resources, args);
  if (touched === null) return null;
  const user = { id: model.text(space.userId) ?? "user", groups: textsIn(model, space.userGroups) };
  return {
    agent: { id: agent.id, team: agent.team, classes: [...agent.classes] },
    user,
    session: {
      id: model.text(space.sessionId) ?? "session",
      purpose: model.text(space.purpose) ?? "",
      depth: Number(model.number(space.depth) ?? 0n),
      labels: textsIn(model, space.labels),
      isolation: isolations.find((tier) => tier === model.text(space.isolation)) ?? "none",
    },
    action: action.name,
    reversibility: reversibilities.find((one) => one === model.text(space.reversibility)) ?? action.contract?.reversibility ?? "unknown",
    definition: action.definition,
    ...(touched.length > 0 && { resources: touched }),
    ...space.known.witness(model),
    args,
    approvals: textsIn(model, space.approvals),
    nowMs: Number(model.number(space.nowMs) ?? BigInt(someDayMs)),
  };
};

const resourcesTouched = (contract: CallSpace["action"]["contract"], resources: Registry["resources"], args: JsonObject): NonNullable<DecisionInput["resources"]> | null => {
  try {
    return contract === null ? [] : resourcesOf(contract, resources, args);
  } catch (error) {
    if (error instanceof Fault) return null;
    throw error;
  }
};

const unlike = (model: Assignment, hint: string): string => {
  let text = hint;
  for (let index = 2; model.isTaken(text); index++) text = `${hint}${index}`;
  return text;
};

class Arguments {
  readonly #space: CallSpace;
  readonly #model: Assignment;

  constructor(space: CallSpace, model: Assignment) {
    this.#space = space;
    this.#model = model;
  }

  all(): JsonObject {
    const args = this.#record(this.#space.action.input, []);
    for (const path of this.#model.hidden) hide(args, this.#space.action.input, path);
    return args;
  }

  #record(shape: RecordShape, path: ArgumentPath): JsonObject {
    const entries = shape.fields.flatMap(({ name, shape: type }): [string, Json][] => {
      const place = [...path, name];
      return this.#model.truth(this.#space.there(place)) ? [[name, this.#value(type, place)]] : [];
    });
    return Object.fromEntries(entries);
  }

  #value(shape: Shape, path: ArgumentPath): Json {
    const { space, model } = { space: this.#space, model: this.#model };
    switch (shape.kind) {
      case "string":
        return model.text(space.scalar("string", path)) ?? "text";
      case "boolean":
        return model.truth(space.scalar("boolean", path));
      case "long":
        return Number(model.number(space.scalar("long", path)) ?? 0n);
      case "decimal":
        return decimal(model.number(space.scalar("decimal", path)) ?? 0n);
      case "record":
        return this.#record(shape, path);
      case "tagged": {
        const kinds = shape.of.map(({ kind }) => kind);
        const chosen = shape.of.find(({ kind }) => model.truth(space.tag(kinds, path, kind))) ?? shape.of[0];
        return chosen === undefined ? null : this.#value(chosen, [...path, chosen.kind]);
      }
      case "set":
        return this.#elements(shape.of, path);
    }
  }

  #elements(of: Shape, path: ArgumentPath): Json[] {
    const kind = elementOf(of);
    if (kind === null) return [];
    const set = this.#space.set(kind, path);
    const elements = this.#model.elements(set.name).map((value): Json => (typeof value !== "bigint" ? value : kind === "decimal" ? decimal(value) : Number(value)));
    if (!this.#model.truth(set.others)) return elements;
    if (kind === "string") return [...elements, unlike(this.#model, "other")];
    let fresh = 1;
    while (elements.includes(fresh)) fresh += 1;
    return [...elements, fresh];
  }
}

/** Ten-thousandths as the number that an agent would write. */
const decimal = (units: bigint): number => {
  const digits = `${units < 0n ? -units : units}`.padStart(5, "0");
  return Number(`${units < 0n ? "-" : ""}${digits.slice(0, -4)}.${digits.slice(-4)}`);
};

/** Puts an argument where policy cannot see it. */
const hide = (args: JsonObject, input: RecordShape, path: ArgumentPath): void => {
  let here = args;
  let shape: Shape | undefined = input;
  for (const [index, step] of path.entries()) {
    if (shape?.kind === "tagged") {
      shape = shape.of.find(({ kind }) => kind === step);
      continue; // the kind is no step of the arguments
    }
    if (shape?.kind !== "record") return;
    if (index === path.length - 1) here[step] = "hidden";
    const below: Json | undefined = here[step];
    shape = shape.fields.find(({ name }) => name === step)?.shape;
    if (!isObject(below)) return;
    here = below;
  }
};
