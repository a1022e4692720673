import type { Json, JsonObject } from "@lanyard/contract";
import { DecimalValue, RecordValue, SetValue, type Value } from "../cedar/value.ts";
import type { RecordShape, Shape } from "../schema/shape.ts";
import { decimalUnits, inputBounds, isOfKind } from "./input.ts";

/**
 * The way from raw arguments to what policy sees, compiled from an action's shape: one pass that checks, bounds and converts. It says the
 * same of any arguments as `measure` and `typedInput`, which find the words for a refusal; here a refusal is no more than `undefined`.
 */
export interface Plan {
  read(args: JsonObject, walk: Walk): RecordValue | undefined;
}

/** What one pass over arguments has found so far. */
export class Walk {
  values = 0;
  /** False when Object.prototype has been given keys: then every object is copied before its keys are walked. */
  readonly clean = prototypeIsClean();
  /** True when the arguments carry a key, not null, that the shape does not declare where the key stands. */
  undeclared = false;
}

const prototypeIsClean = (): boolean => {
  for (const _key in Object.prototype) return false;
  return true;
};

/** The same object where it has nothing but its own keys, else its own keys alone. Asking every key whether it is an own one costs twice the walk. */
const ownKeysOnly = (value: JsonObject, walk: Walk): JsonObject =>
  walk.clean && Object.getPrototypeOf(value) === Object.prototype ? value : Object.assign(Object.create(null) as JsonObject, value);

export const planOf = (shape: RecordShape): Plan => {
  const reader = recordReader(shape);
  return { read: (args, walk) => (count(walk) ? (reader(args, 0, walk) as RecordValue | undefined) : undefined) };
};

/** Converts a value that is counted already; undefined when it must be refused. */
type Read = (value: Json, depth: number, walk: Walk) => Value | undefined;

const count = (walk: Walk): boolean => (walk.values += 1) <= inputBounds.values;

const readerOf = (shape: Shape): Read => {
  switch (shape.kind) {
    case "string":
      return readString;
    case "boolean":
      return (value) => (typeof value === "boolean" ? value : undefined);
    case "long":
      return (value) => (typeof value === "number" && Number.isSafeInteger(value) ? value + 0 : undefined); // + 0 makes of -0 the one zero
    case "decimal":
      return (value) => {
        const units = typeof value === "number" ? decimalUnits(value) : null;
        return units === null ? undefined : new DecimalValue(units);
      };
    case "set":
      return shape.of.kind === "string" ? readTexts : setReader(readerOf(shape.of));
    case "tagged":
      return taggedReader(shape.of);
    case "record":
      return recordReader(shape);
  }
};

const readString: Read = (value) => (typeof value === "string" && value.isWellFormed() ? value : undefined);

const setReader = (item: Read): Read => (value, depth, walk) => {
  if (!Array.isArray(value)) return undefined;
  if (value.length === 0) return emptySet;
  if (depth >= inputBounds.depth) return undefined;
  const items: Value[] = [];
  for (let at = 0; at < value.length; at += 1) {
    const read = count(walk) ? item(value[at] ?? null, depth + 1, walk) : undefined;
    if (read === undefined) return undefined;
    items.push(read);
  }
  return new SetValue(items);
};

const readTexts: Read = (value, depth, walk) => {
  if (!Array.isArray(value)) return undefined;
  if (value.length === 0) return emptySet;
  if (depth >= inputBounds.depth || (walk.values += value.length) > inputBounds.values) return undefined;
  for (let at = 0; at < value.length; at += 1) {
    const item = value[at];
    if (typeof item !== "string" || !item.isWellFormed()) return undefined;
  }
  return new SetValue(value as string[]);
};

const emptySet = new SetValue([]);

const taggedReader = (shapes: readonly Shape[]): Read => {
  const parts = shapes.map((shape) => ({ kind: shape.kind, fields: new Map([[shape.kind as string, 0]]), read: readerOf(shape) }));
  return (value, depth, walk) => {
    for (const { kind, fields, read } of parts) {
      if (!isOfKind(kind, value)) continue;
      const found = read(value, depth, walk);
      return found === undefined ? undefined : new PlannedRecord(fields, [found]);
    }
    return undefined;
  };
};

const recordReader = ({ fields }: RecordShape): Read => {
  const places = new Map(fields.map(({ name }, at) => [name, at]));
  const readers = fields.map(({ shape }) => readerOf(shape));
  return (value, depth, walk) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    const slots: (Value | undefined)[] = new Array<Value | undefined>(readers.length).fill(undefined);
    const own = ownKeysOnly(value, walk);
    for (const key in own) {
      if (depth >= inputBounds.depth || !count(walk)) return undefined;
      const item = own[key] ?? null;
      const place = places.get(key);
      if (place === undefined) {
        if (item !== null) walk.undeclared = true;
        if (!key.isWellFormed() || !isSound(item, depth + 1, walk)) return undefined;
      } else if (item !== null && (slots[place] = (readers[place] as Read)(item, depth + 1, walk)) === undefined) return undefined;
    }
    return new PlannedRecord(places, slots);
  };
};

/** What policy does not see is bounded and well-formed all the same. The value itself is counted already. */
const isSound = (value: Json, depth: number, walk: Walk): boolean => {
  if (typeof value === "string") return value.isWellFormed();
  if (typeof value !== "object" || value === null) return true;
  if (Array.isArray(value)) {
    if (depth >= inputBounds.depth && value.length > 0) return false;
    for (let at = 0; at < value.length; at += 1) if (!count(walk) || !isSound(value[at] ?? null, depth + 1, walk)) return false;
    return true;
  }
  const own = ownKeysOnly(value, walk);
  for (const key in own) {
    if (depth >= inputBounds.depth || !count(walk) || !key.isWellFormed()) return false;
    if (!isSound(own[key] ?? null, depth + 1, walk)) return false;
  }
  return true;
};

/** A record whose names are known beforehand: all records of one shape share them. */
class PlannedRecord extends RecordValue {
  readonly #places: ReadonlyMap<string, number>;
  readonly #slots: readonly (Value | undefined)[];

  constructor(places: ReadonlyMap<string, number>, slots: readonly (Value | undefined)[]) {
    super();
    this.#places = places;
    this.#slots = slots;
  }
  get(name: string): Value | undefined {
    const place = this.#places.get(name);
    return place === undefined ? undefined : this.#slots[place];
  }
  has(name: string): boolean {
    return this.get(name) !== undefined;
  }
  names(): readonly string[] {
    return [...this.#places.keys()].filter((name) => this.get(name) !== undefined);
  }
}
