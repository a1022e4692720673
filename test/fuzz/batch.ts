import type { JsonObject } from "@lanyard/contract";
import { readPolicy } from "../../policy/src/author/reading.ts";
import { splitPolicies } from "../../policy/src/author/split.ts";
import { evaluatePermits, parsePermits } from "../../policy/src/oracle/permits.ts";
import type { Dice } from "./dice.ts";
import { edge } from "./edges.ts";
import { findIn, formOf, outcomeOf, prepare, requestOf, type EvaluatorModules } from "./evaluator.ts";
import { expression } from "./expressions.ts";
import { policyText, type PolicyForm } from "./text.ts";
import { entityTypes, kinds, makeEntities, makeQuestion, uid, type FuzzQuestion, type WorldEntity } from "./world.ts";

/** Policies, a world and questions, with what Cedar says: for each question, what came of each policy. */
export interface FuzzBatch {
  readonly entities: readonly WorldEntity[];
  readonly questions: readonly FuzzQuestion[];
  readonly policies: readonly PolicyForm[];
  /** `[question][policy]`: whether it holds, or the message of its error. */
  readonly expected: readonly (readonly (boolean | string)[])[];
}

/** Where the two do not agree. */
export interface Difference {
  readonly policy: string;
  readonly question: FuzzQuestion;
  readonly entities: readonly WorldEntity[];
  readonly cedar: boolean | string;
  readonly lanyard: boolean | string;
}

const headPart = (dice: Dice, percent: number): JsonObject => {
  if (!dice.chance(percent)) return { op: "All" };
  const entity = (): JsonObject => ({ ...uid(dice) });
  return dice.pick<() => JsonObject>([
    () => ({ op: "==", entity: entity() }),
    () => ({ op: "in", entity: entity() }),
    () => ({ op: "is", entity_type: dice.pick(entityTypes) }),
    () => ({ op: "is", entity_type: dice.pick(entityTypes), in: { entity: entity() } }),
  ])();
};

const actionPart = (dice: Dice): JsonObject => {
  if (dice.chance(85)) return { op: "All" };
  const entity = (): JsonObject => ({ type: "Action", id: dice.pick(["read", "write", "x/y"]) });
  return dice.chance(40) ? { op: "==", entity: entity() } : dice.chance(50) ? { op: "in", entity: entity() } : { op: "in", entities: dice.some(0, 3, entity) };
};

const headOf = (dice: Dice): PolicyForm["head"] => ({ principal: headPart(dice, 20), action: actionPart(dice), resource: headPart(dice, 15) });

const freePolicy = (dice: Dice): PolicyForm => ({
  head: headOf(dice),
  clauses: dice.some(dice.chance(3) ? 0 : 1, 2, () => ({ kind: dice.chance(75) ? "when" : "unless", body: expression(dice, "boolean", 1 + dice.below(5)) })),
});

const everyone: PolicyForm["head"] = { principal: { op: "All" }, action: { op: "All" }, resource: { op: "All" } };

/** Policies that hold when Cedar gets the very value that Lanyard got: a difference of any value shows, not only of a verdict. */
const valuePolicy = (dice: Dice, modules: EvaluatorModules, questions: readonly FuzzQuestion[], find: ReturnType<typeof findIn>): PolicyForm => {
  const form = expression(dice, dice.pick(kinds), 1 + dice.below(4));
  const question = questions[0];
  try {
    if (question === undefined) throw new Error("no question");
    const value = new modules.Expressions().expression(form)(requestOf(modules, question, find));
    return { head: everyone, clauses: [{ kind: "when", body: { "==": { left: form, right: formOf(value) } } }] };
  } catch {
    return { head: everyone, clauses: [{ kind: "when", body: { "==": { left: form, right: form } } }] };
  }
};

/** The same policy in the form that an author's text gets when it is compiled; unchanged when the compiler does not take it. */
const authored = (policy: PolicyForm): PolicyForm => {
  const [chunk] = splitPolicies({ file: "fuzz.cedar", text: `@id("fuzz") ${policyText(policy)}` });
  const meaning = chunk === undefined ? null : readPolicy(chunk).meaning;
  return meaning === null ? policy : ({ head: meaning.head, clauses: meaning.conditions } as unknown as PolicyForm);
};

/** A batch of random policies, with Cedar's answers. `modules` only helps to make them. */
export const makeBatch = (dice: Dice, modules: EvaluatorModules, size: number): FuzzBatch => {
  const entities = makeEntities(dice);
  const questions = dice.some(2, 4, () => makeQuestion(dice));
  const find = findIn(modules, entities);
  const makePolicy = (choice: number): PolicyForm => {
    if (choice < 30) return valuePolicy(dice, modules, questions, find);
    const free: PolicyForm = choice < 50 ? { head: everyone, clauses: [{ kind: "when", body: edge(dice) }] } : freePolicy(dice);
    return choice % 10 === 0 ? authored(free) : free;
  };
  const policies = Array.from({ length: size }, () => makePolicy(dice.below(100)));
  return { entities, questions, policies, expected: askCedar({ entities, questions, policies }) };
};

/** Throws when Cedar does not take the policies: the generator makes what Cedar reads. */
export const askCedar = ({ entities, questions, policies }: Omit<FuzzBatch, "expected">): (boolean | string)[][] => {
  parsePermits("fuzz", policies.map((policy, index) => [`p${index}`, policyText(policy)]));
  return questions.map((question) => {
    const { satisfied, errors } = evaluatePermits("fuzz", { ...question, entities });
    const outcomes = policies.map((): boolean | string => false);
    for (const id of satisfied) outcomes[Number(id.slice(1))] = true;
    for (const { policy, message } of errors) outcomes[Number(policy.slice(1))] = message;
    return outcomes;
  });
};

/** Every difference between Cedar's answers and this evaluator's. */
export const differencesIn = (modules: EvaluatorModules, { entities, questions, policies, expected }: FuzzBatch): Difference[] => {
  const find = findIn(modules, entities);
  const expressions = new modules.Expressions();
  const tests = policies.map((policy) => prepare(expressions, policy));
  return questions.flatMap((question, row) => {
    const request = requestOf(modules, question, find);
    return tests.flatMap((test, column): Difference[] => {
      const [cedar, policy] = [expected[row]?.[column] ?? false, policies[column]];
      const lanyard = outcomeOf(modules, test, request);
      return lanyard === cedar || policy === undefined ? [] : [{ policy: policyText(policy), question, entities, cedar, lanyard }];
    });
  });
};
