import type { Duplex } from "node:stream";
import { Fault, isObject, parseJson } from "@lanyard/contract";
import { readLines } from "../../../../base/lines.ts";

const maxLineBytes = 1024 * 1024;

/** QEMU's control channel. Commands are answered in order; what it says must make sense, for a machine may have broken into it. */
export class Qmp {
  readonly #socket: Duplex;
  readonly #waiting: { resolve(value: unknown): void; reject(why: Fault): void }[] = [];
  readonly #events = new Set<(name: string, data: unknown) => void>();
  #gone: Fault | null = null;

  constructor(socket: Duplex) {
    this.#socket = socket;
    socket.on("error", () => {}).once("close", () => this.#end("QEMU is gone"));
    readLines(socket, maxLineBytes, (line) => this.#hear(line), () => this.#end("QEMU said more than makes sense"));
    void this.execute("qmp_capabilities").catch(() => {});
  }

  /** Throws Fault `sandbox_ended`. */
  execute(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    if (this.#gone) return Promise.reject(this.#gone);
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.push({ resolve, reject });
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    return promise;
  }

  /** Resolves at the first event of this name that fits. Throws Fault `sandbox_ended`. */
  event(name: string, fits: (data: unknown) => boolean = () => true): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const hear = (heard: string, data: unknown): void => {
      if (heard !== "" && (heard !== name || !fits(data))) return;
      this.#events.delete(hear);
      if (heard === "") reject(this.#gone);
      else resolve(data);
    };
    this.#events.add(hear);
    if (this.#gone) hear("", null);
    return promise;
  }

  #hear(line: Buffer): void {
    const message = parsed(line);
    if (!isObject(message)) return this.#end("QEMU said what makes no sense");
    if (typeof message["event"] === "string" && message["event"] !== "") for (const hear of [...this.#events]) hear(message["event"], message["data"]);
    else if ("return" in message) this.#waiting.shift()?.resolve(message["return"]);
    else if (isObject(message["error"])) this.#waiting.shift()?.reject(new Fault("sandbox_ended", `QEMU refused: ${String(message["error"]["desc"]).slice(0, 300)}`));
  }

  #end(why: string): void {
    if (this.#gone) return;
    this.#gone = new Fault("sandbox_ended", why);
    for (const one of this.#waiting.splice(0)) one.reject(this.#gone);
    for (const hear of [...this.#events]) hear("", null);
    this.#socket.destroy();
  }
}

function parsed(line: Buffer): unknown {
  try {
    return parseJson(line.toString());
  } catch {
    return null;
  }
}
