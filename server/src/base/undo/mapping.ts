import { isObject, parseJson, type Json, type JsonObject } from "@lanyard/contract";
import { limits } from "../limits.ts";
import type { UndoCondition, UndoTemplate } from "./contract.ts";
import { changesOf } from "./sql-statement.ts";
import { simpleStatement, sqlKinds } from "./sql.ts";

/** A template could not be worked out; the message is public and holds no value. */
export class MappingError extends Error {}

/** What a template may still cost. Templates come from the operator, what they work on from agents and servers. */
interface Budget {
  steps: number;
  chars: number;
}

const spend = (budget: Budget, chars: number): void => {
  budget.steps -= 1;
  budget.chars -= chars;
  if (budget.steps < 0) throw new MappingError(`it takes more than ${limits.undo_mapping_steps.value} steps (limit undo_mapping_steps)`);
  if (budget.chars < 0) throw new MappingError(`it makes more than ${limits.undo_preimage_bytes.value} characters (limit undo_preimage_bytes)`);
};

const fresh = (): Budget => ({ steps: limits.undo_mapping_steps.value, chars: limits.undo_preimage_bytes.value });

/**
 * Works a template out over its roots. Throws MappingError when a pointer leads nowhere, a part is of the wrong kind, or it costs too much.
 * What it takes from arguments and results is data: it is never itself looked at as a template.
 */
export const evaluate = (template: UndoTemplate, roots: JsonObject): Json => work(template, roots, fresh());

/** True when all hold. */
export const holds = (conditions: readonly UndoCondition[], roots: JsonObject): boolean => {
  const budget = fresh();
  return conditions.every((condition) => isTrue(condition, roots, budget));
};

const work = (template: UndoTemplate, roots: JsonObject, budget: Budget): Json => {
  spend(budget, typeof template === "string" ? template.length : 1);
  if (Array.isArray(template)) return template.map((item) => work(item, roots, budget));
  if (!isObject(template)) return template;
  const name = operatorIn(template);
  const operator = name === undefined ? undefined : operators[name];
  if (name === undefined) return Object.fromEntries(Object.entries(template).map(([key, item]) => [key, work(item, roots, budget)]));
  if (!operator) throw new MappingError(`\`${name}\` is no operator`);
  return operator.work(template, { name, roots, budget, of: (part, more) => work(part, more ? { ...roots, ...more } : roots, budget) });
};

const operatorIn = (template: JsonObject): string | undefined => Object.keys(template).find((key) => key.startsWith("$"));

interface Work {
  readonly name: string;
  readonly roots: JsonObject;
  readonly budget: Budget;
  of(part: UndoTemplate, more?: JsonObject): Json;
}

interface Operator {
  /** Keys it takes beside its own. */
  readonly keys: readonly string[];
  work(template: JsonObject, at: Work): Json;
}

const own = (template: JsonObject, { name }: Work): Json => template[name] ?? null;

const textIn = (value: Json, { name }: Work): string => {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  throw new MappingError(`\`${name}\` needs a text`);
};

