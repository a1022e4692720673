import { isObject, type Decision, type DecisionInput, type Json, type JsonObject } from "@lanyard/contract";
import type { Policy, Scope } from "../bundle.ts";
import { brief } from "../cases/print.ts";
import { Expressions } from "../cedar/compile.ts";
import { EvaluationFault, type EvaluationRequest } from "../cedar/request.ts";
import { DatetimeValue, DecimalValue, DurationValue, EntityUid, IpValue, RecordValue, SetValue, type Value } from "../cedar/value.ts";
import { combine, isChange, unite, type RoundResult } from "./combine.ts";
import { decide, find, roundsOf, type Evaluation, type Rules } from "./decide.ts";
import type { RoundInput } from "./rounds.ts";
import { transformOf } from "./transform.ts";

/** Why one policy had a say in a decision, or nearly had. */
export interface PolicyExplanation extends Pick<Policy, "file" | "line" | "text" | "reason" | "remedy" | "effect"> {
  readonly policy: string;
  /** It determined the decision; it had the arguments changed; it could not be evaluated; or, where nothing permits the call, it came nearest to. */
  readonly role: "decided" | "changed" | "failed" | "nearest";
  /** The resource that it was asked about, such as `Repo::"web"`; empty when the call names none. */
  readonly resource: string;
  /** What it looked at, in the order it did: what its head matched, then what its conditions read, each as `path = value`. Printable, and cut. */
  readonly facts: readonly string[];
  /** The first condition that did not hold; empty when all did. */
  readonly unmet: string;
  /** What would lift it, or what it would take to permit; the change by which it was lifted; empty on an allow. */
  readonly lift: string;
}

/** How much is shown of one policy, of one value, and how many policies that nearly permitted, of how many that are tried. */
const shown = { facts: 32, items: 8, chars: 120, nearest: 3, tried: 200 } as const;

/**
 * Explains the decision on an input: the policies that made it, sorted by id, after those that had its arguments changed; on a deny by
 * default the permits that come nearest to allowing it, the nearest first. Empty when no policy was asked, or none speaks of the call.
 */
export const explain = (rules: Rules, policyOf: (id: string) => Policy | null, input: DecisionInput): PolicyExplanation[] => {
  const { transforms = [] } = decide(rules, input);
  return roundsOf(rules, input).flatMap((round, at) => explainRound(rules, policyOf, round, at === 0 && transforms.length > 0));
};

/** `made`: the changes that the round asks for were made, and the call came through by them. */
const explainRound = (rules: Rules, policyOf: (id: string) => Policy | null, input: RoundInput, made: boolean): PolicyExplanation[] => {
  const asked: { evaluation: Evaluation; outcome: RoundResult; tell: (id: string) => Told | null }[] = [];
  const found = find(rules, input, (evaluation, request) => {
    const tell = (id: string): Told | null => {
      const policy = policyOf(id);
      return policy && traced(policy, request, (input.resources?.length ?? 0) > 0);
    };
    const outcome = combine(evaluation.satisfied, evaluation.errors, input);
    // The request moves on to the next resource, so what is told of this one is told now.
    const ids = new Set([...outcome.reasons, ...(isChange(outcome) ? [] : outcome.errors)].map(({ policy }) => policy));
    const told = new Map([...(ids.size > 0 ? ids : permitsOf(evaluation))].map((id) => [id, tell(id)]));
    asked.push({ evaluation, outcome, tell: (id) => told.get(id) ?? null });
  });
  if ("effect" in found) return [];
  const united = unite(asked.map(({ outcome }) => outcome));
  const deciding = asked.filter(({ outcome }) => (isChange(united) ? isChange(outcome) : !isChange(outcome) && outcome.effect === united.effect));
  const explained = (id: string, role: PolicyExplanation["role"], lift: (told: Told) => string): PolicyExplanation[] => {
    const told = deciding.map(({ tell }) => tell(id)).find((one) => one !== null);
    return told ? [{ ...aboutPolicy(told), role, lift: printable(asWritten(told.policy, lift(told))) }] : [];
  };
  if (isChange(united)) {
    return united.reasons.flatMap(({ policy, remedy }) =>
      made ? explained(policy, "changed", () => `a change of the call: ${transformOf(remedy)}`) : explained(policy, "decided", () => `nothing: the change ${transformOf(remedy)} does not bring this call through`),
    );
  }
  const decision = united;
  if (decision.reasons.length + decision.errors.length === 0) return nearestOf(deciding.map(({ evaluation, tell }) => permitsOf(evaluation).flatMap((id) => tell(id) ?? [])));
  return [
    ...decision.reasons.flatMap(({ policy }) => explained(policy, "decided", ({ policy: { approvers } }) => liftOf(decision, approvers, input.approvals))),
    ...[...new Map(decision.errors.map((error) => [error.policy, error])).values()].flatMap(({ policy, message }) => explained(policy, "failed", () => `facts on which it can be evaluated: ${message}`)),
  ];
};

const permitsOf = ({ candidates }: Evaluation): string[] => candidates.filter(({ effect }) => effect === "permit").slice(0, shown.tried).map(({ id }) => id);

const liftOf = ({ effect }: Decision, approvers: readonly string[], approvals: readonly string[]): string => {
  if (effect === "allow") return "";
  const missing = approvers.filter((group) => !approvals.includes(group));
  if (missing.length > 0) return `approval by ${missing.join(" and ")}`;
  return approvers.length > 0 ? "nothing: everybody has approved, and it holds all the same" : "no approval; only other facts, or another policy";
};

