import { Worker } from "node:worker_threads";
import { Fault } from "@lanyard/contract";
import type { Compiled, Progress, Source } from "./compile.ts";

/** Runs `task` once after `ms` unless cancelled: time comes from outside. */
type After = (ms: number, task: () => void) => { cancel(): void };

/**
 * From the compiling thread, for the one source it was sent: how far it is, and at last a result or the text of the Fault `invalid_config` that
 * was thrown. `broken`: the thread must not be asked again.
 */
export type CompileAnswer = { readonly done: number; readonly total: number } | { readonly compiled: Compiled } | { readonly failed: string; readonly broken: boolean };

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
   * As {@link compile}, one after the other. What is compiled again costs only what changed in it. Rejects with Fault `engine_unavailable`
   * when it takes longer than `patienceMs` or the thread dies, with Fault `invalid_config` as {@link compile} does.
   */
  compile(source: Source, progress: Progress = () => {}): Promise<Compiled> {
    const result = this.#turn.then(() => this.#ask(source, progress));
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

  async #ask(source: Source, progress: Progress): Promise<Compiled> {
    if (this.#closed) throw unavailable("the compiler is closed");
    const worker = (this.#worker ??= this.#start());
    const { promise, resolve, reject } = Promise.withResolvers<Exclude<CompileAnswer, { done: number }>>();
    const hear = (said: CompileAnswer): void => ("done" in said ? progress(said.done, said.total) : resolve(said));
    const fail = (cause: unknown): void => reject(unavailable("compiling policies failed", cause));
    const alarm = this.#after(this.#patienceMs, () => reject(unavailable(`policies were not compiled within ${this.#patienceMs} ms`)));
    worker.on("message", hear).on("error", fail).on("exit", fail);
    let reply: Awaited<typeof promise>;
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
      worker.off("message", hear).off("error", fail).off("exit", fail);
    }
    if ("compiled" in reply) return reply.compiled;
    if (reply.broken) {
      this.#worker = null;
      await worker.terminate();
    }
    throw new Fault("invalid_config", reply.failed);
  }
}
