import type { HistoryFacts } from "@lanyard/contract";
import { RecordValue, type Value } from "../cedar/value.ts";
import { nameOfAll, type HistoryLeaf } from "../temporal/leaf.ts";

/** All that a bundle's policies ask of history. */
export interface Questions {
  /** Stands in a decision's input where all of them that matter have been answered: those that are not there are false, or 0. */
  readonly name: string;
  /** By question. */
  readonly least: ReadonlyMap<string, boolean | number>;
}

export const questionsOf = (leaves: readonly Pick<HistoryLeaf, "id" | "type">[]): Questions => ({
  name: nameOfAll(leaves),
  least: new Map(leaves.map(({ id, type }) => [id, type === "Bool" ? false : 0])),
});

/** The answer to one question; undefined when there is none, and then whoever asks is in error. */
export const answerIn = (history: HistoryFacts | undefined, { name, least }: Questions, id: string): boolean | number | undefined => {
  if (history === undefined) return undefined;
  if (Object.hasOwn(history, id)) return history[id];
  return Object.hasOwn(history, name) ? least.get(id) : undefined;
};

/** `context.history`: as {@link answerIn}, for policies by the thousand. */
export class HistoryRecord extends RecordValue {
  readonly #answers: ReadonlyMap<string, boolean | number>;
  /** Null where what is not there has no answer. */
  readonly #least: ReadonlyMap<string, boolean | number> | null;
  readonly #questions: Questions;

  constructor(history: HistoryFacts = {}, questions: Questions) {
    super();
    this.#answers = new Map(Object.entries(history));
    this.#least = this.#answers.has(questions.name) ? questions.least : null;
    this.#questions = questions;
  }
  get(name: string): Value | undefined {
    return this.#answers.get(name) ?? this.#least?.get(name);
  }
  has(name: string): boolean {
    return this.get(name) !== undefined;
  }
  names(): readonly string[] {
    return [...this.#questions.least.keys()].filter((name) => this.has(name));
  }
}
