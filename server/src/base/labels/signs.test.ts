import { expect, it } from "vitest";
import { nationalIds } from "./national-ids.ts";
import { nationalIdsIn } from "./personal.ts";
import { formatsIn } from "./secrets.ts";
import { sign, signsOf } from "./signs.ts";

/** Texts of few pieces, the same each time. */
function* texts(pieces: readonly string[], count: number): Generator<string> {
  let state = 7;
  const next = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let made = 0; made < count; made++) yield Array.from({ length: 1 + next(14) }, () => pieces[next(pieces.length)]).join("");
}

it("shows every number, every assignment and every long run that the patterns of detectors would find", () => {
  const pieces = ["1", "22", "333", "4444", "a", "Bc", "fghij", " ", "\t", "-", ".", "(", ")", "/", "+", ":", "=", "is", "IS ", "\n- ", "–", "ä", "~", "_", "QWERTYUIOPASDFGH"];
  const expected: readonly (readonly [sign: number, pattern: RegExp, isExact: boolean])[] = [
    [sign.number, /\d(?:[ .()/-]{0,2}\d){5}|[A-Za-z]{6}\d{2}/, true],
    [sign.assignment, /is[ \t]|[:=]|\s[-–]\s/i, false],
    [sign.credential, /[A-Za-z0-9+/=._~-]{16}/, true],
    [sign.key, /[A-Za-z0-9+/=._~-]{20}/, true],
    [sign.foreign, /[^\u0000-\u007f]/, true],
  ];
  for (const text of texts(pieces, 20_000)) {
    const signs = signsOf(text);
    for (const [bit, pattern, isExact] of expected) {
      const found = pattern.test(text);
      if (found !== ((signs & bit) !== 0) && (found || isExact)) expect.fail(`${JSON.stringify(text)} and ${String(pattern)}`);
    }
  }
});

it("every number of a state's that is found in a whole text is found in the stretch that it stands in", () => {
  const pieces = ["1", "22", "333", "4444", "55555", "A", "BC", "DEF", "X", "a", " ", " ", "-", ".", "+", "/", ",", "_", "756", "2A", "19", "800101", "ABCPE1234F", "S1234567D", "QQ123456C"];
  let found = 0;
  for (const text of texts(pieces, 20_000)) {
    const whole = nationalIds.flatMap(({ form, holds, alone }) => Array.from(text.matchAll(form)).flatMap(({ 0: written, index }) => (holds(written.replace(/[ .\-+/]/g, "").toUpperCase(), written) && alone(written.replace(/[ .\-+/]/g, "").toUpperCase(), written) ? [`${index}-${index + written.length}`] : [])));
    const spans = nationalIdsIn(text, "").map(({ start, end }) => `${start}-${end}`);
    found += spans.length;
    expect(spans.toSorted(), text).toEqual(whole.toSorted());
  }
  expect(found).toBeGreaterThan(100);
});

it("a key is found wherever a word begins, and at a seam within one", () => {
  const key = `ghp_${"a1B2c3D4e5F6".repeat(3)}`;
  for (const before of ["", " ", "=", "/", "é", "x-", `${"z".repeat(30)}.`, "AKIA "]) expect(formatsIn(`${before}${key}`), before).toEqual([{ label: "secret", start: before.length, end: before.length + key.length }]);
  expect(formatsIn(`zz${key}`)).toEqual([]);
  expect(formatsIn(`zz${key}`, new Set([2]))).toEqual([{ label: "secret", start: 2, end: 2 + key.length }]);
});
