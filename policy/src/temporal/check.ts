import { isObject, type Json, type JsonObject } from "@lanyard/contract";
import { nearest, type Flaw } from "../author/problem.ts";
import type { Meaning } from "../author/reading.ts";
import { actionsFor, type ActionWorld } from "../author/validate.ts";
import { schemaOf, type ActionShape } from "../schema/schema.ts";
import { eventOwnFields } from "./event.ts";
import type { TemporalCondition, EventPattern, TextSpan, TemporalTerm } from "./syntax.ts";

/** The name of a type: `String`, `Long`, `Bool`, `decimal`, `datetime`, `Agent`, `Set<String>`, `record`; null when nobody knows. */
type TypeName = string | null;

/** What is wrong with the temporal conditions of a policy, held against the schema of the actions that they and its head name. */
export const checkTemporal = (meaning: Meaning, world: ActionWorld): Flaw[] => {
  const flaws: Flaw[] = [];
  for (const { condition } of meaning.hoisted.clauses) new Checker(actionsFor(meaning.head.action, world), world, flaws).condition(condition, new Map());
  return flaws;
};

type Variables = ReadonlyMap<string, string>;

class Checker {
  /** Actions that the policy's head lets through. */
  readonly #current: readonly ActionShape[];
  readonly #world: ActionWorld;
  readonly #flaws: Flaw[];

  constructor(current: readonly ActionShape[], world: ActionWorld, flaws: Flaw[]) {
    this.#current = current;
    this.#world = world;
    this.#flaws = flaws;
  }

  condition(condition: TemporalCondition, variables: Variables): void {
    switch (condition.is) {
      case "and":
      case "or":
        return condition.of.forEach((part) => this.condition(part, variables));
      case "event":
        return this.#event(condition, variables);
      case "exists":
        return this.condition(condition.of, new Map([...variables, [condition.binder.name, condition.binder.type]]));
      case "since":
        this.condition(condition.left, variables);
        return this.condition(condition.right, variables);
      case "compare": {
        const [left, right] = [this.#typeOf(condition.left, variables), this.#typeOf(condition.right, variables)];
        const isEquality = condition.op === "==" || condition.op === "!=";
        if (isEquality) this.#same(left, right, condition);
        else for (const [type, term] of [[left, condition.left], [right, condition.right]] as const) if (type !== null && type !== "Long") this.#flaw(`\`${condition.op}\` compares Longs, and this is a ${type}`, term);
        return;
      }
      case "timepoint":
        return;
      default:
        return this.condition(condition.of, variables);
    }
  }

  #event({ action, kind, fields }: EventPattern, variables: Variables): void {
    const members = this.#world.members(action);
    for (const { path, term, at, end } of fields) {
      const own = eventOwnFields[path[0] ?? ""];
      if (own !== undefined && own.kinds !== null && !own.kinds.includes(kind)) this.#flaw(`a ${kind} has no \`${path[0] ?? ""}\``, { at, end }, `it belongs to ${own.kinds.join(", ")}`);
      const types = own === undefined ? members.map((member) => typeAt(contextOf(member), path)) : [path.length === 1 || own.type === null ? own.type : undefined];
      const known = types.filter((type) => type !== undefined);
      if (types.length > 0 && known.length === 0) {
        const near = nearest(path.at(-1) ?? "", own === undefined ? members.flatMap((member) => namesAt(contextOf(member), path.slice(0, -1))).concat(path.length === 1 ? Object.keys(eventOwnFields) : []) : []);
        this.#flaw(`an event of \`${action}\` has no field \`${path.join(".")}\``, { at, end }, near === null ? "" : `did you mean \`${[...path.slice(0, -1), near].join(".")}\`?`);
        continue;
      }
      const wanted = this.#typeOf(term, variables);
      for (const type of new Set(known)) {
        // A set is asked whether it holds the value.
        const element = /^Set<(.*)>$/.exec(type ?? "")?.[1];
        if (element === undefined) this.#same(type, wanted, { at, end });
        else if (term.term === "variable") this.#flaw(`\`${path.join(".")}\` is a set, and no variable can stand for it`, { at, end });
        else this.#same(element, wanted, { at, end });
        if (type === "record") this.#flaw(`\`${path.join(".")}\` is a record`, { at, end }, "name the field within it");
      }
      if (own?.values && term.term === "text" && !own.values.includes(term.value)) this.#flaw(`\`${path.join(".")}\` is never "${term.value}"`, term, `it is ${own.values.map((one) => `"${one}"`).join(" or ")}`);
    }
  }

