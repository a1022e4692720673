import { isInRange, isLoopback, isMulticast, parseIp } from "./address.ts";
import { asString, fail, mistyped } from "./fault.ts";
import { quotient } from "./long.ts";
import { durationSince, offset, parseDatetime, parseDuration, toDate, toTime } from "./time.ts";
import { DatetimeValue, DecimalValue, DurationValue, IpValue, longOf, type Value } from "./value.ts";

/** A function of Cedar's extensions; it throws an EvaluationFault on arguments of other types. */
export type ExtensionFunction =
  | { readonly arity: 1; readonly call: (value: Value) => Value }
  | { readonly arity: 2; readonly call: (left: Value, right: Value) => Value };

const asDecimal = (value: Value): DecimalValue => (value instanceof DecimalValue ? value : mistyped("decimal", value));
const asIp = (value: Value): IpValue => (value instanceof IpValue ? value : mistyped("ipaddr", value));
const asDatetime = (value: Value): DatetimeValue => (value instanceof DatetimeValue ? value : mistyped("datetime", value));
const asDuration = (value: Value): DurationValue => (value instanceof DurationValue ? value : mistyped("duration", value));

const one = (call: (value: Value) => Value): ExtensionFunction => ({ arity: 1, call });
const two = (call: (left: Value, right: Value) => Value): ExtensionFunction => ({ arity: 2, call });

/** Every function and method of Cedar's extensions by its name, as the policy format names them. */
export const extensionFunctions: ReadonlyMap<string, ExtensionFunction> = new Map([
  ["decimal", one((value) => parseDecimal(asString(value)))],
  ["lessThan", two((left, right) => asDecimal(left).units < asDecimal(right).units)],
  ["lessThanOrEqual", two((left, right) => asDecimal(left).units <= asDecimal(right).units)],
  ["greaterThan", two((left, right) => asDecimal(left).units > asDecimal(right).units)],
  ["greaterThanOrEqual", two((left, right) => asDecimal(left).units >= asDecimal(right).units)],
  ["ip", one((value) => parseIp(asString(value)))],
  ["isIpv4", one((value) => !asIp(value).v6)],
  ["isIpv6", one((value) => asIp(value).v6)],
  ["isLoopback", one((value) => isLoopback(asIp(value)))],
  ["isMulticast", one((value) => isMulticast(asIp(value)))],
  ["isInRange", two((left, right) => isInRange(asIp(left), asIp(right)))],
  ["datetime", one((value) => parseDatetime(asString(value)))],
  ["duration", one((value) => parseDuration(asString(value)))],
  ["offset", two((left, right) => offset(asDatetime(left), asDuration(right)))],
  ["durationSince", two((left, right) => durationSince(asDatetime(left), asDatetime(right)))],
  ["toDate", one((value) => toDate(asDatetime(value)))],
  ["toTime", one((value) => toTime(asDatetime(value)))],
  ["toMilliseconds", one((value) => asDuration(value).ms)],
  ["toSeconds", one((value) => quotient(asDuration(value).ms, 1000))],
  ["toMinutes", one((value) => quotient(asDuration(value).ms, 60_000))],
  ["toHours", one((value) => quotient(asDuration(value).ms, 3_600_000))],
  ["toDays", one((value) => quotient(asDuration(value).ms, 86_400_000))],
]);

const refuse = (message: string): never => fail(`error while evaluating \`decimal\` extension function: ${message}`);

/** 2^63 ten-thousandths, without those after the point. */
const largest = 922_337_203_685_477n;

/** Throws an EvaluationFault on a text that is no decimal of at most four digits after the point. */
export const parseDecimal = (text: string): DecimalValue => {
  // Digits of any script are digits to Cedar's pattern, and then none that it can count with.
  const [, sign, whole = "", fraction = ""] = /^(-?)(\p{Nd}+)\.(\p{Nd}+)$/u.exec(text) ?? [];
  if (sign === undefined) return refuse(`\`${text}\` is not a well-formed decimal value`);
  const before = whole.replace(/^0+(?=.)/, "");
  if (!/^[0-9]{1,15}$/.test(before) || BigInt(before) > largest) return refuse("overflow when converting to decimal");
  if (new TextEncoder().encode(fraction).length > 4) return refuse(`too many digits after the decimal in \`${text}\``);
  if (!/^[0-9]+$/.test(fraction)) return refuse("overflow when converting to decimal");
  const amount = BigInt(before) * 10_000n + BigInt(fraction.padEnd(4, "0"));
  const units = sign === "-" ? -amount : amount;
  return units === BigInt.asIntN(64, units) ? new DecimalValue(longOf(units)) : refuse("overflow when converting to decimal");
};
