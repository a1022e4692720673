import type { PatternPart } from "../cedar/like.ts";
import { patternOf, type Pattern } from "./pattern.ts";
import { and, namesIn, same, type Term } from "./term.ts";

/** Sorts of the solver. A text is a value of its own that equals itself; what patterns say of it is kept beside. */
export type Sort = "Bool" | "Int" | "Text";

/** Something whose elements are known by what is asked of it: a set that the call brings. */
export interface SetVariable {
  readonly name: string;
  readonly element: Sort;
  /** A Boolean: the set has elements beside those that are asked about. */
  readonly others: Term;
  /** True when a set that has the first text has the second as well. */
  readonly implies?: (one: string, other: string) => boolean;
  /** What is always true of a membership (`member` says whether it holds) of this element. */
  readonly axioms?: (member: Term, element: Term) => readonly Term[];
}

/** What a name in a term stands for. */
export type Named =
  | { readonly kind: "variable"; readonly sort: Sort; readonly hint: string; readonly hidden: readonly string[]; readonly axioms: () => readonly Term[] }
  | { readonly kind: "constant"; readonly text: string }
  | { readonly kind: "member"; readonly set: SetVariable; readonly element: Term }
  | { readonly kind: "like"; readonly text: Term; readonly pattern: number }
  /** A Boolean about all elements of a set; `define` gets those that the question asks about. */
  | { readonly kind: "whole"; readonly set: SetVariable; readonly needs: readonly Term[]; readonly define: (members: readonly MemberName[]) => Term }
  | { readonly kind: "definition"; readonly term: Term };

interface VariableOptions {
  /** A likely text, for people to read. */
  readonly hint?: string;
  /** Where the call carries an argument that policy cannot see, if this variable is true. */
  readonly hidden?: readonly string[];
  /** What is always true of it. */
  readonly axioms?: (name: Term) => readonly Term[];
}

/** A membership that a question asks about: `name` says whether `element` is in the set. */
export interface MemberName {
  readonly name: Term;
  readonly element: Term;
}

/**
 * Gives names to everything that a term speaks about: the same thing has the same name, so that policies of two bundles meet in their
 * variables. A name is one letter and a number; which letter tells the kind.
 */
export class Names {
  readonly #byKey = new Map<string, string>();
  readonly #named = new Map<string, Named>();
  readonly #patterns: Pattern[] = [];

  get(name: string): Named | undefined {
    return this.#named.get(name);
  }

  pattern(index: number): Pattern | undefined {
    return this.#patterns[index];
  }

  #give(letter: string, key: string, make: () => Named): string {
    const whole = `${letter}\0${key}`;
    const before = this.#byKey.get(whole);
    if (before !== undefined) return before;
    const name = `${letter}${this.#byKey.size}`;
    this.#byKey.set(whole, name);
    this.#named.set(name, make());
    return name;
  }

  /** A key that nothing has yet. */
  unheard(): string {
    return `unheard ${this.#byKey.size}`;
  }

  /** A thing that the solver may choose. */
  variable(key: string, sort: Sort, { hint = "", hidden = [], axioms = () => [] }: VariableOptions = {}): Term {
    const name = this.#give("v", `${sort} ${key}`, () => ({ kind: "variable", sort, hint, hidden, axioms: () => axioms(name) }));
    return name;
  }

  constant(text: string): Term {
    return this.#give("c", text, () => ({ kind: "constant", text }));
  }

  /** The text of a constant; null for any other term. */
  textOf(term: Term): string | null {
    const named = this.#named.get(term);
    return named?.kind === "constant" ? named.text : null;
  }

  definition(term: Term): Term {
    return namesIn(term).length < 2 ? term : this.#give("p", term, () => ({ kind: "definition", term }));
  }

  set(key: string, element: Sort, others?: Term): SetVariable {
    return { name: key, element, others: others ?? this.variable(`${key} others`, "Bool") };
  }

  member(set: SetVariable, element: Term): Term {
    return this.#give("e", `${set.name}\0${element}`, () => ({ kind: "member", set, element }));
  }

  /** A Boolean about all of a set. `needs` are terms that the definition speaks of beside the members. */
  whole(set: SetVariable, what: string, needs: readonly Term[], define: (members: readonly MemberName[]) => Term): Term {
    // There are two Booleans, and a set of them has no others: so both must be asked about, whatever the question says of them.
    const all = set.element === "Bool" ? [this.member(set, "true"), this.member(set, "false")] : [];
    return this.#give("s", `${set.name}\0${what}`, () => ({ kind: "whole", set, needs: [set.others, ...all, ...needs], define }));
  }

  like(text: Term, written: readonly PatternPart[]): Term {
    if (!written.includes("Wildcard")) return same(text, this.constant(written.map((part) => (part === "Wildcard" ? "" : part.Literal)).join("")));
    const key = JSON.stringify(written);
    const index = Number(this.#give("l", key, () => ({ kind: "constant", text: `${this.#patterns.push(patternOf(written)) - 1}` })).slice(1));
    const pattern = Number(this.textOf(`l${index}`));
    const fixed = this.textOf(text);
    if (fixed !== null) return this.#patterns[pattern]?.matches(fixed) === true ? "true" : "false";
    return this.#give("k", `${pattern} ${text}`, () => ({ kind: "like", text, pattern }));
  }

  /** Every name that a term leads to, through definitions and what is always true of variables; sorted by number. */
  reach(...terms: readonly Term[]): string[] {
    const reached = new Set<string>();
    const open = terms.flatMap(namesIn);
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      if (reached.has(name)) continue;
      reached.add(name);
      open.push(...this.#below(name).flatMap(namesIn));
    }
    return [...reached].sort((left, right) => Number(left.slice(1)) - Number(right.slice(1)));
  }

  #below(name: string): readonly Term[] {
    const named = this.#named.get(name);
    if (named?.kind === "variable") return named.axioms();
    if (named?.kind === "member") return [named.element, ...(named.set.axioms?.(name, named.element) ?? [])];
    if (named?.kind === "like") return [named.text];
    if (named?.kind === "whole") return named.needs;
    return named?.kind === "definition" ? [named.term] : [];
  }
}

/** Whether a set holds nothing but what equals one of these. */
export const onlyOf = (names: Names, set: SetVariable, elements: readonly Term[]): Term =>
  names.whole(set, `only ${elements.join(" ")}`, elements, (members) =>
    and(`(not ${set.others})`, ...members.map(({ name, element }) => `(=> ${name} ${elements.length === 0 ? "false" : `(or false ${elements.map((one) => same(element, one)).join(" ")})`})`)),
  );
