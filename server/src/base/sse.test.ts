import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { eventReader, writeEvent, type SseEvent } from "./sse.ts";

const readAll = (bytes: Buffer, sizes: readonly number[] = [bytes.length], limit = 1000): SseEvent[] => {
  const events: SseEvent[] = [];
  const read = eventReader(limit, (event) => events.push(event));
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = Math.max(1, sizes[turn % sizes.length] ?? 1);
    read(bytes.subarray(at, at + size));
    at += size;
  }
  return events;
};

describe("eventReader", () => {
  it("reads what the standard allows: comments, fields without a space, CR, LF and CRLF, several data lines", () => {
    const text = ": hello\r\n\r\nid:7\nretry: 20\rdata: a\r\ndata:b\n\nevent: message\ndata: c\n\ndata\n\n";
    expect(readAll(Buffer.from(text))).toEqual([
      { id: "7", retryMs: 20, data: "a\nb" },
      { data: "c" },
      { data: "" },
    ]);
  });

  it("reads an event that has an id only", () => expect(readAll(Buffer.from("id: s1-0\ndata: \n\nid: x\n\n"))).toEqual([{ id: "s1-0", data: "" }, { id: "x", data: null }]));

  it("gives the same events however the bytes are cut", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "grapheme" }).map((text) => text.replaceAll(/[\r\n]/g, " "))), fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (texts, sizes) => {
        const bytes = Buffer.from(texts.map((data, at) => writeEvent({ id: `${at}`, data })).join(""));
        expect(readAll(bytes, sizes, 100_000)).toEqual(texts.map((data, at) => ({ id: `${at}`, data })));
      }),
    );
  });

  it("stops at an event over the limit, however it arrives", () => {
    expect(readAll(Buffer.from(`data: ${"x".repeat(90)}\n\n`), [7], 100)).toHaveLength(1);
    expect(() => readAll(Buffer.from(`data: ${"x".repeat(101)}\n\n`), [7], 100)).toThrow(RangeError);
    expect(() => readAll(Buffer.from("data: xxxxxxxxx\n".repeat(50)), [16], 100)).toThrow(RangeError);
    expect(() => readAll(Buffer.from("data\n".repeat(200)), [16], 100)).toThrow(RangeError); // Lines with nothing in them are held as well.
    expect(readAll(Buffer.from("data: xxxxxxxxx\n\n".repeat(50)), [17], 100)).toHaveLength(50);
  });
});
