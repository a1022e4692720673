import { parentPort, workerData } from "node:worker_threads";
import { Fault } from "@lanyard/contract";
import { compile, type Source } from "./compile.ts";

// One compilation in a thread of its own, away from decisions: started by compileAside, never imported.
try {
  parentPort?.postMessage({ compiled: compile(workerData as Source) });
} catch (error) {
  parentPort?.postMessage({ failed: error instanceof Fault ? error.message : String(error) });
}
