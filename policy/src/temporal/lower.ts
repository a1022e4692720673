import { leafOf, type EventQuery, type HistoryLeaf, type LeafQuestion } from "./leaf.ts";
import { alternativesOf, type Alternative } from "./query.ts";
import { TemporalError, type Aggregate, type Binder, type CompareOp, type TemporalCondition, type HistoryScope, type SinceCondition, type TextSpan, type TemporalTerm, type Windowed } from "./syntax.ts";

/** What becomes of a temporal condition: questions to history, put together in Cedar. */
export type Formula =
  | { readonly is: "leaf"; readonly leaf: HistoryLeaf }
  | { readonly is: "and" | "or"; readonly of: readonly Formula[] }
  | { readonly is: "not"; readonly of: Formula }
  | { readonly is: "compare"; readonly op: CompareOp; readonly left: HistoryAmount; readonly right: HistoryAmount };

export type HistoryAmount =
  | { readonly is: "leaf"; readonly leaf: HistoryLeaf }
  /** A value that Cedar knows: a span of the text. */
  | { readonly is: "cedar"; readonly span: TextSpan }
  | { readonly is: "sum"; readonly op: "+" | "-" | "*"; readonly left: HistoryAmount; readonly right: HistoryAmount };

const mostLeaves = 64;

/** Takes a condition apart. `text` is what its places are in. Throws TemporalError for what is not taken. */
export const lowerCondition = (condition: TemporalCondition, text: string, across: HistoryScope): Formula => {
  const lowering = new Lowering(text, across);
  const formula = condition.is === "eventually" ? lowering.eventually(condition) : lowering.formula(condition, new Map());
  if (lowering.leaves === 0) throw new TemporalError("nothing here depends on what has happened", condition, "conditions on the current call alone stand in a `when { ... }` of their own");
  if (lowering.leaves > mostLeaves) throw new TemporalError(`more than ${mostLeaves} questions to history in one clause`, condition, "write several policies");
  return formula;
};

/** Values of variables that stand for an aggregate. */
type Known = ReadonlyMap<string, TemporalTerm>;
type Declared = ReadonlyMap<string, Binder>;
const none: Declared = new Map();

class Lowering {
  readonly #text: string;
  readonly #across: HistoryScope;
  leaves = 0;

  constructor(text: string, across: HistoryScope) {
    this.#text = text;
    this.#across = across;
  }

  formula(condition: TemporalCondition, known: Known): Formula {
    switch (condition.is) {
      case "and":
      case "or":
        return joined(condition.is, condition.of.map((part) => this.formula(part, known)));
      case "not":
        return { is: "not", of: this.formula(condition.of, known) };
      case "exists":
        return this.#exists(condition, known);
      case "compare":
        return this.#compare(condition, known);
      case "timepoint":
        throw new TemporalError("`tp` says something only within an aggregate", condition);
      case "eventually":
        throw new TemporalError("`eventually` stands alone in its clause", condition, "write `unless temporal { eventually within 10m ... }` in a `forbid`");
      default:
        return this.#past(condition, [], none);
    }
  }

