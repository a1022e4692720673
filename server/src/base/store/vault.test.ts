import { createHmac } from "node:crypto";
import { Fault } from "@lanyard/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { systemClock as clock } from "../clock.ts";
import { hmac, opens, payloadNumber, Vault, type Box, type Shelf } from "./vault.ts";

const tenant = clock.random(32);

/** A vault whose boxes are on disk as soon as `keep` has them. */
const stand = (key = tenant) => {
  const boxes = new Map<number, { box: Uint8Array; tag: Uint8Array; wrapped: Uint8Array }>();
  const subjects = new Map<string, Uint8Array>();
  const shelf: Shelf = {
    subject: (tag) => subjects.get(Buffer.from(tag).toString("hex")) ?? null,
    payload: (number) => boxes.get(number) ?? null,
    payloads: (numbers) => [...boxes].filter(([id]) => numbers.includes(id)).map(([id, box]) => ({ id, ...box })),
  };
  const keep = ({ number, bytes, subject }: Box): void => {
    boxes.set(number, { box: bytes, tag: subject.tag, wrapped: subject.wrapped });
    subjects.set(subject.tag.toString("hex"), subject.wrapped);
    subject.stored = true;
  };
  return { boxes, shelf, keep, vault: new Vault({ clock, shelf, tenant: key, next: 0 }) };
};

test("HMAC-SHA256 is that of the standard", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), fc.uint8Array(), (key, message) => {
    expect(hmac(key, message, "buffer").toString("hex")).toBe(createHmac("sha256", key).update(message).digest("hex"));
  }));
  for (const size of [4096, 4097, 100_000]) expect(hmac(tenant, Buffer.alloc(size, 7), "base64url")).toBe(createHmac("sha256", tenant).update(Buffer.alloc(size, 7)).digest("base64url"));
});

describe("a box", () => {
  test("opens in another run with the same tenant key only", () => {
    const { vault, shelf, keep } = stand();
    const box = vault.seal("user:ana", { a: [1.5] });
    keep(box);
    expect(new Vault({ clock, shelf, tenant, next: 1 }).open(box.payload)?.plain.toString()).toBe('{"a":[1.5]}');
    expect(() => new Vault({ clock, shelf, tenant: clock.random(32), next: 1 }).open(box.payload)).toThrow(Fault);
  });

  test("with any bit changed does not open, nor under another payload's name", () => {
    const { vault, boxes, keep } = stand();
    const [one, two] = [vault.seal("user:ana", "one"), vault.seal("user:ana", "two")];
    keep(one);
    keep(two);
    for (let bit = 0; bit < one.bytes.length * 8; bit++) {
      const bytes = Uint8Array.from(one.bytes, (byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      boxes.set(0, { box: bytes, tag: one.subject.tag, wrapped: one.subject.wrapped });
      expect(() => vault.open("p0")).toThrow("its bytes or its key were changed");
      expect(vault.openAll(["p0"])).toEqual(["changed"]);
    }
    boxes.set(0, boxes.get(1) as { box: Uint8Array; tag: Uint8Array; wrapped: Uint8Array });
    expect(() => vault.open("p0")).toThrow(Fault);
  });

  test("whose subject's key was changed does not open, also after it was opened before", () => {
    const { vault, boxes, keep } = stand();
    const box = vault.seal("user:ana", "one");
    keep(box);
    expect(vault.openAll(["p0"])).toMatchObject([{ plain: Buffer.from('"one"') }]);
    const wrapped = Uint8Array.from(box.subject.wrapped, (byte, at) => (at === 20 ? byte ^ 1 : byte));
    boxes.set(0, { box: box.bytes, tag: box.subject.tag, wrapped });
    expect(vault.openAll(["p0"])).toEqual(["changed"]);
    expect(() => vault.open("p0")).toThrow(Fault);
  });

  test("shows neither the value nor the subject", () => {
    const { vault } = stand();
    const box = vault.seal("user:ana", "4111111111111111");
    const everything = Buffer.concat([box.bytes, box.subject.tag, Buffer.from(box.subject.wrapped), Buffer.from(box.commitment)]).toString("latin1");
    expect([everything.includes("4111111111111111"), everything.includes("ana")]).toEqual([false, false]);
  });
});

test("a key that waits for its first record is not lost to the ten thousand subjects after it", () => {
  const { vault, keep } = stand();
  const first = vault.seal("user:first", 1);
  for (let at = 0; at < 5000; at++) keep(vault.seal(`user:${at}`, at));
  expect(vault.seal("user:first", 2).subject.wrapped).toBe(first.subject.wrapped);
});

test("a commitment opens for its value and salt only", () => {
  const { vault, keep } = stand();
  const box = vault.seal("user:ana", { b: 1, a: 2 });
  keep(box);
  const salt = vault.open(box.payload)?.salt.toString("base64url") ?? "";
  expect([opens(box.commitment, salt, { a: 2, b: 1 }), opens(box.commitment, salt, { a: 2, b: 2 }), opens(box.commitment, "AAAA", { a: 2, b: 1 }), opens("", salt, { a: 2, b: 1 })]).toEqual([true, false, false, false]);
});

test("payload ids have one spelling", () => {
  expect(["p0", "p7", "p999999999999999", "p", "p01", "p-1", "p1x", "q1", "p1e3", "p9999999999999999"].map(payloadNumber)).toEqual([0, 7, 999_999_999_999_999, null, null, null, null, null, null, null]);
});
