import { Worker } from "node:worker_threads";
import { Fault } from "@lanyard/contract";
import type { Compiled, Source } from "./compile.ts";

/** Runs `task` once after `ms` unless cancelled: time comes from outside. */
type After = (ms: number, task: () => void) => { cancel(): void };

/** From the compiling thread, for the one source it was sent: a result, or the text of the Fault `invalid_config` that was thrown. */
export type CompileAnswer = { readonly compiled: Compiled } | { readonly failed: string };

const unavailable = (message: string, cause?: unknown): Fault => new Fault("engine_unavailable", message, { cause });

/**
 * Compiles in a thread of its own, so that decisions go on meanwhile. The thread stays between compilations: starting one takes five
 * times as long as compiling a handful of policies.
 */
export class Compiler implements AsyncDisposable {
  readonly #after: After;
  readonly #patienceMs: number;
  #worker: Worker | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor({ after, patienceMs }: { after: After; patienceMs: number }) {
    this.#after = after;
    this.#patienceMs = patienceMs;
  }

  /**
   * As {@link compile}, one after the other. Rejects with Fault `engine_unavailable` when it takes longer than `patienceMs` or the thread
   * dies, with Fault `invalid_config` as {@link compile} does.
   */
  compile(source: Source): Promise<Compiled> {
    const result = this.#turn.then(() => this.#ask(source));
    this.#turn = result.catch(() => {});
    return result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#worker?.terminate();
  }

  /** A thread that dies, also while nothing is asked of it, is forgotten. */
  #start(): Worker {
    const worker = new Worker(new URL("./compile-worker.ts", import.meta.url));
    const forget = (): void => void (this.#worker === worker && (this.#worker = null));
    return worker.on("error", forget).on("exit", forget);
  }

  async #ask(source: Source): Promise<Compiled> {
    if (this.#closed) throw unavailable("the compiler is closed");
    const worker = (this.#worker ??= this.#start());
    const { promise, resolve, reject } = Promise.withResolvers<CompileAnswer>();
    const fail = (cause: unknown): void => reject(unavailable("compiling policies failed", cause));
    const alarm = this.#after(this.#patienceMs, () => reject(unavailable(`policies were not compiled within ${this.#patienceMs} ms`)));
    worker.on("message", resolve).on("error", fail).on("exit", fail);
    let reply: CompileAnswer;
    try {
      worker.ref();
      worker.postMessage(source, []);
      reply = await promise;
      worker.unref();
    } catch (error) {
      this.#worker = null;
      await worker.terminate();
      throw error;
    } finally {
      alarm.cancel();
      worker.off("message", resolve).off("error", fail).off("exit", fail);
    }
    if ("compiled" in reply) return reply.compiled;
    throw new Fault("invalid_config", reply.failed);
  }
}
