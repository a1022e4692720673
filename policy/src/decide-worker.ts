import { parentPort } from "node:worker_threads";
import type { DecisionInput } from "@lanyard/contract";
import { decodeBundle } from "./bundle.ts";
import { decide } from "./decide.ts";
import { openRules, type Rules } from "./head.ts";
import { cedarMatcher } from "./matcher.ts";
import type { Answers, Order, Question } from "./protocol.ts";

// The thread that evaluates: started by the engine, never imported.
const rules = new Map<string, Rules>();
const match = cedarMatcher();

const answer = (questions: readonly Question[]): Answers => {
  const decisions: string[] = [];
  try {
    for (const { bundle, input } of questions) {
      const asked = rules.get(bundle);
      if (asked === undefined) throw new Error(`bundle ${bundle} is not loaded`);
      decisions.push(JSON.stringify(decide(match, asked, JSON.parse(input) as DecisionInput)));
    }
  } catch (error) {
    return { decisions, broken: String(error) };
  }
  return { decisions, broken: null };
};

parentPort?.on("message", (order: Order) => {
  if (order.kind === "load") rules.set(order.hash, openRules(decodeBundle(order.bytes)));
  else if (order.kind === "drop") rules.delete(order.hash);
  else parentPort?.postMessage(answer(order.questions), []);
});
