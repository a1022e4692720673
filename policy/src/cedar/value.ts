/**
 * A value of Cedar 4.5. Booleans and strings are JavaScript's own. A Long is a number while it is a safe integer, else a bigint within
 * 64 bits, never both: {@link longOf} and the arithmetic see to it, so that equal Longs are `===` and `<` compares exactly.
 */
export type Value = boolean | string | Long | EntityUid | SetValue | RecordValue | ExtensionValue;

export type Long = number | bigint;

/** Values of Cedar's extension types. */
export type ExtensionValue = DecimalValue | DatetimeValue | DurationValue | IpValue;

/** The name of an entity; two are equal when type and id are. `type` is written as in policies, with its namespace. */
export class EntityUid {
  readonly type: string;
  readonly id: string;
  constructor(type: string, id: string) {
    this.type = type;
    this.id = id;
  }
}

/** A set: order and duplicates of `items` mean nothing. */
export class SetValue {
  readonly items: readonly Value[];
  #index: SetIndex | null = null;
  #key: string | null = null;
  constructor(items: readonly Value[]) {
    this.items = items;
  }

  /** Built when first asked for, and kept. */
  get index(): SetIndex {
    return (this.#index ??= indexOf(this.items));
  }

  get isIndexed(): boolean {
    return this.#index !== null;
  }

  get key(): string {
    return (this.#key ??= `{${[...new Set(this.items.map(keyOf))].sort().join("")}}`);
  }
}

/** The distinct items of a set: those that JavaScript compares by value, and {@link keyOf} of the others. */
export interface SetIndex {
  readonly plain: ReadonlySet<Value>;
  readonly keyed: ReadonlySet<string>;
}

/** A record. What gives the fields may make them only when they are asked for, but must always give equal ones. */
export abstract class RecordValue {
  /** The value of a field, undefined when there is none. */
  abstract get(name: string): Value | undefined;
  abstract has(name: string): boolean;
  /** The names of all fields, each once, in any order. */
  abstract names(): readonly string[];
}

/** A record of fields that are there already. */
export class FieldsValue extends RecordValue {
  readonly #fields: ReadonlyMap<string, Value>;
  constructor(fields: ReadonlyMap<string, Value>) {
    super();
    this.#fields = fields;
  }
  get(name: string): Value | undefined {
    return this.#fields.get(name);
  }
  has(name: string): boolean {
    return this.#fields.has(name);
  }
  names(): readonly string[] {
    return [...this.#fields.keys()];
  }
}

/** A decimal of four digits after the point, as so many ten-thousandths. */
export class DecimalValue {
  readonly units: Long;
  constructor(units: Long) {
    this.units = units;
  }
}

/** Milliseconds since 1970-01-01T00:00:00Z, before it negative. */
export class DatetimeValue {
  readonly ms: Long;
  constructor(ms: Long) {
    this.ms = ms;
  }
}

export class DurationValue {
  readonly ms: Long;
  constructor(ms: Long) {
    this.ms = ms;
  }
}

/** A range of addresses: an address and the length of its prefix in bits; one address when that is 32 (v4) or 128 (v6). */
export class IpValue {
  readonly v6: boolean;
  /** The address as written, all bits: `10.0.0.1/8` and `10.0.0.0/8` are not equal. */
  readonly address: bigint;
  readonly prefix: number;
  constructor(v6: boolean, address: bigint, prefix: number) {
    this.v6 = v6;
    this.address = address;
    this.prefix = prefix;
  }
}

/** The Long of an integer within 64 bits, in its one form. */
export const longOf = (value: bigint): Long => (value >= -9007199254740991n && value <= 9007199254740991n ? Number(value) : value);

/** What is compared with every item rather than looked up: building an index costs more. */
const smallSet = 8;

export const contains = (set: SetValue, value: Value): boolean => {
  const { items } = set;
  if (typeof value !== "object") return items.length <= smallSet ? items.includes(value) : set.index.plain.has(value);
  if (items.length > smallSet || !(value instanceof EntityUid)) return set.index.keyed.has(keyOf(value));
  for (const item of items) {
    if (item instanceof EntityUid && item.id === value.id && item.type === value.type) return true;
  }
  return false;
};

/** Cedar's `==`: values of different types are not equal. Linear in the smaller of the two. */
export const equal = (left: Value, right: Value): boolean => {
  if (left === right) return true;
  if (typeof left !== "object" || typeof right !== "object") return false;
  if (left instanceof EntityUid) return right instanceof EntityUid && left.id === right.id && left.type === right.type;
  if (left instanceof SetValue) return right instanceof SetValue && sameItems(left.index, right.index);
  if (left instanceof RecordValue) return right instanceof RecordValue && sameFields(left, right);
  return left.constructor === right.constructor && keyOf(left) === keyOf(right);
};

const sameItems = (left: SetIndex, right: SetIndex): boolean =>
  left.plain.size === right.plain.size && left.keyed.size === right.keyed.size && holdsAll(left.plain, right.plain) && holdsAll(left.keyed, right.keyed);

const holdsAll = <T>(set: ReadonlySet<T>, wanted: ReadonlySet<T>): boolean => {
  for (const item of wanted) if (!set.has(item)) return false;
  return true;
};

const sameFields = (left: RecordValue, right: RecordValue): boolean => {
  const names = left.names();
  if (names.length !== right.names().length) return false;
  for (const name of names) {
    const [one, two] = [left.get(name), right.get(name)];
    if (one === undefined || two === undefined || !equal(one, two)) return false;
  }
  return true;
};

const indexOf = (items: readonly Value[]): SetIndex => {
  const plain = new Set<Value>();
  const keyed = new Set<string>();
  for (const item of items) {
    if (typeof item === "object") keyed.add(keyOf(item));
    else plain.add(item);
  }
  return { plain, keyed };
};

/** Equal values have equal keys, others other ones; no key begins with another. */
export const keyOf = (value: Value): string => {
  if (typeof value === "string") return `s${value.length}:${value}`;
  if (typeof value === "boolean") return value ? "t" : "f";
  if (typeof value !== "object") return `l${value};`;
  if (value instanceof EntityUid) return `e${value.type.length}:${value.type}${value.id.length}:${value.id}`;
  if (value instanceof SetValue) return value.key;
  if (value instanceof RecordValue) return `(${value.names().toSorted().map((name) => keyOf(name) + fieldKey(value, name)).join("")})`;
  if (value instanceof DecimalValue) return `d${value.units};`;
  if (value instanceof DatetimeValue) return `m${value.ms};`;
  if (value instanceof DurationValue) return `u${value.ms};`;
  return `i${value.v6 ? 6 : 4}:${value.address}/${value.prefix};`;
};

const fieldKey = (record: RecordValue, name: string): string => {
  const value = record.get(name);
  return value === undefined ? "" : keyOf(value);
};

/** Cedar's name for the type of a value, as its messages have it. */
export const typeName = (value: Value): string => {
  if (typeof value === "boolean") return "bool";
  if (typeof value === "string") return "string";
  if (typeof value !== "object") return "long";
  if (value instanceof EntityUid) return `(entity of type \`${value.type}\`)`;
  if (value instanceof SetValue) return "set";
  if (value instanceof RecordValue) return "record";
  if (value instanceof DecimalValue) return "decimal";
  if (value instanceof DatetimeValue) return "datetime";
  return value instanceof DurationValue ? "duration" : "ipaddr";
};
