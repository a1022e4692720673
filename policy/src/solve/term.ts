/** A term of SMT-LIB: words, brackets and the names that {@link Names} gave out. */
export type Term = string;

export const yes: Term = "true";
export const no: Term = "false";

// Terms are folded as they are made: what is constant never reaches the solver, and most questions end here.

export const not = (term: Term): Term => {
  if (term === yes) return no;
  if (term === no) return yes;
  return term.startsWith("(not ") ? term.slice(5, -1) : `(not ${term})`;
};

export const and = (...terms: readonly Term[]): Term => junction("and", yes, no, terms);

export const or = (...terms: readonly Term[]): Term => junction("or", no, yes, terms);

const junction = (word: string, neutral: Term, absorbing: Term, terms: readonly Term[]): Term => {
  const kept = new Set<Term>();
  for (const term of terms) {
    if (term === absorbing || kept.has(not(term))) return absorbing;
    if (term !== neutral) kept.add(term);
  }
  const [first, ...more] = kept;
  if (first === undefined) return neutral;
  return more.length === 0 ? first : `(${word} ${[...kept].join(" ")})`;
};

export const ite = (condition: Term, then: Term, other: Term): Term => {
  if (condition === yes || then === other) return then;
  if (condition === no) return other;
  if (then === yes && other === no) return condition;
  if (then === no && other === yes) return not(condition);
  return `(ite ${condition} ${then} ${other})`;
};

/** Equality of two terms of one sort. Integers and the constants of texts are each other's only when they are the same. */
export const same = (left: Term, right: Term): Term => {
  if (left === right) return yes;
  if (isFixed(left) && isFixed(right)) return no;
  return left < right ? `(= ${left} ${right})` : `(= ${right} ${left})`;
};

const isFixed = (term: Term): boolean => /^(?:true|false|\d+|\(- \d+\)|c\d+)$/.test(term);

/** An integer of any size. */
export const integer = (value: bigint): Term => (value < 0n ? `(- ${-value})` : `${value}`);

/** The integer that a term is; null when it is no constant. */
export const integerOf = (term: Term): bigint | null => {
  const [, minus, digits] = /^(?:(\(- )(\d+)\)|(\d+))$/.exec(term) ?? [];
  if (digits !== undefined) return minus === undefined ? BigInt(digits) : -BigInt(digits);
  return /^\d+$/.test(term) ? BigInt(term) : null;
};

const i64 = { least: -(2n ** 63n), most: 2n ** 63n - 1n };

/** True when a term lies outside 64 bits. */
export const overflows = (term: Term): Term => {
  const value = integerOf(term);
  if (value !== null) return value < i64.least || value > i64.most ? yes : no;
  return `(or (< ${term} ${integer(i64.least)}) (> ${term} ${integer(i64.most)}))`;
};

export const arithmetic = (word: "+" | "-" | "*", left: Term, right: Term): Term => {
  const [a, b] = [integerOf(left), integerOf(right)];
  if (a === null || b === null) return `(${word} ${left} ${right})`;
  return integer(word === "+" ? a + b : word === "-" ? a - b : a * b);
};

export const less = (left: Term, right: Term, orEqual: boolean): Term => {
  const [a, b] = [integerOf(left), integerOf(right)];
  if (a !== null && b !== null) return (orEqual ? a <= b : a < b) ? yes : no;
  return `(${orEqual ? "<=" : "<"} ${left} ${right})`;
};

/** Whole units of `size`, cut off towards zero as Cedar does. */
export const cut = (term: Term, size: number): Term => (size === 1 ? term : `(ite (>= ${term} 0) (div ${term} ${size}) (- (div (- ${term}) ${size})))`);

/** What is left beyond whole units of `size`, never negative. */
export const rest = (term: Term, size: number): Term => `(mod ${term} ${size})`;

/** The names in a term, each as often as it stands there. */
export const namesIn = (term: Term): readonly string[] => term.match(/\b[a-z]\d+\b/g) ?? [];

/** What the solver writes: a word, or a list. */
export type SExpression = string | readonly SExpression[];

/** Reads everything the solver wrote. Texts in quotes keep them. */
export const readAnswers = (text: string): SExpression[] => {
  const open: SExpression[][] = [[]];
  for (const [token] of text.matchAll(/[()]|"(?:[^"]|"")*"|\|[^|]*\||[^\s()"|]+/g)) {
    if (token === "(") open.push([]);
    else if (token === ")") {
      const list = open.pop() ?? [];
      (open.at(-1) ?? []).push(list);
    } else (open.at(-1) ?? []).push(token);
  }
  return open[0] ?? [];
};
