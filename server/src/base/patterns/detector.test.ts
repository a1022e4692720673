import fc from "fast-check";
import { expect, test } from "vitest";
import { Detector } from "./detector.ts";
import { formsOf } from "./encodings.ts";

const values = new Map([["key", "AKIA/canary+4711 ä"], ["path", "/srv/do-not-read"]]);

test("finds a value in every form, wherever the bytes are cut, and nothing where there is none", () => {
  const detector = new Detector(values);
  const cases = [...values].flatMap(([name, value]) => formsOf(value).map((form) => ({ name, form })));
  fc.assert(
    fc.property(fc.constantFrom(...cases), fc.uint8Array({ maxLength: 64 }), fc.uint8Array({ maxLength: 64 }), fc.nat(200), ({ name, form }, before, after, cut) => {
      const bytes = Buffer.concat([before, form, after]);
      const watch = detector.stream();
      expect(detector.find(bytes)).toBe(name);
      expect(watch(bytes.subarray(0, cut)) ?? watch(bytes.subarray(cut))).toBe(name);
    }),
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => detector.find(bytes) === null));
});

test("without values it finds nothing", () => {
  expect(new Detector(new Map()).find("anything")).toBeNull();
});
