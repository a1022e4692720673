import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { isModelHost, tokensInText, UsageScan } from "./usage.ts";

const anthropic = `event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":25,"cache_creation_input_tokens":0,"cache_read_input_tokens":100,"output_tokens":1}}}\n\nevent: content_block_delta\ndata: {"delta":{"text":"{\\"total_tokens\\":1,\\"input_tokens\\":999999}"}}\n\nevent: message_delta\ndata: {"usage":{"output_tokens":15}}\n\n`;
const bodies: readonly (readonly [string, number | null])[] = [
  ['{"id":"x","usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21,"prompt_tokens_details":{"cached_tokens":0}}}', 21],
  ['{"usage":{"input_tokens":36,"input_tokens_details":{"cached_tokens":0},"output_tokens":87,"total_tokens":123}}', 123],
  [anthropic, 140],
  ['data: {"usageMetadata":{"promptTokenCount":4,"totalTokenCount":4}}\n\ndata: {"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":10,"thoughtsTokenCount":50,"totalTokenCount":64}}\n\n', 64],
  ['{"usage":{"total_tokens":1,"input_tokens":40,"output_tokens":40}}', 80],
  ['{"usage":{"input_tokens":-5,"output_tokens":1.5,"total_tokens":1e99}}', null],
  ["", null],
];

test("what APIs of models say that a call used", () => {
  for (const [body, tokens] of bodies) expect(tokensInText(body), body).toBe(tokens);
  expect(["api.openai.com", "api.anthropic.com", "x.openai.azure.com", "generativelanguage.googleapis.com", "openai.com.evil.example", "notanthropic.com", null].map(isModelHost)).toEqual([true, true, true, true, false, false, false]);
});

test("is found in a body as it passes, in whatever chunks, compressed or not, and however long", () => {
  const scanned = (body: Buffer, encoding: string, size: number): number | null => {
    const scan = new UsageScan(encoding);
    for (let at = 0; at < body.length; at += size) scan.add(body.subarray(at, at + size));
    return scan.tokens();
  };
  for (const size of [1, 7, 1e6]) for (const [encoding, pack] of [["", (body: Buffer) => body], ["gzip", gzipSync], ["br", brotliCompressSync], ["zstd", zstdCompressSync]] as const) expect(scanned(pack(Buffer.from(anthropic)), encoding, size), encoding).toBe(140);
  expect(scanned(Buffer.from(`${anthropic.slice(0, 200)}${"x".repeat(5_000_000)}${anthropic.slice(200)}`), "", 16_384)).toBe(140);
  expect(scanned(gzipSync(Buffer.from(anthropic)).subarray(0, -9), "gzip", 50)).toBe(140);
  for (const encoding of ["gzip", "nonsense", "gzip, br"]) expect(scanned(Buffer.from("no such thing"), encoding, 5)).toBeNull();
  expect(scanned(gzipSync(Buffer.alloc(64 * 1024 * 1024)), "gzip", 65_536)).toBeNull(); // a bomb is not opened
});

test("whatever comes, it is a whole number or nothing", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), fc.constantFrom("", "gzip", "br", "deflate", "zstd"), (chunks, encoding) => {
      const scan = new UsageScan(encoding);
      for (const chunk of chunks) scan.add(Buffer.from(chunk));
      const tokens = scan.tokens();
      expect(tokens === null || (Number.isSafeInteger(tokens) && tokens >= 0)).toBe(true);
    }),
  );
});
