import { isObject, type Json, type JsonObject } from "@lanyard/contract";
import type { Condition, Scope } from "../bundle.ts";
import { EvaluationFault } from "../cedar/request.ts";
import { parseDecimal } from "../cedar/functions.ts";
import type { PatternPart } from "../cedar/like.ts";
import { parseDatetime, parseDuration } from "../cedar/time.ts";
import { compare, contains, equal, holdsAll, holdsAny, isEmpty } from "./relate.ts";
import { CannotSay, type Evaluated, type Symbolic } from "./symbolic.ts";
import { and, arithmetic, cut, integer, integerOf, ite, no, not, or, overflows, rest, yes, type Term } from "./term.ts";
import type { CallSpace } from "./call-space.ts";

/** When a policy is satisfied, and when it errs. Never both. */
export interface Verdict {
  readonly holds: Term;
  readonly errs: Term;
  /** What of it the model cannot express: the solver is free to choose it, so that only what it refutes is certain. */
  readonly gaps: readonly string[];
}

const nothing: Symbolic = { kind: "nothing" };
const bool = (term: Term): Symbolic => ({ kind: "bool", term });
const sure = (value: Symbolic): Evaluated => ({ value, error: no });
const failed: Evaluated = { value: nothing, error: yes };

/** Characters of a term without a name of its own. */
const longest = 400;

const ofUnits = { toMilliseconds: 1, toSeconds: 1000, toMinutes: 60_000, toHours: 3_600_000, toDays: 86_400_000 } as const;
const day = 86_400_000;

/** Nodes whose result is a Boolean: where one cannot be expressed, it becomes a free choice. */
const booleans: ReadonlySet<string> = new Set([
  ...["!", "==", "!=", "in", "<", "<=", ">", ">=", "&&", "||", "contains", "containsAll", "containsAny", "isEmpty", "hasTag", "has", "like", "is"],
  ...["lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual", "isIpv4", "isIpv6", "isLoopback", "isMulticast", "isInRange"],
]);

/** Translates Cedar's JSON form into terms about the calls of a {@link CallSpace}, every rule of evaluation kept: order, short circuits, errors. */
export class Encoder {
  readonly #space: CallSpace;
  readonly #gaps = new Set<string>();

  constructor(space: CallSpace) {
    this.#space = space;
  }

  /** A policy whose head speaks of the space's agent and action. */
  policy(head: { readonly resource: Scope }, conditions: readonly Condition[]): Verdict {
    this.#gaps.clear();
    let holds = this.#space.reach(head.resource);
    let errs = no;
    for (const { kind, body } of conditions) {
      if (holds === no) break;
      const { truth, error } = this.#clause(body);
      errs = or(errs, and(holds, error));
      holds = and(holds, not(error), kind === "when" ? truth : not(truth));
    }
    return { holds, errs, gaps: [...this.#gaps] };
  }

  #clause(body: Json): { truth: Term; error: Term } {
    try {
      return this.#truth(body);
    } catch (cause) {
      if (!(cause instanceof CannotSay) && !(cause instanceof RangeError)) throw cause; // RangeError: out of stack
      this.#gaps.add(cause instanceof CannotSay ? cause.message : "an expression that is nested too deeply");
      const { value, error } = this.#free(cause instanceof CannotSay ? JSON.stringify(body) : this.#space.names.unheard());
      return { truth: "term" in value ? value.term : no, error };
    }
  }

  /** A Boolean; anything else is an error. */
  #truth(expression: Json): { truth: Term; error: Term } {
    const { value, error } = this.value(expression);
    const read = (one: Symbolic): { truth: Term; error: Term } => {
      if (one.kind === "bool") return { truth: one.term, error: no };
      if (one.kind !== "either") return { truth: no, error: yes };
      const [then, other] = [read(one.then), read(one.other)];
      return { truth: ite(one.condition, then.truth, other.truth), error: ite(one.condition, then.error, other.error) };
    };
    const { truth, error: mistyped } = read(value);
    return { truth, error: or(error, mistyped) };
  }

