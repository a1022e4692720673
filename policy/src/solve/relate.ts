import { onlyOf, type Names } from "./names.ts";
import { CannotSay, type ElementKind, type Evaluated, type Symbolic } from "./symbolic.ts";
import { and, less, no, not, or, same, yes, type Term } from "./term.ts";

// How symbolic values relate: equality, order, membership. Values of different kinds are unequal; that is no error.

const bool = (term: Term): Evaluated => ({ value: { kind: "bool", term }, error: no });
const failed: Evaluated = { value: { kind: "nothing" }, error: yes };

export const equal = (names: Names, left: Symbolic, right: Symbolic): Term => {
  if (left.kind === "either" || right.kind === "either") throw new CannotSay("equality within one of two values");
  if (left.kind === "entity" && right.kind === "entity") return left.type === right.type ? same(left.id, right.id) : no;
  if (left.kind === "record" && right.kind === "record") return equalRecords(names, left, right);
  if (isSet(left) && isSet(right)) return equalSets(names, left, right);
  if (left.kind !== right.kind) return no;
  return "term" in left && "term" in right ? same(left.term, right.term) : no;
};

type Sets = Extract<Symbolic, { kind: "list" | "set" }>;

const isSet = (value: Symbolic): value is Sets => value.kind === "list" || value.kind === "set";

const equalRecords = (names: Names, left: Extract<Symbolic, { kind: "record" }>, right: Extract<Symbolic, { kind: "record" }>): Term =>
  and(
    ...[...new Set([...left.names, ...right.names])].sort().map((name) => {
      const [one, two] = [left.field(name), right.field(name)];
      if (one === null || two === null) return not((one ?? two)?.present ?? no);
      return or(and(not(one.present), not(two.present)), and(one.present, two.present, equal(names, one.value, two.value)));
    }),
  );

const equalSets = (names: Names, left: Sets, right: Sets): Term => {
  if (left.kind === "set" && right.kind === "set") return left.set.name === right.set.name ? yes : cannotRelate();
  return and(covers(names, left, right), covers(names, right, left));
};

const cannotRelate = (): never => {
  throw new CannotSay("two sets that the call brings, one beside the other");
};

/** The term by which a value is an element of a set of this kind; null when a value of its kind never is. */
const elementTerm = (value: Symbolic, of: ElementKind): Term | null => {
  if (typeof of === "object") return value.kind === "entity" && value.type === of.entity ? value.id : null;
  return value.kind === of && "term" in value ? value.term : null;
};

const has = (names: Names, set: Sets, value: Symbolic): Term => {
  if (set.kind === "list") return or(...set.items.map((item) => equal(names, item, value)));
  const element = elementTerm(value, set.of);
  return element === null ? no : names.member(set.set, element);
};

/** Whether the first set holds all of the second. */
const covers = (names: Names, whole: Sets, part: Sets): Term => {
  if (part.kind === "list") return and(...part.items.map((item) => has(names, whole, item)));
  if (whole.kind === "set") return whole.set.name === part.set.name ? yes : cannotRelate();
  const terms = whole.items.flatMap((item) => elementTerm(item, part.of) ?? []);
  return onlyOf(names, part.set, terms);
};

export const contains = (names: Names, set: Symbolic, value: Symbolic): Evaluated => (isSet(set) ? bool(has(names, set, value)) : failed);

export const holdsAll = (names: Names, whole: Symbolic, part: Symbolic): Evaluated => (isSet(whole) && isSet(part) ? bool(covers(names, whole, part)) : failed);

export const holdsAny = (names: Names, one: Symbolic, other: Symbolic): Evaluated => {
  if (!isSet(one) || !isSet(other)) return failed;
  if (one.kind === "list") return bool(or(...one.items.map((item) => has(names, other, item))));
  if (other.kind === "list") return bool(or(...other.items.map((item) => has(names, one, item))));
  return one.set.name === other.set.name ? isNotEmpty(isEmpty(names, one)) : cannotRelate();
};

const isNotEmpty = ({ value }: Evaluated): Evaluated => ("term" in value ? bool(not(value.term)) : failed);

export const isEmpty = (names: Names, set: Symbolic): Evaluated => {
  if (set.kind === "list") return bool(set.items.length === 0 ? yes : no);
  return set.kind === "set" ? bool(onlyOf(names, set.set, [])) : failed;
};

type Ordered = "long" | "decimal" | "datetime" | "duration";

export const compare = (kinds: readonly Ordered[], left: Symbolic, right: Symbolic, orEqual: boolean): Evaluated => {
  if (left.kind !== right.kind || !("term" in left) || !("term" in right) || !kinds.includes(left.kind as Ordered)) return failed;
  return bool(less(left.term, right.term, orEqual));
};
