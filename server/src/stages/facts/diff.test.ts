import fc from "fast-check";
import { expect, test } from "vitest";
import { lineDiff } from "./diff.ts";

test("equal texts have no diff; an empty side is all new or all gone", () => {
  expect(lineDiff(["a", "b"], ["a", "b"])).toEqual([]);
  expect(lineDiff([], ["a"])).toEqual(["+ a"]);
  expect(lineDiff(["a"], [])).toEqual(["- a"]);
});

test("three lines of context around a change, the rest left out", () => {
  const lines = Array.from({ length: 12 }, (_, n) => `line ${n}`);
  expect(lineDiff(lines, lines.with(6, "changed"))).toMatchInlineSnapshot(`
    [
      "  line 3",
      "  line 4",
      "  line 5",
      "- line 6",
      "+ changed",
      "  line 7",
      "  line 8",
      "  line 9",
      "  ...",
    ]
  `);
});

const texts = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 8 });

test("no changed line is ever left out: what goes and what comes explains the whole difference", () => {
  fc.assert(
    fc.property(texts, texts, (before, after) => {
      const diff = lineDiff(before, after);
      const count = (sign: string, text: string) => diff.filter((line) => line === `${sign} ${text}`).length;
      for (const text of "abcd") {
        const grown = after.filter((line) => line === text).length - before.filter((line) => line === text).length;
        expect(count("+", text) - count("-", text)).toBe(grown);
      }
      expect(diff.some((line) => line.startsWith("+") || line.startsWith("-"))).toBe(before.join() !== after.join());
    }),
  );
});

test("texts too large to compare are shown one after the other, not skipped", () => {
  const many = (mark: string) => Array.from({ length: 2100 }, (_, n) => `${mark}${n}`);
  const diff = lineDiff(many("a"), many("b"));
  expect(diff).toHaveLength(4200);
  expect(diff[0]).toBe("- a0");
});
