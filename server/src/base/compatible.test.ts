import { expect, test } from "vitest";
import { compatible, isAscii } from "./compatible.ts";

test.each([
  ["ascii stays\tas it is\n", "ascii stays\tas it is\n"],
  ["ＡＣＭＥ．example １２", "ACME.example 12"],
  ["pay\u200bpal\u00ad", "paypal"],
  ["\u0430cme.example", "\u0430cme.example"], // Cyrillic: another name, whatever it looks like
])("%j is %j", (text, as) => expect(compatible(text)).toBe(as));

test("ASCII is what has no other character", () => expect(["", "a\0\x7f", "\x80", "a\u200b"].map(isAscii)).toEqual([true, true, false, false]));
