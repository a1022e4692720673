import type { MemberName, Named, Names, SetVariable } from "./names.ts";
import type { Wish } from "./pattern.ts";
import { readAnswers, type SExpression, type Term } from "./term.ts";

/** A goal as the solver reads it, and what it is asked for beside yes and no. */
export interface Question {
  readonly text: string;
  /** Names and terms whose values are asked for, in the order of the answer. */
  readonly wanted: readonly Term[];
  readonly names: readonly string[];
}

/** Texts that no text can be: what was learned from a model that had no text. */
export type Lesson = readonly { readonly pattern: number; readonly match: boolean }[];

/** The whole question, as a frame that leaves nothing behind. `asked` are terms whose truth is asked for too. */
export const questionOf = (names: Names, goal: Term, lessons: readonly Lesson[], asked: readonly Term[] = []): Question => {
  const reached = names.reach(goal);
  const entries = reached.flatMap((name): [string, Named][] => {
    const named = names.get(name);
    return named === undefined ? [] : [[name, named]];
  });
  const constants = entries.filter(([, named]) => named.kind === "constant").map(([name]) => name);
  const texts = textTerms(entries);
  const patterns = new Set(entries.flatMap(([, named]) => (named.kind === "like" ? [named.pattern] : [])));
  const sets = new Map(entries.flatMap(([, named]) => (named.kind === "member" ? [[named.set.name, named.set] as const] : [])));
  const functions = new Map([...sets.keys()].map((name, index) => [name, `M${index}`]));
  const lines = [
    "(push)",
    ...entries.map(([name, named]) => `(declare-const ${name} ${sortOf(named)})`),
    ...[...sets].map(([name, set]) => `(declare-fun ${functions.get(name)} (${set.element}) Bool)`),
    ...[...patterns].map((pattern) => `(declare-fun L${pattern} (Text) Bool)`),
    ...(constants.length > 1 ? [`(assert (distinct ${constants.join(" ")}))`] : []),
    ...entries.flatMap((entry) => assertions(entry, entries, functions)),
    ...[...sets.values()].flatMap((set) => implications(names, set, entries)),
    ...[...patterns].flatMap((pattern) => constants.map((name) => `(assert ${factOf(names, name, pattern)})`)),
    ...lessonsFor(lessons, patterns, texts),
    `(assert ${goal})`,
    "(check-sat)",
  ];
  const wanted = [...new Set([...asked, ...entries.filter(([, { kind }]) => kind !== "definition" && kind !== "whole").map(([name]) => name), ...texts, ...entries.flatMap(([, named]) => (named.kind === "member" ? [named.element] : []))])];
  if (wanted.length > 0) lines.push(`(get-value (${wanted.join(" ")}))`);
  return { text: `${lines.join("\n")}\n(pop)\n`, wanted, names: reached };
};

const sortOf = (named: Named): string => {
  if (named.kind === "variable") return named.sort;
  return named.kind === "constant" ? "Text" : "Bool";
};

/** Every term whose value is a text. */
const textTerms = (entries: readonly [string, Named][]): readonly Term[] => [
  ...new Set(
    entries.flatMap(([name, named]) => {
      if (named.kind === "constant" || (named.kind === "variable" && named.sort === "Text")) return [name];
      if (named.kind === "member" && named.set.element === "Text") return [named.element];
      return named.kind === "like" ? [named.text] : [];
    }),
  ),
];

const assertions = ([name, named]: [string, Named], entries: readonly [string, Named][], functions: ReadonlyMap<string, string>): readonly string[] => {
  switch (named.kind) {
    case "constant":
      return [];
    case "variable":
      return named.axioms().map((axiom) => `(assert ${axiom})`);
    case "member":
      return [`(assert (= ${name} (${functions.get(named.set.name)} ${named.element})))`, ...(named.set.axioms?.(name, named.element) ?? []).map((axiom) => `(assert ${axiom})`)];
    case "like":
      return [`(assert (= ${name} (L${named.pattern} ${named.text})))`];
    case "definition":
      return [`(assert (= ${name} ${named.term}))`];
    case "whole":
      return [`(assert (= ${name} ${named.define(membersOf(named.set.name, entries))}))`];
  }
};