/** What a template can do; `or` after what can fail is taken instead. */
const operators: Readonly<Record<string, Operator>> = {
  /** What a pointer (RFC 6901) leads to. */
  $: { keys: ["or"], work: (template, at) => orElse(template, at, () => copied(pointed(template["$"] ?? null, at.roots), at.budget)) },
  /** Texts and numbers, one after another. */
  $text: {
    keys: [],
    work: (template, at) => {
      const parts = own(template, at);
      const made = (Array.isArray(parts) ? parts : [parts]).map((part) => textIn(at.of(part), at)).join("");
      spend(at.budget, made.length);
      return made;
    },
  },
  /** What a JSON text says. */
  $parse: { keys: ["or"], work: (template, at) => orElse(template, at, () => parsed(textIn(at.of(own(template, at)), at))) },
  /** A value as JSON text. */
  $print: {
    keys: [],
    work: (template, at) => {
      const made = JSON.stringify(at.of(own(template, at)));
      spend(at.budget, made.length);
      return made;
    },
  },
  /** `as` for each item of a list, as `/item`. */
  $each: {
    keys: ["as"],
    work: (template, at) => {
      const list = at.of(own(template, at));
      if (!Array.isArray(list)) throw new MappingError("`$each` needs a list");
      return list.map((item) => at.of(template["as"] ?? null, { item }));
    },
  },
  /** `then` where all conditions hold, else `else`. */
  $if: { keys: ["then", "else"], work: (template, at) => at.of((conditionsIn(own(template, at)).every((one) => isTrue(one, at.roots, at.budget)) ? template["then"] : template["else"]) ?? null) },
  /** Objects into one; a later key counts. */
  $merge: {
    keys: [],
    work: (template, at) => {
      const parts = at.of(own(template, at));
      if (!Array.isArray(parts) || !parts.every(isObject)) throw new MappingError("`$merge` needs a list of objects");
      return Object.fromEntries(parts.flatMap((part) => Object.entries(part)));
    },
  },
  /** Items with `with` (text, default `, `) between them. */
  $join: {
    keys: ["with"],
    work: (template, at) => {
      const list = at.of(own(template, at));
      if (!Array.isArray(list)) throw new MappingError("`$join` needs a list");
      const made = list.map((item) => textIn(item, at)).join(template["with"] === undefined ? ", " : textIn(at.of(template["with"]), at));
      spend(at.budget, made.length);
      return made;
    },
  },
  /** Names of an object's fields, sorted; with `values: true` their values in the same order. */
  $keys: {
    keys: ["values"],
    work: (template, at) => {
      const value = at.of(own(template, at));
      if (!isObject(value)) throw new MappingError("`$keys` needs an object");
      const names = Object.keys(value).sort();
      return template["values"] === true ? names.map((name) => value[name] ?? null) : names;
    },
  },
  /** A value as SQL writes it. */
  $sql: { keys: [], work: (template, at) => sqlLiteral(at.of(own(template, at))) },
  /** A name as SQL quotes it. */
  $name: { keys: [], work: (template, at) => `"${nameIn(at.of(own(template, at)))}"` },
  /** Parts of a simple SQL statement: `{kind, table, where, columns}`. */
  $statement: {
    keys: ["or"],
    work: (template, at) =>
      orElse(template, at, () => {
        const found = simpleStatement(textIn(at.of(own(template, at)), at));
        if (!found) throw new MappingError("`$statement` needs one simple INSERT, UPDATE or DELETE");
        return { ...found, columns: [...found.columns] };
      }),
  },
  /** What stands between `after` and `until` in a text, the first time. */
  $between: {
    keys: ["after", "until", "or"],
    work: (template, at) =>
      orElse(template, at, () => {
        const whole = textIn(at.of(own(template, at)), at);
        const [after, until] = [template["after"] ?? "", template["until"] ?? ""].map((edge) => textIn(at.of(edge), at)) as [string, string];
        const from = whole.indexOf(after) + after.length;
        const to = until === "" ? whole.length : whole.indexOf(until, from);
        if (!whole.includes(after) || to < 0) throw new MappingError("`$between` found its edges nowhere");
        return whole.slice(from, to);
      }),
  },
  /** As it stands, whatever it looks like. */
  $literal: { keys: [], work: (template, at) => own(template, at) },
};

const orElse = (template: JsonObject, at: Work, make: () => Json): Json => {
  try {
    return make();
  } catch (error) {
    if (error instanceof MappingError && Object.hasOwn(template, "or")) return at.of(template["or"] ?? null);
    throw error;
  }
};

const sqlLiteral = (value: Json): string => {
  if (value === null) return "NULL";
  if (typeof value === "number") return String(value);
  if (typeof value === "boolean") return value ? "TRUE" : "FALSE";
  // A backslash would be an escape to MySQL and none to others: no way to write it is right everywhere.
  if (typeof value !== "string" || /[\0\\]/.test(value) || !value.isWellFormed()) throw new MappingError("`$sql` cannot write this value safely");
  return `'${value.replaceAll("'", "''")}'`;
};

