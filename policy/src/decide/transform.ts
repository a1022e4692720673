import { isObject, parseJson, type Json, type JsonObject } from "@lanyard/contract";
import { decimalUnits } from "./input.ts";
import { shapeAt, type RecordShape, type Shape } from "../schema/shape.ts";

// Changes of a call that a policy can ask for: `@remedy("transform:<change>")`. The text says all, so that a policy alone tells what will be done
// and no other place has to be read.

/** A change of a call's arguments, as its text says. `path`: names down from the arguments; an array on the way stands for each of its items. */
export type ArgumentChange = { readonly of: "arguments"; readonly path: readonly string[] } & (
  | /** The argument is left out. */ { readonly kind: "drop" }
  | /** A text, or each text of an array, becomes `[masked]`. */ { readonly kind: "mask" }
  | /** The argument becomes this text, number or truth value, also where it was not there. */ { readonly kind: "set"; readonly value: string | number | boolean }
  /** What carries the label is taken out of the argument (a path of one name), or replaced by tokens. Policy sees every text in it as `[masked]`. */
  | { readonly kind: "redact" | "tokenise"; readonly label: string }
);

/** A change of what comes back, made before the agent gets it: no argument is touched. */
export type ResultChange = { readonly of: "result" } & (
  | { readonly kind: "redact" | "tokenise"; readonly label: string }
  | /** A field of the result, as the way to it. */ { readonly kind: "mask"; readonly path: readonly string[] }
);

export type Transform = ArgumentChange | ResultChange;

/** Characters of one change, and changes of one call. */
export const transformBounds = { chars: 256, ofOneCall: 16 } as const;

/** What may be written, for help and for errors. */
export const transformForms =
  "`drop(argument)`, `mask(argument)`, `set(argument, value)`, where `value` is a text in quotes, a number, true or false, `redact(argument, label)`, `tokenise(argument, label)`, `result.redact(label)`, `result.tokenise(label)` or `result.mask(field)`";

const masked = "[masked]";
const names = String.raw`[\p{L}\p{N}_$@-]+(?:\.[\p{L}\p{N}_$@-]+)*`;
const ofArguments = new RegExp(`^(drop|mask|set|redact|tokenise)\\((${names})(?:, (.+))?\\)$`, "su");
const ofResult = new RegExp(`^result\\.(redact|tokenise|mask)\\((${names})\\)$`, "su");
const label = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Reads a change. Null when it is none, or a second way to write one: one change has one text. */
export const parseTransform = (text: string): Transform | null => {
  if (text.length > transformBounds.chars || !text.isWellFormed()) return null;
  const [, onResult, field = ""] = ofResult.exec(text) ?? [];
  if (onResult === "mask") return { of: "result", kind: "mask", path: field.split(".") };
  if (onResult !== undefined) return label.test(field) ? { of: "result", kind: onResult as "redact" | "tokenise", label: field } : null;
  const [, kind, named, value] = ofArguments.exec(text) ?? [];
  if (named === undefined) return null;
  const path = named.split(".");
  if (kind === "drop" || kind === "mask") return value === undefined ? { of: "arguments", kind, path } : null;
  // Labels are known of whole arguments: nobody could say that a part is what carries one.
  if (kind !== "set") return value !== undefined && label.test(value) && path.length === 1 ? { of: "arguments", kind: kind as "redact" | "tokenise", path, label: value } : null;
  const literal = value === undefined ? null : scalarIn(value);
  return literal === null ? null : { of: "arguments", kind, path, value: literal };
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
  if (transform.of === "result") return null;
  const { path } = transform;
  if (fixed !== null && overlap(path, fixed)) return `\`${text}\` would change what the call touches`;
  const place = shapeAt(input, path);
  // Invariant: no rule is lifted by a change of something else than it was meant for, a misspelt name for instance.
  if (place === null) return `\`${text}\` changes the argument \`${path.join(".")}\`, which the tool's schema does not let policy see`;
  return fits(transform, place) ? null : `\`${text}\` does not go with the type of \`${path.join(".")}\``;
};

const fits = (transform: ArgumentChange, shape: Shape): boolean => {
  if (transform.kind === "drop") return true;
  if (shape.kind === "tagged") return shape.of.some((part) => fits(transform, part));
  if (transform.kind === "mask") return shape.kind === "string" || (shape.kind === "set" && fits(transform, shape.of));
  if (transform.kind !== "set") return shape.kind === "string" || shape.kind === "record" || (shape.kind === "set" && fits(transform, shape.of));
  const { value } = transform;
  if (typeof value === "number") return shape.kind === "decimal" ? decimalUnits(value) !== null : shape.kind === "long" && Number.isInteger(value);
  return shape.kind === typeof value;
};

