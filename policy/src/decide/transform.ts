import { isObject, parseJson, type Json, type JsonObject } from "@lanyard/contract";
import { decimalUnits } from "./input.ts";
import { shapeAt, type RecordShape, type Shape } from "../schema/shape.ts";

// Changes of arguments that a policy can ask for: `@remedy("transform:<change>")`. The text says all, so that a policy alone tells what
// will be done and no other place has to be read.

/** A change of arguments, as its text says. `path`: names down from the arguments; an array on the way stands for each of its items. */
export type Transform =
  /** The argument is left out. */
  | { readonly kind: "drop"; readonly path: readonly string[] }
  /** A text, or each text of an array, becomes `[masked]`. */
  | { readonly kind: "mask"; readonly path: readonly string[] }
  /** The argument becomes this text, number or truth value, also where it was not there. */
  | { readonly kind: "set"; readonly path: readonly string[]; readonly value: string | number | boolean };

/** Characters of one change, and changes of one call. */
export const transformBounds = { chars: 256, ofOneCall: 16 } as const;

/** What may be written, for help and for errors. */
export const transformForms = "`drop(argument)`, `mask(argument)` or `set(argument, value)`, where `value` is a text in quotes, a number, true or false";

const masked = "[masked]";
const form = /^(drop|mask|set)\(([\p{L}\p{N}_$@-]+(?:\.[\p{L}\p{N}_$@-]+)*)(?:, (.+))?\)$/su;

/** Reads a change. Null when it is none, or a second way to write one: one change has one text. */
export const parseTransform = (text: string): Transform | null => {
  const [, kind, names, value] = text.length <= transformBounds.chars && text.isWellFormed() ? (form.exec(text) ?? []) : [];
  if (names === undefined) return null;
  const path = names.split(".");
  if (kind !== "set") return value === undefined ? { kind: kind as "drop" | "mask", path } : null;
  const literal = value === undefined ? null : scalarIn(value);
  return literal === null ? null : { kind, path, value: literal };
};

const scalarIn = (text: string): string | number | boolean | null => {
  try {
    const value = parseJson(text);
    if (JSON.stringify(value) !== text) return null; // another way to write the same
    return typeof value === "string" || typeof value === "boolean" || (typeof value === "number" && Math.abs(value) <= Number.MAX_SAFE_INTEGER) ? value : null;
  } catch {
    return null;
  }
};

/** The change that a remedy asks for; empty when it asks for none. */
export const transformOf = (remedy: string): string => (remedy.startsWith("transform:") ? remedy.slice("transform:".length) : "");

/** What of a tool's arguments may be changed: those that policy can see, but for the one (`fixed`) that names what the call touches. */
export interface Changeable {
  readonly input: RecordShape;
  readonly fixed: readonly string[] | null;
}

/** Why a change can never be made of arguments of this shape, in words; null when it can. */
export const misfit = (text: string, of: Changeable): string | null => {
  const transform = parseTransform(text);
  return transform === null ? unknown(text) : mismatch(text, transform, of);
};

/** I4: what is not known denies. */
const unknown = (text: string): string => `\`${text.slice(0, transformBounds.chars)}\` is no change that is known`;

const mismatch = (text: string, transform: Transform, { input, fixed }: Changeable): string | null => {
  const { path } = transform;
  if (fixed !== null && overlap(path, fixed)) return `\`${text}\` would change what the call touches`;
  const place = shapeAt(input, path);
  // Invariant: no rule is lifted by a change of something else than it was meant for, a misspelt name for instance.
  if (place === null) return `\`${text}\` changes the argument \`${path.join(".")}\`, which the tool's schema does not let policy see`;
  return fits(transform, place) ? null : `\`${text}\` does not go with the type of \`${path.join(".")}\``;
};

const fits = (transform: Transform, shape: Shape): boolean => {
  if (transform.kind === "drop") return true;
  if (shape.kind === "tagged") return shape.of.some((part) => fits(transform, part));
  if (transform.kind === "mask") return shape.kind === "string" || (shape.kind === "set" && fits(transform, shape.of));
  const { value } = transform;
  if (typeof value === "number") return shape.kind === "decimal" ? decimalUnits(value) !== null : shape.kind === "long" && Number.isInteger(value);
  return shape.kind === typeof value;
};

/**
 * The arguments with all changes made, or in words why they cannot be: one that does not go with the tool, two that touch the same place
 * (which one would win?), a call that it does not fit. `of` is null where a decision has looked at that already. The same changes always
 * give the same arguments, and the arguments given stay as they are.
 */
export const transformArguments = (args: JsonObject, changes: readonly string[], of: Changeable | null): JsonObject | string => {
  if (changes.length > transformBounds.ofOneCall) return `policies ask for more than ${transformBounds.ofOneCall} changes of one call`;
  const read: { readonly text: string; readonly transform: Transform }[] = [];
  for (const text of changes) {
    const transform = parseTransform(text);
    if (transform === null) return unknown(text);
    const wrong = of === null ? null : mismatch(text, transform, of);
    if (wrong !== null) return wrong;
    const rival = read.find((other) => other.text !== text && overlap(other.transform.path, transform.path));
    if (rival !== undefined) return `\`${rival.text}\` and \`${text}\` change the same argument`;
    read.push({ text, transform });
  }
  let changed: JsonObject = args;
  for (const { text, transform } of read) {
    const next = changedAt(changed, transform, 0);
    if (!isObject(next)) return `\`${text}\` does not fit the arguments of this call`;
    changed = next;
  }
  return changed;
};

const overlap = (left: readonly string[], right: readonly string[]): boolean => {
  const shorter = Math.min(left.length, right.length);
  for (let at = 0; at < shorter; at += 1) if (left[at] !== right[at]) return false;
  return true;
};

/** A copy of the object or array with the change made below; undefined where it does not fit. */
const changedAt = (value: Json | undefined, transform: Transform, depth: number): Json | undefined => {
  if (Array.isArray(value)) {
    if (value.length === 0 && transform.kind === "set") return undefined; // nothing would be set, and the rule lifted all the same
    const items = value.map((item) => changedAt(item, transform, depth));
    return items.every((item) => item !== undefined) ? items : undefined;
  }
  if (!isObject(value)) return undefined;
  const { kind, path } = transform;
  const name = path[depth] ?? "";
  const isLast = depth === path.length - 1;
  const before = Object.hasOwn(value, name) ? value[name] : undefined;
  const absent = before === undefined || before === null;
  if (absent && kind !== "set") return value;
  const after = isLast ? leaf(transform, before) : changedAt(absent ? {} : before, transform, depth + 1);
  if (isLast && kind === "drop") return Object.fromEntries(Object.entries(value).filter(([key]) => key !== name));
  return after === undefined ? undefined : Object.fromEntries([...Object.entries(value).filter(([key]) => key !== name), [name, after]]);
};

const leaf = (transform: Transform, before: Json | undefined): Json | undefined => {
  if (transform.kind === "set") return transform.value;
  if (typeof before === "string") return masked;
  if (!Array.isArray(before)) return undefined;
  const items = before.map((item) => leaf(transform, item));
  return items.every((item) => item !== undefined) ? items : undefined;
};
