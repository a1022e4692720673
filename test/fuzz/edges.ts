import { isObject, type Json, type JsonObject } from "@lanyard/contract";
import type { Dice } from "./dice.ts";
import { literal } from "./expressions.ts";
import { addresses, badAddresses, badDatetimes, badDecimals, badDurations, datetimes, decimals, durations, kinds, uid } from "./world.ts";

// Small expressions about the edges of things: texts one character away from a good one, values one away from another, patterns made from the
// text they are matched with. What random trees reach seldom.

const value = (json: Json): JsonObject => ({ Value: json });
const pair = (operator: string, left: JsonObject, right: JsonObject): JsonObject => ({ [operator]: { left, right } });

/** The text with one character added, left out, doubled or put in place of another. */
const nudged = (dice: Dice, text: string): string => {
  const at = dice.below(text.length + 1);
  const char = dice.pick([..."0123456789.:/-+TZdhmsaf ٣é"]);
  return dice.pick([text.slice(0, at) + char + text.slice(at), text.slice(0, at) + text.slice(at + 1), text.slice(0, at) + char + text.slice(at + 1), text.slice(0, at) + text.slice(at, at + 1) + text.slice(at)]);
};

const pools = {
  decimal: [decimals, badDecimals],
  datetime: [datetimes, badDatetimes],
  duration: [durations, badDurations],
  ip: [addresses, badAddresses],
} as const;
type Constructor = keyof typeof pools;

const constructed = (dice: Dice, name: Constructor): JsonObject => {
  const [good, bad] = pools[name];
  const chosen: string = dice.chance(75) ? dice.pick(good) : dice.pick(bad);
  return { [name]: [value(dice.chance(25) ? nudged(dice, chosen) : chosen)] };
};

/** A network around an address, and others beside it. */
const network = (dice: Dice): string => {
  if (dice.chance(60)) return `${dice.pick(["10.0.0.0", "10.1.2.3", "127.0.0.1", "224.0.0.0", "239.1.1.1", "240.0.0.0", "0.0.0.1", "255.255.255.255"])}/${dice.pick([0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32])}`;
  return `${dice.pick(["::", "::1", "ff00::", "ff01::1", "fe80::1", "1:2:3:4:5:6:7:8", "::7f00:1", "::a00:0"])}/${dice.pick([0, 1, 7, 8, 9, 16, 32, 64, 127, 128])}`;
};

const ofAddresses = (dice: Dice): JsonObject => {
  const ip = (): JsonObject => ({ ip: [value(network(dice))] });
  const [low, size] = [dice.below(3), dice.pick([0, 8, 32])];
  return dice.pick<() => JsonObject>([() => ({ isInRange: [ip(), ip()] }), () => pair("==", ip(), ip()), () => pair("==", { ip: [value(`0.0.0.${low}/${size}`)] }, { ip: [value(`::${low}/${size}`)] }), () => ({ [dice.pick(["isIpv4", "isIpv6", "isLoopback", "isMulticast"])]: [ip()] })])();
};

const ofConstructors = (dice: Dice): JsonObject => {
  const name = dice.pick(["decimal", "datetime", "duration", "ip"] as const);
  const [left, right] = [constructed(dice, name), constructed(dice, dice.chance(95) ? name : dice.pick(["decimal", "datetime", "duration", "ip"] as const))];
  const other = dice.chance(15) ? left : right;
  if (name === "decimal") return { [dice.pick(["lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"])]: [left, other] };
  if (name === "ip") return dice.chance(50) ? { isInRange: [left, other] } : { [dice.pick(["isIpv4", "isIpv6", "isLoopback", "isMulticast"])]: [left] };
  if (dice.chance(50)) return pair(dice.pick(["<", "<=", ">", ">=", "==", "!="]), left, other);
  if (name === "duration") return pair(dice.pick(["<", "<=", "==", ">"]), { [dice.pick(["toMilliseconds", "toSeconds", "toMinutes", "toHours", "toDays"])]: [left] }, value(dice.pick([-1, 0, 1, 24, 36, 60, 1440])));
  const moved = dice.pick<() => JsonObject>([() => ({ toDate: [left] }), () => ({ offset: [left, constructed(dice, "duration")] })])();
  return dice.chance(50) ? pair("==", moved, constructed(dice, "datetime")) : pair("<=", dice.chance(50) ? { toTime: [moved] } : { durationSince: [moved, other] }, constructed(dice, "duration"));
};

