import { Duplex, Readable, Writable } from "node:stream";
import { Fault } from "@lanyard/contract";
import type { Clock } from "../../../base/clock.ts";
import type { Ending, ExecRequest, Execution, SandboxLimit, TerminalSize } from "./driver.ts";
import { encodeFrame, encodeNumber, FrameReader, maxPayloadBytes, maxStreams, windowBytes, type Frame, type FrameType } from "./frame.ts";

export interface ChannelOptions {
  readonly incoming: Readable;
  readonly outgoing: Writable;
  readonly clock: Clock;
  /** Takes a connection that something inside made to a port; ports without a door are refused. */
  readonly doors: ReadonlyMap<number, (connection: Duplex) => void>;
  limit(limit: SandboxLimit): void;
  /** What is known of why the guest has gone; null: nothing. */
  whyLost?(): string | null;
  /** Called once: the guest is gone, or said something that makes no sense. Nothing goes through any more. */
  ended(why: Fault): void;
}

/** Memory that answers to a guest may take which does not read: all windows at once, and a little. */
const maxUnreadBytes = maxStreams * windowBytes + 4 * 1024 * 1024;
const chunkBytes = 32 * 1024;
/** Those that a guest tells of itself. */
const guestLimits = ["disk", "memory", "processes", "files"] as const;
const endings = ["failed", "exited", "signalled"] as const;

/** One command or connection: what both ways have in common. */
interface Stream {
  readonly kind: "exec" | "connection";
  /** Bytes the guest may still send. */
  credit: number;
  heard(frame: Frame): void;
  /** The guest reads again. */
  granted(bytes: number): void;
  lost(why: Fault): void;
}

/**
 * The host's side of the multiplexer. Invariant: a guest makes the host hold at most a window a stream and direction, whatever it sends and
 * whatever it does not read; anything else ends the session.
 */
export class Channel {
  readonly #options: ChannelOptions;
  readonly #streams = new Map<number, Stream>();
  readonly #pings: { resolve(): void; reject(why: Fault): void }[] = [];
  readonly #hello = Promise.withResolvers<void>();
  #greeted = false;
  #nextId = 2; // The host's are even, the guest's odd.
  #gone: Fault | null = null;