const nameIn = (value: Json): string => {
  if (typeof value !== "string" || value === "" || /[\0\\"]/.test(value)) throw new MappingError("`$name` needs a plain name");
  return value;
};

const parsed = (text: string): Json => {
  try {
    const value = parseJson(text) as Json;
    if (isDeep(value, limits.json_depth.value)) throw new MappingError("what `$parse` met is nested too deeply");
    return value;
  } catch (error) {
    if (error instanceof MappingError) throw error;
    throw new MappingError("`$parse` met no JSON");
  }
};

const isDeep = (value: Json, levels: number): boolean =>
  typeof value === "object" && value !== null && (levels === 0 || (Array.isArray(value) ? value : Object.values(value)).some((item) => isDeep(item, levels - 1)));

/** What a pointer leads to. Only own fields and items are there. */
const pointed = (pointer: Json, roots: JsonObject): Json => {
  let at: Json | undefined = roots;
  for (const step of stepsOf(pointer)) {
    if (Array.isArray(at)) at = /^(0|[1-9]\d{0,8})$/.test(step) ? at[Number(step)] : undefined;
    else at = isObject(at) && Object.hasOwn(at, step) ? at[step] : undefined;
    if (at === undefined) throw new MappingError(`there is nothing at \`${String(pointer)}\``);
  }
  return at;
};

const stepsOf = (pointer: Json): string[] => {
  if (typeof pointer !== "string" || !pointer.startsWith("/")) throw new MappingError("a pointer begins with `/`");
  return pointer.slice(1).split("/").map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
};

/** Large values count once for each place they are put in. */
const copied = (value: Json, budget: Budget): Json => {
  spend(budget, typeof value === "string" ? value.length : 1);
  if (Array.isArray(value)) for (const item of value) copied(item, budget);
  else if (isObject(value)) {
    for (const [key, item] of Object.entries(value)) {
      spend(budget, key.length);
      copied(item, budget);
    }
  }
  return value;
};

const isTrue = (condition: UndoCondition, roots: JsonObject, budget: Budget): boolean => {
  spend(budget, 1);
  if (conditionShape(condition) === null) throw new MappingError("what stands for a condition is none");
  if ("not" in condition) return !isTrue(condition.not, roots, budget);
  if ("any" in condition) return condition.any.some((one) => isTrue(one, roots, budget));
  const value = found(condition.at, roots, budget);
  if ("there" in condition) return (value !== undefined) === condition.there;
  if (value === undefined) return false;
  if ("is" in condition) return sameJson(value, found(condition.is, roots, budget));
  if ("in" in condition) return condition.in.some((one) => sameJson(value, one));
  if (typeof value !== "string") return false;
  if ("rows" in condition) return changesOf(value, condition.rows) !== null;
  if ("like" in condition) return isLike(value, condition.like);
  const kinds = sqlKinds(value);
  return kinds !== null && kinds.length > 0 && kinds.every((kind) => condition.sql.includes(kind));
};

const found = (at: UndoTemplate, roots: JsonObject, budget: Budget): Json | undefined => {
  try {
    return typeof at === "string" && at.startsWith("/") ? pointed(at, roots) : work(at, roots, budget);
  } catch (error) {
    if (error instanceof MappingError && budget.steps >= 0 && budget.chars >= 0) return undefined;
    throw error;
  }
};

const sameJson = (left: Json, right: Json | undefined): boolean => {
  if (Array.isArray(left)) return Array.isArray(right) && left.length === right.length && left.every((item, at) => sameJson(item, right[at]));
  if (!isObject(left)) return left === right;
  if (!isObject(right)) return false;
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length && keys.every((key) => Object.hasOwn(right, key) && sameJson(left[key] ?? null, right[key]));
};

/** Linear in the text for each star: no pattern can hold up the event loop. */
const isLike = (text: string, pattern: string): boolean => {
  const parts = pattern.split(/(?<!\\)\*/).map((part) => part.replaceAll("\\*", "*"));
  const [first = "", ...rest] = parts;
  const last = rest.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last)) return false;
  let at = first.length;
  for (const part of rest) {
    const next = text.indexOf(part, at);
    if (next < 0 || next + part.length > text.length - last.length) return false;
    at = next + part.length;
  }
  return true;
};

