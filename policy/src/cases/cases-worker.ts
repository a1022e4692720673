import { parentPort } from "node:worker_threads";
import { Fault } from "@lanyard/contract";
import type { CasesAnswer } from "./apart.ts";
import { runOfDraft, type TestedDraft } from "./draft-cases.ts";
import { runCases } from "./run.ts";

// The thread that runs the cases of one draft: started for it, never imported.
const answer = async (draft: TestedDraft): Promise<CasesAnswer> => {
  try {
    return { report: await runCases(runOfDraft(draft)) };
  } catch (error) {
    if (error instanceof Fault) return { failed: error.message };
    throw error;
  }
};

parentPort?.on("message", (draft: TestedDraft) => void answer(draft).then((reply) => parentPort?.postMessage(reply, [])));
