import { parentPort } from "node:worker_threads";
import { Fault } from "@lanyard/contract";
import { compile, newMemory, type Source } from "./compile.ts";
import type { CompileAnswer } from "./compiler.ts";

// The thread that compiles, away from decisions: started by the compiler, never imported. What it knows of policies lasts as long as it does.
const memory = newMemory();
const say = (message: CompileAnswer, transfer: readonly ArrayBuffer[] = []): void => parentPort?.postMessage(message, transfer);

const work = (source: Source): void => {
  try {
    const compiled = compile(source, memory, (done, total) => say({ done, total }));
    say({ compiled }, compiled.ok && compiled.bytes.buffer instanceof ArrayBuffer ? [compiled.bytes.buffer] : []);
  } catch (error) {
    if (!(error instanceof Fault)) throw error; // the thread ends, and with it whatever state the error left behind
    say({ failed: error.message, broken: error.cause !== undefined });
  }
};

parentPort?.on("message", work);
