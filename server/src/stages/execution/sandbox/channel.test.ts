import { PassThrough, type Duplex } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { systemClock } from "../../../base/clock.ts";
import { Channel } from "./channel.ts";
import { encodeFrame, encodeNumber, FrameReader, frameTypes, maxPayloadBytes, windowBytes, type Frame, type FrameType } from "./frame.ts";
import { seccompProgram } from "./seccomp.ts";

/** A channel whose guest is this test. */
function stand(doors = new Map<number, (connection: Duplex) => void>()) {
  const incoming = new PassThrough();
  const outgoing = new PassThrough();
  const ends: string[] = [];
  const channel = new Channel({ incoming, outgoing, clock: systemClock, doors, limit: () => {}, ended: (why) => ends.push(why.message) });
  const sent: Frame[] = [];
  const reader = new FrameReader();
  outgoing.on("data", (chunk: Buffer) => sent.push(...reader.push(chunk)));
  const say = (type: FrameType, stream: number, payload?: Uint8Array) => void incoming.write(encodeFrame(type, stream, payload));
  return { channel, incoming, ends, sent, say, turn: () => new Promise((done) => setImmediate(done)) };
}
const request = { command: "x", args: [], environment: {} };

test("frames are the same however their bytes are cut", () => {
  const frame = fc.record({ type: fc.constantFrom(...(Object.keys(frameTypes) as FrameType[])), stream: fc.nat(), payload: fc.uint8Array({ maxLength: 300 }) });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (frames, cuts) => {
      const bytes = Buffer.concat(frames.map(({ type, stream, payload }) => encodeFrame(type, stream, payload)));
      const reader = new FrameReader();
      const read: Frame[] = [];
      for (let at = 0, n = 0; at < bytes.length; n++) read.push(...reader.push(bytes.subarray(at, (at += cuts[n % cuts.length] ?? 1))));
      expect(read.map(({ type, stream, payload }) => ({ type, stream, payload: [...payload] }))).toEqual(frames.map(({ type, stream, payload }) => ({ type, stream, payload: [...payload] })));
    }),
  );
});

test("a payload at the limit is read, one past it ends the session", () => {
  expect(new FrameReader().push(encodeFrame("data", 1, Buffer.alloc(maxPayloadBytes)))).toHaveLength(1);
  const head = Buffer.from([0, 4, 0, 1, 2, 0, 0, 0, 1]);
  expect(() => new FrameReader().push(head)).toThrow(/over the limit/);
});

test("whatever a guest says, the session goes on or ends with a reason; nothing else happens", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 64 }), { maxLength: 20 }), fc.boolean(), async (chunks, polite) => {
      const { channel, incoming, ends, say, turn } = stand();
      if (polite) say("hello", 0);
      const execution = polite ? (await turn(), channel.exec(request, "/")) : null;
      execution?.stdout.resume();
      execution?.stderr.resume();
      for (const chunk of chunks) if (!incoming.destroyed) incoming.write(chunk);
      await turn();
      channel.end(new (await import("@lanyard/contract")).Fault("sandbox_ended", "over"));
      expect(ends).toHaveLength(1);
      if (execution) await execution.ended.catch(() => {});
    }),
    { numRuns: 200 },
  );
});

test("frames that are well formed and make no sense end the session", async () => {
  const type = fc.constantFrom(...(Object.keys(frameTypes) as FrameType[]));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ type, stream: fc.integer({ min: 0, max: 5 }), payload: fc.uint8Array({ maxLength: 12 }) }), { maxLength: 12 }), async (frames) => {
      const { say, turn, channel, ends } = stand(new Map([[0, (connection) => void connection.resume()]]));
      say("hello", 0);
      await turn();
      const { stdout, stderr, ended } = channel.exec(request, "/");
      stdout.resume();
      stderr.resume();
      for (const frame of frames) say(frame.type, frame.stream, frame.payload);
      await turn();
      expect(ends.length).toBeLessThanOrEqual(1);
      ended.catch(() => {});
    }),
    { numRuns: 200 },
  );
});

test("a guest that sends past its credit is ended at the first byte too many", async () => {
  const { channel, say, turn, ends } = stand();
  say("hello", 0);
  await turn();
  const { ended } = channel.exec(request, "/");
  say("data", 2, Buffer.alloc(windowBytes));
  await turn();
  expect(ends).toEqual([]);
  say("data", 2, Buffer.alloc(1));
  await turn();
  expect(ends).toEqual(["the guest sent more than it was granted"]);
  await expect(ended).rejects.toMatchObject({ code: "sandbox_ended" });
});

test("what is read is granted anew, whichever way it is read", async () => {
  for (const way of ["flow", "iterate"] as const) {
    const { channel, say, turn, sent } = stand();
    say("hello", 0);
    await turn();
    const { stdout } = channel.exec(request, "/");
    say("data", 2, Buffer.alloc(windowBytes));
    await turn();
    if (way === "flow") stdout.resume();
    else void stdout[Symbol.asyncIterator]().next();
    await turn();
    expect(sent.filter(({ type }) => type === "credit").reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0)).toBe(windowBytes);
  }
});

test("a connection to a port with a door is carried both ways; another port is refused", async () => {
  const { say, turn, sent } = stand(new Map([[80, (connection) => void connection.pipe(connection)]]));
  say("hello", 0);
  say("open", 1, encodeNumber(80));
  say("data", 1, Buffer.from("echo"));
  say("end", 1);
  say("open", 3, encodeNumber(81));
  for (let n = 0; n < 10; n++) await turn();
  expect(sent.map(({ type, stream, payload }) => [type, stream, payload.toString()])).toEqual([["reset", 3, ""], ["data", 1, "echo"], ["end", 1, ""]]);
});

test("the filter lets a call through, refuses it with an errno, or kills", () => {
  const verdict = (nr: number, args: readonly number[] = [], audit = 0xc000003e): string => {
    const program = seccompProgram("x64");
    const words = new Map([[0, nr], [4, audit], ...args.map((value, n): [number, number] => [16 + 8 * n, value])]);
    let value = 0;
    for (let at = 0; at * 8 < program.length; at++) {
      const [code, yes, no, k] = [program.readUInt16LE(at * 8), program.readUInt8(at * 8 + 2), program.readUInt8(at * 8 + 3), program.readUInt32LE(at * 8 + 4)];
      if (code === 0x06) return k === 0x7fff0000 ? "allow" : k === 0x80000000 ? "kill" : `errno ${k & 0xffff}`;
      if (code === 0x20) value = words.get(k) ?? 0;
      else at += (code === 0x15 ? value === k : code === 0x35 ? value >= k : (value & k) !== 0) ? yes : no;
    }
    return "fell off";
  };
  expect([2, 10, 16, 1, 40, 17, 3].map((family) => verdict(41, [family]))).toEqual([...Array(3).fill("allow"), ...Array(4).fill("errno 97")]);
  expect([1, 2, 40].map((family) => verdict(53, [family]))).toEqual(["allow", "errno 97", "errno 97"]);
  expect([verdict(56, [0x11]), verdict(56, [0x10000011]), verdict(435), verdict(16, [0, 0x5412]), verdict(16, [0, 0x5401])]).toEqual(["allow", "errno 1", "errno 38", "errno 1", "allow"]);
  expect([verdict(0), verdict(101), verdict(250), verdict(321), verdict(425), verdict(0x4000_0001), verdict(0, [], 0x40000003)]).toEqual(["allow", "errno 1", "errno 1", "errno 1", "errno 38", "errno 38", "kill"]);
});
