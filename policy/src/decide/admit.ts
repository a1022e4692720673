import { Fault, type Decision, type DecisionInput, type Json, type JsonObject } from "@lanyard/contract";
import type { ActionShape } from "../schema/schema.ts";
import { denyUnasked } from "./combine.ts";
import { areShowable } from "./facts.ts";
import { measure, requestArguments, typedInput, type CedarValue } from "./input.ts";

const shown = (name: string): string => name.slice(0, 256).toWellFormed();

/** Why the bundle cannot speak of this call at all: null when it can. `action` is the bundle's action of the name that the input has. */
export const refuseUnknown = (action: ActionShape | null, { action: name, definition, resources = [] }: DecisionInput): Decision | null => {
  if (action === null) return denyUnasked("lanyard.catalog", `action \`${shown(name)}\` is not in the catalog that policies were compiled against`);
  if (definition !== undefined && definition !== action.definition) {
    return denyUnasked("lanyard.catalog", `the policies in force were compiled against another definition of \`${shown(name)}\``);
  }
  const typed = action.resourceType !== "Server";
  if (typed && resources.length === 0) return denyUnasked("lanyard.arguments", `the call names no \`${action.resourceType}\`, which \`${shown(name)}\` acts on`);
  if (resources.some(({ type }) => !typed || type !== action.resourceType)) {
    return denyUnasked("lanyard.catalog", `the policies in force were compiled against another contract of \`${shown(name)}\`: it acts on a \`${action.resourceType}\``);
  }
  return null;
};

/**
 * The arguments in Cedar's JSON form, or why policy cannot be shown the call exactly: the careful way, in words. What decides goes the fast
 * way (`Plan`) and comes here when that refuses.
 */
export const typedArguments = (action: ActionShape, input: DecisionInput): { readonly typed: CedarValue } | { readonly refused: Decision } => {
  try {
    measure({ ...input, args: null } as unknown as Json);
    if (!isTime(input.nowMs)) throw new Fault("malformed_call", "`nowMs` is no time");
    if (!Number.isSafeInteger(input.session.depth)) throw new Fault("malformed_call", "`depth` is no integer");
    if (!areShowable([input.effects, input.facts, input.budget, input.history])) throw new Fault("malformed_call", "what is known of the arguments holds a number that is no exact integer");
    measure(input.args);
    return { typed: typedInput(action.input, argumentsOf(action, input.args)) };
  } catch (cause) {
    if (cause instanceof Fault) return { refused: denyUnasked("lanyard.arguments", cause.message) };
    throw cause;
  }
};

/** What policy is shown the arguments of. Throws Fault `malformed_call`. */
export const argumentsOf = (action: ActionShape, args: JsonObject): JsonObject => (action.definition === null ? requestArguments(args) : args);

const isTime = (ms: number): boolean => Math.abs(ms) <= 8.64e15;

/** The fast look at the gateway's own facts: false sends the call the careful way. The agent's are looked at where they are remembered. */
export const factsAreSound = ({ user, session, approvals, resources, reversibility = "unknown", nowMs, effects, facts, budget, history }: DecisionInput): boolean =>
  user.id.isWellFormed() &&
  allSound(user.groups) &&
  session.id.isWellFormed() &&
  session.purpose.isWellFormed() &&
  session.isolation.isWellFormed() &&
  Number.isSafeInteger(session.depth) &&
  allSound(session.labels) &&
  allSound(approvals) &&
  isTime(nowMs) &&
  reversibility.isWellFormed() &&
  (effects === undefined || areShowable(effects)) &&
  (facts === undefined || areShowable(facts)) &&
  (budget === undefined || areShowable(budget)) &&
  (history === undefined || areAnswers(history)) &&
  (resources === undefined || resources.every(({ id, labels, owner }) => id.isWellFormed() && allSound(labels) && (owner === null || owner.isWellFormed())));

const areAnswers = (history: NonNullable<DecisionInput["history"]>): boolean => {
  for (const name in history) {
    const answer = history[name];
    if (typeof answer === "object" ? !(answer.amounts ?? []).every(Number.isSafeInteger) : typeof answer === "number" && !Number.isSafeInteger(answer)) return false;
  }
  return true;
};

const allSound = (texts: readonly string[]): boolean => {
  for (const text of texts) if (!text.isWellFormed()) return false;
  return true;
};
