import type { Json, MoneyFacts } from "@lanyard/contract";
import { isOver, listed } from "./bounded.ts";

/** How amounts are written that are not in whole units of 1/100: digits after the point, by ISO 4217. */
const digits: ReadonlyMap<string, number> = new Map(
  Object.entries({ 0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF", 3: "BHD IQD JOD KWD LYD OMR TND", 4: "CLF UYW" }).flatMap(([count, codes]) => codes.split(" ").map((code) => [code, Number(count)] as const)),
);
const symbols: ReadonlyMap<string, string> = new Map(Object.entries({ "€": "EUR", "£": "GBP", "₹": "INR", "₩": "KRW", "₽": "RUB", "₺": "TRY", "₴": "UAH", "₪": "ILS", "₫": "VND", "US$": "USD", $: "", "¥": "" }));

/** Digits of an amount after the point, and so what its smallest unit is. Not as `Intl` has them, which says how amounts are usually shown. */
export const currencyDigits = (currency: string): number => digits.get(currency) ?? 2;
const codes: ReadonlySet<string> = new Set(Intl.supportedValuesOf("currency"));

/** How texts name a currency behind or before an amount, as a part of a pattern: in lower case; signs are `[$€£]`. */
export const currencyNames = "(?:eur|usd|gbp|chf|jpy|sek|nok|dkk|pln|euros?|dollars?|pounds?|francs?)";

/** An amount as it stands in an argument, and the currency that the argument's contract or a neighbour of it says; empty where none does. */
export interface Amount {
  readonly value: Json;
  readonly currency: string;
  readonly unit: "minor" | "major";
}

/**
 * What is to be paid, all amounts together. The class is `plain` only when each is a number of plain digits, at most as many after the point as its currency
 * has, not negative, and all are of one currency: `1,000` is a thousand to one reader and one to another.
 */
export function moneyFacts(amounts: readonly Amount[]): MoneyFacts {
  const read = amounts.map(readAmount);
  const currencies = new Set(read.map(({ currency }) => currency));
  const minor = read.reduce((sum, one) => sum + (one.minor ?? Number.NaN), 0);
  const isPlain = read.length > 0 && Number.isSafeInteger(minor) && currencies.size === 1 && !isOver(currencies);
  return { class: isPlain ? "plain" : "unknown", minor: isPlain ? minor : 0, currencies: listed(currencies) };
}

function readAmount({ value, currency, unit }: Amount): { readonly minor: number | null; readonly currency: string } {
  const [, before = "", written = "", after = ""] = typeof value === "string" ? (/^((?:[A-Z]{2})?[$€£¥₹₩₽₺₴₪₫]|[A-Za-z]{3} )?([^A-Za-z\s$€£¥₹₩₽₺₴₪₫]+)( [A-Za-z]{3}| ?[$€£¥₹₩₽₺₴₪₫])?$/.exec(value) ?? []) : [];
  const shown = currencyIn(before) || currencyIn(after);
  const code = currency.toUpperCase();
  const known = code === "" ? shown : code;
  const minor = typeof value === "number" ? minorOf(numeral(value), unit, known) : written === "" ? null : minorOf(written, unit, known);
  const isOne = shown === "" || code === "" || shown === code;
  const isCode = known === "" || codes.has(known);
  return { minor: isOne && isCode && !(before !== "" && after !== "") ? minor : null, currency: known };
}

const currencyIn = (text: string): string => {
  const mark = text.trim();
  return symbols.get(mark) ?? (/^[A-Za-z]{3}$/.test(mark) ? mark.toUpperCase() : "");
};

/** As it would be written without an exponent; empty when it is too large or too small for that. */
const numeral = (value: number): string => (/e/.test(String(value)) ? "" : String(value));

/** In the smallest unit; null for what is no plain number, or has parts of that unit. */
function minorOf(text: string, unit: Amount["unit"], currency: string): number | null {
  const [, whole, fraction = ""] = /^(0|[1-9]\d{0,15})(?:\.(\d{1,8}))?$/.exec(text) ?? [];
  if (whole === undefined) return null;
  const places = unit === "minor" ? 0 : currencyDigits(currency);
  if (fraction.length > places) return null; // `1.000` is one to some and a thousand to others.
  const minor = Number(`${whole}${fraction.padEnd(places, "0")}`);
  return Number.isSafeInteger(minor) ? minor : null;
}
