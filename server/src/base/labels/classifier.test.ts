import { expect, test } from "vitest";
import { Classifier } from "./classifier.ts";

const classifier = new Classifier();
const found = (text: string, field = "") => classifier.spans(text, field).map(({ label, start, end }) => `${label}:${text.slice(start, end)}`);

test("values of every class are found where they stand", () => {
  expect(found("key AKIAIOSFODNN7EXAMPLQ here")).toEqual(["secret:AKIAIOSFODNN7EXAMPLQ"]);
  expect(found("ana.b@example.com, tel +1 415 555 0132")).toEqual(["personal.email:ana.b@example.com", "personal.phone:+1 415 555 0132"]);
  expect(found("pay DE89 3704 0044 0532 0130 00 now")).toEqual(["personal.iban:DE89 3704 0044 0532 0130 00"]);
  expect(found("pay ID12 DE89370400440532013000 or GB82WEST12345698765432 now")).toEqual(["personal.iban:DE89370400440532013000", "personal.iban:GB82WEST12345698765432"]);
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

test("what is given to a word such as token and is too short for a secret may be one", () => {
  expect(found("tiles-1: 10.2.0.4, deploy_token: pldr_9f2e77")).toEqual(["credential:pldr_9f2e77"]);
  expect(found("the api key is Xk7-99ab2")).toEqual(["credential:Xk7-99ab2"]);
  for (const text of ["token: usdc", "token: see above", "secret: 2026-05-01", "the token is valid until 2027", "api_key: <your-key-1>", "token expires in 12 months", "credentials: ana@acme1.example"]) expect(found(text).filter((one) => one.startsWith("credential"))).toEqual([]);
});