const nearestOf = (asked: readonly (readonly Told[])[]): PolicyExplanation[] =>
  asked
    .flat()
    .sort((left, right) => right.met - left.met || (left.policy.id < right.policy.id ? -1 : 1))
    .slice(0, shown.nearest)
    .map((told) => ({ ...aboutPolicy(told), role: "nearest", lift: printable(asWritten(told.policy, `facts on which this holds: ${told.unmet}`)) }));

/** A policy that was evaluated once more, with everything it looked at. */
interface Told {
  readonly policy: Policy;
  readonly resource: string;
  readonly facts: readonly string[];
  readonly unmet: string;
  /** How many conditions held before one did not. */
  readonly met: number;
}

const aboutPolicy = ({ policy, resource, facts, unmet }: Told): Omit<PolicyExplanation, "role" | "lift"> => {
  const { id, effect, file, line, text, reason, remedy } = policy;
  return { policy: id, effect, file, line, text, reason, remedy, resource, facts: facts.map((fact) => printable(asWritten(policy, fact))), unmet: printable(asWritten(policy, unmet)) };
};

/** With questions to history in their author's words, where their names stand. */
const asWritten = ({ leaves = [] }: Policy, text: string): string => leaves.reduce((said, leaf) => said.replaceAll(`context.history.${leaf.id}`, leaf.text).replaceAll(leaf.id, leaf.text), text);

const traced = (policy: Policy, request: EvaluationRequest, names: boolean): Told => {
  const facts = new Set(headFacts(policy.head, request));
  const observe = (form: JsonObject, value: Value): void => {
    const fact = factOf(form, value);
    if (fact !== null && facts.size < shown.facts) facts.add(fact);
  };
  const expressions = new Expressions({ observe });
  let met = 0;
  let unmet = "";
  try {
    for (const { kind, body } of policy.conditions) {
      for (const part of kind === "when" ? conjuncts(body) : [body]) {
        unmet = kind === "when" ? brief(part) : `not (${brief(part)})`;
        if (expressions.expression(part)(request) !== (kind === "when")) return { policy, resource: names ? uidText(request.resource) : "", facts: [...facts], unmet: printable(unmet), met };
        met += 1;
      }
    }
    unmet = "";
  } catch (error) {
    if (!(error instanceof EvaluationFault)) throw error;
  }
  return { policy, resource: names ? uidText(request.resource) : "", facts: [...facts], unmet: printable(unmet), met };
};

/** The operands of `a && b && c`, in the order they are evaluated in. */
const conjuncts = (body: Json): Json[] => {
  const and = isObject(body) ? body["&&"] : undefined;
  return isObject(and) ? [...conjuncts(and["left"] ?? null), ...conjuncts(and["right"] ?? null)] : [body];
};

const headFacts = (head: Policy["head"], request: EvaluationRequest): string[] =>
  (["principal", "action", "resource"] as const).flatMap((name) => {
    const scope: Scope = head[name];
    if (scope.op === "All") return [];
    const own = uidText(request[name]);
    const text = ({ type, id }: { type: string; id: string }): string => uidText(new EntityUid(type, id));
    if (scope.op === "==") return [`${name} = ${own}`];
    if (scope.op === "is") return [`${name} = ${own}, is ${scope.entity_type}${scope.in === undefined ? "" : ` in ${text(scope.in.entity)}`}`];
    const among = "entity" in scope ? [scope.entity] : scope.entities;
    const uid = request[name];
    const holding = among.filter(({ type, id }) => (uid.type === type && uid.id === id) || request.find(uid)?.within(new EntityUid(type, id)));
    return [`${name} = ${own}, in ${holding.map(text).join(", ")}`];
  });

/** What an evaluated expression tells: the value of an attribute, or whether something is there, is of a type, or lies below something. */
const factOf = (form: JsonObject, value: Value): string | null => {
  if (Object.hasOwn(form, ".")) return value instanceof RecordValue ? null : `${printable(brief(form))} = ${valueText(value)}`;
  return ["has", "in", "is", "getTag", "hasTag"].some((name) => Object.hasOwn(form, name)) ? `${printable(brief(form))} = ${valueText(value)}` : null;
};

/** A value as policies write it; printable, and cut. */
const valueText = (value: Value): string => {
  if (typeof value === "string") return printable(JSON.stringify(value.length > shown.chars ? `${value.slice(0, shown.chars).toWellFormed()}…` : value));
  if (typeof value !== "object") return String(value);
  if (value instanceof EntityUid) return uidText(value);
  if (value instanceof SetValue) return `[${value.items.slice(0, shown.items).map(valueText).join(", ")}${value.items.length > shown.items ? `, … ${value.items.length} in all` : ""}]`;
  if (value instanceof RecordValue) return `{${value.names().slice(0, shown.items).map((name) => printable(name.slice(0, 64))).sort().join(", ")}}`;
  if (value instanceof DecimalValue) return `decimal("${decimalText(BigInt(value.units))}")`;
  if (value instanceof DatetimeValue) return Math.abs(Number(value.ms)) <= 8.64e15 ? new Date(Number(value.ms)).toISOString() : `${value.ms} ms`;
  if (value instanceof DurationValue) return `duration("${value.ms}ms")`;
  return value instanceof IpValue ? "an ip address" : "";
};

const decimalText = (units: bigint): string => {
  const digits = String(units < 0n ? -units : units).padStart(5, "0");
  return `${units < 0n ? "-" : ""}${digits.slice(0, -4)}.${digits.slice(-4).replace(/0{1,3}$/, "")}`;
};

const uidText = ({ type, id }: EntityUid): string => printable(`${type}::${JSON.stringify(id.slice(0, shown.chars).toWellFormed())}`);

/** Controls, marks of direction and other characters that are not seen, written out. */
const printable = (text: string): string => text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (found) => `\\u{${found.codePointAt(0)?.toString(16) ?? ""}}`);
