import { PassThrough } from "node:stream";
import { once } from "node:events";
import { expect, it } from "vitest";
import { readLines } from "./lines.ts";

const linesOf = async (chunks: readonly string[], limit: number): Promise<{ lines: string[]; overflows: number }> => {
  const stream = new PassThrough();
  const lines: string[] = [];
  let overflows = 0;
  readLines(stream, limit, (line) => lines.push(line.toString()), () => overflows++);
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  await once(stream, "end");
  return { lines, overflows };
};

it("finds lines across chunks and skips empty ones", async () =>
  expect(await linesOf(["a\nb", "c\n\n\r\nd", "", "\ne"], 10)).toEqual({ lines: ["a", "bc", "d"], overflows: 0 }));

it("takes a line at the limit and none after one that is over it", async () => {
  expect(await linesOf(["12345\n", "123", "45\n6\n"], 5)).toEqual({ lines: ["12345", "12345", "6"], overflows: 0 });
  expect(await linesOf(["1\n123456\n2\n"], 5)).toEqual({ lines: ["1"], overflows: 1 });
  expect(await linesOf(["1\n123", "456", "789\n2\n"], 5)).toEqual({ lines: ["1"], overflows: 1 });
});
