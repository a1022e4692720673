import type { EventQuery, FieldPath, FieldTest, Match } from "./leaf.ts";
import { samePath, TemporalError, type Binder, type CompareOp, type TermComparison, type TemporalCondition, type EventKind, type EventPattern, type Literal, type Reference, type TemporalTerm } from "./syntax.ts";

/** What can be asked of one event; `current` are the values of the current call that `query.joins` are compared with, in the same order. */
export interface Alternative {
  readonly query: Omit<EventQuery, "project" | "value">;
  readonly current: readonly FieldPath[];
  /** Where each variable stands; null for one that is the event itself. */
  readonly bound: ReadonlyMap<string, FieldPath | null>;
}

interface Atom {
  readonly condition: EventPattern | TermComparison | (TemporalCondition & { readonly is: "timepoint" });
  readonly negated: boolean;
}

const mostAlternatives = 16;
const flipped: Readonly<Record<CompareOp, CompareOp>> = { "==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<=" };

/** A condition on one event as alternatives, each a conjunction. Throws TemporalError for what looks at more than one event. */
export const alternativesOf = (condition: TemporalCondition, declared: ReadonlyMap<string, Binder>): Alternative[] => {
  const found = disjuncts(condition, false).flatMap((atoms) => alternativeOf(atoms, declared) ?? []);
  if (found.length === 0) throw new TemporalError("no event can be all of this at once", condition, "two events are two conditions: `formerly within 1h A && formerly within 1h B`");
  return found;
};

/** Disjunctive form. */
const disjuncts = (condition: TemporalCondition, negated: boolean): Atom[][] => {
  switch (condition.is) {
    case "not":
      return disjuncts(condition.of, !negated);
    case "event":
    case "compare":
    case "timepoint":
      return [[{ condition, negated }]];
    case "and":
    case "or": {
      const parts = condition.of.map((part) => disjuncts(part, negated));
      if ((condition.is === "or") !== negated) return parts.flat();
      const product = parts.reduce<Atom[][]>((left, right) => left.flatMap((one) => right.map((other) => [...one, ...other])).slice(0, mostAlternatives + 1), [[]]);
      if (product.length > mostAlternatives) throw new TemporalError(`the condition has more than ${mostAlternatives} alternatives`, condition, "write several policies");
      return product;
    }
    default:
      throw new TemporalError(`\`${condition.is}\` cannot stand within another temporal operator`, condition, "what is asked of the past is asked of single events: take it out and join the two with `&&` or `||`");
  }
};

const alternativeOf = (atoms: readonly Atom[], declared: ReadonlyMap<string, Binder>): Alternative | null => {
  const draft = new Draft(declared);
  const rank = ({ condition: { is }, negated }: Atom): number => (is === "event" ? Number(negated) * 2 : is === "timepoint" ? 1 : 3);
  for (const { condition, negated } of atoms.toSorted((left, right) => rank(left) - rank(right))) {
    if (condition.is === "timepoint") draft.timepoint(condition, negated);
    else if (condition.is === "compare") draft.compare(condition, negated);
    else if (negated) draft.exclude(condition);
    else draft.event(condition);
  }
  return draft.done();
};

type Operand = { readonly is: "field"; readonly path: FieldPath } | { readonly is: "value"; readonly value: Literal } | { readonly is: "current"; readonly path: FieldPath };

/** Collects what one alternative asks of an event. */
class Draft {
  readonly #declared: ReadonlyMap<string, Binder>;
  readonly #actions = new Set<string>();
  readonly #kinds = new Set<EventKind>();
  readonly #tests: FieldTest[] = [];
  readonly #not: Match[] = [];
  readonly #joins: { readonly path: FieldPath; readonly current: FieldPath }[] = [];
  readonly #bound = new Map<string, FieldPath | null>();

  constructor(declared: ReadonlyMap<string, Binder>) {
    this.#declared = declared;
  }

  event({ action, kind, fields }: EventPattern): void {
    this.#actions.add(action);
    this.#kinds.add(kind);
    for (const { path, term } of fields) this.#field(path, term);
  }

  exclude({ action, kind, fields }: EventPattern): void {
    const tests = fields.flatMap(({ path, term }): FieldTest[] => {
      if (term.term === "any") return [];
      const operand = this.#operand(term);
      if (operand.is === "current") throw new TemporalError("an event that is excluded cannot be compared with the current call here", term, "write `!formerly within ... Action::...{...}` as a condition of its own");
      return [testOf(path, "==", operand, false)];
    });
    this.#not.push({ actions: [action], kind, tests: ordered(tests) });
  }

