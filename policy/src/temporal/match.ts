import { contains, DecimalValue, EntityUid, equal, keyOf, SetValue, type Value } from "../cedar/value.ts";
import type { HistoryEvent } from "./event.ts";
import type { EventQuery, FieldPath, FieldTest, Match } from "./leaf.ts";
import type { CompareOp, HistoryScope, Literal } from "./syntax.ts";

/** A query made ready to be asked of events. */
export interface Matcher {
  readonly query: EventQuery;
  /** Whether the event is one that is meant; joins are for others. */
  matches(event: HistoryEvent): boolean;
}

/** Combinations of elements that one event is filed under where it is compared by sets; the rest is not looked at. */
const mostKeys = 256;

export const matcherOf = (query: EventQuery): Matcher => {
  const test = matchTest(query);
  const not = query.not.map(matchTest);
  return { query, matches: (event) => test(event) && !not.some((one) => one(event)) };
};

const matchTest = ({ actions, kind, tests }: Match): ((event: HistoryEvent) => boolean) => {
  const fields = tests.map(fieldTest);
  return (event) => (kind === null || event.kind === kind) && actions.every((name) => name === event.action || event.groups.includes(name)) && fields.every((test) => test(event));
};

const fieldTest = ({ path, op, other, value, negated }: FieldTest): ((event: HistoryEvent) => boolean) => {
  if (other !== undefined) return (event) => compares(op, event.field(path), event.field(other)) !== negated;
  if (value === undefined) return (event) => (event.field(path) !== undefined) !== negated;
  const wanted = literalValue(value);
  return (event) => compares(op, event.field(path), wanted) !== negated;
};

/** A comparison as temporal conditions know it: a set equals what it holds, what is not there equals nothing, and only Longs have an order. */
export const compares = (op: CompareOp, left: Value | undefined, right: Value | undefined): boolean => {
  if (op === "!=") return !compares("==", left, right);
  if (left === undefined || right === undefined) return false;
  if (op === "==") return left instanceof SetValue && !(right instanceof SetValue) ? contains(left, right) : equal(left, right);
  if (!isLong(left) || !isLong(right)) return false;
  if (op === "<") return left < right;
  if (op === "<=") return left <= right;
  return op === ">" ? left > right : left >= right;
};

const isLong = (value: Value): value is number | bigint => typeof value === "number" || typeof value === "bigint";

export const literalValue = (literal: Literal): Value => {
  switch (literal.term) {
    case "entity":
      return new EntityUid(literal.type, literal.id);
    case "decimal": {
      const [whole = "", fraction = ""] = literal.value.split(".");
      return new DecimalValue(Number(`${whole}${fraction.padEnd(4, "0")}`) + 0);
    }
    default:
      return literal.value;
  }
};

/** What an event is filed under by some of its fields; none where one is missing, several where one is a set. */
export const keysOf = (event: HistoryEvent, paths: readonly FieldPath[], prefix: string): string[] => {
  let keys = [prefix];
  for (const path of paths) {
    const value = event.field(path);
    if (value === undefined) return [];
    const parts = value instanceof SetValue ? value.items.map(keyOf) : [keyOf(value)];
    keys = keys.flatMap((key) => parts.map((part) => key + part)).slice(0, mostKeys);
  }
  return keys.length > 1 ? [...new Set(keys)] : keys;
};

/** What the current call looks events up by; null where it has no single value for a field. */
export const currentKey = (event: HistoryEvent, paths: readonly FieldPath[], prefix: string): string | null => {
  let key = prefix;
  for (const path of paths) {
    const value = event.field(path);
    if (value === undefined || value instanceof SetValue) return null;
    key += keyOf(value);
  }
  return key;
};

/** Whose history an event belongs to. */
export const scopeKey = ({ scope }: HistoryEvent, across: HistoryScope): string => (across === "all" ? "|" : `${scope[across]}|`);
