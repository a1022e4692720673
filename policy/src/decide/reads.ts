import { isObject, type Json, type JsonObject } from "@lanyard/contract";
import { isOfKind } from "./input.ts";
import type { RecordShape, Shape } from "../schema/shape.ts";

/** An argument that a policy speaks about, as the way to it from `context.input`. */
export interface ArgumentRead {
  readonly path: readonly string[];
  /** False when the policy only tests whether it is there. */
  readonly value: boolean;
}

/** Every argument that a policy (its clauses, in Cedar's JSON form) reads or tests for with `has`, as far down as it follows it. */
export const readsOf = ({ conditions }: { readonly conditions: unknown }): ArgumentRead[] => {
  const found = new Map<string, ArgumentRead>();
  const visit = (value: Json): void => {
    if (Array.isArray(value)) return value.forEach(visit);
    if (!isObject(value)) return;
    const whole = pathOf(value);
    if (whole === null) return Object.values(value).forEach(visit);
    const read = readOf(whole, !Object.hasOwn(value, "has"));
    if (read !== null) found.set(JSON.stringify(read), read);
  };
  visit(conditions as Json);
  return [...found.keys()].sort().flatMap((key) => found.get(key) ?? []);
};

/** Whoever asks where an argument came from speaks of that argument, and of whether it is there. */
const readOf = ([first, ...path]: readonly string[], value: boolean): ArgumentRead | null => {
  if (first === undefined || first === "input") return { path, value };
  if (first !== "origins" || (path.length > 0 && path[0] !== "input")) return null;
  return { path: path.slice(1, 2), value: value && path.length < 2 };
};

/** What an expression reads below `context`; null when it is no such reading. */
const pathOf = (value: Json | undefined): string[] | null => {
  if (!isObject(value)) return null;
  if (value["Var"] === "context") return [];
  const access = value["."] ?? value["has"];
  if (!isObject(access)) return null;
  const { attr } = access;
  const path = pathOf(access["left"]);
  return path && path.concat(Array.isArray(attr) ? attr.map(String) : String(attr));
};

/** A policy that speaks about arguments. */
interface Reader {
  readonly id: string;
  readonly reads: readonly ArgumentRead[];
}

/** An argument that a call may carry and its schema hide, and the first policy (in the order given) that speaks about it. */
export interface ArgumentWatch {
  readonly policy: string;
  readonly read: ArgumentRead;
}

/** What must be looked at before these policies are asked about arguments of this shape; each argument once. */
export const watchesOf = (policies: readonly Reader[], shape: RecordShape): ArgumentWatch[] => {
  const found = new Map<string, ArgumentWatch>();
  for (const { id, reads } of policies) {
    for (const read of reads) {
      const key = JSON.stringify(read);
      if (!found.has(key) && canHide(shape, read.path, read.value)) found.set(key, { policy: id, read });
    }
  }
  return [...found.values()];
};

/** False when every argument on the way is declared, so that there is nothing that policy could not see. */
const canHide = (shape: Shape, way: readonly string[], whole: boolean): boolean => {
  if (shape.kind === "tagged") return shape.of.some((part) => (way.length === 0 || way[0] === part.kind) && canHide(part, way.slice(1), whole));
  if (shape.kind === "set") return way.length === 0 && whole && canHide(shape.of, [], true);
  const [step, ...below] = way;
  if (shape.kind !== "record") return false;
  if (step === undefined) return whole;
  const field = shape.fields.find(({ name }) => name === step);
  return field === undefined || canHide(field.shape, below, whole);
};

/**
 * The first argument that the call carries and a policy speaks about, though the tool's schema does not let policy see it: undeclared, or of
 * no type that Cedar has. Null when there is none.
 *
 * Invariant: such a call is denied. `context.input has path` is false of what policy is not shown, so a forbid guarded by it would not hold
 * while the server acts on that very path.
 */
export const unseenRead = (watches: readonly ArgumentWatch[], shape: RecordShape, args: JsonObject): { readonly policy: string; readonly path: readonly string[] } | null => {
  for (const { policy, read } of watches) {
    const path = unseenAt(shape, args, read.path, read.value);
    if (path !== null) return { policy, path };
  }
  return null;
};

/** `whole`: a record at the end of the way is read with all that is in it. */
const unseenAt = (shape: Shape, value: Json, way: readonly string[], whole: boolean): readonly string[] | null => {
  if (shape.kind === "tagged") {
    const part = shape.of.find(({ kind }) => isOfKind(kind, value)); // Policy finds it under its kind, a step that the arguments do not have.
    return part !== undefined && (way.length === 0 || way[0] === part.kind) ? unseenAt(part, value, way.slice(1), whole) : null;
  }
  if (shape.kind === "set") return way.length === 0 && whole ? unseenAmong(shape.of, value) : null;
  if (!isObject(value)) return null;
  const [step, ...below] = way;
  if (shape.kind !== "record" || (step === undefined && !whole)) return null;
  for (const name of step === undefined ? Object.keys(value).sort() : [step]) {
    const item = Object.hasOwn(value, name) ? (value[name] ?? null) : null;
    if (item === null) continue; // Null counts as absent, here as in what policy is shown.
    const field = shape.fields.find((one) => one.name === name);
    if (field === undefined) return [name];
    const further = unseenAt(field.shape, item, below, whole);
    if (further !== null) return [name, ...further];
  }
  return null;
};

/** What is read with all its elements is read with all that is in them. */
const unseenAmong = (shape: Shape, value: Json): readonly string[] | null => {
  for (const [at, item] of Array.isArray(value) ? value.entries() : []) {
    const found = unseenAt(shape, item, [], true);
    if (found !== null) return [String(at), ...found];
  }
  return null;
};
