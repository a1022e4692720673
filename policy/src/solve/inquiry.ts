import type { Names } from "./names.ts";
import { textFor } from "./pattern.ts";
import { questionOf, readAnswer, textClasses, type Lesson, type Question, type RawModel } from "./question.ts";
import { no, or, type SExpression, type Term } from "./term.ts";
import type { Z3 } from "./z3.ts";

/** A choice of everything that a goal speaks about, by which it holds. What it does not speak about has no value. */
export interface Assignment {
  truth(term: Term): boolean;
  number(term: Term): bigint | undefined;
  text(term: Term): string | undefined;
  /** What a set certainly holds. */
  elements(set: string): readonly (string | bigint | boolean)[];
  /** Where the call carries arguments that policy cannot see. */
  readonly hidden: readonly (readonly string[])[];
  /** True of texts that the goal tells apart from others: a text that is to be none of them must not be one. */
  isTaken(text: string): boolean;
}

/** "none": no call of the model does it, proved. "unknown": the solver gave up. */
export type Solved = Assignment | "none" | "unknown";

/** Rounds in which the solver may learn what texts there are, and goals that are one question. */
const bounds = { rounds: 200, atOnce: 24 } as const;

/**
 * Asks the solver. It knows texts only as things that are equal or not and have properties; whether a text with such properties exists is
 * found out here, exactly, and the solver told when none does.
 */
export class Inquiry {
  readonly #names: Names;
  readonly #z3: Z3;
  readonly #lessons: Lesson[] = [];
  readonly #known = new Map<Term, Solved>();

  constructor(names: Names, z3: Z3) {
    this.#names = names;
    this.#z3 = z3;
  }

  /** Each goal by itself; `progress` gets how many are done. Equal goals are solved once. */
  solve(goals: readonly Term[], progress: (done: number) => void = () => {}): Solved[] {
    const open = [...new Set(goals)].filter((goal) => goal !== no && !this.#known.has(goal));
    for (let from = 0; from < open.length; from += bounds.atOnce) {
      this.#any(open.slice(from, from + bounds.atOnce));
      progress(from);
    }
    return goals.map((goal) => (goal === no ? "none" : (this.#known.get(goal) ?? "unknown")));
  }

  /** Asks whether any of some goals can be reached: mostly none can, and that is one question. Those that a model reaches are done with. */
  #any(goals: readonly Term[]): void {
    let open = goals;
    for (let round = 0; round < bounds.rounds && open.length > 0; round++) {
      const question = questionOf(this.#names, or(...open), this.#lessons, open);
      const raw = readAnswer(question, this.#z3.run(question.text));
      if (raw === "unsat") return open.forEach((goal) => this.#known.set(goal, "none"));
      if (raw === "unknown") return this.#apart(open);
      const found = this.#texts(question, raw);
      if (found === "unknown") return this.#apart(open);
      if (found === "again") continue;
      const reached = open.filter((goal) => found.truth(goal));
      if (reached.length === 0) return this.#apart(open);
      for (const goal of reached) this.#known.set(goal, found);
      open = open.filter((goal) => !reached.includes(goal));
    }
    for (const goal of open) this.#known.set(goal, "unknown");
  }

  #apart(goals: readonly Term[]): void {
    const [only, ...more] = goals;
    if (only !== undefined && more.length === 0) this.#known.set(only, "unknown");
    else for (const goal of goals) this.#any([goal]);
  }

  /** Finds a text for everything the solver took for one. */
  #texts(question: Question, raw: RawModel): Assignment | "again" | "unknown" {
    const classes = textClasses(this.#names, question, raw);
    const taken = new Set(classes.flatMap(({ constant }) => constant ?? []));
    const texts = new Map<string, string>();
    for (const { value, constant, wishes, hint } of classes) {
      if (constant !== null) {
        texts.set(value, constant);
        continue;
      }
      const likely = hint === "" ? ["x"] : [hint, ...Array.from({ length: 9 }, (_, index) => `${hint}${index + 2}`)];
      const found = textFor(wishes, (text) => taken.has(text), likely);
      if (found === "unknown") return "unknown";
      if (found === "none") {
        this.#lessons.push(coreOf(wishes).map(({ index, match }) => ({ pattern: index, match })));
        return "again";
      }
      taken.add(found.text);
      texts.set(value, found.text);
    }
    return modelOf(this.#names, question, raw, texts, taken);
  }
}

/** The wishes without those that are not needed for there to be no text. */
const coreOf = <W extends Parameters<typeof textFor>[0][number]>(wishes: readonly W[]): readonly W[] => {
  let core = wishes;
  for (const wish of wishes) {
    const fewer = core.filter((one) => one !== wish);
    if (textFor(fewer, () => false) === "none") core = fewer;
  }
  return core;
};

const modelOf = (names: Names, question: Question, { values }: RawModel, texts: ReadonlyMap<string, string>, taken: ReadonlySet<string>): Assignment => {
  const elements = new Map<string, (string | bigint | boolean)[]>();
  const hidden: (readonly string[])[] = [];
  for (const name of question.names) {
    const named = names.get(name);
    if (named?.kind === "variable" && named.hidden.length > 0 && values.get(name) === "true") hidden.push(named.hidden);
    if (named?.kind !== "member" || values.get(name) !== "true") continue;
    const value = values.get(named.element) ?? named.element;
    const known = elements.get(named.set.name) ?? [];
    if (named.set.element === "Text") known.push(texts.get(String(value)) ?? "");
    else known.push(named.set.element === "Bool" ? value === "true" : (numberOf(value) ?? 0n));
    elements.set(named.set.name, known);
  }
  return {
    truth: (term) => term === "true" || values.get(term) === "true",
    number: (term) => numberOf(values.get(term)),
    text: (term) => names.textOf(term) ?? texts.get(String(values.get(term))),
    elements: (set) => [...new Set(elements.get(set) ?? [])],
    hidden,
    isTaken: (text) => taken.has(text),
  };
};

const numberOf = (value: SExpression | undefined): bigint | undefined => {
  if (typeof value === "string") return /^\d+$/.test(value) ? BigInt(value) : undefined;
  const [minus, digits] = value ?? [];
  if (typeof minus !== "string" || typeof digits !== "string") return undefined;
  if (/^\(- \d+\)$/.test(`(${minus} ${digits})`)) return -BigInt(digits);
  return undefined;
};