  /** An expression, whatever it gives. Throws {@link CannotSay} unless it gives a Boolean. */
  value(expression: Json): Evaluated {
    const [[node, body] = ["", null]] = isObject(expression) ? Object.entries(expression) : [];
    try {
      const { value, error } = this.#node(node, body);
      return { value: "term" in value && value.kind === "bool" ? bool(this.#short(value.term)) : value, error: this.#short(error) };
    } catch (error) {
      if (!(error instanceof CannotSay) || !booleans.has(node)) throw error;
      this.#gaps.add(error.message);
      return this.#free(JSON.stringify(expression));
    }
  }

  /** Terms repeat their parts, so that a chain of clauses would grow with its square; a long one gets a name. */
  #short(term: Term): Term {
    return term.length > longest ? this.#space.names.definition(term) : term;
  }

  /** What the model cannot express: true, false or an error, as the solver likes, but the same wherever the same is written. */
  #free(key: string): Evaluated {
    const { names, agent, action } = this.#space;
    const about = `${JSON.stringify([agent.id, agent.team, agent.classes, action.name])} ${key}`;
    return { value: bool(names.variable(`free ${about}`, "Bool")), error: names.variable(`free error ${about}`, "Bool") };
  }

  #node(node: string, body: Json): Evaluated {
    const part = (name: string): Json => (isObject(body) ? (body[name] ?? null) : null);
    switch (node) {
      case "Value":
        return this.#literal(body);
      case "Var":
        return sure(this.#variable(body));
      case "&&":
      case "||":
        return this.#junction(node === "&&", part("left"), part("right"));
      case "!": {
        const { truth, error } = this.#truth(part("arg"));
        return { value: bool(not(truth)), error };
      }
      case "if-then-else":
        return this.#choice(part("if"), part("then"), part("else"));
      case ".":
      case "has":
        return this.#access(node, part("left"), part("attr"));
      case "like":
        return this.#apply([part("left")], ([text]) => this.#like(text, part("pattern")));
      case "is":
        return this.#is(part("left"), String(part("entity_type")), part("in"));
      case "Set":
        return this.#all(Array.isArray(body) ? body : [], (items) => ({ kind: "list", items }));
      case "Record":
        return this.#recordOf(isObject(body) ? body : {});
      case "neg":
        return this.#apply([part("arg")], ([value]) => this.#long(value, (term) => arithmetic("-", "0", term)));
      case "isEmpty":
        return this.#apply([part("arg")], ([set]) => isEmpty(this.#space.names, set ?? nothing));
      default:
        return Array.isArray(body) ? this.#call(node, body) : this.#binary(node, part("left"), part("right"));
    }
  }

  #literal(value: Json): Evaluated {
    if (typeof value === "boolean") return sure(bool(value ? yes : no));
    if (typeof value === "string") return sure({ kind: "string", term: this.#space.names.constant(value) });
    if (typeof value === "number" && Number.isInteger(value)) return sure({ kind: "long", term: integer(BigInt(value)) });
    const entity = isObject(value) ? value["__entity"] : undefined;
    if (isObject(entity)) return sure({ kind: "entity", type: String(entity["type"]), id: this.#space.names.constant(String(entity["id"])) });
    throw new CannotSay("a literal of a kind that the model does not have");
  }

  #variable(name: Json): Symbolic {
    const { principal, called, resource, context } = this.#space;
    if (name === "principal") return principal;
    if (name === "action") return called;
    if (name === "resource") return resource;
    if (name === "context") return context;
    throw new CannotSay(`the variable ${String(name)}`);
  }

  #junction(isAnd: boolean, first: Json, second: Json): Evaluated {
    const left = this.#truth(first);
    const goesOn = isAnd ? left.truth : not(left.truth);
    if (goesOn === no || left.error === yes) return { value: bool(left.truth), error: left.error };
    const right = this.#truth(second);
    const truth = isAnd ? and(left.truth, right.truth) : or(left.truth, right.truth);
    return { value: bool(truth), error: or(left.error, and(goesOn, right.error)) };
  }

  #choice(test: Json, first: Json, second: Json): Evaluated {
    const { truth, error } = this.#truth(test);
    if (error === yes) return failed;
    if (truth === yes || truth === no) {
      const chosen = this.value(truth === yes ? first : second);
      return { value: chosen.value, error: or(error, chosen.error) };
    }
    const [then, other] = [this.value(first), this.value(second)];
    return { value: either(truth, then.value, other.value), error: or(error, ite(truth, then.error, other.error)) };
  }