  /** Conditions that look at events, with what else must hold of them. */
  #past(condition: TemporalCondition, filters: readonly TemporalCondition[], declared: Declared): Formula {
    switch (condition.is) {
      case "formerly":
      case "previous":
        return this.#each(condition, condition.is, condition.windowMs, withAll(condition.of, filters), declared);
      case "since":
        return this.#since(condition, filters, declared);
      case "event":
        return this.#each(condition, "now", null, withAll(condition, filters), declared);
      default:
        throw new TemporalError(`\`${condition.is}\` cannot stand here`, condition);
    }
  }

  eventually(condition: Windowed): Formula {
    const [one, more] = alternativesOf(condition.of, none);
    if (one === undefined || more !== undefined) throw new TemporalError("`eventually` awaits one event", condition);
    return this.#leaf(condition, { op: "eventually", windows: [condition.windowMs], current: one.current, queries: [bare(one)] });
  }

  /** What holds of one of several alternatives holds of this one or of that one. */
  #each(at: TextSpan, op: "formerly" | "previous" | "now", windowMs: number | null, body: TemporalCondition, declared: Declared): Formula {
    return joined("or", alternativesOf(body, declared).map((one) => this.#leaf(at, { op, windows: [windowMs], current: one.current, queries: [bare(one)] })));
  }

  #since(condition: SinceCondition, filters: readonly TemporalCondition[], declared: Declared): Formula {
    const [negated, body] = condition.left.is === "not" ? [true, condition.left.of] : [false, condition.left];
    const [left, more] = alternativesOf(body, none);
    if (left === undefined || more !== undefined) throw new TemporalError("what has held since is one event, or the absence of one", condition.left, "join several `since` with `&&`");
    const held = { negated, query: bare(left), current: left.current };
    return joined("or", alternativesOf(withAll(condition.right, filters), declared).map((one) => this.#leaf(condition, { op: "since", windows: [condition.windowMs], current: one.current, queries: [bare(one)], left: held })));
  }

  #exists(condition: TemporalCondition & { readonly is: "exists" }, known: Known): Formula {
    const declared = new Map<string, Binder>();
    const values = new Map(known);
    const open = flatten(condition, declared);
    for (let found = true; found; ) {
      found = false;
      for (const [index, part] of open.entries()) {
        const bound = bindingOf(part, declared);
        if (bound === null || values.has(bound.name) || open.some((other) => !isFilter(other) && variablesIn(other).includes(bound.name))) continue; // What an event binds, this only filters.
        values.set(bound.name, bound.value);
        declared.delete(bound.name);
        open.splice(index, 1);
        found = true;
        break;
      }
    }
    const formulas: Formula[] = open.filter((part) => !mentions(part, declared)).map((part) => this.formula(part, values));
    for (const group of groupsOf(open.filter((part) => mentions(part, declared)), declared)) formulas.push(this.#together(condition, group, declared));
    if (formulas.length === 0) throw new TemporalError("nothing is asked of what exists", condition);
    return joined("and", formulas);
  }

  /** Conditions that share variables. */
  #together(at: TextSpan, group: readonly TemporalCondition[], declared: Declared): Formula {
    const filters = group.filter(isFilter);
    const [first, ...others] = group.filter((part) => !isFilter(part));
    if (first === undefined) throw new TemporalError("nothing says which values the variable can have", at, "bind it by a field of an event");
    if (others.length === 0) return this.#past(first, filters, declared);
    const arms = [first, ...others].map((part): { arm: Windowed; of: TemporalCondition[] } => {
      if (part.is !== "formerly") throw new TemporalError(`\`${part.is === "not" ? "!" : part.is}\` cannot share a variable with another event`, part, "several `formerly` can; what must not have happened is compared with the current call instead");
      return { arm: part, of: [part.of] };
    });
    for (const filter of filters) {
      const arm = arms.find(({ arm: { of } }) => variablesIn(filter).every((name) => variablesIn(of).includes(name)));
      if (arm === undefined) throw new TemporalError("fields of two events are compared by using one variable for both", filter);
      arm.of.push(filter);
    }
    const shared = [...declared.keys()].filter((name) => arms.filter(({ arm: { of } }) => variablesIn(of).includes(name)).length > 1).sort();
    const made = arms.map(({ of, arm }) => {
      const [one, more] = alternativesOf(withAll(of[0] as TemporalCondition, of.slice(1)), declared);
      if (one === undefined || more !== undefined) throw new TemporalError("an event that shares a variable with another is one event", arm);
      const missing = shared.find((name) => !one.bound.has(name));
      if (missing !== undefined) throw new TemporalError(`\`${missing}\` is not said of this event`, arm, "all events that share variables share all of them");
      return { one, query: { ...one.query, project: shared.map((name) => one.bound.get(name) ?? null), value: null } };
    });
    const [current = []] = made.map(({ one }) => one.current);
    if (made.some(({ one }) => JSON.stringify(one.current) !== JSON.stringify(current))) throw new TemporalError("events that share variables are compared with the same fields of the current call", at);
    return this.#leaf(at, { op: "together", windows: arms.map(({ arm }) => arm.windowMs), current, queries: made.map(({ query }) => query) });
  }

  #compare(condition: TemporalCondition & { readonly is: "compare" }, known: Known): Formula {
    const guards: Formula[] = [];
    const [left, right] = [condition.left, condition.right].map((term) => this.#amount(term, known, guards)) as [HistoryAmount, HistoryAmount];
    return joined("and", [...guards, { is: "compare", op: condition.op, left, right }]);
  }

  #amount(term: TemporalTerm, known: Known, guards: Formula[]): HistoryAmount {
    switch (term.term) {
      case "aggregate":
        return this.#aggregate(term, guards);
      case "sum":
        return { is: "sum", op: term.op, left: this.#amount(term.left, known, guards), right: this.#amount(term.right, known, guards) };
      case "any":
        throw new TemporalError("`*` is no value", term);
      case "variable": {
        const value = known.get(term.name);
        if (value === undefined) throw new TemporalError(`the variable \`${term.name}\` is bound nowhere`, term, `write \`exists (${term.name}: Long). ((count ...) == ${term.name} && ...)\``);
        return this.#amount(value, known, guards);
      }
      default:
        return { is: "cedar", span: term };
    }
  }

  #aggregate(term: Aggregate & TextSpan, guards: Formula[]): HistoryAmount {
    const { of: op, value, binders, where } = term;
    const declared = new Map(binders.map((binder) => [binder.name, binder]));
    const parts = flatten(where, declared);
    const past = parts.filter((part): part is Windowed => part.is === "formerly");
    const [only, more] = past;
    if (more !== undefined) throw new TemporalError("an aggregate looks at one `formerly`", more);
    const others = parts.filter((part) => part !== only);
    const alternatives = alternativesOf(only === undefined ? withAll(others[0] as TemporalCondition, others.slice(1)) : withAll(only.of, others), declared);
    const queries = alternatives.map((one): EventQuery => {
      const missing = binders.find(({ name }) => !one.bound.has(name));
      if (missing !== undefined) throw new TemporalError(`nothing says which values \`${missing.name}\` can have`, missing, missing.type === "Timepoint" ? `add \`&& tp(${missing.name})\`` : "bind it by a field of the event");
      if (op !== "count" && !binders.some(({ name }) => name === value)) throw new TemporalError(`\`${value}\` is none of the variables of \`for\``, term);
      return { ...one.query, project: binders.map(({ name }) => one.bound.get(name) ?? null), value: op === "count" ? null : (one.bound.get(value) ?? null) };
    });
    const [current = []] = alternatives.map((one) => one.current);
    if (alternatives.some((one) => JSON.stringify(one.current) !== JSON.stringify(current))) throw new TemporalError("all alternatives of an aggregate are compared with the same fields of the current call", term);
    const question = { windows: [only?.windowMs ?? null], current, queries };
    // The least of nothing is no number: a comparison with it is false.
    if (op === "min" || op === "max") guards.push({ is: "compare", op: ">", left: this.#leaf(term, { ...question, op: "count", queries: queries.map((query) => ({ ...query, value: null })) }), right: { is: "cedar", span: { at: -1, end: -1 } } });
    return this.#leaf(term, { ...question, op });
  }

  #leaf(span: TextSpan, question: Omit<LeafQuestion, "across" | "left"> & { readonly left?: LeafQuestion["left"] }): { readonly is: "leaf"; readonly leaf: HistoryLeaf } {
    this.leaves += 1;
    return { is: "leaf", leaf: leafOf({ left: null, ...question, across: this.#across }, this.#text.slice(span.at, span.end)) };
  }
}

const bare = ({ query }: Alternative): EventQuery => ({ ...query, project: [], value: null });

const joined = (is: "and" | "or", of: readonly Formula[]): Formula => (of.length === 1 ? (of[0] as Formula) : { is, of });

const withAll = (condition: TemporalCondition, more: readonly TemporalCondition[]): TemporalCondition => (more.length === 0 ? condition : { is: "and", of: [condition, ...more], at: condition.at, end: condition.end });

/** What must all hold, with the variables of each `exists` within taken to the outside. */
const flatten = (condition: TemporalCondition, declared: Map<string, Binder>): TemporalCondition[] => {
  if (condition.is === "and") return condition.of.flatMap((part) => flatten(part, declared));
  if (condition.is !== "exists") return [condition];
  const { binder, of } = condition;
  if (declared.has(binder.name)) throw new TemporalError(`the variable \`${binder.name}\` is bound twice`, binder, "give it another name");
  declared.set(binder.name, binder);
  return flatten(of, declared);
};

/** `n == (count ...)`: the variable stands for the value. */
const bindingOf = (condition: TemporalCondition, declared: Declared): { name: string; value: TemporalTerm } | null => {
  if (condition.is !== "compare" || condition.op !== "==") return null;
  for (const [one, other] of [[condition.left, condition.right], [condition.right, condition.left]] as const) {
    if (one.term === "variable" && declared.has(one.name) && other.term !== "any" && termVariables(other).length === 0) return { name: one.name, value: other };
  }
  return null;
};

const isFilter = (condition: TemporalCondition): boolean => condition.is === "compare" || (condition.is === "not" && isFilter(condition.of));

const mentions = (condition: TemporalCondition, declared: Declared): boolean => variablesIn(condition).some((name) => declared.has(name));

/** Conditions that are tied to each other by variables, directly or through others. */
const groupsOf = (parts: readonly TemporalCondition[], declared: Declared): TemporalCondition[][] => {
  const groups: { names: Set<string>; parts: TemporalCondition[] }[] = [];
  for (const part of parts) {
    const names = new Set(variablesIn(part).filter((name) => declared.has(name)));
    const tied = groups.filter((group) => [...names].some((name) => group.names.has(name)));
    const merged = { names: new Set([...names, ...tied.flatMap((group) => [...group.names])]), parts: [...tied.flatMap((group) => group.parts), part] };
    groups.splice(0, groups.length, ...groups.filter((group) => !tied.includes(group)), merged);
  }
  return groups.map((group) => group.parts);
};

const termVariables = (term: TemporalTerm): string[] => {
  if (term.term === "variable") return [term.name];
  if (term.term === "sum") return [...termVariables(term.left), ...termVariables(term.right)];
  if (term.term !== "aggregate") return [];
  const own = new Set(term.binders.map(({ name }) => name));
  return variablesIn(term.where).filter((name) => !own.has(name));
};

/** Variables that are free in a condition. */
const variablesIn = (condition: TemporalCondition): string[] => {
  switch (condition.is) {
    case "and":
    case "or":
      return condition.of.flatMap(variablesIn);
    case "event":
      return condition.fields.flatMap(({ term }) => termVariables(term));
    case "compare":
      return [...termVariables(condition.left), ...termVariables(condition.right)];
    case "since":
      return [...variablesIn(condition.left), ...variablesIn(condition.right)];
    case "exists":
      return variablesIn(condition.of).filter((name) => name !== condition.binder.name);
    case "timepoint":
      return [condition.name];
    default:
      return variablesIn(condition.of);
  }
};

/** Every leaf of a formula. */
export const leavesOf = (formula: Formula | HistoryAmount): HistoryLeaf[] => {
  switch (formula.is) {
    case "leaf":
      return [formula.leaf];
    case "and":
    case "or":
      return formula.of.flatMap(leavesOf);
    case "not":
      return leavesOf(formula.of);
    case "compare":
    case "sum":
      return [...leavesOf(formula.left), ...leavesOf(formula.right)];
    case "cedar":
      return [];
  }
};

/** A formula in Cedar; `text` is what spans are in. */
export const cedarOf = (formula: Formula | HistoryAmount, text: string): string => {
  switch (formula.is) {
    case "leaf":
      return `context.history.${formula.leaf.id}`;
    case "and":
    case "or":
      return `(${formula.of.map((part) => cedarOf(part, text)).join(formula.is === "and" ? " && " : " || ")})`;
    case "not":
      return `!(${cedarOf(formula.of, text)})`;
    case "compare":
      return `(${cedarOf(formula.left, text)} ${formula.op} ${cedarOf(formula.right, text)})`;
    case "sum":
      return `(${cedarOf(formula.left, text)} ${formula.op} ${cedarOf(formula.right, text)})`;
    case "cedar":
      return formula.span.at < 0 ? "0" : text.slice(formula.span.at, formula.span.end);
  }
};