/** Takes what carries a label out of an argument, or puts tokens in its place; undefined when that cannot be done. */
export type Conceal = (value: Json, change: { readonly kind: "redact" | "tokenise"; readonly argument: string; readonly label: string }) => Json | undefined;

/** What policy sees of such an argument, since it has neither detectors nor tokens: every text in it as `[masked]`. */
const maskTexts = (value: Json): Json => {
  if (typeof value === "string") return masked;
  if (Array.isArray(value)) return value.map(maskTexts);
  return isObject(value) ? Object.fromEntries(Object.entries(value).map(([name, item]) => [name, maskTexts(item)])) : value;
};

/**
 * The arguments with all changes made, or in words why they cannot be: one that does not go with the tool, two that touch the same place
 * (which one would win?), a call that it does not fit. `of` is null where a decision has looked at that already; `conceal` takes labels out of
 * arguments where the call is carried out. The same changes always give the same arguments, and the arguments given stay as they are.
 */
export const transformArguments = (args: JsonObject, changes: readonly string[], of: Changeable | null, conceal: Conceal = maskTexts): JsonObject | string => {
  if (changes.length > transformBounds.ofOneCall) return `policies ask for more than ${transformBounds.ofOneCall} changes of one call`;
  const read: { readonly text: string; readonly transform: Transform }[] = [];
  for (const text of changes) {
    const transform = parseTransform(text);
    if (transform === null) return unknown(text);
    const wrong = of === null ? null : mismatch(text, transform, of);
    if (wrong !== null) return wrong;
    const rival = read.find((other) => other.text !== text && areRivals(other.transform, transform));
    if (rival !== undefined) return `\`${rival.text}\` and \`${text}\` change the same ${transform.of === "result" ? "part of the result" : "argument"}`;
    read.push({ text, transform });
  }
  let changed: JsonObject = args;
  for (const { text, transform } of read) {
    if (transform.of === "result") continue;
    const next = changedAt(changed, { transform, conceal }, 0);
    if (!isObject(next)) return `\`${text}\` does not fit the arguments of this call`;
    changed = next;
  }
  return changed;
};

/** Labels can be taken out beside each other; of one label, or of one within the other, only one way can be meant. */
const areRivals = (left: Transform, right: Transform): boolean => {
  if (left.of !== right.of) return false;
  if ("label" in left && "label" in right) return left.kind !== right.kind && overlap(left.label.split("."), right.label.split(".")) && (left.of === "result" || right.of === "result" || left.path[0] === right.path[0]);
  return left.of === "arguments" && right.of === "arguments" && overlap(left.path, right.path);
};

const overlap = (left: readonly string[], right: readonly string[]): boolean => {
  const shorter = Math.min(left.length, right.length);
  for (let at = 0; at < shorter; at += 1) if (left[at] !== right[at]) return false;
  return true;
};

/** One change of arguments as it is made. */
interface Making {
  readonly transform: ArgumentChange;
  readonly conceal: Conceal;
}

/** A copy of the object or array with the change made below; undefined where it does not fit. */
const changedAt = (value: Json | undefined, making: Making, depth: number): Json | undefined => {
  const { kind, path } = making.transform;
  if (Array.isArray(value)) {
    if (value.length === 0 && kind === "set") return undefined; // nothing would be set, and the rule lifted all the same
    const items = value.map((item) => changedAt(item, making, depth));
    return items.every((item) => item !== undefined) ? items : undefined;
  }
  if (!isObject(value)) return undefined;
  const name = path[depth] ?? "";
  const isLast = depth === path.length - 1;
  const before = Object.hasOwn(value, name) ? value[name] : undefined;
  const absent = before === undefined || before === null;
  if (absent && kind !== "set") return value;
  const after = isLast ? leaf(making, before) : changedAt(absent ? {} : before, making, depth + 1);
  if (isLast && kind === "drop") return Object.fromEntries(Object.entries(value).filter(([key]) => key !== name));
  return after === undefined ? undefined : Object.fromEntries([...Object.entries(value).filter(([key]) => key !== name), [name, after]]);
};

const leaf = ({ transform, conceal }: Making, before: Json | undefined): Json | undefined => {
  if (transform.kind === "set") return transform.value;
  if (transform.kind === "redact" || transform.kind === "tokenise") return conceal(before ?? null, { kind: transform.kind, argument: transform.path[0] ?? "", label: transform.label });
  if (typeof before === "string") return masked;
  if (!Array.isArray(before)) return undefined;
  const items = before.map((item) => leaf({ transform, conceal }, item));
  return items.every((item) => item !== undefined) ? items : undefined;
};
