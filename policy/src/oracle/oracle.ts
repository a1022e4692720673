import { Worker } from "node:worker_threads";
import { Fault, parseJson, type Decision, type DecisionInput } from "@lanyard/contract";

/** To the oracle's thread: one at a time. Inputs travel as JSON text, which crosses threads faster than an object of a hundred values. */
export type OracleOrder =
  | { readonly kind: "load"; readonly hash: string; readonly bytes: Uint8Array }
  | { readonly kind: "judge"; readonly hash: string; readonly input: string };

/** From the thread: the bundles that it has now, or a Decision as JSON. */
export type OracleAnswer = { readonly kept: readonly string[] } | { readonly decision: string };

/** Where a bundle's bytes are, and their address. `bytes` is asked for only when the thread does not have the bundle; null when it is gone. */
export interface BundleSource {
  readonly hash: string;
  readonly bytes: () => Uint8Array | null;
}

export interface OracleOptions {
  /** Runs `task` once after `ms` unless cancelled: time comes from outside. */
  readonly after: (ms: number, task: () => void) => { cancel(): void };
  /** For one question; parsing a bundle of ten thousand policies takes a second. Default 30 s. */
  readonly patienceMs?: number;
  /** Questions that may wait; one more is rejected. Default 256. */
  readonly waiting?: number;
  /** The thread's program; another one in tests. */
  readonly program?: URL;
}

/** Bundles that one thread is given before it makes place for a new one: wasm never gives memory back. */
const loadsOfThread = 32;

const unavailable = (message: string, cause?: unknown): Fault => new Fault("engine_unavailable", message, { cause });

/**
 * A second opinion on decisions, from Cedar's own evaluator in a thread of its own, which starts with the first question. One question after
 * the other. A crash or a hang ends only what was being asked; the next question starts a new thread.
 */
export class Oracle implements AsyncDisposable {
  readonly #options: Required<Pick<OracleOptions, "after" | "patienceMs" | "waiting">> & { readonly program: URL };
  #worker: Worker | null = null;
  #kept: ReadonlySet<string> = new Set();
  #loads = 0;
  #turn: Promise<unknown> = Promise.resolve();
  #open = 0;
  #closed = false;

  constructor({ after, patienceMs = 30_000, waiting = 256, program = new URL("./oracle-worker.ts", import.meta.url) }: OracleOptions) {
    this.#options = { after, patienceMs, waiting, program };
  }

  /**
   * What Cedar decides on this input by this bundle. Rejects with Fault `engine_unavailable` when too many wait, when there is no answer in
   * time, when the thread dies or the oracle is closed, when the bundle is gone. Nothing was judged then: that is no agreement.
   */
  judge(bundle: BundleSource, input: DecisionInput): Promise<Decision> {
    if (this.#closed) return Promise.reject(unavailable("the oracle is closed"));
    if (this.#open >= this.#options.waiting) return Promise.reject(unavailable("too many decisions wait for a second opinion"));
    this.#open += 1;
    const answer = this.#turn.then(() => this.#judge(bundle, input)).finally(() => (this.#open -= 1));
    this.#turn = answer.catch(() => {});
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#stop();
  }

  async #judge({ hash, bytes }: BundleSource, input: DecisionInput): Promise<Decision> {
    if (this.#closed) throw unavailable("the oracle is closed");
    if (!this.#kept.has(hash)) {
      const found = bytes();
      if (found === null) throw unavailable(`there is no bundle \`${hash}\` to judge by`);
      if (this.#loads >= loadsOfThread) await this.#stop();
      const loaded = await this.#ask({ kind: "load", hash, bytes: found });
      this.#loads += 1;
      this.#kept = new Set("kept" in loaded ? loaded.kept : []);
    }
    const answer = await this.#ask({ kind: "judge", hash, input: textOf(input) });
    if (!("decision" in answer)) throw unavailable("the oracle answered something else");
    return parseJson(answer.decision) as Decision;
  }

  async #ask(order: OracleOrder): Promise<OracleAnswer> {
    const worker = (this.#worker ??= this.#start());
    const { promise, resolve, reject } = Promise.withResolvers<OracleAnswer>();
    const fail = (cause: unknown): void => reject(unavailable("the oracle failed", cause));
    const { after, patienceMs } = this.#options;
    const alarm = after(patienceMs, () => reject(unavailable(`the oracle did not answer within ${patienceMs} ms`)));
    worker.on("message", resolve).on("error", fail).on("exit", fail);
    try {
      worker.ref();
      worker.postMessage(order, []);
      const answer = await promise;
      worker.unref();
      return answer;
    } catch (error) {
      await this.#stop();
      throw error;
    } finally {
      alarm.cancel();
      worker.off("message", resolve).off("error", fail).off("exit", fail);
    }
  }

  /** A thread that dies, also while nothing is asked of it, is forgotten. */
  #start(): Worker {
    const worker = new Worker(this.#options.program);
    const forget = (): void => {
      if (this.#worker !== worker) return;
      this.#worker = null;
      this.#forget();
    };
    return worker.on("error", forget).on("exit", forget);
  }

  async #stop(): Promise<void> {
    const worker = this.#worker;
    this.#worker = null;
    this.#forget();
    await worker?.terminate();
  }

  #forget(): void {
    this.#kept = new Set();
    this.#loads = 0;
  }
}

const textOf = (input: DecisionInput): string => {
  try {
    return JSON.stringify(input);
  } catch (cause) {
    throw unavailable("the input cannot be sent to the oracle", cause); // nested too deeply: denied before any policy is asked
  }
};

/** Whether two decisions are the same, but for the words of errors: who decided, what, and whom it asks. */
export const agree = (left: Decision, right: Decision): boolean => told(left) === told(right);

const told = ({ effect, reasons, approvers, transforms = [], errors }: Decision): string =>
  JSON.stringify([effect, reasons.map(({ policy, text, remedy }) => [policy, text, remedy]), approvers, transforms, errors.map(({ policy }) => policy)]);
