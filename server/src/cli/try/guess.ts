import { isObject, parseJson, type Json, type JsonObject } from "@lanyard/contract";

/** What is known of a value from having seen it, and from how policies read it. */
export interface Guess {
  /** JSON types seen. */
  readonly kinds: Set<string>;
  /** The type a policy reads it as, which comes first. */
  read: string | null;
  /** True when a policy reads it without asking first whether it is there. */
  required: boolean;
  readonly fields: Map<string, Guess>;
  items: Guess | null;
}

export const newGuess = (): Guess => ({ kinds: new Set(), read: null, required: false, fields: new Map(), items: null });

/** Past these a value is not looked into any further: policy cannot see deeper, and no tool has so many arguments. */
const bounds = { depth: 12, fields: 256 } as const;

/** Takes note of a value. */
export const observe = (guess: Guess, value: Json, depth = 0): void => {
  if (value === null || depth > bounds.depth) return;
  if (Array.isArray(value)) {
    guess.kinds.add("array");
    guess.items ??= newGuess();
    for (const item of value) observe(guess.items, item, depth + 1);
  } else if (isObject(value)) {
    guess.kinds.add("object");
    for (const [name, item] of Object.entries(value)) {
      const field = fieldOf(guess, name);
      if (field) observe(field, item, depth + 1);
    }
  } else guess.kinds.add(typeof value === "number" ? (Number.isInteger(value) ? "integer" : "number") : typeof value);
};

const fieldOf = (guess: Guess, name: string): Guess | null => {
  const known = guess.fields.get(name);
  if (known || guess.fields.size >= bounds.fields) return known ?? null;
  const field = newGuess();
  guess.fields.set(name, field);
  return field;
};

/**
 * Types what policies look at without saying as what, the first time that a call carries it. What they do not look at stays out: it cannot
 * matter, and the next call may carry it as something else. True when something was learned.
 */
export const refine = (guess: Guess, value: Json): boolean => {
  if (value === null || guess.read !== null) return false;
  if (guess.fields.size === 0) {
    if (guess.kinds.size > 0) return false;
    observe(guess, value);
    return true;
  }
  let learned = false;
  for (const [name, field] of guess.fields) if (isObject(value) && Object.hasOwn(value, name) && refine(field, value[name] ?? null)) learned = true;
  return learned;
};

/** The guess as a JSON Schema. What nobody has seen or read as anything is text: most arguments are. */
export const schemaOfGuess = (guess: Guess): JsonObject => {
  const type = guess.read ?? (guess.fields.size > 0 && guess.kinds.size === 0 ? "object" : kindOf(guess.kinds)) ?? "string";
  const of = typeof type === "string" ? [type] : type;
  const names = [...guess.fields].filter(([, field]) => field.required).map(([name]) => name);
  return {
    type,
    ...(of.includes("object") && { properties: Object.fromEntries([...guess.fields].map(([name, field]) => [name, schemaOfGuess(field)])), required: names }),
    ...(of.includes("array") && guess.items && { items: schemaOfGuess(guess.items) }),
  };
};

const kindOf = (kinds: ReadonlySet<string>): string | string[] | null => {
  const several = [...kinds].filter((kind) => kind !== "integer" || !kinds.has("number")).sort();
  return several.length === 0 ? null : several.length === 1 ? (several[0] ?? null) : several;
};

/** Takes note of how a policy reads arguments: conditions in Cedar's JSON form. */
export const readBy = (guess: Guess, conditions: readonly Json[]): void => {
  const guarded = new Set<string>();
  const found: { path: readonly string[]; type: string | null; items: string | null }[] = [];
  const note = (value: Json | undefined, type: string | null, items: string | null = null): boolean => {
    const path = isObject(value) && Object.hasOwn(value, "has") ? null : pathOf(value); // `has` asks for it and is a Boolean itself
    if (path === null || path[0] !== "input" || path.length === 1) return false;
    found.push({ path: path.slice(1), type, items });
    return true;
  };
  const visit = (value: Json | undefined): void => {
    if (Array.isArray(value)) return value.forEach(visit);
    if (!isObject(value)) return;
    const has = value["has"];
    if (isObject(has)) {
      const [first, ...path] = pathOf(value) ?? [];
      if (first === "input") for (let end = 1; end <= path.length; end++) guarded.add(JSON.stringify(path.slice(0, end)));
    }
    for (const [operator, operand] of Object.entries(value)) noteOperands(operator, operand, note);
    if (!note(value, null)) Object.values(value).forEach(visit);
  };
  for (const body of conditions) {
    note(body, "boolean");
    visit(body);
  }
  for (const path of guarded) expectAt(guess, parseJson(path) as string[], null, null, guarded);
  for (const { path, type, items } of found) expectAt(guess, path, type, items, guarded);
};

const expectAt = (guess: Guess, path: readonly string[], type: string | null, items: string | null, guarded: ReadonlySet<string>): void => {
  let at = guess;
  for (const [index, step] of path.entries()) {
    const next = fieldOf(at, step);
    if (next === null) return;
    if (!guarded.has(JSON.stringify(path.slice(0, index + 1)))) next.required = true;
    at = next;
  }
  at.read ??= type;
  if (items !== null) {
    at.items ??= newGuess();
    at.items.read ??= items;
  }
};

type Note = (value: Json | undefined, type: string | null, items?: string | null) => boolean;

/** What an operator says of its operands' types. */
const noteOperands = (operator: string, operand: Json | undefined, note: Note): void => {
  const side = (key: string): Json | undefined => (isObject(operand) ? operand[key] : undefined);
  const [left, right] = [side("left"), side("right")];
  switch (operator) {
    case "==":
    case "!=":
      note(left, literalOf(right));
      note(right, literalOf(left));
      return;
    case "<":
    case "<=":
    case ">":
    case ">=":
    case "+":
    case "-":
    case "*":
      note(left, "integer");
      note(right, "integer");
      return;
    case "neg":
      return void note(side("arg"), "integer");
    case "!":
      return void note(side("arg"), "boolean");
    case "&&":
    case "||":
      note(left, "boolean");
      note(right, "boolean");
      return;
    case "like":
      return void note(left, "string");
    case "contains":
      if (!note(left, "array", literalOf(right) ?? "string")) note(right, elementOf(left));
      return;
    case "containsAll":
    case "containsAny":
      note(left, "array", elementOf(right) ?? "string");
      return;
    case "isEmpty":
      return void note(side("arg"), "array", "string");
    case "lessThan":
    case "lessThanOrEqual":
    case "greaterThan":
    case "greaterThanOrEqual":
      if (Array.isArray(operand)) for (const one of operand) note(one, "number");
      return;
  }
};

const literalOf = (value: Json | undefined): string | null => {
  if (!isObject(value)) return null;
  const literal = value["Value"];
  if (typeof literal === "string") return "string";
  if (typeof literal === "number") return "integer";
  if (typeof literal === "boolean") return "boolean";
  return Object.hasOwn(value, "decimal") ? "number" : null;
};

const elementOf = (value: Json | undefined): string | null => {
  const items = isObject(value) ? value["Set"] : undefined;
  return Array.isArray(items) ? literalOf(items[0]) : null;
};

/** What an expression reads below `context`; null when it is no such reading. */
const pathOf = (value: Json | undefined): string[] | null => {
  if (!isObject(value)) return null;
  if (value["Var"] === "context") return [];
  const access = value["."] ?? value["has"];
  if (!isObject(access)) return null;
  const path = pathOf(access["left"]);
  const { attr } = access;
  return path && path.concat(Array.isArray(attr) ? attr.map(String) : String(attr));
};
