import type { DecisionInput } from "@lanyard/contract";
import type { CedarValueJson } from "@cedar-policy/cedar-wasm/nodejs";
import { factsOfKind, originsOf, unitedEncodings, unitedFact, unitedLabels, unitedOrigins } from "../decide/facts.ts";
import { factKindNames, fieldsOfKind, type FactKind } from "../schema/facts.ts";
import type { ActionShape } from "../schema/schema.ts";
import { questionsOf, ReadAnswers, type Questions } from "../temporal/answers.ts";

type Known = Pick<DecisionInput, "effects" | "asked" | "facts" | "budget" | "history">;

/** What the gateway found of a call, as Cedar's context has it: all of it, looked at or not. */
export const knownContext = ({ input }: Pick<ActionShape, "input">, { effects = [], asked = [], facts, budget, history }: Known, questions: Questions = questionsOf([])): Record<string, CedarValueJson> => ({
  facts: {
    effects: [...effects],
    asked: [...asked],
    encodings: [...unitedEncodings(facts)],
    ...Object.fromEntries(factKindNames.map((kind) => [kind, kindContext(kind, facts)])),
  },
  labels: [...unitedLabels(facts)],
  origins: {
    recipient: [...unitedOrigins(facts, "recipient")],
    target: [...unitedOrigins(facts, "target")],
    amount: [...unitedOrigins(facts, "amount")],
    content: [...unitedOrigins(facts, "content")],
    command: [...unitedOrigins(facts, "command")],
    any: [...unitedOrigins(facts, "any")],
    link: [...unitedOrigins(facts, "link")],
    input: Object.fromEntries(input.fields.map(({ name }) => [name, [...originsOf(facts, name)]])),
  },
  budget: { warn: [...(budget?.warn ?? [])], ask: [...(budget?.ask ?? [])], over: [...(budget?.over ?? [])] },
  history: answersIn(history, questions),
});

const answersIn = (history: Known["history"], questions: Questions): CedarValueJson => {
  const answers = new ReadAnswers(history, questions);
  return Object.fromEntries([...questions.places.keys()].flatMap((id) => {
    const answer = answers.get(id);
    return answer === undefined ? [] : [[id, answer]];
  }));
};

const kindContext = (kind: FactKind, facts: Known["facts"]): CedarValueJson =>
  Object.fromEntries(Object.keys(fieldsOfKind(kind)).map((name) => [name, unitedFact(factsOfKind(facts, kind), kind, name) as CedarValueJson]));