/** Conditions as they stand in a template; checked when the contract was read. */
const conditionsIn = (value: Json): readonly UndoCondition[] => (Array.isArray(value) ? value : [value]) as unknown as readonly UndoCondition[];

/** What is wrong with a template, and where in it; null when nothing is. `roots`: what pointers may begin with. */
export const templateProblem = (template: Json, roots: readonly string[], path: readonly PropertyKey[] = []): { readonly path: readonly PropertyKey[]; readonly message: string } | null => {
  if (Array.isArray(template)) return first(template, (item, at) => templateProblem(item, roots, [...path, at]));
  if (!isObject(template)) return null;
  const name = operatorIn(template);
  const entries = Object.entries(template);
  if (name === undefined) return first(entries, ([key, item]) => templateProblem(item, roots, [...path, key]));
  const operator = Object.hasOwn(operators, name) ? operators[name] : undefined;
  if (!operator) return { path: [...path, name], message: `\`${name}\` is no operator; there are ${Object.keys(operators).map((one) => `\`${one}\``).join(", ")}` };
  const stray = entries.find(([key]) => key !== name && !operator.keys.includes(key));
  if (stray) return { path: [...path, stray[0]], message: `\`${stray[0]}\` does not go with \`${name}\`` };
  if (name === "$literal") return null;
  if (name === "$") return pointerProblem(template["$"] ?? null, roots, [...path, "$"]) ?? templateProblem(template["or"] ?? null, roots, [...path, "or"]);
  const inner = name === "$each" ? [...roots, "item"] : roots;
  return first(entries, ([key, item]) => (name === "$if" && key === name ? first(conditionsIn(item), (one) => conditionProblem(one, roots, [...path, key])) : templateProblem(item, key === "as" ? inner : roots, [...path, key])));
};

const first = <T, R>(items: readonly T[], look: (item: T, at: number) => R | null): R | null => {
  for (const [at, item] of items.entries()) {
    const result = look(item, at);
    if (result !== null) return result;
  }
  return null;
};

const pointerProblem = (pointer: Json, roots: readonly string[], path: readonly PropertyKey[]): ReturnType<typeof templateProblem> => {
  const root = typeof pointer === "string" && pointer.startsWith("/") ? pointer.slice(1).split("/", 1)[0] : undefined;
  if (root !== undefined && roots.includes(root)) return null;
  return { path, message: `a pointer begins here with ${roots.map((one) => `\`/${one}\``).join(", ")}` };
};

/** The key that says what a condition asks, when it is one. Those within a template come past the configuration's shape. */
const conditionShape = (condition: unknown): string | null => {
  if (!isObject(condition)) return null;
  const [name = "", ...more] = Object.keys(condition).filter((key) => key !== "at");
  const value = condition[name];
  if (more.length > 0) return null;
  const asks: Readonly<Record<string, boolean>> = { not: true, any: Array.isArray(value), is: true, in: Array.isArray(value), like: typeof value === "string", there: typeof value === "boolean", sql: Array.isArray(value), rows: value === "sqlite" || value === "postgres" };
  return Object.hasOwn(asks, name) && asks[name] === true && (name === "not" || name === "any") !== Object.hasOwn(condition, "at") ? name : null;
};

/** What is wrong with a condition; null when nothing is. */
export const conditionProblem = (condition: UndoCondition, roots: readonly string[], path: readonly PropertyKey[] = []): ReturnType<typeof templateProblem> => {
  if (conditionShape(condition) === null) return { path, message: "a condition is `{at, is}`, `{at, in}`, `{at, like}`, `{at, there}`, `{at, sql}`, `{at, rows}`, `{not}` or `{any}`" };
  if ("not" in condition) return conditionProblem(condition.not as UndoCondition, roots, [...path, "not"]);
  if ("any" in condition) return first(conditionsIn(condition.any as unknown as Json), (one, at) => conditionProblem(one, roots, [...path, "any", at]));
  const { at } = condition;
  const wrong = typeof at === "string" ? pointerProblem(at, roots, [...path, "at"]) : templateProblem(at, roots, [...path, "at"]);
  return wrong ?? ("is" in condition ? templateProblem(condition.is as Json, roots, [...path, "is"]) : null);
};
