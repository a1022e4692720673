import { Fault, isObject, type Json, type JsonObject } from "@lanyard/contract";
import type { RecordShape, Shape } from "../schema/shape.ts";

/** Arguments past these bounds are refused before any policy is asked. */
export const inputBounds = { depth: 64, values: 100_000 } as const;

// Messages name the place and the kind, never the value: it may be a secret.
const malformed = (message: string): Fault => new Fault("malformed_call", message);

/** What Cedar's JSON form of a value can hold: strings, booleans, safe integers, and `decimal` as an extension call. */
export type CedarValue = string | boolean | number | CedarValue[] | { [key: string]: CedarValue };

const refuse = (path: readonly string[], why: string): never => {
  throw malformed(`argument \`${path.map((step) => step.slice(0, 64).toWellFormed()).join(".")}\` ${why}`);
};

/**
 * Converts arguments by their declared shape into Cedar's JSON form. Only own properties are read, undeclared ones are left out, null
 * counts as absent, and the result holds nothing but what the shape declares: no `__entity` of the agent's making can be in it.
 * Throws Fault `malformed_call` on a value of another type, an integer past 2^53, more than four decimals. {@link measure} comes first.
 */
export const typedInput = (shape: RecordShape, args: JsonObject): CedarValue => convertRecord(shape, args, []);

/**
 * What policy sees of a request that is no tool call: its `uri` and `name`, also where MCP puts them below `ref` (completion/complete).
 * Throws Fault `malformed_call` when the two places disagree: policy would judge one and the server act on the other.
 */
export const requestArguments = (params: JsonObject): JsonObject => {
  const found: JsonObject = {};
  const ref = Object.hasOwn(params, "ref") ? params["ref"] : undefined;
  for (const place of isObject(ref) ? [ref, params] : [params]) {
    for (const key of ["uri", "name"]) {
      if (!Object.hasOwn(place, key)) continue;
      if (Object.hasOwn(found, key) && found[key] !== place[key]) refuse([key], "differs from the one below `ref`");
      found[key] = place[key] ?? null;
    }
  }
  return found;
};

/** Bounds depth and size and refuses ill-formed strings anywhere, also in what policy does not see: no recursion, so no stack to lose. */
export const measure = (args: Json): void => {
  const open: { value: Json; depth: number }[] = [{ value: args, depth: 0 }];
  let values = 0;
  for (let item = open.pop(); item !== undefined; item = open.pop()) {
    const { value, depth } = item;
    if ((values += 1) > inputBounds.values) throw malformed(`arguments hold more than ${inputBounds.values} values`);
    if (depth > inputBounds.depth) throw malformed(`arguments are nested deeper than ${inputBounds.depth} levels`);
    if (typeof value === "string" && !value.isWellFormed()) throw malformed("arguments hold a lone surrogate, which is no Unicode text");
    if (typeof value !== "object" || value === null) continue;
    for (const [key, child] of Object.entries(value)) {
      if (!key.isWellFormed()) throw malformed("arguments hold a lone surrogate, which is no Unicode text");
      open.push({ value: child, depth: depth + 1 });
    }
  }
};

const convert = (shape: Shape, value: Json, path: readonly string[]): CedarValue => {
  switch (shape.kind) {
    case "string":
      return typeof value === "string" ? value : mismatch("a string", value, path);
    case "boolean":
      return typeof value === "boolean" ? value : mismatch("a boolean", value, path);
    case "long":
      return convertLong(value, path);
    case "decimal":
      return convertDecimal(value, path);
    case "set":
      if (!Array.isArray(value)) return mismatch("an array", value, path);
      return value.map((item, index) => convert(shape.of, item, [...path, String(index)]));
    case "tagged":
      return convertTagged(shape.of, value, path);
    case "record":
      return isObject(value) ? convertRecord(shape, value, path) : mismatch("an object", value, path);
  }
};

const convertRecord = (shape: RecordShape, value: JsonObject, path: readonly string[]): CedarValue => {
  const record: { [key: string]: CedarValue } = Object.create(null); // a field named `__proto__` is a field
  for (const field of shape.fields) {
    const item = Object.hasOwn(value, field.name) ? value[field.name] : null;
    if (item !== null && item !== undefined) record[field.name] = convert(field.shape, item, [...path, field.name]);
  }
  return record;
};

const convertLong = (value: Json, path: readonly string[]): CedarValue => {
  if (typeof value !== "number") return mismatch("an integer", value, path);
  if (!Number.isInteger(value)) return refuse(path, "is a fraction where the tool declares an integer");
  return Number.isSafeInteger(value) ? value : refuse(path, "is an integer past 2^53, which JSON does not carry exactly");
};

// Cedar's decimal: four digits after the point, 64 bits. The shortest decimal text of a double is what the agent wrote.
const convertDecimal = (value: Json, path: readonly string[]): CedarValue => {
  if (typeof value !== "number") return mismatch("a number", value, path);
  const digits = Object.is(value, -0) ? "0" : String(value);
  if (!/^-?\d+(\.\d{1,4})?$/.test(digits)) return refuse(path, "is a number with more than four digits after the point, or too large");
  if (Math.abs(value) > Number.MAX_SAFE_INTEGER / 10_000) return refuse(path, "is a number too large for a decimal of four digits");
  return { __extn: { fn: "decimal", arg: digits.includes(".") ? digits : `${digits}.0` } };
};

const convertTagged = (shapes: readonly Shape[], value: Json, path: readonly string[]): CedarValue => {
  const fits = (shape: Shape): boolean => {
    if (shape.kind === "long" || shape.kind === "decimal") return typeof value === "number";
    if (shape.kind === "set") return Array.isArray(value);
    return shape.kind === "record" ? isObject(value) : typeof value === shape.kind;
  };
  const shape = shapes.find(fits);
  return shape === undefined ? mismatch("of one of its declared types", value, path) : { [shape.kind]: convert(shape, value, path) };
};

const mismatch = (wanted: string, value: Json, path: readonly string[]): never => {
  const kind = value === null ? "null" : Array.isArray(value) ? "an array" : typeof value === "object" ? "an object" : `a ${typeof value}`;
  return refuse(path, `is ${kind} where the tool declares ${wanted.startsWith("of") ? "other types" : wanted}`);
};
