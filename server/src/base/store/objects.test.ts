import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { packObject, unpackObject } from "./objects.ts";

const text = Buffer.from("forbid (principal, action, resource);\n".repeat(20_000));

it("a large text is packed to a tenth and is itself again", async () => {
  const { address, stored } = await packObject(text);
  expect(stored.length).toBeLessThan(text.length / 10);
  expect(unpackObject(stored, address.toString("base64url"))).toEqual(text);
});

it("what cannot be packed, is small, or is a gzip file comes back as it was", async () => {
  for (const bytes of [Buffer.alloc(0), Buffer.from("abc"), randomBytes(100_000), gzipSync(randomBytes(100_000)), gzipSync("abc")]) {
    const { address, stored } = await packObject(bytes);
    expect(Buffer.from(unpackObject(stored, address.toString("base64url")) ?? "?")).toEqual(bytes);
  }
});

it("what was changed is not it", async () => {
  const { address, stored } = await packObject(text);
  const changed = Buffer.from(stored);
  changed[changed.length >> 1] = (changed[changed.length >> 1] ?? 0) ^ 1;
  expect(unpackObject(changed, address.toString("base64url"))).toBeNull();
  expect(unpackObject(gzipSync("another"), address.toString("base64url"))).toBeNull();
  expect(unpackObject(stored.subarray(0, 100), address.toString("base64url"))).toBeNull();
});

it("object_bytes bytes are taken and not one more", async () => {
  await expect(packObject(text, text.length)).resolves.toBeDefined();
  await expect(packObject(text, text.length - 1)).rejects.toMatchObject({ code: "limit_exceeded" });
});
