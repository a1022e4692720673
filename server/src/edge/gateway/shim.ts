import { connect, type Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { Fault } from "@lanyard/contract";
import { readLines } from "../../base/lines.ts";
import { defaultLimits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { AuthorityLease } from "./lease/lease.ts";
import { isRequest, isResponse, readMessage, respond, toAnswer, type RpcId, type RpcReading } from "../../base/rpc.ts";

export interface ShimOptions {
  /** Path of the daemon's Unix socket. */
  readonly socket: string;
  readonly token: string;
  /** `/mcp` or `/mcp/<server>`. */
  readonly path: string;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly authority: AuthorityLease;
  readonly log: Log;
}

/**
 * `lanyard mcp`: copies lines between a client's stdio and the daemon's socket; ends with the client's input. It decides nothing. When
 * the daemon goes away, requests in flight get a clear error, and the next message connects anew with the client's handshake replayed,
 * so that a restarted daemon is not the end of the client's session. What it does decide: while the daemon does not renew its authority, it lets
 * nothing through, and what is under way is answered.
 */
export function shim(options: ShimOptions): Promise<void> {
  return new Shim(options).run();
}

const { body_bytes: bodyBytes, json_depth: depth, result_bytes: resultBytes } = defaultLimits;

class Shim {
  readonly #options: ShimOptions;
  readonly #open = new Set<RpcId>();
  #socket: Socket | null = null;
  #connecting: Promise<Socket> | null = null;
  /** The client's `initialize` and `notifications/initialized`, to be said again to a daemon that was restarted. */
  #handshake: { readonly id: RpcId; readonly lines: Buffer[] } | null = null;
  /** Set while a replayed `initialize` is not answered yet; its answer is not for the client, who has had one long since. */
  #replayed: { readonly id: RpcId; done(): void } | null = null;

  constructor(options: ShimOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { stdin, authority } = this.#options;
    const following = authority.onChange((state) => state === "lost" && this.#socket?.destroy());
    let last: Promise<void> = Promise.resolve();
    readLines(stdin, bodyBytes, (line) => (last = last.then(() => this.#outward(Buffer.from(line)))), () => {
      this.#answer(null, new Fault("limit_exceeded", `a message is over the limit body_bytes (${bodyBytes} bytes)`));
      stdin.destroy();
    });
    await new Promise<void>((resolve) => stdin.once("close", resolve).once("end", resolve));
    await last;
    following.stop();
    const socket = this.#socket;
    if (socket && !socket.destroyed) await new Promise<void>((resolve) => socket.once("close", resolve).end());
  }

  async #outward(line: Buffer): Promise<void> {
    const reading = readMessage(line, depth);
    const id = "message" in reading && isRequest(reading.message) ? reading.message.id : null;
    try {
      if (this.#cannot()) await this.#options.authority.ready();
      const socket = this.#cannot() ?? (await this.#connection());
      if (socket instanceof Fault) throw socket;
      if (id !== null) this.#open.add(id);
      this.#remember(reading, line);
      socket.write(Buffer.concat([line, newline]));
    } catch (error) {
      this.#options.log.warn("shim.unreachable", { error });
      if (id !== null) this.#answer(id, error instanceof Fault ? error : new Fault("upstream_unavailable", "the Lanyard daemon cannot be reached; start it with `lanyard serve` and try again"));
    }
  }

  /** A stop is no reason here: the daemon refuses, and records that it did. */
  #cannot(): Fault | null {
    const refusal = this.#options.authority.refusal();
    return refusal?.code === "stopped" ? null : refusal;
  }

  #connection(): Promise<Socket> {
    if (this.#socket && !this.#socket.destroyed) return Promise.resolve(this.#socket);
    this.#connecting ??= this.#connect().finally(() => (this.#connecting = null));
    return this.#connecting;
  }

  #connect(): Promise<Socket> {
    const { socket: path, token, path: door } = this.#options;
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject).on("error", () => {});
        socket.once("close", () => {
          this.#lost();
          reject(new Error("the daemon hung up"));
        });
        readLines(socket, resultBytes * 2, (line) => this.#inward(line), () => socket.destroy());
        socket.write(`${JSON.stringify({ token, path: door })}\n`);
        this.#replay(socket, () => {
          this.#socket = socket;
          resolve(socket);
        });
      });
    });
  }

  /** Says the client's handshake again, in its order, before anything else is sent. */
  #replay(socket: Socket, done: () => void): void {
    const [initialize, initialized] = this.#handshake?.lines ?? [];
    if (!this.#handshake || !initialize) return done();
    socket.write(Buffer.concat([initialize, newline]));
    this.#replayed = {
      id: this.#handshake.id,
      done: () => {
        this.#replayed = null;
        if (initialized) socket.write(Buffer.concat([initialized, newline]));
        done();
      },
    };
  }

  #inward(line: Buffer): void {
    const reading = readMessage(line, depth * 2);
    if ("message" in reading && isResponse(reading.message) && reading.message.id !== null) {
      if (reading.message.id === this.#replayed?.id) return this.#replayed.done();
      this.#open.delete(reading.message.id);
    }
    this.#options.stdout.write(Buffer.concat([line, newline]));
  }

  #remember(reading: RpcReading, line: Buffer): void {
    if (!("message" in reading) || isResponse(reading.message)) return;
    const { message } = reading;
    if (message.method === "initialize" && isRequest(message)) this.#handshake = { id: message.id, lines: [line] };
    if (message.method === "notifications/initialized" && this.#handshake?.lines.length === 1) this.#handshake.lines.push(line);
  }

  #lost(): void {
    this.#socket = null;
    const lost = this.#cannot()?.code === "authority_lost";
    const why = new Fault("uncertain", `the Lanyard daemon ${lost ? "does not answer any more" : "went away"} while the request was running; it may have taken effect`);
    for (const id of this.#open) this.#answer(id, why);
  }

  #answer(id: RpcId | null, fault: Fault): void {
    if (id !== null) this.#open.delete(id);
    this.#options.stdout.write(`${JSON.stringify(respond(id, toAnswer(fault)))}\n`);
  }
}

const newline = Buffer.from("\n");
