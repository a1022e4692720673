import { parentPort } from "node:worker_threads";
import { Fault } from "@lanyard/contract";
import { answerAll } from "./answer.ts";
import { compareBundles } from "./compare.ts";
import { matchlessPolicies } from "./matchless.ts";
import { compareOrg } from "./org.ts";
import { reviewBundle } from "./review.ts";
import type { SolveAnswer, SolveTask } from "./solver.ts";
import { startZ3, type Z3 } from "./z3.ts";

// The thread that solves, for one question: started by the solver, ended by it, never imported.
const send = (answer: SolveAnswer): void => parentPort?.postMessage(answer, []);

const solve = (z3: Z3, task: SolveTask): unknown => {
  const progress = (done: number, total: number): void => send({ done, total });
  switch (task.task) {
    case "compare":
      return compareBundles(z3, task.before, task.after, task.registry, { progress });
    case "loosens":
      return compareOrg(z3, task.before, task.after, task.registry, progress);
    case "ask":
      return answerAll(z3, task.bundle, task.registry, task.questions, progress);
    case "matchless":
      return matchlessPolicies(z3, task.bundle, task.registry, progress);
    case "review":
      return reviewBundle(z3, task.bundle, task.registry, progress);
  }
};

const answer = async (task: SolveTask): Promise<void> => {
  try {
    send({ result: solve(await startZ3(), task) });
  } catch (error) {
    if (!(error instanceof Fault)) throw error; // the thread ends, and with it whatever state the error left behind
    send({ failed: error.message, code: error.code === "invalid_request" ? error.code : "invalid_config" });
  }
};

parentPort?.on("message", (task: SolveTask) => void answer(task));
