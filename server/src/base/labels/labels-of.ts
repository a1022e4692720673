import { isObject, type ArgumentFacts, type Json, type JsonObject, type ResourceFact } from "@lanyard/contract";
import type { Answer } from "../exchange.ts";
import { impliedBy, textsOf, splitSecrets, type Classifier, type LabelledText } from "./classifier.ts";

/** Reads a text with its encodings taken off: itself first, then what lies behind them. */
export type Unfolding = (text: string) => readonly { readonly text: string }[];

/**
 * The facts of a call with the labels of what stands in its arguments, in their names, behind encodings too, and of secrets that were split over
 * several of them. `unfold` as the extractors use it.
 */
export function labelled(classifier: Classifier, unfold: Unfolding, args: JsonObject, facts: Readonly<Record<string, ArgumentFacts>>): Readonly<Record<string, ArgumentFacts>> {
  const leaves: ArgumentText[] = [];
  const found = new Map<string, Set<string>>();
  const add = (argument: string, labels: readonly string[]): void => {
    if (labels.length === 0) return;
    const own = found.get(argument) ?? new Set();
    found.set(argument, own);
    for (const label of labels) own.add(label);
  };
  for (const argument of Object.keys(args)) {
    const texts = textsOf(args[argument] ?? null, argument);
    leaves.push({ text: argument, field: "", isName: true, argument });
    add(argument, classifier.detectInName(argument));
    for (const { text, field, isName } of texts) {
      leaves.push({ text, field, isName, argument });
      for (const view of unfold(text)) add(argument, classifier.detect(view.text, field));
    }
  }
  for (const { argument } of splitSecrets(leaves)) add(argument, ["secret"]);
  if (found.size === 0) return facts;
  return Object.fromEntries(Object.entries(facts).map(([name, fact]) => [name, { ...fact, labels: impliedBy([...fact.labels, ...(found.get(name) ?? [])]) }]));
}

interface ArgumentText extends LabelledText {
  /** The top-level argument that it lies in. */
  readonly argument: string;
}

/** What a result is, by the contract of its tool (`yields`), by what the call touched, and by what stands in it. Sorted. */
export function labelsOfResult(classifier: Classifier, yields: { readonly labels: readonly string[] }, touched: readonly ResourceFact[], answer: Answer): readonly string[] {
  const value: Json = "result" in answer ? answer.result : { message: answer.error.message, ...(answer.error.data !== undefined && { data: answer.error.data }) };
  return impliedBy([...yields.labels, ...touched.flatMap(({ labels }) => labels), ...(isObject(value) ? classifier.detectIn(value) : [])]);
}
