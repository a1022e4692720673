import type { HistoryFacts } from "@lanyard/contract";
import { RecordValue, type Value } from "../cedar/value.ts";
import { ReadAnswers, type Questions } from "../temporal/answers.ts";

/** `context.history`: of what a record answers, no more than the bundle asks. */
export class HistoryRecord extends RecordValue {
  readonly answers: ReadAnswers;
  readonly #questions: Questions;

  constructor(history: HistoryFacts | undefined, questions: Questions) {
    super();
    this.answers = new ReadAnswers(history, questions);
    this.#questions = questions;
  }
  get(name: string): Value | undefined {
    return this.answers.get(name);
  }
  has(name: string): boolean {
    return this.get(name) !== undefined;
  }
  names(): readonly string[] {
    return [...this.#questions.places.keys()].filter((name) => this.has(name));
  }
}
