import type { ArgumentFacts, CallEffect } from "@lanyard/contract";
import { expect, test } from "vitest";
import { withFormer } from "./constants.ts";

const constants = (tool: string, value: string, { effects = ["money", "write"], role = "recipient" }: { effects?: readonly CallEffect[]; role?: ArgumentFacts["role"] } = {}) =>
  [...(withFormer({}, { tool, args: { to: value }, facts: { to: { role, labels: [], origins: [] } }, effects })["to"] ?? [])].join();

test.each(["original", "Original", "origin", "payer", "sender", "same", "source", "original payment method", "ORIGINAL_PAYMENT_METHOD", "same card", "card on file", "the account on file", "on file", "card used for the order"])("money that is given back to `%s` goes to whoever paid", (word) => {
  expect(constants("refundOrder", word)).toBe(word);
  expect(constants("give_back", word, { role: "target" })).toBe(word);
});

test.each(["mallory", "admin", "root", "owner", "default", "primary", "self", "me", "new", "original@evil.example", "original, mallory", "GB82WEST12345698765432", "card ending 6614", "account on file at evil", "", "original ".repeat(20)])("`%s` may be anybody", (word) => {
  expect(constants("refundOrder", word)).toBe("");
});

test("a single word may be somebody's name where money is sent and not given back, and a phrase is nobody's", () => {
  expect([constants("transfer", "payer"), constants("send_money", "original"), constants("pay", "card on file"), constants("pay", "original payment method")]).toEqual(["", "", "card on file", "original payment method"]);
});

test("nothing of the kind is in calls that move no money, and in arguments that name nobody", () => {
  expect(constants("return_parcel", "sender", { effects: ["write"] })).toBe("");
  expect(constants("refund", "original", { effects: ["access", "write"] })).toBe("");
  expect(constants("refund", "original", { role: "content" })).toBe("");
});

test("words that the definition lists stay", () => {
  const known = { to: new Set(["card"]), reason: new Set(["ill"]) };
  const facts = { to: { role: "recipient", labels: [], origins: [] } } as const;
  expect(withFormer(known, { tool: "refund", args: { to: "original" }, facts, effects: ["money"] })).toEqual({ to: new Set(["card", "original"]), reason: new Set(["ill"]) });
  expect(withFormer(known, { tool: "refund", args: { to: "bob" }, facts, effects: ["money"] })).toBe(known);
});
