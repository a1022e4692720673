import fc from "fast-check";
import { expect, test } from "vitest";
import { accountsIn, isPayer, payeesIn } from "./payees.ts";

test.each<[string, string, readonly string[]]>([
  ["Pay to CY17 0020 0128 0000 0012 0052 7600.", "body", ["CY17002001280000001200527600"]],
  ["pay DE89.3704.0044.0532.0130.00 or gb82west12345698765432", "body", ["DE89370400440532013000", "GB82WEST12345698765432"]],
  ["digits wrong: DE00 3704 0044 0532 0130 00", "body", ["DE00370400440532013000"]],
  ["wallet 0x52908400098527886E0F7030069857D2E4169EE7", "body", ["0x52908400098527886E0F7030069857D2E4169EE7"]],
  ["to bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4 please", "body", ["bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"]],
  ["bank account 12345678", "body", ["12345678"]],
  ["sort code 20-00-00, account number 1234 5678", "body", ["1234 5678"]],
  ["12345678 at Quay Bank", "bank_account", ["12345678"]],
  ["ＩＢＡＮ ＤＥ８９３７０４００４４０５３２０１３０００", "body", ["DE89370400440532013000"]],
  ["bank account １２３４\u200b５６７８", "body", ["12345678"]],
  ["Your customer account 40217334, order 8841-20177 of 2026-05-12", "body", []],
  ["Call +44 20 7946 0958, ask for room 12", "body", []],
  ["PK0071883462 has been at hub Boernicke since June", "body", []],
  ["pk00 scbl 0000 0011 2345 6702, written small", "body", ["PK00SCBL0000001123456702"]],
  ["GB82 WEST 1234 5698 7654 32 is it", "body", ["GB82WEST12345698765432"]],
  ["commit 5c32d02ab89370400440532013000ff", "body", []],
])("%s, in `%s`, names the accounts %j", (text, name, accounts) => expect(accountsIn(text, name)).toEqual(accounts));

test("addresses and cards are payees too, behind encodings as well", () => {
  expect(payeesIn("for ana@acme.example, card 4111 1111 1111 1111", "note")).toEqual(["4111 1111 1111 1111", "ana@acme.example"]);
  expect(payeesIn(Buffer.from("to mallory@evil.example").toString("base64"), "note")).toEqual(["mallory@evil.example"]);
  expect(payeesIn("card ４１１１ １１１１ １１１１ １１１１, mallory＠evil.example", "note")).toEqual(["4111 1111 1111 1111", "mallory@evil.example"]);
  expect([isPayer("from_account"), isPayer("source"), isPayer("senderName"), isPayer("note_from"), isPayer("to")]).toEqual([true, true, true, false, false]);
});

test("whatever comes, it ends", () => {
  const pieces = fc.constantFrom("DE89", "GB", "3704 ", "0", "-", ".", " ", "bank account ", "0x", "bc1", "@", "a", "\u200b", "\n", "iban", "W");
  fc.assert(fc.property(fc.oneof(fc.string({ unit: "binary", maxLength: 200 }), fc.array(pieces, { maxLength: 80 }).map((all) => all.join(""))), (text) => Array.isArray(payeesIn(text, "note"))), { numRuns: 2000 });
  for (const piece of ["DE89 ", "DE89370400440532013000 ", "bank account ", "account 1", "0", "a@", "GB12-"]) expect(accountsIn(piece.repeat(20_000), "note")).toBeInstanceOf(Array);
}, 20_000);
