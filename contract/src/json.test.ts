import fc from "fast-check";
import { expect, test } from "vitest";
import { parseJson } from "./json.ts";

/** From here on V8 misreads some keys that are written with an escape. */
let poisons = 0;
const poison = (): void => {
  poisons += 1;
  for (const key of ["\\\\u00", "\\\\u00e", "\\\\", "\\\\n", "\\\\\\\\"]) JSON.parse(`{"${key}":1}`);
};
/** A text of the same value with escapes in it: every character of every string. */
const escaped = (text: string): string => text.replace(/[a-z]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);

test("a key is what it says, whatever was read before", () => {
  poison();
  expect(parseJson('{"\\u0070ath":"/etc"}')).toEqual({ path: "/etc" });
  poison();
  expect(parseJson('{"h":1,"\\"":2}')).toEqual({ h: 1, '"': 2 });
});

test("any value is read as it was written, with escapes and without", () => {
  poison();
  const value = fc.jsonValue({ noUnicodeString: false });
  fc.assert(
    fc.property(value, fc.string({ unit: "binary" }), (one, key) => {
      const whole = JSON.stringify({ [key]: one, "\\": [one], plain: true });
      expect(JSON.stringify(parseJson(whole))).toBe(whole);
      expect(parseJson(JSON.stringify(one, null, 2))).toEqual(JSON.parse(JSON.stringify(one)));
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.stringMatching(/^[a-z]{0,8}$/)), (one) => {
      expect(parseJson(escaped(JSON.stringify(one)))).toEqual(one);
    }),
  );
});

test("keys with backslashes and quotation marks in any number, some of them written as escapes", () => {
  poison();
  const text = fc.string({ unit: fc.constantFrom("a", "b", "\\", '"', "n", "u", ":", "{", "é"), maxLength: 6 });
  const coded = (value: string, mask: number): string => [...value].map((letter, at) => ((mask >> at) & 1 ? `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}` : JSON.stringify(letter).slice(1, -1))).join("");
  fc.assert(
    fc.property(fc.array(fc.tuple(text, text, fc.nat(63)), { maxLength: 4 }), fc.constantFrom("", " ", "\n\t"), (pairs, space) => {
      const fields = new Map(pairs.map(([key, value, mask]) => [key, { value, mask }]));
      const json = `{${[...fields].map(([key, { value, mask }]) => `"${coded(key, mask)}"${space}:${space}"${coded(value, ~mask)}"`).join(",")}}`;
      expect(Object.entries(parseJson(json) as object), json).toEqual([...fields].map(([key, { value }]) => [key, value]));
    }),
    { numRuns: 3000 },
  );
});

test("what is no JSON is refused by both ways", () => {
  for (const bad of ['{"\\a":1}', '{"\\u12":1}', '{"\\n":1', '{"\\n":1,}', '{"\\n" 1}', '{"\\n":01}', '{"\\n":1}x', '{"\\n":"a\nb"}', "{", '{"\\n":tru}', '{"\\n":[1,]}', "\\", '"\\', '{"\\n":-}', '{"\\n":.5}', '{"\\n":+1}', '{"\\n":NaN}']) {
    expect(() => parseJson(bad), bad).toThrow(SyntaxError);
  }
  expect(() => parseJson(`{"\\n":${"[".repeat(100_000)}`)).toThrow(SyntaxError);
});

test("`__proto__` is a field, and the last of two equal keys holds", () => {
  const read = parseJson('{"__proto__":{"a":1},"\\u0061":1,"a":2}') as object;
  expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
  expect(JSON.stringify(read)).toBe('{"__proto__":{"a":1},"a":2}');
});
