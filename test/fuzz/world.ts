import type { Json, JsonObject } from "@lanyard/contract";
import type { Dice } from "./dice.ts";

/** An entity, context and request in Cedar's JSON form: what both evaluators are given. */
export interface WorldEntity {
  readonly uid: Uid;
  readonly attrs: JsonObject;
  readonly tags: JsonObject;
  readonly parents: readonly Uid[];
}
export type Uid = { readonly type: string; readonly id: string };
export interface FuzzQuestion {
  readonly principal: Uid;
  readonly action: Uid;
  readonly resource: Uid;
  readonly context: JsonObject;
}

/** Types of expressions; `number` is a Long. */
export type Kind = "boolean" | "number" | "text" | "entity" | "numbers" | "texts" | "entities" | "record" | "decimal" | "datetime" | "duration" | "address";

export const kinds: readonly Kind[] = ["boolean", "number", "text", "entity", "numbers", "texts", "entities", "record", "decimal", "datetime", "duration", "address"];

/** The attributes of every entity and the fields of every context: a name says its type. Any may be absent. */
export const fields: Readonly<Record<Kind, readonly string[]>> = {
  boolean: ["b", "yes or no"],
  number: ["n", "m", "zähler"],
  text: ["s", "q\"\\"],
  entity: ["e", "owner"],
  numbers: ["ns", "large"],
  texts: ["ss"],
  entities: ["es", "team"],
  record: ["r", "deep"],
  decimal: ["d"],
  datetime: ["t"],
  duration: ["u"],
  address: ["i"],
};

export const entityTypes = ["User", "Group", "Doc", "Org::Unit"] as const;
const ids = ["a", "b", "c", "ü 😀", "\"q\\\n"] as const;
export const texts = ["", "a", "ab", "abab", "aXb", "*", "a*b", "é", "e\u0301", "😀", "😀a😀", "ab\nab", "\\", "\"", "A", "\u0000", "1", "b".repeat(40), "日本語", "a😀b"] as const;
/** Without the backslash: V8 (Node 24.21) takes a key that is written with an escape for one it has seen that begins so. */
const tagNames = texts.filter((text) => text !== "\\");
export const smallNumbers = [0, 1, -1, 2, 3, 7, -7, 10, 100, 2 ** 31, 9007199254740991, -9007199254740991] as const;
export const decimals = ["0.0", "-0.0", "1.0", "1.00", "0.1", "-0.5", "0.5", "12.3456", "922337203685477.5807", "-922337203685477.5808", "-1.0001", "00012.5", "3.0000"] as const;
export const badDecimals = ["", "1", "1.", ".5", "1.00000", "+1.0", "1.0 ", "922337203685477.5808", "-922337203685477.5809", "99999999999999999999.0", "99999999999999999999.00000", "922337203685478.00000", "1e3", "0x1.0", "٣.5", "0.٣", "--1.0", "1.2.3"] as const;
export const datetimes = [
  "1970-01-01", "1969-12-31T23:59:59.999Z", "2024-02-29", "2000-02-29T00:00:00Z", "0000-01-01", "0000-02-29", "0099-12-31", "9999-12-31T23:59:59.999Z", "2024-10-15T11:38:02.101+1134",
  "2024-10-15T11:38:02.101-1134", "2024-10-15T00:00:00+2359", "2024-10-15T23:59:59-2359", "1969-12-31", "2024-12-31T23:00:00Z", "1900-03-01",
] as const;
export const badDatetimes = [
  "", "2024", "2024-1-1", "2024-13-01", "2024-00-10", "2024-01-00", "2023-02-29", "1900-02-29", "2024-04-31", "2024-01-01T", "2024-01-01T00:00:00", "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z",
  "2024-01-01T00:00:60Z", "2024-01-01T00:00:00.1Z", "2024-01-01T00:00:00.1234Z", "2024-01-01T00:00:00+2400", "2024-01-01T00:00:00+0060", "2024-01-01T00:00:00+1", "2024-01-01 00:00:00Z", "2024-01-01T00:00:00z",
  "10000-01-01", "-2024-01-01", "2024-01-01\n", "2024-02-30T25:00:00Z", "2024-01-01T25:00:00+9999", "2024-02-30T00:00", "2024-01-01T00:00:00ZZ", "2024-01-01T23:59:59+0530x",
] as const;
export const durations = [
  "0ms", "-0d", "1ms", "-1ms", "1d", "-1d", "36h", "-36h", "1d2h3m4s5ms", "-1d2h3m4s5ms", "90m", "86399999ms", "86400000ms", "9223372036854775807ms", "-9223372036854775808ms", "106751991167d7h12m55s807ms",
  "000000000000000000000000001d", "1d5ms", "59s", "61s", "1439m", "-1439m", "999ms", "-1001ms",
] as const;
export const badDurations = ["", "-", "1", "d", "1d1d", "1ms1d", "1h1d", "+1d", "1.5d", "1D", "1d ", "9223372036854775808ms", "-9223372036854775809ms", "106751991168d", "18446744073709551616ms", "99999999999999999999999d", "- 1d", "1w", "1d-1h"] as const;
export const addresses = [
  "0.0.0.0", "0.0.0.0/0", "127.0.0.1", "127.255.0.1/8", "127.0.0.1/7", "10.0.0.1", "10.0.0.0/8", "10.0.0.1/8", "10.1.0.0/16", "255.255.255.255/32", "224.0.0.1", "224.0.0.0/3", "239.255.255.255/4", "223.255.255.255", "::", "::1",
  "::1/128", "::1/127", "::/0", "ff00::", "ff00::/8", "ff00::/7", "FE80::1/64", "fe80::/10", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "2001:db8::/32", "2001:db8::1", "::ffff:7f00:1", "0001::00ff/16",
  "ABCD:EF01:2345:6789:ABCD:EF01:2345:6789/128",
] as const;
export const badAddresses = [
  "", "/8", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.1.1.256", "01.2.3.4", "1.2.3.4/", "1.2.3.4/33", "1.2.3.4/08", "1.2.3.4/-1", "1.2.3.4/a", "1.2.3.4/132", "1.2.3.4/8/8", "::1/129", "::1/256", "::1/1281", "::1/+1", "::1/00", ":::", "1::2::3",
  "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "1:2:3:4::5:6:7:8", "00001::", "g::", "::ffff:1.2.3.4", "::1.2.3.4", "1.2.3.4:80", "[::1]", "::1%eth0", " ::1", "é", "a".repeat(44), ":1:2:3:4:5:6:7", "1.2.3.é/8", "::/é", "::/éé",
] as const;

