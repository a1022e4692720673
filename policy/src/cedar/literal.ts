import { Fault, isObject, type Json, type JsonObject } from "@lanyard/contract";
import { extensionFunctions } from "./functions.ts";
import { EvaluationFault } from "./request.ts";
import { EntityUid, FieldsValue, longOf, SetValue, type Value } from "./value.ts";

/** A policy this evaluator does not know how to evaluate: it must not decide anything. */
export const unknownForm = (what: string): Fault => new Fault("invalid_config", `cannot evaluate a policy: ${what}`);

/** A name of an entity as policies have it, with or without the escape around it. */
export const uidOf = (json: Json | undefined): EntityUid => {
  const inner = isObject(json) && isObject(json["__entity"]) && Object.keys(json).length === 1 ? json["__entity"] : json;
  if (!isObject(inner) || typeof inner["type"] !== "string" || typeof inner["id"] !== "string") throw unknownForm("an entity has no type or no id");
  return new EntityUid(inner["type"], inner["id"]);
};

/**
 * The value of a literal. An extension value that cannot be (`decimal("x")`) is an EvaluationFault: thrown, for who evaluates it to throw.
 * Throws Fault `invalid_config` on what is no literal of Cedar, and on an integer of more than 64 bits.
 */
export const literal = (json: Json | undefined, depth = 0): Value => {
  if (depth > 256) throw unknownForm("a literal is nested deeper than 256 levels");
  if (typeof json === "boolean" || typeof json === "string") return json;
  if (typeof json === "number") return integer(json);
  if (Array.isArray(json)) return new SetValue(json.map((item) => literal(item, depth + 1)));
  if (!isObject(json)) throw unknownForm("a literal is null");
  for (const escape of ["__entity", "__extn", "__expr"]) {
    if (!Object.hasOwn(json, escape)) continue;
    if (Object.keys(json).length > 1 || escape === "__expr") throw unknownForm(`a literal has a field \`${escape}\``);
    return escape === "__entity" ? uidOf(json) : extension(json["__extn"], depth);
  }
  return new FieldsValue(new Map(Object.entries(json).map(([name, item]) => [name, literal(item, depth + 1)])));
};

// Past 2^53 a JSON number may have been rounded on its way here; whoever parsed the text sees to it that it was not.
const integer = (value: number): Value => {
  if (!Number.isInteger(value)) throw unknownForm(`\`${value}\` is no integer`);
  const exact = BigInt(value);
  if (exact !== BigInt.asIntN(64, exact)) throw unknownForm(`the integer \`${exact}\` has more than 64 bits`);
  return longOf(exact);
};

const extension = (json: Json | undefined, depth: number): Value => {
  const { fn, arg, args } = isObject(json) ? json : ({} as JsonObject);
  const given = Array.isArray(args) ? args : [arg ?? null];
  if (typeof fn !== "string") throw unknownForm("an extension value names no function");
  const wanted = extensionFunctions.get(fn) ?? unknownFunction(fn);
  if (given.length !== wanted.arity) throw wrongCount(fn, wanted.arity, given.length);
  const [first = false, second = false] = given.map((item) => literal(item, depth + 1));
  return wanted.call(first, second);
};

export const unknownFunction = (name: string): never => {
  throw unknownForm(`there is no function \`${name.slice(0, 64)}\``);
};

export const wrongCount = (name: string, expected: number, actual: number): EvaluationFault =>
  new EvaluationFault(`wrong number of arguments provided to extension function \`${name}\`: expected ${expected}, got ${actual}`);
