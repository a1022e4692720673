import type { Json, JsonObject } from "@lanyard/contract";
import type { Dice } from "./dice.ts";
import { addresses, badAddresses, badDatetimes, badDecimals, badDurations, datetimes, decimals, durations, entityTypes, fields, kinds, smallNumbers, texts, uid, type Kind } from "./world.ts";

// Expressions in Cedar's JSON form. They are typed, so that most of each is really evaluated, and now and then deliberately are not.

const value = (json: Json): JsonObject => ({ Value: json });
const pair = (operator: string, left: JsonObject, right: JsonObject): JsonObject => ({ [operator]: { left, right } });

type Make = (dice: Dice, room: number) => JsonObject;

/** An expression of this type, most often; `room` is how deep it may nest. */
export const expression = (dice: Dice, kind: Kind, room: number): JsonObject => {
  const wanted = dice.chance(4) ? dice.pick(kinds) : kind;
  if (room > 0 && dice.chance(6)) return { "if-then-else": { if: expression(dice, "boolean", room - 1), then: expression(dice, wanted, room - 1), else: expression(dice, wanted, room - 1) } };
  if (dice.chance(room > 0 ? 30 : 45)) return reading(dice, wanted, room);
  if (room > 0 && dice.chance(75)) {
    const makers = operators[wanted];
    if (makers.length > 0) return dice.pick(makers)(dice, room - 1);
  }
  return literal(dice, wanted);
};

/** What holds attributes: variables, entities, records. */
const holder = (dice: Dice, room: number): JsonObject => {
  if (room > 0 && dice.chance(25)) return expression(dice, dice.chance(50) ? "entity" : "record", room - 1);
  return { Var: dice.pick(["principal", "resource", "context", "context", "context", "action"]) };
};

const reading = (dice: Dice, kind: Kind, room: number): JsonObject => {
  if (kind === "entity" && dice.chance(60)) return { Var: dice.pick(["principal", "resource", "action"]) };
  if (kind === "record" && dice.chance(15)) return { Var: "context" };
  if (dice.chance(6)) return pair("getTag", expression(dice, "entity", Math.max(0, room - 1)), value(dice.pick(texts)));
  return { ".": { left: holder(dice, room), attr: dice.pick(fields[kind]) } };
};

const call = (name: string, ...args: readonly JsonObject[]): JsonObject => ({ [name]: [...args] });

const constructed = (dice: Dice, name: string, good: readonly string[], bad: readonly string[]): JsonObject => {
  if (dice.chance(1)) return call(name, ...dice.some(0, 3, () => value(dice.pick(good))));
  return call(name, value(dice.chance(88) ? dice.pick(good) : dice.pick(bad)));
};

/** The greatest Long, which a JSON number does not carry, put together from ones it does. */
const greatest = pair("+", pair("-", value(2 ** 62), value(1)), value(2 ** 62));

export const literal = (dice: Dice, kind: Kind): JsonObject => {
  switch (kind) {
    case "boolean":
      return value(dice.chance(50));
    case "number":
      if (dice.chance(6)) return dice.chance(50) ? greatest : value(-(2 ** 63));
      return value(dice.chance(50) ? dice.below(6) : dice.pick(smallNumbers));
    case "text":
      return value(dice.pick(texts));
    case "entity":
      return value({ __entity: uid(dice) });
    case "numbers":
      return { Set: dice.some(0, dice.chance(5) ? 40 : 4, () => literal(dice, "number")) };
    case "texts":
      return { Set: dice.some(0, 4, () => literal(dice, "text")) };
    case "entities":
      return { Set: dice.some(0, dice.chance(5) ? 20 : 4, () => literal(dice, dice.chance(98) ? "entity" : dice.pick(kinds))) };
    case "record":
      return { Record: Object.fromEntries(dice.some(0, 3, () => dice.pick(kinds)).map((one) => [dice.pick(fields[one]), literal(dice, one === "record" ? "text" : one)])) };
    case "decimal":
      return constructed(dice, "decimal", decimals, badDecimals);
    case "datetime":
      return constructed(dice, "datetime", datetimes, badDatetimes);
    case "duration":
      return constructed(dice, "duration", durations, badDurations);
    case "address":
      return constructed(dice, "ip", addresses, badAddresses);
  }
};

const sets: readonly Kind[] = ["numbers", "texts", "entities"];
const itemOf = (set: Kind): Kind => (set === "numbers" ? "number" : set === "texts" ? "text" : "entity");

const long = (operator: string): Make => (dice, room) => pair(operator, expression(dice, "number", room), expression(dice, "number", room));
const method = (name: string, ...of: readonly Kind[]): Make => (dice, room) => call(name, ...of.map((kind) => expression(dice, kind, room)));

const logic = (operator: string): Make => (dice, room) => {
  const parts = dice.some(2, dice.chance(5) ? 12 : 3, () => expression(dice, "boolean", room));
  // Chains lean to the left, as Cedar's parser builds them, or to the right, as authors may nest them.
  return dice.chance(70) ? parts.reduce((left, right) => pair(operator, left, right)) : parts.reduceRight((right, left) => pair(operator, left, right));
};

