import { parentPort } from "node:worker_threads";
import { Fault } from "@lanyard/contract";
import { compile, type Source } from "./compile.ts";
import type { CompileAnswer } from "./compiler.ts";

// The thread that compiles, away from decisions: started by the compiler, never imported.
const answer = (source: Source): CompileAnswer => {
  try {
    return { compiled: compile(source) };
  } catch (error) {
    if (error instanceof Fault) return { failed: error.message };
    throw error; // the thread ends, and with it whatever state the error left behind
  }
};

parentPort?.on("message", (source: Source) => parentPort?.postMessage(answer(source), []));
