import fc from "fast-check";
import { expect, test } from "vitest";
import { Scrubber, ScrubbingPass, type Forbidden } from "./scrubber.ts";

/** Marks every byte of every occurrence, then replaces each stretch by the pattern that begins it. */
function naive(patterns: readonly Forbidden[], text: Buffer): Buffer {
  const found = Array.from({ length: text.length }, (_, at) => patterns.filter(({ bytes }) => bytes.length > 0 && text.subarray(at, at + bytes.length).equals(bytes)));
  const marked = new Set(found.flatMap((here, at) => here.flatMap(({ bytes }) => Array.from(bytes, (_, index) => at + index))));
  const parts: Buffer[] = [];
  for (let at = 0; at < text.length; at++) {
    if (!marked.has(at)) parts.push(text.subarray(at, at + 1));
    else if (!marked.has(at - 1)) parts.push((found[at] ?? []).toSorted((a, b) => b.bytes.length - a.bytes.length)[0]?.replacement ?? Buffer.from("?"));
  }
  return Buffer.concat(parts);
}

const inChunks = (patterns: readonly Forbidden[], text: Buffer, cuts: readonly number[]): Buffer => {
  const pass = new ScrubbingPass(new Scrubber(patterns));
  const places = [0, ...cuts.map((cut) => cut % (text.length + 1)).toSorted((a, b) => a - b), text.length];
  const parts = places.slice(1).map((to, index) => pass.push(text.subarray(places[index], to)));
  return Buffer.concat([...parts, pass.end()]);
};

const few = fc.array(fc.constantFrom(0x61, 0x62, 0x63), { minLength: 1, maxLength: 6 }).map((bytes) => Buffer.from(bytes));
const patternsOf = (all: readonly Buffer[]): Forbidden[] => [...new Map(all.map((bytes) => [bytes.toString(), bytes])).values()].map((bytes, index) => ({ bytes, replacement: Buffer.from(`<${index}>`) }));

test("as the naive way, however the patterns overlap and wherever the chunks are cut", () => {
  const texts = fc.array(fc.constantFrom(0x61, 0x62, 0x63, 0x64), { maxLength: 60 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.array(few, { minLength: 1, maxLength: 5 }), texts, fc.array(fc.nat(), { maxLength: 8 }), (all, text, cuts) => {
      const patterns = patternsOf(all);
      expect(inChunks(patterns, text, cuts).toString()).toBe(naive(patterns, text).toString());
    }),
    { numRuns: 2000 },
  );
});

test("a value is taken out wherever a chunk ends in it, byte by byte too", () => {
  const patterns = [{ bytes: Buffer.from("s3cr3t-value"), replacement: Buffer.from("[p]") }];
  const text = Buffer.from("a s3cr3t-value, s3cr3s3cr3t-values3cr3t-value, s3cr3t-valu");
  for (let cut = 0; cut <= text.length; cut++) expect(inChunks(patterns, text, [cut]).toString()).toBe("a [p], s3cr3[p], s3cr3t-valu");
  expect(inChunks(patterns, text, Array.from(text, (_, at) => at)).toString()).toBe("a [p], s3cr3[p], s3cr3t-valu");
});

test("what cannot be the beginning of a value is held back for no time", () => {
  const pass = new ScrubbingPass(new Scrubber([{ bytes: Buffer.from("s3cr3t"), replacement: Buffer.alloc(0) }]));
  expect(pass.push(Buffer.from("data: hello\n\n")).toString()).toBe("data: hello\n\n");
  expect(pass.push(Buffer.from("x s3c")).toString()).toBe("x ");
  expect(pass.push(Buffer.from("s3")).toString()).toBe("s3c");
  expect(pass.end().toString()).toBe("s3");
});

test("the worst of texts is looked through in one pass", () => {
  const bytes = Buffer.from(`${"a".repeat(4000)}b`);
  const text = "a".repeat(2_000_000); // Looking at each place anew would be 8,000,000,000 steps, which no test would see the end of.
  expect(new Scrubber([{ bytes, replacement: Buffer.from("x") }]).text(`${text}b`)).toBe(`${"a".repeat(text.length - 4000)}x`);
});

test("one scrubber serves any number of texts, one after the other and side by side, and none knows of another", async () => {
  const scrubber = new Scrubber([{ bytes: Buffer.from("s3cr3t"), replacement: Buffer.from("[p]") }]);
  const [one, other] = [scrubber.stream(), scrubber.stream()];
  one.write("a s3c");
  other.write("r3t s3cr");
  expect(scrubber.text("3t s3cr3t")).toBe("3t [p]");
  one.end("r3t");
  other.end("x");
  expect(await Promise.all([one, other].map(async (stream) => Buffer.concat(await stream.toArray()).toString()))).toEqual(["a [p]", "r3t s3crx"]);
});
