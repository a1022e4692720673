import { Worker } from "node:worker_threads";
import { Fault, type Registry } from "@lanyard/contract";
import type { AskAnswer } from "./answer.ts";
import type { Comparison } from "./compare.ts";
import type { MatchlessPolicy } from "./matchless.ts";
import type { OrgComparison } from "./org.ts";
import type { Review } from "./review.ts";

/** Runs `task` once after `ms` unless cancelled: time comes from outside. */
type After = (ms: number, task: () => void) => { cancel(): void };

/** What the solving thread is asked. */
export type SolveTask =
  | { readonly task: "compare"; readonly before: Uint8Array; readonly after: Uint8Array; readonly registry: Registry }
  | { readonly task: "loosens"; readonly before: Uint8Array; readonly after: Uint8Array; readonly registry: Registry }
  | { readonly task: "ask"; readonly bundle: Uint8Array; readonly registry: Registry; readonly questions: readonly string[] }
  | { readonly task: "matchless"; readonly bundle: Uint8Array; readonly registry: Registry }
  | { readonly task: "review"; readonly bundle: Uint8Array; readonly registry: Registry };

/** From the solving thread: how far it is, a result, or the text of the Fault `invalid_config` that was thrown. */
export type SolveAnswer = { readonly done: number; readonly total: number } | { readonly result: unknown } | { readonly failed: string; readonly code: "invalid_config" | "invalid_request" };

type Progress = (done: number, total: number) => void;

const unavailable = (message: string, cause?: unknown): Fault => new Fault("engine_unavailable", message, { cause });

/**
 * Answers questions about all possible calls. Every question runs in a thread of its own that ends with it: the solver is large, keeps what
 * it once took, and may take longer than anybody wants to wait. Methods reject with Fault `engine_unavailable` after `patienceMs` or when the
 * thread dies, with Fault `invalid_config` when the bytes are no bundle.
 */
export class Solver implements AsyncDisposable {
  readonly #after: After;
  readonly #patienceMs: number;
  readonly #running = new Set<Worker>();

  constructor({ after, patienceMs }: { after: After; patienceMs: number }) {
    this.#after = after;
    this.#patienceMs = patienceMs;
  }

  /** What the second bundle decides otherwise than the first. Both must be compiled against one ground. */
  compare(before: Uint8Array, after: Uint8Array, registry: Registry, progress?: Progress): Promise<Comparison> {
    return this.#ask({ task: "compare", before, after, registry }, progress) as Promise<Comparison>;
  }

  /** Whether the organisation's own policies are looser in the second bundle. Both must be compiled against one ground. */
  loosens(before: Uint8Array, after: Uint8Array, registry: Registry, progress?: Progress): Promise<OrgComparison> {
    return this.#ask({ task: "loosens", before, after, registry }, progress) as Promise<OrgComparison>;
  }

  /** Answers questions in one line each; see `askForms`. Rejects with Fault `invalid_request` on one that is not understood. */
  ask(bundle: Uint8Array, registry: Registry, questions: readonly string[], progress?: Progress): Promise<AskAnswer[]> {
    return this.#ask({ task: "ask", bundle, registry, questions }, progress) as Promise<AskAnswer[]>;
  }

  /** The policies that match no call. */
  matchless(bundle: Uint8Array, registry: Registry, progress?: Progress): Promise<MatchlessPolicy[]> {
    return this.#ask({ task: "matchless", bundle, registry }, progress) as Promise<MatchlessPolicy[]>;
  }

  /** The policies that change no decision. */
  review(bundle: Uint8Array, registry: Registry, progress?: Progress): Promise<Review> {
    return this.#ask({ task: "review", bundle, registry }, progress) as Promise<Review>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#running].map((worker) => worker.terminate()));
  }

  async #ask(task: SolveTask, progress: Progress = () => {}): Promise<unknown> {
    const worker = new Worker(new URL("./solve-worker.ts", import.meta.url));
    this.#running.add(worker);
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const alarm = this.#after(this.#patienceMs, () => reject(unavailable(`the solver had no answer within ${this.#patienceMs} ms`)));
    worker.on("error", (cause) => reject(unavailable("the solver failed", cause)));
    worker.on("exit", () => reject(unavailable("the solver ended without an answer")));
    worker.on("message", (answer: SolveAnswer) => {
      if ("result" in answer) resolve(answer.result);
      else if ("failed" in answer) reject(new Fault(answer.code, answer.failed, answer.code === "invalid_request" ? { remedy: "" } : {}));
      else progress(answer.done, answer.total);
    });
    try {
      worker.postMessage(task, []);
      return await promise;
    } finally {
      alarm.cancel();
      this.#running.delete(worker);
      await worker.terminate();
    }
  }
}
