import type { Readable, Writable } from "node:stream";
import { Fault } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import { readLines } from "../../base/lines.ts";
import type { Limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import { readMessage, scrubbed, type RpcId, type RpcMessage } from "../../base/rpc.ts";
import type { Link, LinkEvents } from "./link.ts";

/** A server that runs, wherever it does. */
export interface ServerProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves with why it ended, a Fault when it never began; nothing of it is left then. Never rejects. */
  readonly exited: Promise<Error>;
  /** Resolves when what it said last can have been read. */
  readonly closed: Promise<void>;
  /** To it and whatever it started. */
  kill(signal: "SIGTERM" | "SIGKILL"): void;
}

export interface StdioTarget {
  readonly name: string;
  readonly process: ServerProcess;
  /** Takes the secrets it was given out of what it says; null when there are none. */
  readonly scrub: ((text: string) => string) | null;
}

const graceMs = 2000;
const openBrace = 0x7b;

/** Speaks MCP with a process over its stdin and stdout. */
export class StdioLink implements Link {
  readonly #process: ServerProcess;
  readonly #clock: Clock;
  #gone: Error | null = null;
  /** Set as soon as nobody is there to read, which may be before all that was said has been read. */
  #deaf: Error | null = null;

  constructor({ clock, limits, log }: { clock: Clock; limits: Limits; log: Log }, { name, process, scrub }: StdioTarget, events: LinkEvents) {
    this.#clock = clock;
    this.#process = process;
    const end = (why: Error) => {
      if (this.#gone) return;
      this.#gone = why;
      events.closed(why, null);
    };
    void process.exited.then((why) => {
      this.#deaf = why;
      if (why instanceof Fault) return end(why);
      void process.closed.then(() => end(why)); // Not before: what it said last may still be in the pipe.
      clock.after(500, () => end(why)); // Somebody who left the group may keep the pipe open.
    });
    process.stdin.on("error", () => {}); // The exit tells more than the broken pipe does.
    const onLine = (line: Buffer) => {
      const reading = readMessage(line, limits.json_depth);
      if ("message" in reading) events.message(scrub ? scrubbed(reading.message, scrub) : reading.message, null);
      // What is no JSON-RPC is what programs print who forget that stdout is spoken for: an answer is lost only with what looks like one.
      // A call of the server's own that cannot be read is no answer to any of ours.
      else if (!reading.isCall && (reading.id !== null || (line[0] === openBrace && reading.fault.code !== "malformed_call"))) events.garbled(reading.fault, reading.id);
      else log.debug("server.noise", { server: name, line: (scrub ? scrub(line.toString("utf8")) : line.toString("utf8", 0, 200)).slice(0, 200) });
    };
    const onOverflow = () => {
      const why = new Error(`a message of the server is over the limit result_bytes (${limits.result_bytes} bytes)`);
      events.garbled(why, null);
      end(why); // Nothing more can be read from it.
      void this[Symbol.asyncDispose]();
    };
    readLines(process.stdout, limits.result_bytes, onLine, onOverflow);
    logLines(process.stderr, limits.stderr_bytes, (line) => log.info("server.stderr", { server: name, line: scrub ? scrub(line) : line }));
  }

  send(message: RpcMessage): Promise<void> {
    const gone = this.#gone ?? this.#deaf;
    if (gone) return Promise.reject(gone instanceof Fault ? gone : new Fault("upstream_unavailable", gone.message));
    this.#process.stdin.write(`${JSON.stringify(message)}\n`);
    return Promise.resolve();
  }

  cancel(id: RpcId, reason: string): void {
    this.send({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: id, reason } }).catch(() => {});
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }

  speak(): void {}

  /** Closes its stdin, as the protocol asks; then SIGTERM, then SIGKILL, each to all of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#deaf) return;
    this.#process.stdin.end();
    const steps = [this.#clock.after(graceMs, () => this.#process.kill("SIGTERM")), this.#clock.after(2 * graceMs, () => this.#process.kill("SIGKILL"))];
    await this.#process.exited;
    for (const step of steps) step.cancel();
  }
}

/** Whole lines: what has to be taken out of one may lie across two reads. So what the limit cuts off in the middle of a line is not logged. */
function logLines(stream: Readable, limitBytes: number, onLine: (line: string) => void): void {
  let left = limitBytes;
  let begun: Buffer[] = [];
  const give = (text: Buffer) => {
    for (const line of text.toString("utf8").split("\n")) if (line.trim() !== "") onLine(line);
  };
  stream.on("data", (chunk: Buffer) => {
    if (left <= 0) return;
    const taken = chunk.subarray(0, left);
    const end = taken.lastIndexOf(10) + 1;
    if (end > 0) give(Buffer.concat([...begun.splice(0), taken.subarray(0, end)]));
    begun.push(taken.subarray(end));
    left -= chunk.length;
    if (left > 0) return;
    begun = [];
    onLine(`(silent from here: over the limit stderr_bytes of ${limitBytes} bytes)`);
  });
  stream.once("close", () => give(Buffer.concat(begun)));
}
