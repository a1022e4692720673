import { isObject, type Json, type JsonObject } from "@lanyard/contract";
import { brief } from "./print.ts";

/** A small change of an expression and how it reads. */
export interface ExpressionEdit {
  readonly body: Json;
  /** What became what, in Cedar's words. */
  readonly words: string;
}

/** What a comparison is mistaken for: at its edge, or the other way round. */
const swapped: Readonly<Record<string, string>> = { "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", containsAll: "containsAny", containsAny: "containsAll", lessThan: "lessThanOrEqual", lessThanOrEqual: "lessThan", greaterThan: "greaterThanOrEqual", greaterThanOrEqual: "greaterThan" };

/** Items of a set that are left out one by one; past them the set is a list that no case can name in full. */
const setItems = 8;

/** Every expression that differs from this one by one small mistake. */
export function* editsOf(expression: Json): Generator<ExpressionEdit> {
  if (!isObject(expression)) return;
  const [operator = "", operand] = Object.entries(expression)[0] ?? [];
  for (const body of mistaken(operator, operand, expression)) yield { body, words: `\`${brief(expression)}\` becomes \`${brief(body)}\`` };
  if (operator === "Value" || operator === "Var") return;
  if (isExtensionText(operator, operand)) return; // a changed text may be no decimal at all: every case would notice
  for (const [at, child] of childrenOf(operand)) {
    for (const { body, words } of editsOf(child)) yield { body: { [operator]: withChild(operand, at, body) }, words };
  }
}

const isExtensionText = (operator: string, operand: Json | undefined): boolean => /^(decimal|ip|datetime|duration)$/.test(operator) && Array.isArray(operand);

function* mistaken(operator: string, operand: Json | undefined, whole: JsonObject): Generator<Json> {
  const other = swapped[operator];
  if (other !== undefined && operand !== undefined) yield { [other]: operand };
  const side = (key: string): Json | undefined => (isObject(operand) ? operand[key] : undefined);
  const [left, right, arg] = [side("left"), side("right"), side("arg")];
  if ((operator === "&&" || operator === "||") && operand !== undefined && left !== undefined && right !== undefined) {
    yield { [operator === "&&" ? "||" : "&&"]: operand };
    yield left;
    yield right;
  }
  if (operator === "!" && arg !== undefined) yield arg;
  if (operator === "contains" || operator === "in" || operator === "like" || operator === "is") yield { "!": { arg: whole } };
  if (operator === "if-then-else" && isObject(operand)) yield { [operator]: { ...operand, then: operand["else"] ?? null, else: operand["then"] ?? null } };
  if (operator === "like" && isObject(operand)) yield { like: { ...operand, pattern: ["Wildcard"] } };
  if (operator === "Set" && Array.isArray(operand)) for (const at of operand.slice(0, setItems).keys()) yield { Set: operand.filter((_, index) => index !== at) };
  if (operator === "Value") for (const value of otherValues(operand)) yield { Value: value };
  if (operator === "decimal" && Array.isArray(operand)) yield* otherDecimals(operand);
}

/** Values near this one. */
const otherValues = (value: Json | undefined): Json[] => {
  if (typeof value === "number") return [value + 1, value - 1].filter((near) => Number.isSafeInteger(near));
  if (typeof value === "boolean") return [!value];
  if (typeof value === "string") return [`${value}~`];
  const entity = isObject(value) ? value["__entity"] : undefined;
  return isObject(entity) ? [{ __entity: { ...entity, id: `${String(entity["id"])}~` } }] : [];
};

const otherDecimals = function* ([first]: readonly Json[]): Generator<Json> {
  const text = isObject(first) ? first["Value"] : undefined;
  const [, sign = "", whole = "", part = ""] = (typeof text === "string" && /^(-?)(\d{1,14})\.(\d{1,4})$/.exec(text)) || [];
  if (whole === "") return;
  const units = Number(whole + part.padEnd(4, "0"));
  if (!Number.isSafeInteger(units)) return;
  const digits = String(units + 1).padStart(5, "0");
  yield { decimal: [{ Value: `${sign}${digits.slice(0, -4)}.${digits.slice(-4)}` }] };
};

/** The expressions right below an operator, with the way to each. */
const childrenOf = (operand: Json | undefined): [string | number, Json][] => {
  if (Array.isArray(operand)) return [...operand.entries()];
  if (!isObject(operand)) return [];
  return Object.entries(operand).filter(([key, child]) => key !== "pattern" && key !== "attr" && key !== "entity_type" && isObject(child));
};

const withChild = (operand: Json | undefined, at: string | number, child: Json): Json =>
  Array.isArray(operand) ? operand.map((item, index) => (index === at ? child : item)) : { ...(operand as JsonObject), [at]: child };
