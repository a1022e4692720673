import type { ServerResponse } from "node:http";
import { PassThrough } from "node:stream";
import { expect, it } from "vitest";
import { Replay } from "./replay.ts";

/** A response as far as a stream needs one. */
const response = (): { res: ServerResponse; text: () => string } => {
  const stream = new PassThrough();
  return { res: stream as unknown as ServerResponse, text: () => String(stream.read() ?? "") };
};

it("gives a client that comes back exactly what it has not seen, and what follows", () => {
  const replay = new Replay(1000);
  const stream = replay.open();
  const first = response();
  stream.attach(first.res);
  stream.push("one");
  stream.detach();
  stream.push("two");
  expect(first.text()).toBe("id: s1-0\nretry: 500\ndata: \n\nid: s1-1\ndata: one\n\n");
  const found = replay.find("s1-1");
  const second = response();
  found?.stream.resume(second.res, found.seen);
  stream.push("three");
  stream.finish();
  expect(second.text()).toBe("id: s1-2\ndata: two\n\nid: s1-3\ndata: three\n\n");
  expect(second.res.writableEnded).toBe(true);
  expect([replay.find("s2-0"), replay.find("s1"), replay.find("../s1-1")]).toEqual([null, null, null]);
});

it("keeps as much as replay_bytes and drops finished streams first", () => {
  const replay = new Replay(10);
  const [done, running] = [replay.open(), replay.open()];
  done.push("12345");
  done.finish();
  running.push("12345");
  expect([replay.find("s1-0"), replay.find("s2-0")].map((found) => found !== null)).toEqual([true, true]);
  running.push("6");
  expect([replay.find("s1-0"), replay.find("s2-0")].map((found) => found !== null)).toEqual([false, true]);
});
