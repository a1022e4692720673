import { isObject, type Json, type JsonObject } from "@lanyard/contract";
import { parse } from "@marcbachmann/cel-js";
import type { DecisionInput } from "@lanyard/contract";
import type { Policy, Scope } from "../../policy/src/bundle.ts";

/**
 * The same policies in CEL, translated by machine from Cedar's JSON form, and a decision by evaluating all of them: what one would write
 * with a CEL library. An entity is its name, and `above` the list of what it lies below. Numbers are doubles.
 */
type Cel = (variables: Record<string, unknown>) => unknown;

const text = (value: unknown): string => JSON.stringify(value);
const double = (value: number): string => (Number.isInteger(value) ? `${value}.0` : String(value));
const name = ({ type, id }: { readonly type: string; readonly id: string }): string => text(`${type}::${id}`);
const unknown = (value: Json | undefined): never => {
  throw new Error(`no CEL for ${JSON.stringify(value)}`);
};

const infix: Readonly<Record<string, string>> = { "&&": "&&", "||": "||", "==": "==", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=" };
const compared: Readonly<Record<string, string>> = { lessThan: "<", lessThanOrEqual: "<=", greaterThan: ">", greaterThanOrEqual: ">=" };

const celOf = (form: Json | undefined): string => {
  if (!isObject(form)) return unknown(form);
  const [operator = "", body = null] = Object.entries(form)[0] ?? [];
  if (operator === "Var") return String(body);
  if (operator === "Value") return literal(body);
  if (operator === "Set" && Array.isArray(body)) return `[${body.map(celOf).join(", ")}]`;
  if (Array.isArray(body)) return call(operator, body);
  if (!isObject(body)) return unknown(form);
  const { left, right, arg, attr, pattern } = body;
  const sign = infix[operator];
  if (sign !== undefined) return `(${celOf(left)} ${sign} ${celOf(right)})`;
  switch (operator) {
    case ".":
      return `${celOf(left)}.${String(attr)}`;
    case "has":
      return `has(${celOf(left)}.${String(attr)})`;
    case "!":
      return `!(${celOf(arg)})`;
    case "in":
      return `(${celOf(right)} in ${celOf(left)}.above)`;
    case "contains":
      return `(${celOf(right)} in ${celOf(left)})`;
    case "containsAny":
      return `${celOf(left)}.exists(one, one in ${celOf(right)})`;
    case "like":
      return like(celOf(left), pattern);
    case "if-then-else":
      return `(${celOf(body["if"])} ? ${celOf(body["then"])} : ${celOf(body["else"])})`;
    default:
      return unknown(form);
  }
};

const literal = (body: Json): string => {
  const entity = isObject(body) ? body["__entity"] : undefined;
  if (isObject(entity)) return name({ type: String(entity["type"]), id: String(entity["id"]) });
  if (typeof body === "number") return double(body);
  return typeof body === "object" ? unknown(body) : text(body);
};

const call = (operator: string, parts: readonly Json[]): string => {
  const [first, second] = parts;
  const given = isObject(first) ? first["Value"] : undefined;
  if (operator === "decimal" && typeof given === "string") return double(Number(given));
  if (operator === "datetime" && typeof given === "string") return double(Date.parse(given));
  const sign = compared[operator];
  return sign === undefined ? unknown([operator]) : `(${celOf(first)} ${sign} ${celOf(second)})`;
};

/** The patterns of the benchmark are prefixes and parts of a text. Cedar has them letter by letter; a `*` in a letter's place would be one, and there is none. */
const like = (subject: string, pattern: Json | undefined): string => {
  const written = Array.isArray(pattern) ? pattern.map((part) => (isObject(part) ? String(part["Literal"]) : "*")).join("") : "";
  const [, open, inner, close] = /^(\*?)([^*]*)(\*?)$/.exec(written) ?? [];
  if (inner === undefined || close !== "*") return unknown(pattern);
  return `${subject}.${open === "*" ? "contains" : "startsWith"}(${text(inner)})`;
};

const headOf = (variable: string, scope: Scope): string[] => {
  if (scope.op === "All") return [];
  if (scope.op === "==") return [`${variable}.id == ${name(scope.entity)}`];
  if (scope.op === "is") return unknown(scope.op);
  return "entity" in scope ? [`${name(scope.entity)} in ${variable}.above`] : [`(${scope.entities.map((entity) => `${name(entity)} in ${variable}.above`).join(" || ")})`];
};

const expressionOf = ({ head, conditions }: Policy): string =>
  [
    ...headOf("principal", head.principal),
    ...headOf("action", head.action),
    ...headOf("resource", head.resource),
    ...conditions.map(({ kind, body }) => (kind === "when" ? `(${celOf(body)})` : `!(${celOf(body)})`)),
  ].join(" && ") || "true";

/** Ids of the policies that hold, sorted. */
export const celJudge = (policies: readonly Policy[]): ((input: DecisionInput, groups: readonly string[]) => string[]) => {
  const rules = policies.map((policy) => ({ id: policy.id, holds: parse(expressionOf(policy)) as Cel }));
  return ({ agent, user, session, action, args, approvals, nowMs }, groups) => {
    const variables = {
      principal: { id: `Agent::${agent.id}`, above: [`Agent::${agent.id}`, `Team::${agent.team}`, ...agent.classes.map((one) => `AgentClass::${one}`)] },
      action: { id: `Action::${action}`, above: [`Action::${action}`, ...groups.map((group) => `Action::${group}`)] },
      context: {
        input: args as JsonObject,
        user: { id: `User::${user.id}`, above: [`User::${user.id}`, ...user.groups.map((group) => `Group::${group}`)] },
        session,
        approvals: approvals.map((group) => `Group::${group}`),
        now: nowMs,
      },
    };
    return rules.filter(({ holds }) => holds(variables) === true).map(({ id }) => id);
  };
};
