import { readFileSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { differencesIn, type FuzzBatch } from "./batch.ts";
import { loadEvaluator } from "./evaluator.ts";

/** What became of a mutant: the policies it was asked before a difference showed, null when none did. */
export type MutantFate = { readonly killedAfter: number | null };

// The thread in which mutants live, so that one that never ends can be ended. Its corpus is a file: batches with Cedar's answers.
const corpus = JSON.parse(readFileSync(String(workerData), "utf8")) as FuzzBatch[];

const fateOf = async (folder: string): Promise<MutantFate> => {
  let asked = 0;
  try {
    const mutant = await loadEvaluator(new URL(folder));
    for (const batch of corpus) {
      asked += batch.policies.length;
      if (differencesIn(mutant, batch).length > 0) return { killedAfter: asked };
    }
  } catch {
    return { killedAfter: asked }; // it does not even take what Cedar takes
  }
  return { killedAfter: null };
};

parentPort?.on("message", (folder: string) => void fateOf(folder).then((fate) => parentPort?.postMessage(fate, [])));