  /** Applies something to values, each of which may be one of two. */
  #apply(expressions: readonly Json[], make: (values: readonly Symbolic[]) => Evaluated): Evaluated {
    const made = expressions.map((expression) => this.value(expression));
    const spread = (values: readonly Symbolic[]): Evaluated => {
      const at = values.findIndex(({ kind }) => kind === "either");
      const one = values[at];
      if (one?.kind !== "either") return values.some(({ kind }) => kind === "nothing") ? failed : make(values);
      const [then, other] = [spread(values.with(at, one.then)), spread(values.with(at, one.other))];
      return { value: either(one.condition, then.value, other.value), error: ite(one.condition, then.error, other.error) };
    };
    const { value, error } = spread(made.map((outcome) => outcome.value));
    return { value, error: or(...made.map((outcome) => outcome.error), error) };
  }

  /** All of some expressions as one value. */
  #all(expressions: readonly Json[], make: (values: readonly Symbolic[]) => Symbolic): Evaluated {
    return this.#apply(expressions, (values) => sure(make(values)));
  }

  #access(node: "." | "has", left: Json, attr: Json): Evaluated {
    const path = Array.isArray(attr) ? attr.map(String) : [String(attr)];
    const [step = "", ...below] = path;
    return this.#apply([left], ([value = nothing]) => {
      const field = this.#field(value, step);
      if (field === "wrong") return failed;
      if (node === ".") return field === null ? failed : { value: field.value, error: not(field.present) };
      if (field === null || below.length === 0) return sure(bool(field?.present ?? no));
      const further = this.#hasBelow(field.value, below);
      return { value: bool(and(field.present, further.truth)), error: and(field.present, further.error) };
    });
  }

  /** `has a.b.c` is `has a && .a has b && ...`. */
  #hasBelow(value: Symbolic, [step = "", ...below]: readonly string[]): { truth: Term; error: Term } {
    if (value.kind === "either") throw new CannotSay("`has` below one of two records");
    const field = this.#field(value, step);
    if (field === "wrong") return { truth: no, error: yes };
    if (field === null || below.length === 0) return { truth: field?.present ?? no, error: no };
    const further = this.#hasBelow(field.value, below);
    return { truth: and(field.present, further.truth), error: and(field.present, further.error) };
  }

  #field(value: Symbolic, name: string): ReturnType<CallSpace["attribute"]> | "wrong" {
    if (value.kind === "record") return value.field(name);
    return value.kind === "entity" ? this.#space.attribute(value.type, value.id, name) : "wrong";
  }

  #recordOf(fields: JsonObject): Evaluated {
    const entries = Object.entries(fields);
    return this.#apply(entries.map(([, expression]) => expression), (values) => {
      const byName = new Map(entries.map(([name], index) => [name, { present: yes, value: values[index] ?? nothing }]));
      return sure({ kind: "record", names: [...byName.keys()], field: (name) => byName.get(name) ?? null });
    });
  }

  #like(text: Symbolic | undefined, pattern: Json): Evaluated {
    if (text?.kind !== "string" || !Array.isArray(pattern)) return failed;
    return sure(bool(this.#space.names.like(text.term, pattern as unknown as PatternPart[])));
  }

  /** `x is T in y` is `x is T && x in y`: where the type is another, `y` is not looked at. */
  #is(left: Json, type: string, target: Json): Evaluated {
    return this.#apply([left], ([entity = nothing]) => {
      if (entity.kind !== "entity") return failed;
      if (entity.type !== type) return sure(bool(no));
      return target === null ? sure(bool(yes)) : this.#apply([target], ([place = nothing]) => this.#in(entity, place));
    });
  }

  #in(entity: Symbolic, place: Symbolic): Evaluated {
    if (entity.kind !== "entity") return failed;
    if (place.kind === "entity") return sure(bool(this.#space.within(entity.type, entity.id, place)));
    if (place.kind === "set") throw new CannotSay("`in` a set that the call brings");
    if (place.kind !== "list" || place.items.some(({ kind }) => kind !== "entity")) return failed;
    return sure(bool(or(...place.items.map((one) => (one.kind === "entity" ? this.#space.within(entity.type, entity.id, one) : no)))));
  }

  #long(value: Symbolic | undefined, make: (term: Term) => Term): Evaluated {
    if (value?.kind !== "long") return failed;
    const term = make(value.term);
    return { value: { kind: "long", term }, error: overflows(term) };
  }

  #binary(node: string, first: Json, second: Json): Evaluated {
    const { names } = this.#space;
    return this.#apply([first, second], ([left = nothing, right = nothing]) => {
      switch (node) {
        case "==":
          return sure(bool(equal(names, left, right)));
        case "!=":
          return sure(bool(not(equal(names, left, right))));
        case "in":
          return this.#in(left, right);
        case "<":
        case "<=":
          return compare(["long", "datetime", "duration"], left, right, node === "<=");
        case ">":
        case ">=":
          return compare(["long", "datetime", "duration"], right, left, node === ">=");
        case "+":
        case "-":
        case "*": {
          if (right.kind !== "long") return failed;
          if (node === "*" && left.kind === "long" && integerOf(left.term) === null && integerOf(right.term) === null) throw new CannotSay("a product of two arguments");
          return this.#long(left, (term) => arithmetic(node, term, right.term));
        }
        case "contains":
          return contains(names, left, right);
        case "containsAll":
          return holdsAll(names, left, right);
        case "containsAny":
          return holdsAny(names, left, right);
        default:
          throw new CannotSay(`the operator \`${node}\``);
      }
    });
  }

  #call(name: string, args: readonly Json[]): Evaluated {
    if (name === "decimal" || name === "datetime" || name === "duration") return this.#parsed(name, args);
    return this.#apply(args, ([left = nothing, right = nothing]) => {
      if (name === "lessThan" || name === "lessThanOrEqual") return compare(["decimal"], left, right, name === "lessThanOrEqual");
      if (name === "greaterThan" || name === "greaterThanOrEqual") return compare(["decimal"], right, left, name === "greaterThanOrEqual");
      if (Object.hasOwn(ofUnits, name)) return left.kind === "duration" ? sure({ kind: "long", term: cut(left.term, ofUnits[name as keyof typeof ofUnits]) }) : failed;
      if (name === "offset" || name === "durationSince") return this.#shifted(name, left, right);
      if (name === "toDate" || name === "toTime") return this.#ofDay(name, left);
      throw new CannotSay(name === "getTag" ? "tags" : `the function \`${name}\``);
    });
  }

  /** Strict validation lets these be called on literals only. */
  #parsed(name: "decimal" | "datetime" | "duration", args: readonly Json[]): Evaluated {
    return this.#apply(args, ([value]) => {
      const text = value?.kind === "string" ? this.#space.names.textOf(value.term) : null;
      if (value?.kind !== "string") return failed;
      if (text === null) throw new CannotSay(`\`${name}\` of a text that the call brings`);
      try {
        const number = name === "decimal" ? parseDecimal(text).units : name === "datetime" ? parseDatetime(text).ms : parseDuration(text).ms;
        return sure({ kind: name, term: integer(BigInt(number)) });
      } catch (error) {
        if (error instanceof EvaluationFault) return failed;
        throw error;
      }
    });
  }

  #shifted(name: "offset" | "durationSince", left: Symbolic, right: Symbolic): Evaluated {
    const wanted = name === "offset" ? "duration" : "datetime";
    if (left.kind !== "datetime" || right.kind !== wanted) return failed;
    const term = arithmetic(name === "offset" ? "+" : "-", left.term, right.term);
    return { value: { kind: name === "offset" ? "datetime" : "duration", term }, error: overflows(term) };
  }

  #ofDay(name: "toDate" | "toTime", time: Symbolic): Evaluated {
    if (time.kind !== "datetime") return failed;
    const within = rest(time.term, day);
    if (name === "toTime") return sure({ kind: "duration", term: within });
    const term = arithmetic("-", time.term, within);
    return { value: { kind: "datetime", term }, error: overflows(term) };
  }
}

/** One of two values, as one term where they are of a kind. */
const either = (condition: Term, then: Symbolic, other: Symbolic): Symbolic => {
  if (then.kind === "nothing") return other;
  if (other.kind === "nothing") return then;
  if (then.kind === other.kind && "term" in then && "term" in other) return { ...then, term: ite(condition, then.term, other.term) };
  return { kind: "either", condition, then, other };
};

