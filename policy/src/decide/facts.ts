import type { ArgumentFacts, DecisionInput, Json } from "@lanyard/contract";
import { fieldsOfKind, type FactField, type FactKind, type OriginSet } from "../schema/facts.ts";
import { parseTransform } from "./transform.ts";

// What is known of single arguments, told of the whole call: the worst class, everything that any of them has.

type Facts = DecisionInput["facts"];

/** A fact as plain data. */
export type Fact = string | number | boolean | readonly (string | number)[];

const none: readonly ArgumentFacts[] = [];
const argumentsIn = (facts: Facts): readonly ArgumentFacts[] => (facts === undefined ? none : Object.values(facts));

/** Each once, in order of their UTF-16 units. */
const eachOnce = (lists: readonly (readonly string[])[]): readonly string[] => (lists.length === 1 ? (lists[0] ?? []) : [...new Set(lists.flat())].sort());

/** What single arguments have of one kind. */
export type FactsOfKind = readonly Readonly<Record<string, Json>>[];
const nothing: FactsOfKind = [];

export const factsOfKind = (facts: Facts, kind: FactKind): FactsOfKind => {
  let found: Readonly<Record<string, Json>>[] | null = null;
  for (const name in facts) {
    const own = facts[name]?.[kind];
    if (own !== undefined) (found ??= []).push(own as unknown as Readonly<Record<string, Json>>);
  }
  return found ?? nothing;
};

/** One field of `context.facts.<kind>`. What no argument has is `none`, empty, 0 or false. */
export const unitedFact = (found: FactsOfKind, kind: FactKind, name: string): Fact | undefined => {
  const fields = fieldsOfKind(kind);
  const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (field === undefined) return undefined;
  if (isIncomparable(kind, found)) return name === "class" ? "unknown" : field.kind === "sum" ? 0 : united(field, found, name);
  return united(field, found, name);
};

/** Amounts of several currencies have no sum, nor has more than can be counted exactly. */
const isIncomparable = (kind: FactKind, found: FactsOfKind): boolean => {
  if (kind !== "money") return false;
  return new Set(found.flatMap((one) => one["currencies"] as string[])).size > 1 || !Number.isSafeInteger(total(found, "minor")) || found.some((one) => one["class"] === "unknown");
};

const total = (found: FactsOfKind, name: string): number => found.reduce((sum, one) => sum + Number(one[name]), 0);

const united = (field: FactField, found: FactsOfKind, name: string): Fact => {
  switch (field.kind) {
    case "class":
      return field.of[found.reduce((worst, one) => Math.max(worst, rank(field.of, one[name])), 0)] ?? "unknown";
    case "texts":
      return eachOnce(found.map((one) => (one[name] ?? []) as string[]));
    case "longs":
      return [...new Set(found.flatMap((one) => one[name] as number[]))];
    case "sum":
      return Math.min(total(found, name), Number.MAX_SAFE_INTEGER);
    case "flag":
      return found.some((one) => one[name] === true);
    case "folder":
      return found.some((one) => one["class"] === "unknown") ? "" : commonFolder(found.map((one) => String(one[name])));
  }
};

/** A class that nobody knows is the worst. */
const rank = (classes: readonly string[], name: Json | undefined): number => {
  const at = classes.indexOf(String(name));
  return at < 0 ? classes.length - 1 : at;
};

/** What all of these folders lie in; empty when that is nothing. */
const commonFolder = ([first = "", ...more]: readonly string[]): string => {
  let common = first;
  for (const folder of more) while (!folder.startsWith(common)) common = common.slice(0, common.slice(0, -1).lastIndexOf("/") + 1);
  return common;
};

export const unitedLabels = (facts: Facts): readonly string[] => eachOnce(argumentsIn(facts).map(({ labels }) => labels));

export const unitedEncodings = (facts: Facts): readonly string[] => eachOnce(argumentsIn(facts).map(({ encodings = [] }) => encodings));

/** Origins of all arguments of a role, of all arguments at all, or of the links in them. Who gets money is a recipient, whatever the argument is for. */
export const unitedOrigins = (facts: Facts, of: OriginSet): readonly string[] =>
  eachOnce(argumentsIn(facts).flatMap((argument) => (of === "link" ? [argument.links ?? []] : [...(of === "any" || argument.role === of ? [argument.origins] : []), ...(of === "recipient" && argument.payees ? [argument.payees] : [])])));

/** Origins of one argument; empty when nothing is known of it. */
export const originsOf = (facts: Facts, argument: string): readonly string[] => (facts !== undefined && Object.hasOwn(facts, argument) ? (facts[argument]?.origins ?? []) : []);

/**
 * What is known of the arguments once these changes are made: of what is left out or masked nothing, of what a policy sets that the organisation
 * says it; what is redacted no longer carries the label, nor any below it. A change within an argument takes nothing away, for nobody can say from
 * which part of it a fact came.
 */
export const changedFacts = (facts: Facts, changes: readonly string[]): Facts => {
  if (facts === undefined) return undefined;
  const known = new Map(Object.entries(facts));
  for (const change of changes) {
    const transform = parseTransform(change);
    if (transform === null || transform.of === "result" || transform.path.length !== 1) continue;
    const [name = ""] = transform.path;
    const before = known.get(name);
    if (transform.kind === "set") known.set(name, { role: before?.role ?? "other", labels: [], origins: ["directory"] });
    else if (transform.kind === "drop" || transform.kind === "mask") known.delete(name);
    else if (before !== undefined) known.set(name, { ...before, labels: before.labels.filter((label) => !isUnder(label, transform.label)) });
  }
  return Object.fromEntries(known);
};

/**
 * A change that takes a label out of an argument though another one still carries it; null when there is none. Invariant: rules ask about the
 * labels of a call, so none is lifted by such a change before nothing in the call carries the label any more.
 */
export const carriedOn = (facts: Facts, changes: readonly string[]): string | null => {
  const labels = unitedLabels(facts);
  return (
    changes.find((change) => {
      const transform = parseTransform(change);
      return transform !== null && transform.of === "arguments" && "label" in transform && labels.some((label) => isUnder(label, transform.label));
    }) ?? null
  );
};

const isUnder = (label: string, above: string): boolean => label === above || label.startsWith(`${above}.`);

/** Whether everything that the gateway found can be shown to policy: whole numbers that are exact, and texts that are Unicode. */
export const areShowable = (value: unknown): boolean => {
  if (typeof value === "string") return value.isWellFormed();
  if (typeof value === "number") return Number.isSafeInteger(value);
  if (typeof value !== "object" || value === null) return true;
  if (Array.isArray(value)) {
    for (const item of value) if (!areShowable(item)) return false;
    return true;
  }
  for (const key in value) if (!key.isWellFormed() || !areShowable((value as Readonly<Record<string, unknown>>)[key])) return false;
  return true;
};
