import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { Fault } from "@lanyard/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defaultLimits } from "../../base/limits.ts";
import type { WebHeaders } from "../../base/web.ts";
import { PassingBody } from "./passing-body.ts";

/** What was read of a body that came in these chunks, what had been read as each chunk passed, and the bytes that passed. */
async function pass(chunks: readonly (Buffer | string)[], headers: WebHeaders = [], { isTrusted = false, chars = 1000 } = {}) {
  const read: string[] = [];
  const passed: string[] = [];
  let missed = 0;
  const body = new PassingBody(
    Readable.from(chunks.map((chunk) => Buffer.from(chunk)), { objectMode: false }),
    { headers, isTrusted, limits: { ...defaultLimits, flow_body_chars: chars } },
    { read: (text) => void read.push(text), missed: () => void (missed += 1) },
  );
  body.on("data", () => passed.push(read.join("|")));
  const bytes = await buffer(body);
  expect(bytes).toEqual(Buffer.concat(chunks.map((chunk) => Buffer.from(chunk))));
  return { read, passed, missed };
}
const length = (bytes: number): WebHeaders => [["Content-Length", String(bytes)]];

describe("a body as it passes", () => {
  test("nothing passes before it was read, words that are torn apart are read together too", async () => {
    const { read, passed, missed } = await pass(["write to maria@cus", "tomer.example ", "or call"]);
    expect(read).toEqual(["write to maria@cus", "maria@customer.example ", "or call"]);
    expect(passed[0]).toContain("maria@cus");
    expect(missed).toBe(0);
  });

  test("of one that is trusted a part of a word does not vouch", async () => {
    const { read } = await pass(["write to maria@cus", "tomer.example ", "or ca", "ll"], [], { isTrusted: true });
    expect(read).toEqual(["write to ", "maria@customer.example ", "or ", "call"]);
    expect(await pass(["x".repeat(5000)], [], { isTrusted: true, chars: 10_000 })).toMatchObject({ read: [], missed: 1 });
  });

  test("a short one whose length is told is held, and read as a whole", async () => {
    const { read, passed } = await pass(['{"to": "a@b.ex', 'ample"}'], length(21));
    expect(read).toEqual(['{"to": "a@b.example"}']);
    expect(passed).toEqual(read);
    expect((await pass(["a ", "b"], length(2 ** 20))).read).toEqual(["a ", "b"]);
  });

  test.each([["gzip", gzipSync], ["x-gzip", gzipSync], ["deflate", deflateSync], ["br", brotliCompressSync], ["zstd", zstdCompressSync]] as const)("%s is opened, in whatever pieces it comes", async (encoding, compress) => {
    const bytes = compress(Buffer.from("write to maria@customer.example"));
    const whole = [["content-encoding", encoding.toUpperCase()], ...length(bytes.length)] as const;
    expect((await pass([bytes.subarray(0, 5), bytes.subarray(5)], whole)).read).toEqual(["write to maria@customer.example"]);
    const streamed = await pass([...bytes].map((byte) => Buffer.from([byte])), [["content-encoding", encoding]]);
    expect(streamed.read.join(" ")).toContain("maria@customer.example");
    expect(streamed.missed).toBe(0);
  });

  test("letters as its type says, and only those", async () => {
    expect((await pass([Buffer.from("ma\u00f1ana", "latin1")], [["content-type", "text/html; charset=ISO-8859-1"]])).read).toEqual(["ma\u00f1ana"]);
    const word = Buffer.from("ma\u00f1ana");
    expect((await pass([word.subarray(0, 3), word.subarray(3)])).read.at(-1)).toBe("ma\u00f1ana");
    for (const [bytes, type] of [[Buffer.from("ma\u00f1ana", "latin1"), "text/plain"], [Buffer.from("eve", "utf16le"), "text/plain"], [Buffer.from("x"), "text/plain; charset=x-nobody"]] as const) {
      expect(await pass([bytes], [["content-type", type]])).toMatchObject({ read: [], missed: 1 });
    }
  });

  test("what cannot be opened, breaks off within its encoding or is too long is missed, and passes all the same", async () => {
    expect(await pass(["text"], [["content-encoding", "lzma"]])).toMatchObject({ read: [], missed: 1 });
    expect(await pass(["text"], [["content-encoding", "gzip"]])).toMatchObject({ read: [], missed: 1 });
    expect(await pass(["text"], [["content-encoding", "gzip, br"]])).toMatchObject({ read: [], missed: 1 });
    expect(await pass([gzipSync("text").subarray(0, -6)], [["content-encoding", "gzip"]])).toMatchObject({ missed: 1 });
    expect(await pass([gzipSync("a".repeat(1_000_000))], [["content-encoding", "gzip"]])).toMatchObject({ missed: 1 });
    expect(await pass(["a ".repeat(500)])).toMatchObject({ missed: 0 });
    expect(await pass(["a ".repeat(501)])).toMatchObject({ read: [], missed: 1 });
    expect(await pass(["a".repeat(20), "b"], length(21), { chars: 20 })).toMatchObject({ missed: 1 });
  });

  test("a long word that comes in many small pieces costs no more than the limit", async () => {
    const { read, missed } = await pass(Array.from({ length: 5000 }, () => "x"), [], { chars: 10_000 });
    expect(read.join("").length).toBeLessThanOrEqual(10_000);
    expect(missed).toBe(1);
  });

  test("however it is cut, every word of it is read before its last byte passes", async () => {
    const word = fc.stringMatching(/^[a-z@.\u00e9]{1,12}$/);
    await fc.assert(
      fc.asyncProperty(fc.array(word, { minLength: 1, maxLength: 30 }), fc.array(fc.nat(400), { maxLength: 12 }), fc.boolean(), fc.boolean(), async (words, cuts, isTrusted, isPacked) => {
        const plain = Buffer.from(words.join(" "));
        const bytes = isPacked ? gzipSync(plain) : plain;
        const at = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
        const chunks = at.slice(1).map((end, index) => bytes.subarray(at[index], end)).filter((chunk) => chunk.length > 0);
        const { read, missed } = await pass(chunks, isPacked ? [["content-encoding", "gzip"]] : [], { isTrusted, chars: 100_000 });
        const seen = read.flatMap((text) => text.split(" "));
        expect(words.filter((one) => !seen.includes(one))).toEqual([]);
        if (isTrusted) expect(seen.filter((one) => one !== "" && !words.includes(one))).toEqual([]);
        expect(missed).toBe(0);
      }),
    );
  });

  test("what ends it early is told as it was, and what it came from ends with it", async () => {
    const broken = new PassingBody(
      Readable.from((async function* () { yield Buffer.from("a"); throw new Fault("result_withheld", "too long"); })(), { objectMode: false }),
      { headers: [], isTrusted: false, limits: defaultLimits },
      { read: () => {}, missed: () => {} },
    );
    await expect(buffer(broken)).rejects.toMatchObject({ code: "result_withheld" });
    const from = new Readable({ read: () => {} });
    const body = new PassingBody(from, { headers: [["content-encoding", "gzip"]], isTrusted: false, limits: defaultLimits }, { read: () => {}, missed: () => {} });
    body.on("error", () => {});
    body.destroy();
    await new Promise((resolve) => from.once("close", resolve));
    expect(from.destroyed).toBe(true);
  });
});