  timepoint(condition: TemporalCondition & { readonly is: "timepoint" }, negated: boolean): void {
    const { name } = condition;
    if (negated) throw new TemporalError("`tp` cannot be negated", condition);
    const binder = this.#binderOf(name, condition);
    if (binder.type !== "Timepoint") throw new TemporalError(`\`${name}\` is declared as ${binder.type}`, condition, `declare it as \`(${name}: Timepoint)\``);
    this.#bound.set(name, null);
  }

  compare(condition: TermComparison, negated: boolean): void {
    const { op } = condition;
    const unequal = op === "!=";
    const [left, right] = [this.#operand(condition.left), this.#operand(condition.right)];
    const [first, second, turned] = left.is === "field" ? [left, right, op] : [right, left, flipped[op]];
    if (first.is !== "field") throw new TemporalError("this says nothing of the event", condition, "take it out of the operator: it is about the current call alone");
    if (second.is !== "current") this.#tests.push(testOf(first.path, unequal ? "==" : turned, second, negated !== unequal));
    else if (op === "==" && !negated) this.#joins.push({ path: first.path, current: second.path });
    else throw new TemporalError("within the past, fields are compared with the current call by `==` alone", condition, "compare outside: `(max a for (a: Long) where ...) > context.input.amount`");
  }

  /** Null when no event can be all of it. */
  done(): Alternative | null {
    if (this.#kinds.size > 1) return null;
    const joins = this.#joins.toSorted((left, right) => (JSON.stringify([left.current, left.path]) < JSON.stringify([right.current, right.path]) ? -1 : 1)).filter((join, index, all) => index === 0 || JSON.stringify(join) !== JSON.stringify(all[index - 1]));
    return {
      query: { actions: [...this.#actions].sort(), kind: [...this.#kinds][0] ?? null, tests: ordered(this.#tests), not: ordered(this.#not), joins: joins.map(({ path }) => path) },
      current: joins.map(({ current }) => current),
      bound: this.#bound,
    };
  }

  #field(path: FieldPath, term: TemporalTerm): void {
    if (term.term === "any") return;
    if (term.term === "variable") {
      this.#binderOf(term.name, term);
      const known = this.#bound.get(term.name);
      if (known === null) throw new TemporalError(`\`${term.name}\` is the event itself and no field of it`, term);
      if (known !== undefined && !samePath(known, path)) this.#tests.push(testOf(path, "==", { is: "field", path: known }, false));
      if (known !== undefined) return;
      this.#bound.set(term.name, path);
      this.#tests.push({ path, op: "==", negated: false });
      return;
    }
    const operand = this.#operand(term);
    if (operand.is === "current") this.#joins.push({ path, current: operand.path });
    else this.#tests.push(testOf(path, "==", operand, false));
  }

  #binderOf(name: string, at: TemporalCondition | TemporalTerm): Binder {
    const binder = this.#declared.get(name);
    if (binder === undefined) throw new TemporalError(`the variable \`${name}\` is bound nowhere`, at, `write \`*\` for any value, or \`exists (${name}: String). (...)\` around it`);
    return binder;
  }

  #operand(term: TemporalTerm): Operand {
    switch (term.term) {
      case "variable": {
        this.#binderOf(term.name, term);
        const path = this.#bound.get(term.name);
        if (path === undefined) throw new TemporalError(`nothing says which values \`${term.name}\` can have`, term, `bind it by a field of an event: \`{ input.amount: ${term.name} }\``);
        if (path === null) throw new TemporalError(`\`${term.name}\` is a timepoint and cannot be compared`, term);
        return { is: "field", path };
      }
      case "current":
        return { is: "current", path: pathOf(term) };
      case "aggregate":
      case "sum":
      case "any":
        throw new TemporalError(term.term === "any" ? "`*` is no value" : "an aggregate or a sum cannot stand here", term, term.term === "any" ? "" : "compare it outside of the operator");
      default:
        return { is: "value", value: literalOf(term) };
    }
  }
}

/** A reference to the current call, as a path of its own: `principal` is the one that no field of `context` is called. */
export const pathOf = ({ root, path }: Reference): FieldPath => (root === "principal" ? ["callerPrincipal"] : path);

const literalOf = (term: Literal): Literal => (term.term === "entity" ? { term: "entity", type: term.type, id: term.id } : ({ term: term.term, value: term.value } as Literal));

const testOf = (path: FieldPath, op: CompareOp, operand: Exclude<Operand, { is: "current" }>, negated: boolean): FieldTest => ({ path, op, negated, ...(operand.is === "field" ? { other: operand.path } : { value: operand.value }) });

/** Order and repeats mean nothing, so that they make no other question. */
const ordered = <T>(items: readonly T[]): T[] => [...new Map(items.map((item) => [JSON.stringify(item), item])).entries()].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, item]) => item);
