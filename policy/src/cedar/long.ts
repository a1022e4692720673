import { fail } from "./fault.ts";
import { longOf, type Long } from "./value.ts";

// Cedar's Long: 64 bits, and overflow is an error. Doubles do while they are exact.

/** Undefined when it needs more than 64 bits. */
const fit = (value: bigint): Long | undefined => (value === BigInt.asIntN(64, value) ? longOf(value) : undefined);

/** The sum of two Longs, undefined when it needs more than 64 bits; the others alike. */
export const sum = (left: Long, right: Long): Long | undefined => {
  if (typeof left === "number" && typeof right === "number") {
    const result = left + right;
    if (Number.isSafeInteger(result)) return result;
  }
  return fit(BigInt(left) + BigInt(right));
};

export const difference = (left: Long, right: Long): Long | undefined => {
  if (typeof left === "number" && typeof right === "number") {
    const result = left - right;
    if (Number.isSafeInteger(result)) return result;
  }
  return fit(BigInt(left) - BigInt(right));
};

export const product = (left: Long, right: Long): Long | undefined => {
  if (typeof left === "number" && typeof right === "number") {
    const result = left * right;
    if (Number.isSafeInteger(result)) return result + 0; // never -0
  }
  return fit(BigInt(left) * BigInt(right));
};

/** Rounded towards zero. */
export const quotient = (left: Long, right: number): Long => (typeof left === "number" ? (left - (left % right)) / right : longOf(left / BigInt(right)));

/** What is left above a whole multiple of `right`, never negative. */
export const modulus = (left: Long, right: number): number => {
  const rest = typeof left === "number" ? left % right : Number(left % BigInt(right));
  return rest < 0 ? rest + right : rest + 0;
};

const overflow = (verb: string, left: Long, right: Long): never => fail(`integer overflow while attempting to ${verb} the values \`${left}\` and \`${right}\``);

export const add = (left: Long, right: Long): Long => sum(left, right) ?? overflow("add", left, right);

export const subtract = (left: Long, right: Long): Long => difference(left, right) ?? overflow("subtract", left, right);

export const multiply = (left: Long, right: Long): Long => product(left, right) ?? overflow("multiply", left, right);

export const negate = (value: Long): Long => difference(0, value) ?? fail(`integer overflow while attempting to negate the value \`${value}\``);
