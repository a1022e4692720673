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

/**
 * Bounds depth and size and refuses ill-formed strings anywhere, also in what policy does not see: no recursion, so no stack to lose. Which
 * refusal it is depends on the values and not on the order of their keys, because a record keeps the values only (invariant I3).
 */
export const measure = (args: Json): void => {
  const open: { value: Json; depth: number }[] = [{ value: args, depth: 0 }];
  let values = 0;
  let deep = false;
  let formed = true;
  for (let item = open.pop(); item !== undefined; item = open.pop()) {
    const { value, depth } = item;
    if ((values += 1) > inputBounds.values) throw malformed(`arguments hold more than ${inputBounds.values} values`);
    deep ||= depth > inputBounds.depth;
    if (typeof value === "string") formed &&= value.isWellFormed();
    if (typeof value !== "object" || value === null) continue;
    for (const [key, child] of Object.entries(value)) {
      formed &&= key.isWellFormed();
      open.push({ value: child, depth: depth + 1 });
    }
  }
  if (deep) throw malformed(`arguments are nested deeper than ${inputBounds.depth} levels`);
  if (!formed) throw malformed("arguments hold a lone surrogate, which is no Unicode text");
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

const convertDecimal = (value: Json, path: readonly string[]): CedarValue => {
  if (typeof value !== "number") return mismatch("a number", value, path);
  const units = decimalUnits(value);
  if (units === null) return refuse(path, "is a number with more than four digits after the point, or too large");
  const digits = String(value + 0);
  return { __extn: { fn: "decimal", arg: digits.includes(".") ? digits : `${digits}.0` } };
};

/**
 * A number as Cedar's decimal, in ten-thousandths: the shortest decimal text of a double is what the agent wrote. Null when it has more
 * than four digits after the point, or is too large for them to be exact.
 */
export const decimalUnits = (value: number): number | null => {
  if (!(Math.abs(value) <= Number.MAX_SAFE_INTEGER / 10_000)) return null;
  if (Number.isInteger(value)) return value * 10_000 + 0;
  const units = Math.round(value * 10_000);
  // Below 2^38 doubles lie closer than ten-thousandths, so that the nearest one tells; beyond, and when it is none, the text does.
  if (Math.abs(value) < 2 ** 38) return units / 10_000 === value ? units + 0 : null;
  const [whole = "", fraction = ""] = String(value).split(".");
  if (!/^\d{1,4}$/.test(fraction)) return null;
  return Number(`${whole}${fraction.padEnd(4, "0")}`);
};

const convertTagged = (shapes: readonly Shape[], value: Json, path: readonly string[]): CedarValue => {
  const shape = shapes.find(({ kind }) => isOfKind(kind, value));
  return shape === undefined ? mismatch("of one of its declared types", value, path) : { [shape.kind]: convert(shape, value, path) };
};

/** Which of several types a value is read as. */
export const isOfKind = (kind: Shape["kind"], value: Json): boolean => {
  if (kind === "long" || kind === "decimal") return typeof value === "number";
  if (kind === "set") return Array.isArray(value);
  return kind === "record" ? isObject(value) : typeof value === kind;
};

const mismatch = (wanted: string, value: Json, path: readonly string[]): never => {
  const kind = value === null ? "null" : Array.isArray(value) ? "an array" : typeof value === "object" ? "an object" : `a ${typeof value}`;
  return refuse(path, `is ${kind} where the tool declares ${wanted.startsWith("of") ? "other types" : wanted}`);
};
