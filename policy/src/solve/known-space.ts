import type { ArgumentFacts, DecisionInput, Json } from "@lanyard/contract";
import type { Policy } from "../bundle.ts";
import { budgetParts, factKindNames, fieldsOfKind, originRoles, originSets, type FactField, type FactKind, type OriginSet } from "../schema/facts.ts";
import type { RecordShape } from "../schema/shape.ts";
import type { Assignment } from "./inquiry.ts";
import type { Names, SetVariable } from "./names.ts";
import type { Symbolic, SymbolicRecord } from "./symbolic.ts";
import { integer, or, same, yes, type Term } from "./term.ts";

/** Types of the questions to history that policies ask, by name. */
export type Leaves = ReadonlyMap<string, "Bool" | "Long">;

export const leavesOf = (policies: readonly Policy[]): [string, "Bool" | "Long"][] => policies.flatMap(({ leaves = [] }) => leaves.map(({ id, type }): [string, "Bool" | "Long"] => [id, type]));

const safe = BigInt(Number.MAX_SAFE_INTEGER);
const within = (least: bigint, term: Term): Term => `(and (<= ${integer(least)} ${term}) (<= ${term} ${integer(safe)}))`;

/**
 * What the gateway finds of a call, as variables: anything at all, but that classes are those there are, and that where nothing of a kind was
 * found there is nothing to tell of it. How facts of several arguments hang together is not in the model; what it makes of them is confirmed by
 * the evaluator like every other example.
 */
export class KnownSpace {
  readonly #names: Names;
  readonly #input: RecordShape;
  readonly #leaves: Leaves;

  constructor(names: Names, input: RecordShape, leaves: Leaves) {
    this.#names = names;
    this.#input = input;
    this.#leaves = leaves;
  }

