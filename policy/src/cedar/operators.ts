import { anyEntity, asEntity, asLong, asString, describeUid, fail, mistyped } from "./fault.ts";
import { add, multiply, subtract } from "./long.ts";
import type { EvaluationRequest } from "./request.ts";
import { contains, DatetimeValue, DurationValue, EntityUid, equal, RecordValue, SetValue, typeName, type Value } from "./value.ts";

/** An operator of two values that are there already; throws an EvaluationFault on values of types it is not for. */
export type BinaryOperator = (left: Value, right: Value, request: EvaluationRequest) => Value;

const asSet = (value: Value): SetValue => (value instanceof SetValue ? value : mistyped("set", value));

/** Negative, zero or positive, as left is before, at or after right: Longs, or two datetimes or durations. */
const compare = (left: Value, right: Value): number => {
  if (typeof left === "number" && typeof right === "number") return left - right;
  const isLong = (value: Value): boolean => typeof value === "number" || typeof value === "bigint";
  if (isLong(left)) return order(left, asLong(right));
  if (isLong(right)) return mistyped("long", left);
  if (left instanceof DatetimeValue || left instanceof DurationValue) {
    return right instanceof DatetimeValue || right instanceof DurationValue ? orderTimes(left, right) : mistyped(typeName(left), right);
  }
  if (right instanceof DatetimeValue || right instanceof DurationValue) return mistyped(typeName(right), left);
  return mistyped(["long", "datetime", "duration"], left);
};

const orderTimes = (left: DatetimeValue | DurationValue, right: DatetimeValue | DurationValue): number =>
  left.constructor === right.constructor ? order(left.ms, right.ms) : mistyped(typeName(left), right);

// `<` is exact between a number and a bigint.
const order = (left: Value, right: Value): number => {
  if (left === right) return 0;
  return left < right ? -1 : 1;
};

/** Cedar's message names the first item of another type in its own order of values. */
const ranks = ["bool", "long", "string", "set", "record", "datetime", "decimal", "duration", "ipaddr"];

const refuseItems = (items: readonly Value[]): never => {
  const strangers = items.filter((item) => !(item instanceof EntityUid)).sort((one, two) => ranks.indexOf(typeName(one)) - ranks.indexOf(typeName(two)));
  return mistyped(anyEntity, strangers[0] ?? false);
};

/** Whether an entity is another, or lies below it, or below one of a set. */
export const isIn: BinaryOperator = (left, right, request) => {
  const uid = asEntity(left);
  if (right instanceof EntityUid) return lies(uid, right, request);
  if (!(right instanceof SetValue)) return mistyped(["set", anyEntity], right);
  for (const item of right.items) if (!(item instanceof EntityUid)) refuseItems(right.items);
  if (contains(right, uid)) return true;
  const entity = request.find(uid);
  if (entity === undefined) return false;
  for (const item of right.items) if (item instanceof EntityUid && entity.within(item)) return true;
  return false;
};

const lies = (uid: EntityUid, below: EntityUid, request: EvaluationRequest): boolean =>
  (uid.id === below.id && uid.type === below.type) || (request.find(uid)?.within(below) ?? false);

const getTag: BinaryOperator = (left, right, request) => {
  const uid = asEntity(left);
  const tag = asString(right);
  const entity = request.find(uid) ?? fail(`entity \`${describeUid(uid)}\` does not exist`);
  return entity.tags.get(tag) ?? fail(`\`${describeUid(uid)}\` does not have the tag \`${tag}\``);
};

const hasTag: BinaryOperator = (left, right, request) => {
  const uid = asEntity(left);
  const tag = asString(right);
  return request.find(uid)?.tags.has(tag) ?? false;
};

const containsAll: BinaryOperator = (left, right) => {
  const [all, wanted] = [asSet(left), asSet(right)];
  for (const item of wanted.items) if (!contains(all, item)) return false;
  return true;
};

const containsAny: BinaryOperator = (left, right) => {
  const [some, wanted] = [asSet(left), asSet(right)];
  // The literal of a policy keeps its index; that of a set of the request would be made for this once.
  const [looked, known] = wanted.isIndexed || wanted.items.length > some.items.length ? [some, wanted] : [wanted, some];
  for (const item of looked.items) if (contains(known, item)) return true;
  return false;
};

/** Every operator that takes the values of both its sides, by its name in the policy format. */
export const binaryOperators: ReadonlyMap<string, BinaryOperator> = new Map<string, BinaryOperator>([
  ["==", equal],
  ["!=", (left, right) => !equal(left, right)],
  ["<", (left, right) => compare(left, right) < 0],
  ["<=", (left, right) => compare(left, right) <= 0],
  [">", (left, right) => compare(left, right) > 0],
  [">=", (left, right) => compare(left, right) >= 0],
  ["+", (left, right) => add(asLong(left), asLong(right))],
  ["-", (left, right) => subtract(asLong(left), asLong(right))],
  ["*", (left, right) => multiply(asLong(left), asLong(right))],
  ["in", isIn],
  ["contains", (left, right) => contains(asSet(left), right)],
  ["containsAll", containsAll],
  ["containsAny", containsAny],
  ["getTag", getTag],
  ["hasTag", hasTag],
]);

export const isEmpty = (value: Value): boolean => asSet(value).items.length === 0;

const holders = ["record", anyEntity] as const;

/** A field of a record or an attribute of an entity. */
export const attribute = (holder: Value, name: string, request: EvaluationRequest): Value => {
  if (holder instanceof RecordValue) return holder.get(name) ?? fail(`record does not have the attribute \`${name}\``);
  if (!(holder instanceof EntityUid)) return mistyped(holders, holder);
  const entity = request.find(holder) ?? fail(`entity \`${describeUid(holder)}\` does not exist`);
  return entity.attributes.get(name) ?? fail(`\`${describeUid(holder)}\` does not have the attribute \`${name}\``);
};

/** Whether {@link attribute} finds it; an entity that is not there has none. */
export const hasAttribute = (holder: Value, name: string, request: EvaluationRequest): boolean => {
  if (holder instanceof RecordValue) return holder.has(name);
  if (!(holder instanceof EntityUid)) return mistyped(holders, holder);
  return request.find(holder)?.attributes.has(name) ?? false;
};
