import type { SetVariable } from "./names.ts";
import type { Term } from "./term.ts";

/** A value of Cedar that is not known yet: terms where the call decides, plain values where the policy does. */
export type Symbolic =
  | { readonly kind: "bool" | "long" | "decimal" | "datetime" | "duration" | "string"; readonly term: Term }
  | { readonly kind: "entity"; readonly type: string; readonly id: Term }
  /** A set as a policy writes it. */
  | { readonly kind: "list"; readonly items: readonly Symbolic[] }
  /** A set that the call brings; `of` is the kind of its elements, for entities their type. */
  | { readonly kind: "set"; readonly set: SetVariable; readonly of: ElementKind }
  | SymbolicRecord
  /** One of two, which have no term in common. */
  | { readonly kind: "either"; readonly condition: Term; readonly then: Symbolic; readonly other: Symbolic }
  /** What an expression that surely errs would give. */
  | { readonly kind: "nothing" };

export type ElementKind = "string" | "long" | "decimal" | "bool" | { readonly entity: string };

export interface SymbolicRecord {
  readonly kind: "record";
  readonly names: readonly string[];
  /** A field, and when it is there; null when it is never. Throws {@link CannotSay} for what the model leaves out. */
  field(name: string): SymbolicField | null;
}

export interface SymbolicField {
  readonly present: Term;
  readonly value: Symbolic;
}

/** A value, and when making it errs; where it errs the value means nothing. */
export interface Evaluated {
  readonly value: Symbolic;
  readonly error: Term;
}

/** What the model cannot express; the question that meets it is answered by "cannot say", or proved without it. */
export class CannotSay extends Error {}