/** Longs near each other and near the ends of 64 bits. */
const ofNumbers = (dice: Dice): JsonObject => {
  const base = (): JsonObject => (dice.chance(40) ? literal(dice, "number") : dice.pick([value(2 ** 62), value(-(2 ** 63)), value(2 ** 53), value(-(2 ** 53)), value(3_037_000_500), value(2 ** 31)]));
  const near = (form: JsonObject): JsonObject => (dice.chance(40) ? form : pair(dice.pick(["+", "-"]), form, value(dice.below(3))));
  const left = dice.chance(60) ? base() : pair(dice.pick(["+", "-", "*"]), base(), dice.chance(30) ? { neg: { arg: base() } } : base());
  return pair(dice.pick(["<", "<=", ">", ">=", "==", "!="]), near(left), dice.chance(50) ? near(left) : base());
};

/** Names that are equal in one part only. */
const ofNames = (dice: Dice): JsonObject => {
  const name = (): JsonObject => ({ "if-then-else": { if: { ".": { left: { Var: "context" }, attr: "b" } }, then: value({ __entity: { ...uid(dice) } }), else: { Var: dice.pick(["principal", "resource", "action"]) } } });
  return pair(dice.pick(["==", "!=", "in"]), name(), dice.chance(50) ? name() : { Var: dice.pick(["principal", "resource"]) });
};

/** Pieces of the text itself, which may overlap, with wildcards between them. */
const ofPatterns = (dice: Dice): JsonObject => {
  const text = dice.some(0, 7, () => dice.pick(["a", "b", "a", "*", "😀"]));
  const cut = (): number => dice.below(text.length + 1);
  const slice = (): string[] => {
    const [one, two] = [cut(), cut()];
    return text.slice(Math.min(one, two), dice.chance(50) ? Math.min(one, two) + 1 : Math.max(one, two));
  };
  const pieces = [text.slice(0, cut()), ...dice.some(0, 3, slice), dice.chance(80) ? text.slice(cut()) : slice()];
  const pattern = (dice.chance(90) ? pieces : [text]).map((piece) => piece.map((Literal): Json => ({ Literal }))).reduce((left, right) => [...left, "Wildcard", ...right]);
  return { like: { left: value(text.join("")), pattern } };
};

/** What holds other values: sets in sets, records in sets, with duplicates, in other orders. */
const nested = (dice: Dice, room: number): JsonObject => {
  if (room === 0) return dice.chance(30) ? pair(dice.pick(["+", "-"]), value(dice.below(2)), value(dice.below(2))) : value(dice.pick<Json>([0, 1, "", "1", true, false, "a", { __entity: { ...uid(dice) } }]));
  if (dice.chance(70)) return { Set: dice.some(0, 3, () => nested(dice, dice.chance(60) ? room - 1 : 0)) };
  return { Record: Object.fromEntries(dice.some(0, 2, () => [dice.pick(["a", "b", "\u{ff5e}", "\u{1f600}"]), nested(dice, room - 1)] as const)) };
};

/** The same in another order, some of it twice. */
const shuffled = (dice: Dice, form: JsonObject): JsonObject => {
  const items = form["Set"];
  const fields = form["Record"];
  if (isObject(fields)) return { Record: dice.chance(70) ? Object.fromEntries(Object.entries(fields).reverse()) : Object.fromEntries(Object.values(fields).map((item, index) => [`${index}`, item])) };
  if (!Array.isArray(items)) return form;
  const again = items.length > 0 && dice.chance(50) ? [dice.pick(items)] : [];
  return { Set: [...items.toReversed(), ...again].map((item) => shuffled(dice, item as JsonObject)) };
};

const ofNested = (dice: Dice): JsonObject => {
  const left = nested(dice, 1 + dice.below(3));
  const right = dice.chance(50) ? shuffled(dice, left) : nested(dice, 1 + dice.below(3));
  const operator = dice.pick(["==", "!=", "contains", "containsAll", "containsAny", "in"]);
  return operator === "contains" ? pair(operator, { Set: [right, nested(dice, 1)] }, left) : pair(operator, left, right);
};

/** Values that JavaScript takes for each other. */
const ofLookalikes = (dice: Dice): JsonObject => {
  const one = (): JsonObject => value(dice.pick<Json>([0, 1, -1, true, false, "", "0", "1", "true", "null"]));
  const hidden = (form: JsonObject): JsonObject => ({ "if-then-else": { if: value(true), then: form, else: literal(dice, dice.pick(kinds)) } });
  return dice.chance(50) ? pair(dice.pick(["==", "!="]), hidden(one()), one()) : pair("contains", { Set: dice.some(1, 12, one) }, one());
};

/** An expression about some edge; a boolean, unless it errs. */
export const edge = (dice: Dice): JsonObject => dice.pick([ofAddresses, ofConstructors, ofConstructors, ofConstructors, ofNumbers, ofNames, ofPatterns, ofPatterns, ofNested, ofNested, ofLookalikes])(dice);