  constructor(options: ChannelOptions) {
    this.#options = options;
    const { incoming, outgoing } = options;
    const reader = new FrameReader();
    this.#hello.promise.catch(() => {}); // Whoever awaits it hears of it.
    incoming.on("data", (chunk: Buffer) => {
      if (this.#gone) return;
      try {
        for (const frame of reader.push(chunk)) if (!this.#gone) this.#hear(frame);
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        this.end(error);
      }
    });
    const lost = () => this.end(new Fault("sandbox_ended", options.whyLost?.() ?? "the guest is gone"));
    incoming.once("close", lost).once("error", lost).resume();
    outgoing.on("error", lost);
  }

  /** Resolves once the guest agent said hello. Throws Fault `sandbox_ended`. */
  ready(): Promise<void> {
    return this.#hello.promise;
  }

  /** No command and no connection is open. */
  isIdle(): boolean {
    return this.#streams.size === 0;
  }

  ping(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (this.#gone) return Promise.reject(this.#gone);
    this.#pings.push({ resolve, reject });
    this.#send("ping", 0);
    return promise;
  }

  exec(request: ExecRequest, folder: string): Execution {
    if (this.#gone) throw this.#gone;
    if (this.#streams.size >= maxStreams) throw new Fault("limit_exceeded", `${maxStreams} commands and connections are open in the sandbox`);
    const id = this.#nextId;
    const payload = encodeExec(request, request.folder ?? folder);
    this.#nextId += 2;
    const { promise: ended, resolve, reject } = Promise.withResolvers<Ending>();
    ended.catch(() => {});
    const stream = { kind: "exec" as const, credit: windowBytes };
    const [stdin, granted] = this.#writable(id);
    const stdout = this.#readable(id, stream, () => stdout.readableLength + stderr.readableLength);
    const stderr = this.#readable(id, stream, () => stdout.readableLength + stderr.readableLength);
    const over = () => {
      timer?.cancel();
      this.#streams.delete(id);
      stdout.push(null);
      stderr.push(null);
      stdin.destroy();
    };
    const timer = request.timeoutMs === undefined ? null : this.#options.clock.after(request.timeoutMs, () => this.#send("signal", id, encodeNumber(9)));
    this.#streams.set(id, Object.assign(stream, {
      granted,
      heard: ({ type, payload: bytes }: Frame) => {
        if (type === "data") stdout.push(bytes);
        else if (type === "errors") stderr.push(bytes);
        else if (type === "exit" || type === "reset") {
          over();
          const kind = endings[type === "exit" && bytes.length === 8 ? bytes.readUInt32BE(0) - 2 : -1];
          if (kind) resolve({ kind, value: bytes.readUInt32BE(4) });
          else reject(new Fault("sandbox_ended", "the guest refused the command"));
        } else throw nonsense(type);
      },
      lost: (why: Fault) => {
        over();
        reject(why);
      },
    }));
    this.#send("exec", id, payload);
    const tell = (type: FrameType, bytes: Buffer) => void (this.#streams.has(id) && this.#send(type, id, bytes));
    return { stdin, stdout, stderr, ended, signal: (number) => tell("signal", encodeNumber(number)), resize: (size) => tell("resize", encodeSize(size)) };
  }

  /** Ends the session for this reason; what waits for the guest is rejected at once. */
  end(why: Fault): void {
    if (this.#gone) return;
    this.#gone = why;
    this.#hello.reject(why);
    for (const ping of this.#pings.splice(0)) ping.reject(why);
    for (const stream of [...this.#streams.values()]) stream.lost(why);
    this.#streams.clear();
    this.#options.outgoing.destroy();
    this.#options.ended(why);
  }

  #hear(frame: Frame): void {
    const { type, stream: id, payload } = frame;
    if (type === "hello" && !this.#greeted) {
      this.#greeted = true;
      return this.#hello.resolve();
    }
    if (!this.#greeted) throw new Fault("sandbox_ended", `the guest began with \`${type}\` instead of a greeting`);
    if (type === "open") return this.#open(id, payload);
    if (type === "pong") return this.#pings.shift()?.resolve();
    if (type === "limit") {
      const limit = guestLimits.find((name) => name === payload.toString("latin1"));
      if (limit) this.#options.limit(limit);
      return;
    }
    const stream = this.#streams.get(id);
    if (!stream) {
      if (type === "data" || type === "errors" || type === "end" || type === "credit" || type === "reset" || type === "exit") return; // It ended meanwhile.
      throw nonsense(type);
    }
    if (type === "credit") return stream.granted(payload.length === 4 ? payload.readUInt32BE(0) : Number.POSITIVE_INFINITY);
    if (type === "data" || type === "errors") {
      stream.credit -= payload.length;
      if (stream.credit < 0) throw new Fault("sandbox_ended", "the guest sent more than it was granted");
    }
    stream.heard(frame);
  }

  /** Something inside connected to a port of its loopback. */
  #open(id: number, payload: Buffer): void {
    if (id % 2 === 0 || this.#streams.has(id) || payload.length !== 4) throw nonsense("open");
    const door = this.#options.doors.get(payload.readUInt32BE(0));
    if (!door || this.#streams.size >= maxStreams) return this.#send("reset", id);
    const stream = { kind: "connection" as const, credit: windowBytes };
    const [outward, granted] = this.#writable(id);
    const inward = this.#readable(id, stream, () => inward.readableLength);
    const connection = Duplex.from({ readable: inward, writable: outward });
    let heardEnd = false;
    connection.on("error", () => {}).once("close", () => {
      // Both ways ended in order, or somebody here gave up: then the guest is told.
      if (!this.#streams.delete(id) || this.#gone) return;
      if (!heardEnd || !outward.writableFinished) this.#send("reset", id);
    });
    this.#streams.set(id, Object.assign(stream, {
      granted,
      heard: ({ type, payload: bytes }: Frame) => {
        if (type === "data" && !heardEnd) inward.push(bytes);
        else if (type === "end") {
          heardEnd = true;
          inward.push(null);
        } else if (type === "reset") connection.destroy();
        else throw nonsense(type);
      },
      lost: () => void connection.destroy(),
    }));
    door(connection);
  }

  /** What goes to the guest on a stream, as far as it has granted. */
  #writable(id: number): [Writable, (bytes: number) => void] {
    let credit = windowBytes;
    let waiting: { chunk: Buffer; done: () => void } | null = null;
    const flow = () => {
      while (waiting && credit > 0 && this.#streams.has(id)) {
        const piece = waiting.chunk.subarray(0, Math.min(credit, chunkBytes));
        credit -= piece.length;
        this.#send("data", id, piece);
        const { chunk, done } = waiting;
        waiting = chunk.length > piece.length ? { chunk: chunk.subarray(piece.length), done } : null;
        if (!waiting) done();
      }
    };
    const writable = new Writable({
      write: (chunk: Buffer, _, done) => {
        waiting = { chunk, done: () => done() };
        flow();
      },
      final: (done) => {
        if (this.#streams.has(id)) this.#send("end", id);
        done();
      },
    });
    writable.on("error", () => {});
    return [
      writable,
      (bytes) => {
        credit += bytes;
        if (credit > windowBytes) throw new Fault("sandbox_ended", "the guest granted more than a window");
        flow();
      },
    ];
  }

  /** What comes from the guest on a stream; `unread` counts what nobody has taken yet, so that the rest can be granted anew. */
  #readable(id: number, stream: { credit: number }, unread: () => number): Readable {
    return new Inflow(() => {
      const free = windowBytes - stream.credit - unread();
      if (free < windowBytes / 4 || !this.#streams.has(id)) return;
      stream.credit += free;
      this.#send("credit", id, encodeNumber(free));
    });
  }

  #send(type: FrameType, stream: number, payload?: Uint8Array): void {
    if (this.#gone) return;
    const { outgoing } = this.#options;
    outgoing.write(encodeFrame(type, stream, payload));
    if (outgoing.writableLength > maxUnreadBytes) this.end(new Fault("sandbox_ended", "the guest does not read what it is sent"));
  }
}

/** Calls `taken` whenever somebody may have read: only `read` sees every way of reading, and what flows at once is never buffered. */
class Inflow extends Readable {
  readonly #taken: () => void;

  constructor(taken: () => void) {
    super({ highWaterMark: windowBytes });
    this.#taken = taken;
  }

  override _read(): void {}

  override read(size?: number): Buffer | null {
    const bytes = super.read(size) as Buffer | null;
    queueMicrotask(this.#taken);
    return bytes;
  }

  override push(chunk: Buffer | null): boolean {
    const more = super.push(chunk);
    if (chunk) queueMicrotask(this.#taken);
    return more;
  }
}

const nonsense = (type: FrameType): Fault => new Fault("sandbox_ended", `the guest sent a \`${type}\` that makes no sense`);

/** `u16 columns | u16 rows`. No terminal has none. */
function encodeSize({ columns, rows }: TerminalSize): Buffer {
  const bytes = Buffer.alloc(4);
  [columns, rows].forEach((value, at) => bytes.writeUInt16BE(Math.min(Math.max(Math.floor(value) || 0, 1), 0xffff), 2 * at));
  return bytes;
}

/** `u16 arguments | u16 variables | u16 columns | u16 rows | folder\0 argument\0 ... variable\0 ...`. Throws Fault `limit_exceeded`, `invalid_request`. */
/** Payload of an `exec` frame. Throws Fault `invalid_request`, `limit_exceeded`. */
export function encodeExec({ command, args, environment, terminal }: ExecRequest, folder: string): Buffer {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const words = [folder, command, ...args, ...variables];
  if (words.some((word) => word.includes("\0")) || folder === "" || command === "") throw new Fault("invalid_request", `\`${command}\` cannot be started: a NUL, or nothing, where a name must be`);
  const text = Buffer.from(`${words.join("\0")}\0`);
  if (text.length + 8 > maxPayloadBytes || args.length > 60_000 || variables.length > 60_000) {
    throw new Fault("limit_exceeded", `arguments and environment of \`${command}\` are over the limit of ${maxPayloadBytes} bytes`);
  }
  const head = Buffer.alloc(4);
  head.writeUInt16BE(args.length + 1, 0);
  head.writeUInt16BE(variables.length, 2);
  return Buffer.concat([head, terminal ? encodeSize(terminal) : Buffer.alloc(4), text]);
}