const equality: Make = (dice, room) => {
  const kind = dice.pick(kinds);
  const left = expression(dice, kind, room);
  return pair(dice.pick(["==", "!="]), left, dice.chance(15) ? left : expression(dice, dice.chance(90) ? kind : dice.pick(kinds), room));
};

const comparison: Make = (dice, room) => {
  const kind = dice.pick<Kind>(["number", "number", "datetime", "duration", "number"]);
  const left = expression(dice, kind, room);
  return pair(dice.pick(["<", "<=", ">", ">="]), left, dice.chance(15) ? left : expression(dice, dice.chance(95) ? kind : dice.pick(kinds), room));
};

const membership: Make = (dice, room) => {
  const set = dice.pick(sets);
  const items: Kind = dice.chance(95) ? itemOf(set) : dice.pick(kinds);
  if (dice.chance(40)) return pair("contains", expression(dice, set, room), expression(dice, items, room));
  // Overlapping on purpose: the same set with something added or left out.
  const left = expression(dice, set, room);
  const right = dice.chance(20) ? left : expression(dice, dice.chance(95) ? set : dice.pick(kinds), room);
  return pair(dice.pick(["containsAll", "containsAny"]), left, right);
};

const below: Make = (dice, room) => pair("in", expression(dice, "entity", room), expression(dice, dice.chance(55) ? "entity" : "entities", room));

const presence: Make = (dice, room) => {
  const names = dice.some(1, dice.chance(30) ? 3 : 1, () => dice.pick(fields[dice.pick(kinds)]));
  const plain = names.length > 1 ? names.map((name) => (/^[a-z]+$/.test(name) ? name : "r")) : names;
  return { has: { left: holder(dice, room), attr: plain.length === 1 ? (plain[0] ?? "") : plain } };
};

/** A guard and what it guards: how policies read what may be absent. */
const guarded: Make = (dice, room) => {
  const kind = dice.pick(kinds);
  const left = holder(dice, 0);
  const attr = dice.pick(fields[kind]);
  return pair("&&", { has: { left, attr } }, pair("==", { ".": { left, attr } }, expression(dice, kind, room)));
};

const pattern: Make = (dice, room) => {
  const pieces = dice.some(0, 5, (): Json => {
    const piece = dice.pick(["*", "a", "b", "ab", "é", "😀", "X", "\\", "\u0301", "\n"]);
    return dice.chance(45) ? "Wildcard" : { Literal: piece };
  });
  // Cedar's own form has one character to a literal, which is what its parser makes of the text.
  const single = pieces.flatMap((piece) => (typeof piece === "string" ? [piece] : [...((piece as { Literal: string }).Literal)].map((Literal): Json => ({ Literal }))));
  return { like: { left: expression(dice, "text", room), pattern: single } };
};

const kindOf: Make = (dice, room) => {
  const left = expression(dice, "entity", room);
  const entity_type = dice.pick([...entityTypes, "Action"]);
  return { is: { left, entity_type, ...(dice.chance(50) ? {} : { in: expression(dice, dice.chance(60) ? "entity" : "entities", room) }) } };
};

const setOf = (item: Kind): Make => (dice, room) => ({ Set: dice.some(0, 3, () => expression(dice, item, Math.min(room, 1))) });

const recordOf: Make = (dice, room) => ({ Record: Object.fromEntries(dice.some(0, 3, () => dice.pick(kinds)).map((one) => [dice.pick(fields[one]), expression(dice, one, Math.min(room, 1))])) });

const operators: Readonly<Record<Kind, readonly Make[]>> = {
  boolean: [
    logic("&&"),
    logic("||"),
    logic("&&"),
    (dice, room) => ({ "!": { arg: expression(dice, "boolean", room) } }),
    equality,
    equality,
    comparison,
    comparison,
    membership,
    membership,
    below,
    below,
    presence,
    guarded,
    guarded,
    pattern,
    pattern,
    kindOf,
    (dice, room) => ({ isEmpty: { arg: expression(dice, dice.pick(sets), room) } }),
    (dice, room) => pair("hasTag", expression(dice, "entity", room), expression(dice, "text", 0)),
    (dice, room) => method(dice.pick(["lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"]), "decimal", "decimal")(dice, room),
    (dice, room) => method(dice.pick(["isIpv4", "isIpv6", "isLoopback", "isMulticast"]), "address")(dice, room),
    method("isInRange", "address", "address"),
  ],
  number: [
    long("+"),
    long("-"),
    long("*"),
    (dice, room) => ({ neg: { arg: expression(dice, "number", room) } }),
    (dice, room) => method(dice.pick(["toMilliseconds", "toSeconds", "toMinutes", "toHours", "toDays"]), "duration")(dice, room),
  ],
  text: [],
  entity: [],
  numbers: [setOf("number")],
  texts: [setOf("text")],
  entities: [setOf("entity")],
  record: [recordOf],
  decimal: [(dice) => call("decimal", reading(dice, "text", 0))],
  datetime: [method("offset", "datetime", "duration"), method("offset", "datetime", "duration"), method("toDate", "datetime")],
  duration: [method("durationSince", "datetime", "datetime"), method("toTime", "datetime")],
  address: [(dice) => call("ip", reading(dice, "text", 0))],
};
