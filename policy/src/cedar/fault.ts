import { EvaluationFault } from "./request.ts";
import { EntityUid, typeName, type Long, type Value } from "./value.ts";

export const fail = (message: string): never => {
  throw new EvaluationFault(message);
};

export const anyEntity = "(entity of type `any_entity_type`)";

/** Refuses a value that is none of the types wanted. */
export const mistyped = (wanted: string | readonly string[], value: Value): never =>
  fail(`type error: expected ${typeof wanted === "string" ? wanted : `one of [${wanted.join(", ")}]`}, got ${typeName(value)}`);

export const asBool = (value: Value): boolean => (typeof value === "boolean" ? value : mistyped("bool", value));

export const asString = (value: Value): string => (typeof value === "string" ? value : mistyped("string", value));

export const asLong = (value: Value): Long => (typeof value === "number" || typeof value === "bigint" ? value : mistyped("long", value));

export const asEntity = (value: Value): EntityUid => (value instanceof EntityUid ? value : mistyped(anyEntity, value));

/** An entity as Cedar writes it, with what cannot be printed escaped. */
export const describeUid = ({ type, id }: EntityUid): string => `${type}::"${id.replace(/["'\\]|\p{C}|\p{Z}/gu, escapeChar)}"`;

const short: Readonly<Record<string, string>> = { "\0": "\\0", "\t": "\\t", "\n": "\\n", "\r": "\\r", " ": " " };

const escapeChar = (char: string): string => {
  if (/["'\\]/.test(char)) return `\\${char}`;
  return short[char] ?? `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`;
};
