import { Worker } from "node:worker_threads";
import type { VerifyReport } from "./verify.ts";

/**
 * Verifies the ledger in a thread of its own, for it reads everything while calls go on. `from`: a checkpoint remembered from before. Rejects when
 * the thread dies, with what {@link verifyStore} throws, and when `signal` ends it.
 */
export async function verifyApart(folder: string, from: string, signal: AbortSignal): Promise<VerifyReport> {
  const worker = new Worker(new URL("./verify-worker.ts", import.meta.url), { workerData: { folder, from } });
  const { promise, resolve, reject } = Promise.withResolvers<VerifyReport>();
  const stop = (): void => reject(signal.reason as Error);
  signal.addEventListener("abort", stop, { once: true });
  worker.on("message", resolve).on("error", reject).on("exit", () => reject(new Error("the verifying thread ended without an answer")));
  try {
    signal.throwIfAborted();
    return await promise;
  } finally {
    signal.removeEventListener("abort", stop);
    await worker.terminate();
  }
}