/** What membership of one text says of another. */
const implications = (names: Names, { name, implies }: SetVariable, entries: readonly [string, Named][]): readonly string[] => {
  if (implies === undefined) return [];
  const members = membersOf(name, entries).flatMap(({ name: member, element }) => {
    const text = names.textOf(element);
    return text === null ? [] : [{ member, text }];
  });
  return members.flatMap((one) => members.flatMap((other) => (one !== other && implies(one.text, other.text) ? [`(assert (=> ${one.member} ${other.member}))`] : [])));
};

const membersOf = (set: string, entries: readonly [string, Named][]): readonly MemberName[] =>
  entries.flatMap(([name, named]) => (named.kind === "member" && named.set.name === set ? [{ name, element: named.element }] : []));

const factOf = (names: Names, constant: Term, pattern: number): Term =>
  names.pattern(pattern)?.matches(names.textOf(constant) ?? "") === true ? `(L${pattern} ${constant})` : `(not (L${pattern} ${constant}))`;

const lessonsFor = (lessons: readonly Lesson[], patterns: ReadonlySet<number>, texts: readonly Term[]): readonly string[] =>
  lessons
    .filter((lesson) => lesson.every(({ pattern }) => patterns.has(pattern)))
    .flatMap((lesson) => texts.map((text) => `(assert (not (and ${lesson.map(({ pattern, match }) => (match ? `(L${pattern} ${text})` : `(not (L${pattern} ${text}))`)).join(" ")})))`));

/** What the solver chose, before texts are found for it: a word for each text. */
export interface RawModel {
  readonly values: ReadonlyMap<Term, SExpression>;
}

/** Reads the answer to one question. */
export const readAnswer = (question: Question, text: string): "unsat" | "unknown" | RawModel => {
  const [verdict, values] = readAnswers(text);
  if (verdict === "unsat") return "unsat";
  if (verdict !== "sat" || (question.wanted.length > 0 && !Array.isArray(values))) return "unknown";
  const pairs = (Array.isArray(values) ? values : []) as readonly SExpression[];
  if (pairs.length !== question.wanted.length) return "unknown";
  return { values: new Map(question.wanted.map((term, index) => [term, (pairs[index] as readonly SExpression[])[1] ?? ""])) };
};

/** All texts that the solver took for one, with what is wished of it. */
export interface TextClass {
  readonly value: string;
  readonly constant: string | null;
  readonly wishes: readonly (Wish & { readonly index: number })[];
  readonly hint: string;
}

export const textClasses = (names: Names, question: Question, { values }: RawModel): TextClass[] => {
  const classes = new Map<string, { constant: string | null; wishes: Map<number, Wish & { index: number }>; hint: string }>();
  const classOf = (term: Term): { constant: string | null; wishes: Map<number, Wish & { index: number }>; hint: string } => {
    const value = String(values.get(term));
    const known = classes.get(value) ?? { constant: null, wishes: new Map(), hint: "" };
    classes.set(value, known);
    return known;
  };
  for (const name of question.names) {
    const named = names.get(name);
    if (named?.kind === "constant") classOf(name).constant = named.text;
    if (named?.kind === "variable" && named.sort === "Text") classOf(name).hint ||= named.hint;
    if (named?.kind === "member" && named.set.element === "Text") classOf(named.element);
    if (named?.kind !== "like") continue;
    const pattern = names.pattern(named.pattern);
    if (pattern !== undefined) classOf(named.text).wishes.set(named.pattern, { pattern, match: values.get(name) === "true", index: named.pattern });
  }
  return [...classes].map(([value, { constant, wishes, hint }]) => ({ value, constant, wishes: [...wishes.values()], hint }));
};

