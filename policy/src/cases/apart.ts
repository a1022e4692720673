import { Worker } from "node:worker_threads";
import { Fault } from "@lanyard/contract";
import type { TestedDraft } from "./draft-cases.ts";
import type { CaseReport } from "./run.ts";

/** From the thread: how the cases came out, or the text of the Fault `invalid_config` that compiling threw. */
export type CasesAnswer = { readonly report: CaseReport } | { readonly failed: string };

/** The thread's time, given from outside: runs `task` once after `ms` unless cancelled. */
export interface CasePatience {
  readonly after: (ms: number, task: () => void) => { cancel(): void };
  readonly patienceMs: number;
}

/**
 * Runs the cases of a draft in a thread of its own, so that decisions go on meanwhile: a large file of cases takes seconds to read. Rejects
 * with Fault `engine_unavailable` when it takes longer than `patienceMs` or the thread dies, with `invalid_config` on an impossible server.
 */
export const runCasesApart = async ({ after, patienceMs }: CasePatience, draft: TestedDraft): Promise<CaseReport> => {
  const worker = new Worker(new URL("./cases-worker.ts", import.meta.url));
  const { promise, resolve, reject } = Promise.withResolvers<CasesAnswer>();
  const fail = (cause: unknown): void => reject(new Fault("engine_unavailable", "running the cases of policies failed", { cause }));
  const alarm = after(patienceMs, () => reject(new Fault("engine_unavailable", `the cases of the policies were not run within ${patienceMs} ms`)));
  worker.on("message", resolve).on("error", fail).on("exit", fail);
  try {
    const { policies, tests, ground } = draft;
    worker.postMessage({ policies, tests, ground }, []);
    const answer = await promise;
    if ("report" in answer) return answer.report;
    throw new Fault("invalid_config", answer.failed);
  } finally {
    alarm.cancel();
    await worker.terminate();
  }
};
