import { isObject, type Json } from "@lanyard/contract";
import type { Condition } from "../bundle.ts";
import type { HistoryLeaf } from "../temporal/leaf.ts";

/**
 * What can be said of an expression before there is a call: its value, or that it gives a boolean, a number or some value and does not err; null where it
 * may err.
 */
type Foreseen = boolean | number | "boolean" | "number" | "value" | null;

/** Answers to history: to what is supposed to be false or 0 just that, to what else is asked any of its type. */
type Supposed = ReadonlyMap<string, Foreseen>;

/**
 * Questions that a policy waits for: while all of them are answered false or 0, it does not hold and cannot err, whatever the call and the other answers
 * are. Null where there are no such: it has to be asked each time. As few as possible.
 */
export const guardsOf = (conditions: readonly Condition[], leaves: readonly HistoryLeaf[]): readonly string[] | null => {
  if (leaves.length === 0) return null;
  const any = new Map<string, Foreseen>(leaves.map(({ id, type }) => [id, type === "Bool" ? "boolean" : "number"]));
  const supposing = (ids: readonly string[]): Supposed => new Map([...any, ...ids.map((id): [string, Foreseen] => [id, any.get(id) === "boolean" ? false : 0])]);
  let guards = leaves.map(({ id }) => id);
  if (!isIdle(conditions, supposing(guards))) return null;
  for (const { id } of leaves) {
    const fewer = guards.filter((one) => one !== id);
    if (isIdle(conditions, supposing(fewer))) guards = fewer;
  }
  return guards;
};

/** Whether one of the clauses certainly does not hold, and none before it may err. */
const isIdle = (conditions: readonly Condition[], supposed: Supposed): boolean => {
  for (const { kind, body } of conditions) {
    const found = foresee(body as Json, supposed);
    if (found === (kind === "unless")) return true;
    if (!isBoolean(found)) return false;
  }
  return false;
};

const isBoolean = (found: Foreseen): found is boolean | "boolean" => found === "boolean" || typeof found === "boolean";
const isNumber = (found: Foreseen): found is number | "number" => found === "number" || typeof found === "number";

const foresee = (form: Json | undefined, supposed: Supposed): Foreseen => {
  if (!isObject(form)) return null;
  const [name = ""] = Object.keys(form);
  const body = form[name];
  if (name === "Value") return literal(body);
  if (name === "Var") return "value";
  if (!isObject(body)) return null;
  if (name === "if-then-else") return either(foresee(body["if"], supposed), foresee(body["then"], supposed), foresee(body["else"], supposed));
  if (name === "!") return negated(foresee(body["arg"], supposed));
  if (name === ".") return isHistory(body["left"]) ? (supposed.get(String(body["attr"])) ?? null) : null;
  if (name === "has") return typeof body["attr"] === "string" && (isField(body["left"], null) || isField(body["left"], "input")) ? "boolean" : null;
  const left = foresee(body["left"], supposed);
  if (name === "&&" || name === "||") return chained(left, () => foresee(body["right"], supposed), name === "||");
  const right = foresee(body["right"], supposed);
  if (left === null || right === null) return null;
  if (name === "==" || name === "!=") return typeof left === typeof right && typeof left !== "string" ? (left === right) === (name === "==") : "boolean";
  return isNumber(left) && isNumber(right) ? ofNumbers(name, left, right) : null;
};

const literal = (body: Json | undefined): Foreseen => {
  if (typeof body === "boolean" || (typeof body === "number" && Number.isSafeInteger(body))) return body;
  return typeof body === "string" || (isObject(body) && isObject(body["__entity"])) ? "value" : null;
};

/** `context`, or a field of it that every call has. */
const isField = (form: Json | undefined, name: string | null): boolean => {
  if (!isObject(form)) return false;
  if (name === null) return form["Var"] === "context";
  const access = form["."];
  return isObject(access) && access["attr"] === name && isField(access["left"], null);
};

const isHistory = (form: Json | undefined): boolean => isField(form, "history");

const negated = (found: Foreseen): Foreseen => (typeof found === "boolean" ? !found : found === "boolean" ? found : null);

const either = (test: Foreseen, then: Foreseen, otherwise: Foreseen): Foreseen => {
  if (typeof test === "boolean") return test ? then : otherwise;
  if (test !== "boolean" || then === null || otherwise === null) return null;
  if (then === otherwise) return then;
  return isBoolean(then) && isBoolean(otherwise) ? "boolean" : isNumber(then) && isNumber(otherwise) ? "number" : "value";
};

/** `&&` and `||`: `ends` is the value of the left side that ends it. */
const chained = (left: Foreseen, right: () => Foreseen, ends: boolean): Foreseen => {
  if (left === ends) return ends;
  if (!isBoolean(left)) return null;
  const found = right();
  if (left !== "boolean" || found === ends) return isBoolean(found) ? found : null;
  return isBoolean(found) ? "boolean" : null;
};

const ofNumbers = (name: string, left: number | "number", right: number | "number"): Foreseen => {
  const known = left !== "number" && right !== "number";
  switch (name) {
    case "<":
      return known ? left < right : "boolean";
    case "<=":
      return known ? left <= right : "boolean";
    case ">":
      return known ? left > right : "boolean";
    case ">=":
      return known ? left >= right : "boolean";
    default:
      return null; // Arithmetic may leave the range of a Long.
  }
};
