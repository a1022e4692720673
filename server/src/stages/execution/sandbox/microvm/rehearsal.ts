import { Fault } from "@lanyard/contract";
import type { Clock } from "../../../../base/clock.ts";
import { encodeExec } from "../channel.ts";
import { encodeFrame, FrameReader, type Frame } from "../frame.ts";
import type { Machine } from "./hypervisor.ts";

/** Resolves when a machine's agent answers. Throws Fault `isolation_unavailable` when it does not, with what was said about it. */
export const answers = (machine: Machine, clock: Clock, limitMs: number): Promise<void> => heard(machine, clock, limitMs, encodeFrame("ping", 0), ({ type }) => type === "pong");

/** What a machine still does of itself after a command: it makes ready for the next one, and the kernel clears away what it put off. */
const settleMs = 500;
/** As the workspace the very folder that holds it, so that nothing is left that a session could see. */
const rehearsed = ["--memory", "max", "--processes", "max", "--disk", "67108864", "--workspace", "/run/session/work", "--files", "128", "--file-bytes", "1048576", "--core-bytes", "0"];

/**
 * Has a machine do once what every session begins with, and waits for its end and until it is quiet again: limits, and a command. What is in memory by then need not be
 * read and unpacked again, and what was translated by an emulator not translated. Throws like {@link answers}.
 */
export const rehearse = async (machine: Machine, clock: Clock, limitMs: number): Promise<void> => {
  const start = encodeFrame("start", 0, Buffer.from(rehearsed.map((word) => `${word}\0`).join("")));
  const exec = encodeFrame("exec", 2, encodeExec({ command: "sh", args: ["-c", "true"], environment: { PATH: "/usr/local/bin:/usr/bin:/bin" } }, "/"));
  await heard(machine, clock, limitMs, Buffer.concat([reseed(clock), start, exec]), ({ type }) => type === "exit");
  await clock.pause(settleMs);
};

/** Clock and randomness, for a machine that wakes with a template's. */
export function reseed(clock: Clock): Buffer {
  const now = Buffer.alloc(8);
  now.writeBigUInt64BE(BigInt(clock.nowMs()) * 1_000_000n);
  return encodeFrame("reseed", 0, Buffer.concat([now, clock.random(64)]));
}

async function heard({ channel, process }: Machine, clock: Clock, limitMs: number, said: Buffer, isAnswer: (frame: Frame) => boolean): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const reader = new FrameReader();
  let errors = "";
  const fail = (why: string) => reject(new Fault("isolation_unavailable", `the virtual machine ${why}${errors.trim() && `: ${errors.trim().split("\n").at(-1)}`}`));
  const hear = (chunk: Buffer) => {
    if (reader.push(chunk).some(isAnswer)) resolve();
  };
  const gone = () => fail("ended before its agent answered");
  const late = clock.after(limitMs, () => fail(`did not answer within ${limitMs} ms`));
  const note = (chunk: Buffer) => (errors = `${errors}${chunk.toString()}`.slice(-2000));
  process.stderr?.on("data", note);
  process.once("error", gone).once("close", gone);
  channel.on("data", hear).on("error", () => {});
  channel.resume();
  channel.write(said);
  try {
    await promise;
  } finally {
    late.cancel();
    process.off("close", gone).off("error", gone);
    channel.off("data", hear);
    channel.pause();
  }
}
