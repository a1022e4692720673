import { parentPort } from "node:worker_threads";
import { parseJson, type DecisionInput } from "@lanyard/contract";
import { CedarJudge } from "./judge.ts";
import type { OracleAnswer, OracleOrder } from "./oracle.ts";

// The thread of the second opinion: started by the oracle, never imported. Whatever is thrown ends it, and with it an instance of wasm whose
// state nobody knows.
const judge = new CedarJudge();

const answer = (order: OracleOrder): OracleAnswer =>
  order.kind === "load" ? { kept: judge.load(order.hash, order.bytes) } : { decision: JSON.stringify(judge.judge(order.hash, parseJson(order.input) as DecisionInput)) };

parentPort?.on("message", (order: OracleOrder) => parentPort?.postMessage(answer(order), []));