export const uid = (dice: Dice): Uid => ({ type: dice.pick(entityTypes), id: dice.pick(ids) });

const known = entityTypes.flatMap((type) => ids.slice(0, 4).map((id) => ({ type, id })));

const escaped = (fn: string, arg: string): Json => ({ __extn: { fn, arg } });

/** A value as JSON; a record of the depth `room` allows. */
const valueOf = (dice: Dice, kind: Kind, room: number): Json => {
  switch (kind) {
    case "boolean":
      return dice.chance(50);
    case "number":
      return dice.pick(smallNumbers);
    case "text":
      return dice.pick(texts);
    case "entity":
      return { __entity: uid(dice) };
    case "numbers":
      return dice.chance(10) ? Array.from({ length: 5 + dice.below(60) }, () => dice.below(50)) : dice.some(0, 6, () => dice.below(6));
    case "texts":
      return dice.some(0, dice.chance(10) ? 30 : 4, () => dice.pick(texts));
    case "entities":
      return dice.some(0, dice.chance(10) ? 30 : 5, () => valueOf(dice, "entity", room));
    case "record":
      return fieldsOf(dice, room - 1);
    case "decimal":
      return escaped("decimal", dice.pick(decimals));
    case "datetime":
      return escaped("datetime", dice.pick(datetimes));
    case "duration":
      return escaped("duration", dice.pick(durations));
    case "address":
      return escaped("ip", dice.pick(addresses));
  }
};

/** Some of the fields; now and then one holds a value of another type than its name says, or sets of mixed items. */
const fieldsOf = (dice: Dice, room: number): JsonObject => {
  const found: JsonObject = {};
  for (const kind of kinds) {
    for (const name of fields[kind]) {
      if (dice.chance(room > 0 ? 12 : 35) || (kind === "record" && room <= 0)) continue;
      if (dice.chance(3)) found[name] = dice.some(0, 5, () => valueOf(dice, dice.pick(kinds), 0));
      else found[name] = valueOf(dice, dice.chance(96) ? kind : dice.pick(kinds), room);
    }
  }
  return found;
};

/** Entities in a hierarchy without circles, several levels deep and wide. Some that others lie below, or that policies name, are not there. */
export const makeEntities = (dice: Dice): WorldEntity[] => {
  const present = known.filter(() => dice.chance(75));
  return present.map((own, index) => {
    const above: Uid[] = [...present.slice(index + 1), { type: "Group", id: ids[4] }];
    return {
      uid: own,
      attrs: dice.chance(85) ? fieldsOf(dice, 1) : {},
      tags: dice.chance(60) ? Object.fromEntries(dice.some(0, 4, () => [dice.pick(tagNames), valueOf(dice, dice.pick(kinds), 0)] as const)) : {},
      parents: dice.chance(70) ? [...new Set(dice.some(0, 3, () => dice.pick(above)))] : [],
    };
  });
};

export const makeQuestion = (dice: Dice): FuzzQuestion => ({
  principal: dice.chance(80) ? dice.pick(known) : uid(dice),
  action: { type: "Action", id: dice.pick(["read", "write", "x/y"]) },
  resource: dice.chance(80) ? dice.pick(known) : uid(dice),
  context: fieldsOf(dice, 3),
});
