import { isObject, type Json, type JsonObject } from "@lanyard/contract";
import type { PolicyJson } from "@cedar-policy/cedar-wasm/nodejs";
import type { RecordShape, Shape } from "../schema/shape.ts";

/** An argument that a policy speaks about, as the way to it from `context.input`. */
export interface ArgumentRead {
  readonly path: readonly string[];
  /** False when the policy only tests whether it is there. */
  readonly value: boolean;
}

/** Every argument that a policy reads or tests for with `has`, as far down as it follows it. */
export const readsOf = ({ conditions }: PolicyJson): ArgumentRead[] => {
  const found = new Map<string, ArgumentRead>();
  const visit = (value: Json): void => {
    if (Array.isArray(value)) return value.forEach(visit);
    if (!isObject(value)) return;
    const whole = pathOf(value);
    if (whole === null) return Object.values(value).forEach(visit);
    const [first, ...path] = whole;
    const read = { path, value: !Object.hasOwn(value, "has") };
    if (first === undefined || first === "input") found.set(JSON.stringify(read), read);
  };
  visit(conditions as unknown as Json);
  return [...found.keys()].sort().flatMap((key) => found.get(key) ?? []);
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

interface Reader {
  readonly id: string;
  readonly reads: readonly ArgumentRead[];
}

/**
 * The first argument that the call carries and a policy speaks about, though the tool's schema does not let policy see it: undeclared, or of
 * no type that Cedar has. Null when there is none.
 *
 * Invariant: such a call is denied. `context.input has path` is false of what policy is not shown, so a forbid guarded by it would not hold
 * while the server acts on that very path.
 */
export const unseenRead = (policies: readonly Reader[], shape: RecordShape, args: JsonObject): { readonly policy: string; readonly path: readonly string[] } | null => {
  for (const { id, reads } of policies) {
    for (const read of reads) {
      const path = unseenAt(shape, args, read.path, read.value);
      if (path !== null) return { policy: id, path };
    }
  }
  return null;
};

/** `whole`: a record at the end of the way is read with all that is in it. */
const unseenAt = (shape: Shape, value: Json, way: readonly string[], whole: boolean): readonly string[] | null => {
  if (!isObject(value)) return null;
  if (shape.kind === "tagged") {
    const record = shape.of.find(({ kind }) => kind === "record"); // Policy finds it under its kind, a step that the arguments do not have.
    return record !== undefined && (way.length === 0 || way[0] === "record") ? unseenAt(record, value, way.slice(1), whole) : null;
  }
  const [step, ...below] = way;
  if (shape.kind !== "record" || (step === undefined && !whole)) return null;
  for (const name of step === undefined ? Object.keys(value) : [step]) {
    const item = Object.hasOwn(value, name) ? (value[name] ?? null) : null;
    if (item === null) continue; // Null counts as absent, here as in what policy is shown.
    const field = shape.fields.find((one) => one.name === name);
    if (field === undefined) return [name];
    const further = unseenAt(field.shape, item, below, whole);
    if (further !== null) return [name, ...further];
  }
  return null;
};