  #typeOf(term: TemporalTerm, variables: Variables): TypeName {
    switch (term.term) {
      case "long":
        return "Long";
      case "text":
        return "String";
      case "bool":
        return "Bool";
      case "decimal":
        return "decimal";
      case "entity":
        return term.type;
      case "any":
        return null;
      case "variable":
        return variables.get(term.name) ?? null;
      case "aggregate": {
        const own = new Map([...variables, ...term.binders.map(({ name, type }) => [name, type] as const)]);
        this.condition(term.where, own);
        const type = own.get(term.value);
        if (term.of !== "count" && type !== undefined && type !== "Long") this.#flaw(`\`${term.of}\` is of Longs, and \`${term.value}\` is a ${type}`, term);
        return "Long";
      }
      case "sum":
        for (const part of [term.left, term.right]) this.#same("Long", this.#typeOf(part, variables), part);
        return "Long";
      case "current":
        return this.#currentType(term);
    }
  }

  #currentType({ root, path, at, end }: TemporalTerm & { readonly term: "current" }): TypeName {
    if (root === "principal") return "Agent";
    const types = new Set(this.#current.map((action) => typeAt(contextOf(action), path)));
    if (types.has(undefined)) {
      const without = this.#current.find((action) => typeAt(contextOf(action), path) === undefined);
      const near = nearest(path.at(-1) ?? "", this.#current.flatMap((action) => namesAt(contextOf(action), path.slice(0, -1))));
      this.#flaw(`\`${without?.name ?? ""}\` has no \`context.${path.join(".")}\``, { at, end }, near === null || near === path.at(-1) ? "name in the head only actions that have it" : `did you mean \`context.${[...path.slice(0, -1), near].join(".")}\`?`);
      return null;
    }
    const [type = null, other] = types;
    if (other !== undefined) this.#flaw(`\`context.${path.join(".")}\` is ${type ?? "unknown"} in one action and ${other ?? "unknown"} in another`, { at, end });
    if (type === "record" || type?.startsWith("Set<")) this.#flaw(`\`context.${path.join(".")}\` is a ${type}, and events are compared with single values`, { at, end });
    return type;
  }

  #same(left: TypeName, right: TypeName, place: TextSpan): void {
    if (left !== null && right !== null && left !== right) this.#flaw(`a ${left} is never a ${right}`, place);
  }

  #flaw(message: string, { at, end }: TextSpan, help = ""): void {
    if (!this.#flaws.some((flaw) => flaw.at === at && flaw.message === message)) this.#flaws.push({ at, length: Math.max(1, end - at), message, help });
  }
}

/** What policy sees of a call of this action, in Cedar's JSON form, with names of types resolved. */
const contexts = new WeakMap<ActionShape, Json>();
const contextOf = (action: ActionShape): Json => {
  const known = contexts.get(action);
  if (known !== undefined) return known;
  const { commonTypes, actions } = schemaOf([action], {})[""] as { readonly commonTypes: JsonObject; readonly actions: Readonly<Record<string, { readonly appliesTo: { readonly context: Json } }>> };
  const made = resolved(actions[action.name]?.appliesTo.context ?? {}, commonTypes);
  contexts.set(action, made);
  return made;
};

const resolved = (type: Json, common: JsonObject): Json => {
  if (!isObject(type)) return type;
  const name = type["type"];
  if (typeof name === "string" && Object.hasOwn(common, name)) return resolved({ ...(common[name] as JsonObject), ...("required" in type && { required: type["required"] ?? true }) }, common);
  const attributes = type["attributes"];
  return name === "Record" && isObject(attributes) ? { ...type, attributes: Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, resolved(value ?? {}, common)])) } : type;
};

const below = (type: Json | undefined, path: readonly string[]): Json | undefined => {
  let at = type;
  for (const step of path) {
    const attributes = isObject(at) ? at["attributes"] : undefined;
    at = isObject(attributes) && Object.hasOwn(attributes, step) ? attributes[step] : undefined;
  }
  return at;
};

const namesAt = (context: Json, path: readonly string[]): string[] => {
  const record = below(context, path);
  return isObject(record) && isObject(record["attributes"]) ? Object.keys(record["attributes"]) : [];
};

/** Undefined when there is no such field. */
const typeAt = (context: Json, path: readonly string[]): TypeName | undefined => {
  if (path[0] === "callerPrincipal") return "Agent";
  if (path[0] === "history") return undefined;
  const found = below(context, path);
  return isObject(found) ? nameOf(found) : undefined;
};

const nameOf = ({ type, name, element }: JsonObject): TypeName => {
  if (type === "Boolean") return "Bool";
  if (type === "Record") return "record";
  if (type === "Entity" || type === "Extension") return String(name);
  if (type === "Set") return `Set<${isObject(element) ? (nameOf(element) ?? "") : ""}>`;
  return typeof type === "string" ? type : null;
};
