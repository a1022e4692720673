import { isObject, type Json, type JsonObject } from "@lanyard/contract";
import { askCedar, differencesIn, type FuzzBatch, type Difference } from "./batch.ts";
import type { EvaluatorModules } from "./evaluator.ts";
import type { PolicyForm } from "./text.ts";

/** Steps of looking for something smaller; each asks Cedar once. */
const patience = 400;

/** The smallest policy and question found that the two still do not agree on. */
export const shrink = (modules: EvaluatorModules, batch: FuzzBatch): Difference | null => {
  const [first] = differencesIn(modules, batch);
  if (first === undefined) return null;
  let steps = 0;
  const differing = (attempt: Omit<FuzzBatch, "expected">): Difference | null => {
    if ((steps += 1) > patience) return null;
    try {
      return differencesIn(modules, { ...attempt, expected: askCedar(attempt) })[0] ?? null;
    } catch {
      return null; // what is left is nothing that Cedar reads
    }
  };
  const policy = batch.policies.find((one, column) => batch.questions.some((question) => differencesIn(modules, { ...batch, questions: [question], policies: [one], expected: [[batch.expected[batch.questions.indexOf(question)]?.[column] ?? false]] }).length > 0));
  let best: World = { entities: batch.entities, questions: [first.question], policies: policy === undefined ? [] : [policy] };
  let smallest = differing(best) ?? first;
  for (let progress = true; progress && steps < patience; ) {
    progress = false;
    for (const attempt of [...smallerPolicies(best.policies[0]).map((one) => ({ ...best, policies: [one] })), ...smallerWorlds(best)]) {
      const found = differing(attempt);
      if (found === null) continue;
      [best, smallest, progress] = [attempt, found, true];
      break;
    }
  }
  return smallest;
};

const smallerPolicies = (policy: PolicyForm | undefined): PolicyForm[] => {
  if (policy === undefined) return [];
  const { head, clauses } = policy;
  const open = { principal: { op: "All" }, action: { op: "All" }, resource: { op: "All" } };
  return [
    ...(JSON.stringify(head) === JSON.stringify(open) ? [] : [{ head: open, clauses }]),
    ...clauses.map((_, index) => ({ head, clauses: clauses.toSpliced(index, 1) })),
    ...clauses.flatMap((clause, index) => smaller(clause.body).map((body) => ({ head, clauses: clauses.with(index, { ...clause, body }) }))),
  ];
};

type World = Omit<FuzzBatch, "expected">;

const smallerWorlds = (world: World): World[] => {
  const [question] = world.questions;
  if (question === undefined) return [];
  return [
    ...world.entities.map((_, index) => ({ ...world, entities: world.entities.toSpliced(index, 1) })),
    ...Object.keys(question.context).map((name) => ({ ...world, questions: [{ ...question, context: Object.fromEntries(Object.entries(question.context).filter(([key]) => key !== name)) }] })),
  ];
};

const isForm = (json: Json | undefined): json is JsonObject => isObject(json);

/** A form with one part in the place of what holds it, or with something simple in the place of a part, each possible way. */
const smaller = (form: JsonObject): JsonObject[] => {
  const found: JsonObject[] = [];
  const visit = (here: JsonObject, put: (other: JsonObject) => JsonObject): void => {
    const [name = ""] = Object.keys(here);
    const body = here[name];
    if (name === "Value" || name === "Var") return;
    const children: [JsonObject, (other: JsonObject) => JsonObject][] = [];
    if (Array.isArray(body)) body.forEach((child, index) => isForm(child) && children.push([child, (other) => ({ [name]: body.with(index, other) })]));
    else if (isForm(body)) for (const [key, child] of Object.entries(body)) if (isForm(child)) children.push([child, (other) => ({ [name]: { ...body, [key]: other } })]);
    for (const [child, replace] of children) {
      found.push(put(child));
      if (!Object.hasOwn(child, "Value")) found.push(put(replace({ Value: true })), put(replace({ Value: 0 })));
      visit(child, (other) => put(replace(other)));
    }
  };
  visit(form, (other) => other);
  return found;
};
