import { fail } from "./fault.ts";
import { difference, modulus, sum } from "./long.ts";
import { DatetimeValue, DurationValue, longOf, type Long } from "./value.ts";

// The texts of Cedar's `datetime` and `duration`, and what is reckoned with them: milliseconds in 64 bits.

const refuseTime = (message: string): never => fail(`error while evaluating \`datetime\` extension function: ${message}`);

const refuseSpan = (message: string): never => fail(`error while evaluating \`duration\` extension function: ${message}`);

/** Milliseconds of each unit, in the order they are written in. */
const units = [86_400_000n, 3_600_000n, 60_000n, 1000n, 1n] as const;
const day = 86_400_000;

/** Throws an EvaluationFault on a text that is no duration. */
export const parseDuration = (text: string): DurationValue => {
  const found = /^-?(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?(?:([0-9]+)ms)?$/.exec(text);
  if (found === null || text === "" || text === "-") return refuseSpan("invalid duration pattern");
  let ms = 0n;
  units.forEach((unit, index) => {
    const digits = (found[index + 1] ?? "").replace(/^0+/, "");
    if (digits.length > 20) return refuseSpan("Duration overflows internal representation"); // before its digits are counted together
    ms += BigInt(digits) * unit;
  });
  const signed = text.startsWith("-") ? -ms : ms;
  return signed === BigInt.asIntN(64, signed) ? new DurationValue(longOf(signed)) : refuseSpan("Duration overflows internal representation");
};

/** Throws an EvaluationFault on a text that is no datetime. Its form is judged before its numbers, and both from left to right. */
export const parseDatetime = (text: string): DatetimeValue => {
  const [date = refuseTime("invalid date pattern"), year = "", month = "", dayOfMonth = ""] = /^([0-9]{4})-([0-9]{2})-([0-9]{2})/.exec(text) ?? [];
  if (date.length === text.length) return new DatetimeValue(startOf(date, year, month, dayOfMonth));
  const [time = refuseTime("invalid hour/minute/second pattern"), ...clock] = /^T([0-9]{2}):([0-9]{2}):([0-9]{2})/.exec(text.slice(date.length)) ?? [];
  const rest = /^(?:\.([0-9]{3}))?(?:Z|([+-])([0-9]{2})([0-9]{2}))$/.exec(text.slice(date.length + time.length));
  if (rest === null) return refuseTime("invalid millisecond and/or offset pattern");
  const start = startOf(date, year, month, dayOfMonth);
  const [hour = 0, minute = 0, second = 0] = clock.map(Number);
  if (hour > 23 || minute > 59 || second > 59) return refuseTime(`invalid hour/minute/second: ${time.slice(1)}`);
  const [, fraction = "0", sign = "+", ...zone] = rest;
  const [zoneHour = 0, zoneMinute = 0] = zone.map((digits = "0") => Number(digits));
  if (zoneHour > 23 || zoneMinute > 59) return refuseTime(`invalid offset range: ${zoneHour}${zoneMinute}`);
  const east = (zoneHour * 60 + zoneMinute) * 60_000;
  return new DatetimeValue(start + ((hour * 60 + minute) * 60 + second) * 1000 + Number(fraction) - (sign === "-" ? -east : east));
};

/** Midnight of a day, proleptic Gregorian, from the year 0. */
const startOf = (date: string, ...[year, month, dayOfMonth]: readonly string[]): number => {
  const midnight = new Date(0);
  midnight.setUTCFullYear(Number(year), Number(month) - 1, Number(dayOfMonth));
  const exists = midnight.getUTCMonth() === Number(month) - 1 && midnight.getUTCDate() === Number(dayOfMonth);
  return exists ? midnight.getTime() : refuseTime(`invalid date: ${date}`);
};

const describe = (ms: Long): string => `datetime("1970-01-01").offset(duration("${ms}ms"))`;

const overflow = (name: string, message: string): never => fail(`error while evaluating \`${name}\` extension function: overflows when ${message}`);

export const offset = (time: DatetimeValue, by: DurationValue): DatetimeValue =>
  new DatetimeValue(sum(time.ms, by.ms) ?? overflow("offset", `adding an offset: ${describe(time.ms)}+(${by.ms}ms)`));

export const durationSince = (time: DatetimeValue, since: DatetimeValue): DurationValue =>
  new DurationValue(difference(time.ms, since.ms) ?? overflow("durationSince", `computing the duration between ${describe(time.ms)} and ${describe(since.ms)}`));

export const toDate = (time: DatetimeValue): DatetimeValue =>
  new DatetimeValue(difference(time.ms, modulus(time.ms, day)) ?? overflow("toDate", `computing the date of ${describe(time.ms)}`));

export const toTime = (time: DatetimeValue): DurationValue => new DurationValue(modulus(time.ms, day));
