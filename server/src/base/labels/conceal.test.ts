import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Json } from "@lanyard/contract";
import { Classifier } from "./classifier.ts";
import { conceal, maskField, redactedAs } from "./conceal.ts";
import { ExactSet } from "./exact.ts";
import { patternFinder } from "./patterns.ts";

const classifier = new Classifier();
const key = "AKIAIOSFODNN7EXAMPLQ";
const without = (value: Json, label: string, isHeld = false) => conceal(classifier, value, { label, as: () => redactedAs(label), isHeld });

describe("concealing", () => {
  test("takes out the spans alone, in values and names, at any depth; the rest stays as it is", () => {
    expect(without({ note: `use ${key} for it`, to: ["bob", "ana@example.com"], [`k ${key}`]: 7 }, "secret")).toEqual({ note: "use [redacted:secret] for it", to: ["bob", "ana@example.com"], "k [redacted:secret]": 7 });
    expect(without({ to: ["bob", "Ana <ana@example.com>"] }, "personal")).toEqual({ to: ["bob", "Ana <[redacted:personal]>"] });
    expect(without({ card: 4111111111111111, count: 12 }, "personal.card")).toEqual({ card: "[redacted:personal.card]", count: 12 });
    const clean = { text: "nothing here" };
    expect(without(clean, "secret")).toBe(clean);
  });

  test("takes out the whole text where the class is behind an encoding, split, or only known to be there", () => {
    expect(without({ a: "AKIAIOSF", b: "ODNN7EXAMPLQ", c: "hello" }, "secret")).toEqual({ a: "[redacted:secret]", b: "[redacted:secret]", c: "hello" });
    expect(without({ content: [{ type: "text", text: "Acme Ltd" }] }, "customer", true)).toEqual({ content: [{ type: "text", text: "[redacted:customer]" }] });
    expect(without({ content: [{ type: "text", text: "Acme Ltd" }] }, "customer")).toEqual({ content: [{ type: "text", text: "Acme Ltd" }] });
  });

  test("what is left holds nothing of the class, whatever stands around it", () => {
    const value = fc.letrec<{ json: Json }>((tie) => ({
      json: fc.oneof({ depthSize: "small" }, fc.string({ unit: "grapheme", maxLength: 30 }).map((text) => `${text}${key}`), fc.string(), fc.constant("password: S3cr3t!pass"), fc.constant("postgres://a:S3cr3tpass9@h/x"), fc.integer(), fc.array(tie("json"), { maxLength: 4 }), fc.dictionary(fc.string({ maxLength: 8 }), tie("json"), { maxKeys: 4 })),
    })).json;
    fc.assert(fc.property(value, (json) => {
      expect(classifier.detectIn(without(json, "secret"))).not.toContain("secret");
    }), { numRuns: 300 });
  });

});

test("a field is masked wherever it is, in texts that are JSON too; a text that only speaks of it cannot be masked", () => {
  expect(maskField({ user: { ssn: "1", name: "a" }, list: [{ ssn: { a: 1 } }] }, ["ssn"])).toEqual({ user: { ssn: "[masked]", name: "a" }, list: [{ ssn: "[masked]" }] });
  expect(maskField({ user: { ssn: "1" }, pet: { ssn: "2" } }, ["user", "ssn"])).toEqual({ user: { ssn: "[masked]" }, pet: { ssn: "2" } });
  expect(maskField({ content: [{ type: "text", text: '{"rows":[{"ssn":"1"}]}' }] }, ["ssn"])).toEqual({ content: [{ type: "text", text: '{"rows":[{"ssn":"[masked]"}]}' }] });
  expect(maskField({ text: "SSN: 1" }, ["ssn"])).toBeNull();
  expect(maskField({ text: "nothing" }, ["ssn"])).toEqual({ text: "nothing" });
});

describe("the organisation's own", () => {
  const secret = Buffer.alloc(32, 7);
  const set = new ExactSet({ key: secret, label: "customer", values: ["Acme Widgets Ltd", "DE-4711-22", "Müller & Söhne", "Zoë"] });
  const own = new Classifier({ finders: [(text) => set.find(text), patternFinder("E-[0-9]{6}", "employee")] });
  const found = (text: string) => own.spans(text).map(({ label, start, end }) => `${label}:${text.slice(start, end)}`);

  test("values of a set are found as whole words, whatever stands between them and however they are written", () => {
    expect(found("for ACME  widgets, Ltd. now")).toEqual(["customer:ACME  widgets, Ltd"]);
    expect(found("acmewidgetsltd.example")).toEqual(["customer:acmewidgetsltd"]);
    expect(found("account DE 4711/22 and de471122")).toEqual(["customer:DE 4711/22", "customer:de471122"]);
    expect(found("Mu\u0308ller und MÜLLER & SÖHNE")).toEqual(["customer:MÜLLER & SÖHNE"]);
    expect(found("Acme Widgets; Widgets Ltd; XAcme Widgets Ltd; DE-4711-223")).toEqual([]);
  });

  test("of its values nothing but keyed hashes is kept", () => {
    const dumped = JSON.stringify(set, (_name, value: unknown) => (value instanceof Set ? [...value] : value)) + Object.getOwnPropertyNames(set).join();
    expect(dumped.toLowerCase()).not.toContain("acme");
    expect(set.size).toBe(4);
  });

  test("patterns", () => expect(found("of E-123456, not E-12345")).toEqual(["employee:E-123456"]));
});
