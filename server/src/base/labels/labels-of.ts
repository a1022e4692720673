import { isObject, type ArgumentFacts, type Json, type JsonObject, type ResourceFact } from "@lanyard/contract";
import type { Answer } from "../exchange.ts";
import { impliedBy, textsOf, splitSecrets, type Classifier } from "./classifier.ts";

/** Reads a text with its encodings taken off: itself first, then what lies behind them. */
export type Unfolding = (text: string) => readonly { readonly text: string }[];

/**
 * The facts of a call with the labels of what stands in its arguments, in their names, behind encodings too, and of secrets that were split over
 * several of them. `unfold` as the extractors use it.
 */
export function labelled(classifier: Classifier, unfold: Unfolding, args: JsonObject, facts: Readonly<Record<string, ArgumentFacts>>): Readonly<Record<string, ArgumentFacts>> {
  const found = new Map(Object.entries(args).map(([name, value]) => [name, new Set(labelsIn(classifier, unfold, name, value))]));
  const leaves = Object.entries(args).flatMap(([name, value]) => [{ text: name, field: "", isName: true, name }, ...textsOf(value, name).map((leaf) => ({ ...leaf, name }))]);
  for (const { name } of splitSecrets(leaves)) found.get(name)?.add("secret");
  return Object.fromEntries(Object.entries(facts).map(([name, fact]) => [name, { ...fact, labels: impliedBy([...fact.labels, ...(found.get(name) ?? [])]) }]));
}

function labelsIn(classifier: Classifier, unfold: Unfolding, name: string, value: Json): readonly string[] {
  const found = new Set(classifier.detect(name));
  for (const { text, field } of textsOf(value, name)) {
    for (const view of unfold(text)) for (const label of classifier.detect(view.text, field)) found.add(label);
  }
  return [...found];
}

/** What a result is, by the contract of its tool (`yields`), by what the call touched, and by what stands in it. Sorted. */
export function labelsOfResult(classifier: Classifier, yields: { readonly labels: readonly string[] }, touched: readonly ResourceFact[], answer: Answer): readonly string[] {
  const value: Json = "result" in answer ? answer.result : { message: answer.error.message, ...(answer.error.data !== undefined && { data: answer.error.data }) };
  return impliedBy([...yields.labels, ...touched.flatMap(({ labels }) => labels), ...(isObject(value) ? classifier.detectIn(value) : [])]);
}
