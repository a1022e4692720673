import { canonicalize, VerifyError } from "@lanyard/ledger";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sampleRecords } from "../../../../test/kits/records.ts";
import { pack, unpack } from "./pack.ts";
import { WordBook } from "./words.ts";

/** Words in memory, beginning with number `first`. */
const newWords = (first = 1): WordBook => {
  const texts: string[] = [];
  return new WordBook({ find: (text) => (texts.includes(text) ? texts.indexOf(text) + first : null), add: (text) => texts.push(text) - 1 + first, text: (id) => texts[id - first] ?? null });
};

const base64url = fc.string({ unit: fc.constantFrom(..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), minLength: 14, maxLength: 45 });
const strings = fc.oneof(
  fc.string({ unit: "grapheme-composite" }), base64url, base64url.map((text) => `d_${text}`), fc.constantFrom("p0", "p00", "p12", "p999999999999999", "p9999999999999999", "P1", "p", "d_", "", "\u2028", '"', "\\"),
  fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString("base64url")),
);
const keys = fc.oneof(fc.constantFrom("type", "session", "policies", "id", "__proto__", "1", "a b"), fc.string({ minLength: 1, maxLength: 5 }).filter((key) => !key.includes(",")));
const { value: values } = fc.letrec((tie) => ({
  value: fc.oneof({ depthSize: "small" }, strings, fc.maxSafeInteger(), fc.integer({ min: -70, max: 200 }), fc.boolean(), fc.constant(null), fc.array(tie("value")), fc.dictionary(keys, tie("value"))),
}));

describe("packing is lossless", () => {
  test("for any JSON without floats", () => {
    for (const words of [newWords(), newWords(100_000)]) {
      fc.assert(fc.property(values, (value) => {
        const plain: unknown = JSON.parse(JSON.stringify(value)); // fast-check makes objects without a prototype
        expect(unpack(pack(plain, words), words)).toBe(canonicalize(plain));
      }));
    }
  });

  test("for long strings and many items", () => {
    const words = newWords();
    const value = { policies: Array.from({ length: 300 }, (_, at) => "\u20ac".repeat(at)), why: "x".repeat(70_000) };
    expect(unpack(pack(value, words), words)).toBe(canonicalize(value));
  });

  test("and small: a fifth of the JSON, once its words are known", () => {
    const words = newWords();
    for (const record of Object.values(sampleRecords)) pack(record, words);
    expect([pack(sampleRecords.decision, words).length, canonicalize(sampleRecords.decision).length]).toEqual([112, 552]);
    expect([pack(sampleRecords.outcome, words).length, canonicalize(sampleRecords.outcome).length]).toEqual([11, 117]);
  });

  test("an empty key or one with a comma is refused, not confused", () => {
    for (const key of ["a,b", ""]) expect(() => pack({ [key]: 1 }, newWords())).toThrow(RangeError);
  });
});

describe("bytes that nobody packed", () => {
  test("are a RangeError or some canonical text, never anything else", () => {
    const words = newWords();
    for (const record of Object.values(sampleRecords)) pack(record, words);
    const read = (bytes: Uint8Array): string | null => {
      try {
        return unpack(bytes, words);
      } catch (error) {
        if (error instanceof RangeError || error instanceof VerifyError) return null;
        throw error;
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const text = read(bytes);
      if (text !== null) expect(canonicalize(JSON.parse(text))).toBe(text);
    }), { numRuns: 2000 });
    fc.assert(fc.property(fc.constantFrom(...Object.values(sampleRecords)), fc.nat(), fc.nat(255), (record, place, byte) => {
      const bytes = Buffer.from(pack(record, words));
      bytes[place % bytes.length] = byte;
      const text = read(bytes);
      if (text !== null) expect(canonicalize(JSON.parse(text))).toBe(text);
    }), { numRuns: 2000 });
  });

  test("a huge count of items ends at the end of the bytes", () => {
    expect(() => unpack(Uint8Array.of(9, 255, 255, 255, 255, 255, 255, 127), newWords())).toThrow("ends early");
  });

  test("a list of keys that is not sorted, or has one twice, is no list of keys", () => {
    const words = newWords();
    const [unsorted, twice] = [words.idOf("b,a"), words.idOf("a,a")];
    for (const id of [unsorted, twice]) expect(() => unpack(Uint8Array.of(10, 80 + id, 0, 0), words)).toThrow(RangeError);
  });
});
