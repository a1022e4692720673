import { Fault } from "@lanyard/contract";

/** Types of frames, as in guest/agent.c. */
export const frameTypes = { exec: 1, data: 2, errors: 3, end: 4, credit: 5, signal: 6, exit: 7, ping: 8, pong: 9, open: 10, reset: 11, limit: 12, hello: 13, resize: 14, start: 15, reseed: 16 } as const;
export type FrameType = keyof typeof frameTypes;

export interface Frame {
  readonly type: FrameType;
  /** 0: about the whole session. */
  readonly stream: number;
  readonly payload: Buffer;
}

/** Bytes of a payload, both ways; what the agent sends is smaller. */
export const maxPayloadBytes = 256 * 1024;
/** Bytes that may be under way on one stream and direction before the receiver grants more. */
export const windowBytes = 256 * 1024;
export const maxStreams = 128;
const headerBytes = 9;

const names = new Map(Object.entries(frameTypes).map(([name, number]) => [number as number, name as FrameType]));

/** `u32 length | u8 type | u32 stream | payload`, big endian. Throws Fault `limit_exceeded`. */
export function encodeFrame(type: FrameType, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  if (payload.length > maxPayloadBytes) throw new Fault("limit_exceeded", `a frame of ${payload.length} bytes is over the limit of ${maxPayloadBytes} bytes`);
  const frame = Buffer.allocUnsafe(headerBytes + payload.length);
  frame.writeUInt32BE(payload.length, 0);
  frame.writeUInt8(frameTypes[type], 4);
  frame.writeUInt32BE(stream, 5);
  frame.set(payload, headerBytes);
  return frame;
}

export const encodeNumber = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

/** Cuts a guest's bytes into frames, however they arrive; holds at most one unfinished frame. */
export class FrameReader {
  #parts: Buffer[] = [];
  #held = 0;

  /** Throws Fault `sandbox_ended` at a frame that is too long or of no known type: what follows cannot be read any more. */
  push(chunk: Buffer): Frame[] {
    this.#parts.push(chunk);
    this.#held += chunk.length;
    const frames: Frame[] = [];
    for (let frame = this.#next(); frame; frame = this.#next()) frames.push(frame);
    return frames;
  }

  #next(): Frame | null {
    if (this.#held < headerBytes) return null;
    const head = this.#whole(headerBytes);
    const length = head.readUInt32BE(0);
    const type = names.get(head.readUInt8(4));
    if (length > maxPayloadBytes) throw new Fault("sandbox_ended", `the guest sent a frame of ${length} bytes, over the limit of ${maxPayloadBytes} bytes`);
    if (!type) throw new Fault("sandbox_ended", `the guest sent a frame of the unknown type ${head.readUInt8(4)}`);
    if (this.#held < headerBytes + length) return null;
    const whole = this.#whole(headerBytes + length);
    const rest = whole.subarray(headerBytes + length);
    this.#parts = rest.length > 0 ? [rest] : [];
    this.#held = rest.length;
    return { type, stream: whole.readUInt32BE(5), payload: whole.subarray(headerBytes, headerBytes + length) };
  }

  /** What is held, joined only as far as the first `bytes` need it: a frame that comes in small pieces is copied once. */
  #whole(bytes: number): Buffer {
    const [first] = this.#parts;
    if (first && this.#parts.length === 1) return first;
    if (first && first.length >= bytes && bytes === headerBytes) return first;
    const whole = Buffer.concat(this.#parts);
    this.#parts = [whole];
    return whole;
  }
}
