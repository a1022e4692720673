import { spawn, type ChildProcessByStdio } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { Fault } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import { readLines } from "../../base/lines.ts";
import type { Limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import { readMessage, scrubbed, type RpcId, type RpcMessage } from "../../base/rpc.ts";
import type { Link, LinkEvents } from "./link.ts";

/** A server that is a child process. `environment` is all it gets: nothing is inherited. */
export interface StdioTarget {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
  /** Takes the secrets of the environment out of what the server says; null when there are none. */
  readonly scrub: ((text: string) => string) | null;
}

const graceMs = 2000;
const openBrace = 0x7b;

/** Spawns the server, without a shell and in a process group of its own, so that whatever it starts ends with it. */
export class StdioLink implements Link {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #exited: Promise<void>;
  readonly #clock: Clock;
  #gone: Error | null = null;
  /** Set as soon as nobody is there to read, which may be before all that was said has been read. */
  #deaf: Error | null = null;

  constructor({ clock, limits, log }: { clock: Clock; limits: Limits; log: Log }, target: StdioTarget, events: LinkEvents) {
    this.#clock = clock;
    const { name, command, args, cwd, environment, scrub } = target;
    const options = { env: environment, detached: true, shell: false, ...(cwd !== undefined && { cwd }) };
    this.#child = spawn(command, [...args], { ...options, stdio: ["pipe", "pipe", "pipe"] });
    const end = (why: Error) => {
      if (this.#gone) return;
      this.#gone = why;
      events.closed(why, null);
    };
    this.#exited = new Promise((resolve) => {
      this.#child.once("exit", (code, signal) => {
        const why = new Error(`server \`${name}\` exited (${signal ?? `code ${code}`})`);
        this.#deaf = why;
        this.#killGroup("SIGKILL");
        this.#child.once("close", () => end(why)); // Not before: what it said last may still be in the pipe.
        clock.after(500, () => end(why)); // Somebody who left the group may keep the pipe open.
        resolve();
      });
      this.#child.once("error", (cause) => {
        const { code = "unknown error" } = cause as NodeJS.ErrnoException;
        end(new Fault("upstream_unavailable", `server \`${name}\` could not be started: ${code}`, { cause }));
        resolve();
      });
    });
    this.#child.stdin.on("error", () => {}); // The exit tells more than the broken pipe does.
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
    readLines(this.#child.stdout, limits.result_bytes, onLine, onOverflow);
    logLines(this.#child.stderr, limits.stderr_bytes, (line) => log.info("server.stderr", { server: name, line: scrub ? scrub(line) : line }));
  }

  send(message: RpcMessage): Promise<void> {
    const gone = this.#gone ?? this.#deaf;
    if (gone) return Promise.reject(gone instanceof Fault ? gone : new Fault("upstream_unavailable", gone.message));
    this.#child.stdin.write(`${JSON.stringify(message)}\n`);
    return Promise.resolve();
  }

  cancel(id: RpcId, reason: string): void {
    this.send({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: id, reason } }).catch(() => {});
  }

  speak(): void {}

  /** Closes its stdin, as the protocol asks; then SIGTERM, then SIGKILL, each to the whole group. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.stdin.end();
    const steps = [this.#clock.after(graceMs, () => this.#killGroup("SIGTERM")), this.#clock.after(2 * graceMs, () => this.#killGroup("SIGKILL"))];
    await this.#exited;
    for (const step of steps) step.cancel();
  }

  #killGroup(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal); // The group outlives its leader as long as it has a member, so its id cannot belong to others.
    } catch {
      // ESRCH: nobody is left.
    }
  }
}

function logLines(stream: Readable, limitBytes: number, onLine: (line: string) => void): void {
  let left = limitBytes;
  stream.on("data", (chunk: Buffer) => {
    if (left <= 0) return;
    for (const line of chunk.subarray(0, left).toString("utf8").split("\n")) if (line.trim() !== "") onLine(line);
    left -= chunk.length;
    if (left <= 0) onLine(`(silent from here: over the limit stderr_bytes of ${limitBytes} bytes)`);
  });
}
