import { expect, test } from "vitest";
import { Classifier } from "./classifier.ts";

const classifier = new Classifier();
const found = (text: string, field = "") => classifier.spans(text, field).map(({ label, start, end }) => `${label}:${text.slice(start, end)}`);

test("values of every class are found where they stand", () => {
  expect(found("key AKIAIOSFODNN7EXAMPLQ here")).toEqual(["secret:AKIAIOSFODNN7EXAMPLQ"]);
  expect(found("ana.b@example.com, tel +1 415 555 0132")).toEqual(["personal.email:ana.b@example.com", "personal.phone:+1 415 555 0132"]);
  expect(found("pay DE89 3704 0044 0532 0130 00 now")).toEqual(["personal.iban:DE89 3704 0044 0532 0130 00"]);
  expect(found("card 4111 1111 1111 1111")).toEqual(["personal.card:4111 1111 1111 1111"]);
  expect(found("ssn 219-09-9999")).toEqual(["personal.national-id:219-09-9999"]);
  expect(found("postgres://app:s3cr3tPw@db/x")).toEqual(["secret:s3cr3tPw"]);
  expect(found("hunter2Xy!", "password")).toEqual(["secret:hunter2Xy!"]);
});

test("offsets are those of the text as it came, whatever was read into it", () => {
  for (const text of ["key AKIA\u200bIOSFODNN7\u2060EXAMPLQ here", "key \u0410KIAIOSF\u041eDNN7EXAMPLQ here", "ключ \u{1f511} AKIAIOSFODNN7EXAMPLQ."]) {
    const [span] = classifier.spans(text);
    expect([span?.label, text.slice(span?.start, span?.end).replace(/[\u200b\u2060]/g, "").length]).toEqual(["secret", 20]);
  }
  expect(found("card \uff14\uff11\uff11\uff11 \uff11\uff11\uff11\uff11 \uff11\uff11\uff11\uff11 \uff11\uff11\uff11\uff11")).toHaveLength(1);
});

test("a class implies those before its dots; names and pieces of a value count too", () => {
  expect(classifier.detect("ana@example.com")).toEqual(["personal", "personal.email"]);
  expect(classifier.detectIn({ "ana@example.com": 1 })).toEqual(["personal", "personal.email"]);
  expect(classifier.detectIn({ a: "AKIAIOSF", b: "ODNN7EXAMPLQ", c: "hello" })).toEqual(["secret"]);
  expect(classifier.detectIn({ AKIAIOSF: "ODNN7EXAMPLQ", c: "hello" })).toEqual(["secret"]);
  expect(classifier.detectIn({ a: "AKIAIOSF", b: "and ODNN7EXAMPLQ" })).toEqual([]);
});