  /** The fields of `context` that hold it. */
  get fields(): Readonly<Record<"facts" | "labels" | "origins" | "budget" | "history", Symbolic>> {
    return {
      facts: record(["effects", "asked", "encodings", ...factKindNames], (name) => (name === "effects" || name === "asked" || name === "encodings" ? this.#texts(name) : this.#kind(name as FactKind))),
      labels: this.#texts("labels"),
      origins: record([...originSets, "input"], (name) => (name === "input" ? record(this.#arguments, (argument) => ofTexts(this.#origins(originKey(argument)))) : ofTexts(name === "link" ? this.#set(roleKey("link")) : this.#origins(roleKey(name as OriginSet))))),
      budget: record(budgetParts, (part) => this.#texts(budgetKey(part))),
      history: record([...this.#leaves.keys()], (id) => this.#answer(id)),
    };
  }

  /** What the gateway would have found of the call that a model stands for: what only the whole call has stands with arguments that no tool takes. */
  witness(model: Assignment): Pick<DecisionInput, "effects" | "asked" | "facts" | "budget" | "history"> {
    const texts = (key: string): string[] => textsIn(model, this.#set(key));
    const origins = (key: string): ArgumentFacts["origins"] => textsIn(model, this.#origins(key)) as unknown as ArgumentFacts["origins"];
    const ofCall = { ...Object.fromEntries(factKindNames.flatMap((kind) => this.#kindIn(model, kind))), encodings: texts("encodings"), labels: texts("labels") };
    const facts: [string, ArgumentFacts][] = [
      ["(the call)", { role: "other", ...ofCall, links: textsIn(model, this.#set(roleKey("link"))) as unknown as ArgumentFacts["origins"], origins: origins(roleKey("any")) }],
      ...originRoles.map((role): [string, ArgumentFacts] => [`(${role})`, { role, labels: [], origins: origins(roleKey(role)) }]),
      ...this.#arguments.map((name): [string, ArgumentFacts] => [name, { role: "other", labels: [], origins: origins(originKey(name)) }]),
    ];
    const found = facts.filter(([, one]) => Object.values(one).some((part: Json | ArgumentFacts["sql"]) => (Array.isArray(part) ? part.length > 0 : typeof part === "object")));
    const budget = { warn: texts(budgetKey("warn")), ask: texts(budgetKey("ask")), over: texts(budgetKey("over")) };
    return {
      ...(texts("effects").length > 0 && { effects: texts("effects") as NonNullable<DecisionInput["effects"]> }),
      ...(texts("asked").length > 0 && { asked: texts("asked") as NonNullable<DecisionInput["asked"]> }),
      ...(found.length > 0 && { facts: Object.fromEntries(found) }),
      ...(Object.values(budget).some((part) => part.length > 0) && { budget }),
      ...(this.#leaves.size > 0 && { history: Object.fromEntries([...this.#leaves].map(([id, type]) => [id, type === "Bool" ? model.truth(this.#flag(id)) : Number(model.number(this.#count(id)) ?? 0n)])) }),
    };
  }

  get #arguments(): readonly string[] {
    return this.#input.fields.map(({ name }) => name);
  }

  /** `always`: what follows from an element of the set, and from those that nobody asks about. */
  #set(key: string, of: "Text" | "Int" = "Text", always: (has: Term, element: Term | null) => readonly Term[] = () => []): SetVariable {
    const others = this.#names.variable(`others ${key}`, "Bool", { axioms: (name) => always(name, null) });
    return { ...this.#names.set(`known ${key}`, of, others), axioms: always };
  }

  #texts(key: string): Symbolic {
    return ofTexts(this.#set(key));
  }

  /** Origins of arguments, all of which are origins of the call. */
  #origins(key: string): SetVariable {
    const any = this.#set(roleKey("any"));
    const always = (has: Term, element: Term | null): Term[] => [`(=> ${has} ${element === null ? any.others : this.#names.member(any, element)})`];
    return key === roleKey("any") ? any : this.#set(key, "Text", always);
  }

  /** What a kind of facts tells: nothing where nothing of the kind is there, and not of two currencies where the amount is known. */
  #ofKind(kind: FactKind, name: string): SetVariable {
    const key = `${kind} ${name}`;
    const is = (one: string): Term => same(this.#class(kind), this.#names.constant(one));
    const always = (has: Term, element: Term | null): Term[] => [
      `(=> ${has} (not ${is("none")}))`,
      ...(name === "currencies" && element !== null ? [`(=> (and ${has} ${this.#names.variable(`others ${key}`, "Bool")}) ${is("unknown")})`] : []),
    ];
    return this.#set(key, name === "ports" ? "Int" : "Text", always);
  }

  #flag(id: string): Term {
    return this.#names.variable(`history ${id}`, "Bool");
  }

  #count(id: string): Term {
    return this.#names.variable(`history ${id}`, "Int", { axioms: (name) => [within(-safe, name)] });
  }

  #answer(id: string): Symbolic {
    return this.#leaves.get(id) === "Long" ? { kind: "long", term: this.#count(id) } : { kind: "bool", term: this.#flag(id) };
  }

  #class(kind: FactKind): Term {
    const { of } = fieldsOfKind(kind)["class"] as Extract<FactField, { kind: "class" }>;
    return this.#names.variable(`class of ${kind}`, "Text", { axioms: (name) => [or(...of.map((one) => same(name, this.#names.constant(one))))] });
  }

  #kind(kind: FactKind): SymbolicRecord {
    return record(Object.keys(fieldsOfKind(kind)), (name) => this.#fact(kind, name));
  }

  #fact(kind: FactKind, name: string): Symbolic {
    const field = fieldsOfKind(kind)[name] as FactField;
    const key = `${kind} ${name}`;
    /** Where nothing was found, or nobody knows what, it is this. */
    const silent = (term: Term, value: Term, ...classes: readonly string[]): Term => `(=> ${or(...classes.map((one) => same(this.#class(kind), this.#names.constant(one))))} (= ${term} ${value}))`;
    switch (field.kind) {
      case "class":
        return { kind: "string", term: this.#class(kind) };
      case "texts":
        return ofTexts(this.#ofKind(kind, name));
      case "longs":
        return { kind: "set", set: this.#ofKind(kind, name), of: "long" };
      case "sum":
        return { kind: "long", term: this.#names.variable(key, "Int", { axioms: (term) => [within(kind === "money" ? -safe : 0n, term), silent(term, "0", "none", ...(kind === "money" ? ["unknown"] : []))] }) };
      case "flag":
        return { kind: "bool", term: this.#names.variable(key, "Bool", { axioms: (term) => [silent(term, "false", "none")] }) };
      case "folder":
        return { kind: "string", term: this.#names.variable(key, "Text", { hint: "/work/", axioms: (term) => [silent(term, this.#names.constant(""), "none", "unknown")] }) };
    }
  }

  #kindIn(model: Assignment, kind: FactKind): [FactKind, Json][] {
    const name = model.text(this.#class(kind));
    if (name === "none") return [];
    const fields = Object.entries(fieldsOfKind(kind)).flatMap(([part, field]): [string, Json][] => (field.kind === "class" ? [] : [[part, this.#partIn(model, kind, part)]]));
    if (name === undefined && fields.every(([, value]) => value === false || value === 0 || value === "" || (Array.isArray(value) && value.length === 0))) return [];
    const { of } = fieldsOfKind(kind)["class"] as Extract<FactField, { kind: "class" }>;
    return [[kind, { class: name ?? of[1] ?? "unknown", ...Object.fromEntries(fields) }]];
  }

  #partIn(model: Assignment, kind: FactKind, name: string): Json {
    const fact = this.#fact(kind, name);
    switch (fact.kind) {
      case "string":
        return model.text(fact.term) ?? "";
      case "long":
        return Number(model.number(fact.term) ?? 0n);
      case "bool":
        return model.truth(fact.term);
      case "set":
        return fact.of === "long" ? numbersIn(model, fact.set) : textsIn(model, fact.set);
      default:
        return null;
    }
  }
}

const originKey = (argument: string): string => `origins of the argument ${argument}`;
const roleKey = (role: OriginSet): string => `origins ${role}`;
const budgetKey = (part: string): string => `budgets ${part}`;

const ofTexts = (set: SetVariable): Symbolic => ({ kind: "set", set, of: "string" });

/** The texts of a set, sorted; one that nothing speaks about where the model says that there are others. */
export const textsIn = (model: Assignment, set: SetVariable): string[] => {
  const texts = model.elements(set.name).filter((text) => typeof text === "string");
  if (!model.truth(set.others)) return texts.sort();
  let other = "other";
  for (let index = 2; model.isTaken(other); index++) other = `other${index}`;
  return [...texts, other].sort();
};

const numbersIn = (model: Assignment, set: SetVariable): number[] => {
  const known = model.elements(set.name).map(Number);
  let other = 1;
  while (known.includes(other)) other += 1;
  return model.truth(set.others) ? [...known, other] : known;
};

const record = (names: readonly string[], value: (name: string) => Symbolic): SymbolicRecord => ({
  kind: "record",
  names,
  field: (name) => (names.includes(name) ? { present: yes, value: value(name) } : null),
});
