import fc from "fast-check";
import type { Json } from "@lanyard/contract";
import { describe, expect, test } from "vitest";
import { moneyFacts } from "../../../server/src/base/extract/money.ts";

const facts = (value: Json, currency = "EUR", unit: "minor" | "major" = "major") => moneyFacts([{ value, currency, unit }]);
/** A rule as people write it: a hundred euros at most. */
const permitted = (value: Json, currency?: string, unit?: "minor" | "major"): boolean => {
  const { class: of, minor, currencies } = facts(value, currency, unit);
  return of === "plain" && minor <= 10_000 && currencies.join() === "EUR";
};

/** Ways to move more than it seems, each with its near miss. */
const tricks: readonly (readonly [name: string, trick: Json, twin: Json])[] = [
  ["more", 100.01, 100],
  ["more, as a text", "100.01", "100.00"],
  ["a comma for thousands", "1,000", "10"],
  ["a comma and a point", "1,000.00", "10.00"],
  ["a point and a comma", "1.000,00", "1.00"],
  ["a decimal comma", "99,99", "99.99"],
  ["a point for thousands", "1.000", "1.00"],
  ["a blank for thousands", "1 000", "10"],
  ["an apostrophe for thousands", "1'000", "10"],
  ["an underscore for thousands", "1_000", "10"],
  ["an exponent", "1e4", "14"],
  ["an exponent in capitals", "1E4", "14"],
  ["a small exponent", "1e-4", "0.1"],
  ["a number with a great exponent", 1e21, 1e1],
  ["a number with a small exponent", 1e-7, 0.1],
  ["less than nothing", -1, 1],
  ["less than nothing, as a text", "-1", "1"],
  ["a minus of typesetters", "\u22121", "1"],
  ["in brackets, as accountants have it", "(1)", "1"],
  ["a plus", "+1", "1"],
  ["hexadecimal", "0xFFFF", "15"],
  ["octal", "0o777", "77"],
  ["a zero at the front", "010", "10"],
  ["a fraction of a cent", 0.001, 0.01],
  ["many digits after the point", "0.00999999999999999999", "0.01"],
  ["infinite", "Infinity", "1"],
  ["no number", "NaN", "1"],
  ["everything", "all", "1"],
  ["nothing", "", "0"],
  ["only a point", ".", "0.5"],
  ["a point at the end", "5.", "5.0"],
  ["a point at the front", ".5", "0.5"],
  ["two points", "1.0.0", "1.0"],
  ["digits of another script", "\u0661\u0660", "10"],
  ["full-width digits", "１０", "10"],
  ["blanks around it", " 10 ", "10"],
  ["a line feed in it", "10\n0", "10"],
  ["a NUL in it", "10\0", "10"],
  ["a zero-width space in it", "1\u200b0", "10"],
  ["dollars that say euros", "10 USD", "10 EUR"],
  ["another sign", "£10", "€10"],
  ["two signs", "€10€", "€10"],
  ["a sum", "50+51", "50"],
  ["a percentage", "50%", "50"],
  ["in thousands", "5k", "5"],
  ["a million, as banks write it", "1MM", "1"],
  ["true", true, 1],
  ["a list", [1], 1],
  ["past all exact numbers", 2 ** 53 + 2, 90],
  ["sixteen digits and more", "90071992547409930000", "90"],
];

describe("what looks like little money and is more", () => {
  test.each(tricks)("%s", (_, trick, twin) => {
    expect(permitted(trick)).toBe(false);
    expect(permitted(twin)).toBe(true);
  });
  test("are twenty-five at least, each another", () => expect(new Set(tricks.map(([, trick]) => JSON.stringify(trick))).size).toBeGreaterThanOrEqual(25));
  test("a currency that is none, or none at all, is not euros", () => {
    for (const currency of ["", "ABC", "EURO", "E", "USD", "eur ", "€"]) expect(permitted(10, currency)).toBe(false);
    expect(permitted(10, "eur")).toBe(true);
  });
  test("cents are not euros", () => {
    expect(permitted(10_001, "EUR", "minor")).toBe(false);
    expect(permitted(10_000, "EUR", "minor")).toBe(true);
    expect(permitted(0.5, "EUR", "minor")).toBe(false);
  });
});

test("the facts are in the currency's smallest unit, all amounts together", () => {
  expect(facts(1.1)).toEqual({ class: "plain", minor: 110, currencies: ["EUR"] });
  expect(facts(500, "JPY")).toEqual({ class: "plain", minor: 500, currencies: ["JPY"] });
  expect(facts("1.234", "KWD")).toEqual({ class: "plain", minor: 1234, currencies: ["KWD"] });
  expect(facts("500.5", "JPY")).toMatchObject({ class: "unknown", minor: 0 });
  expect(moneyFacts([1, 2.5, "3"].map((value) => ({ value, currency: "EUR", unit: "major" as const })))).toEqual({ class: "plain", minor: 650, currencies: ["EUR"] });
  expect(moneyFacts([{ value: 1, currency: "EUR", unit: "major" }, { value: 1, currency: "USD", unit: "major" }])).toEqual({ class: "unknown", minor: 0, currencies: ["EUR", "USD"] });
  expect(moneyFacts([{ value: 1, currency: "EUR", unit: "major" }, { value: "x", currency: "EUR", unit: "major" }]).class).toBe("unknown");
});

test("sums are exact, and whatever is sent, what is plain is never less than what a reader would pay", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 1e9 }), { minLength: 1, maxLength: 12 }), (cents) => {
      const amounts = cents.map((cent) => ({ value: (cent / 100).toFixed(2), currency: "EUR", unit: "major" as const }));
      expect(moneyFacts(amounts)).toEqual({ class: "plain", minor: cents.reduce((sum, cent) => sum + cent, 0), currencies: ["EUR"] });
      expect(moneyFacts(amounts.map((one) => ({ ...one, value: Number(one.value) })))).toEqual(moneyFacts(amounts));
    }),
  );
  fc.assert(
    fc.property(fc.array(fc.constantFrom("1", "0", "9", ".", ",", " ", "e", "-", "+", "x", "_", "'", "€", "k"), { maxLength: 8 }).map((pieces) => pieces.join("")), (text) => {
      const { class: of, minor } = facts(text);
      if (of === "plain") for (const read of [Number, Number.parseFloat]) expect(minor).toBe(Math.round(read(text.replace(/[€ ]/g, "")) * 100));
    }),
    { numRuns: 1000 },
  );
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 100 }), fc.string({ maxLength: 5 }), (text, currency) => void facts(text, currency)));
});
