import { isObject, type Json, type JsonObject } from "@lanyard/contract";
import { all, any, binary, choice, condition, folded, has, inTurn, is, like, read, recordOf, setOf, unary, variable, type Prepared } from "./expression.ts";
import { extensionFunctions } from "./functions.ts";
import { piecesOf, type PatternPart } from "./like.ts";
import { literal, unknownForm, unknownFunction, wrongCount } from "./literal.ts";
import { binaryOperators } from "./operators.ts";
import type { Evaluate, Test } from "./request.ts";
import { keyOf, type Value } from "./value.ts";

/** What a policy's head says of the principal, the action or the resource, in Cedar's JSON policy format. */
export interface HeadPart {
  readonly op: string;
  readonly entity?: { readonly type: string; readonly id: string };
  readonly entities?: readonly { readonly type: string; readonly id: string }[];
  readonly entity_type?: string;
  readonly in?: { readonly entity: { readonly type: string; readonly id: string } };
}

/** A `when` or an `unless`, in Cedar's JSON policy format. */
export interface ClauseForm {
  readonly kind: "when" | "unless";
  readonly body: Json;
}

/** Expressions nested deeper are refused; long chains of `&&` and `||` are not deep. Cedar's own parser gives up near 250. */
const deepest = 256;

interface Node extends Prepared {
  /** Equal expressions have equal numbers. */
  readonly number: number;
}

/**
 * Makes policies of Cedar 4.5 ready to evaluate, from Cedar's JSON policy format (EST). Equal expressions become one closure, for as long as
 * this lives. Every method throws Fault `invalid_config` on a form it does not know: slots, unknowns, functions Cedar does not have,
 * expressions nested deeper than 256 levels.
 */
export class Expressions {
  readonly #nodes = new Map<string, Node>();
  readonly #observe: ((form: JsonObject, value: Value) => void) | undefined;
  #count = 0;

  /**
   * `observe` is told of every expression that was evaluated, but literals, with its value, in the order of evaluation; what is evaluated is
   * slower then and shares nothing.
   */
  constructor({ observe }: { observe?: (form: JsonObject, value: Value) => void } = {}) {
    this.#observe = observe;
  }

  /** How many closures there are. */
  get size(): number {
    return this.#count;
  }

  /** A whole policy: its head, then its clauses from first to last until one does not hold. */
  policy(head: { readonly principal: HeadPart; readonly action: HeadPart; readonly resource: HeadPart }, clauses: readonly ClauseForm[]): Test {
    const parts = (["principal", "action", "resource"] as const).flatMap((name) => this.#headPart(name, head[name]));
    return inTurn([...parts.map((part) => condition(part, true)), this.conditions(clauses)]);
  }

  /** The clauses of a policy, from first to last until one does not hold: a `when` by being true, an `unless` by being false. */
  conditions(clauses: readonly ClauseForm[]): Test {
    return inTurn(clauses.map(({ kind, body }) => condition(this.#prepare(body, 0), kind === "when")));
  }

  expression(form: Json): Evaluate {
    return this.#prepare(form, 0).run;
  }

  #headPart(name: string, part: HeadPart): Node[] {
    const self: JsonObject = { Var: name };
    const uid = ({ type, id }: { readonly type: string; readonly id: string }): JsonObject => ({ Value: { __entity: { type, id } } });
    const { op, entity, entities, entity_type: type, in: below } = part;
    if (op === "All") return [];
    if ((op === "==" || op === "in") && entity !== undefined) return [this.#prepare({ [op]: { left: self, right: uid(entity) } }, 0)];
    if (op === "in" && entities !== undefined) return [this.#prepare({ in: { left: self, right: { Set: entities.map(uid) } } }, 0)];
    if (op !== "is" || type === undefined) throw unknownForm(`its head has an operator \`${op}\` that is not known, or a slot`);
    return [this.#prepare({ is: { left: self, entity_type: type, ...(below === undefined ? {} : { in: uid(below.entity) }) } }, 0)];
  }

  #prepare(form: Json | undefined, depth: number): Node {
    if (depth > deepest) throw unknownForm(`an expression is nested deeper than ${deepest} levels`);
    if (!isObject(form)) throw unknownForm("an expression is no object");
    const [name, ...others] = Object.keys(form);
    if (name === undefined || others.length > 0) throw unknownForm("an expression has no operator, or several");
    const below = depth + 1;
    const body = form[name];
    if (name === "Value") return this.#literal(body);
    if (name === "&&" || name === "||") return this.#chain(form, name, below);
    if (Array.isArray(body)) return name === "Set" ? this.#set(body, below, form) : this.#call(name, body, below, form);
    if (!isObject(body)) return this.#variable(name, body, form);
    if (name === "Record") return this.#record(body, below, form);
    const operator = binaryOperators.get(name);
    if (operator !== undefined) {
      const [left, right] = [this.#prepare(body["left"], below), this.#prepare(body["right"], below)];
      return this.#node(form, `${name} ${left.number} ${right.number}`, () => binary(name, operator, left, right));
    }
    return this.#special(name, body, below, form);
  }

  /** The node of this key, made when there is none yet. */
  #node(form: JsonObject, key: string, make: () => Prepared): Node {
    const known = this.#nodes.get(key);
    if (known !== undefined) return known;
    const prepared = make();
    const number = (this.#count += 1);
    const observe = this.#observe;
    if (observe === undefined) {
      const node = numbered(prepared, prepared.run, number);
      this.#nodes.set(key, node);
      return node;
    }
    const { run } = prepared;
    const observed: Evaluate = (request) => {
      const value = run(request);
      observe(form, value);
      return value;
    };
    return numbered(prepared, observed, number);
  }

  #literal(body: Json | undefined): Node {
    const prepared = folded(() => literal(body));
    const key = prepared.constant === undefined ? `fault ${this.#count}` : `value ${keyOf(prepared.constant)}`;
    const known = this.#nodes.get(key);
    if (known !== undefined) return known;
    const node = numbered(prepared, prepared.run, (this.#count += 1));
    if (this.#observe === undefined) this.#nodes.set(key, node);
    return node;
  }

  #variable(name: string, body: Json | undefined, form: JsonObject): Node {
    const run = name === "Var" && typeof body === "string" ? variable(body) : undefined;
    if (run === undefined) throw unknownForm(`there is no expression \`${name.slice(0, 64)}\` of this form`);
    return this.#node(form, `variable ${String(body)}`, () => ({ run }));
  }

  /** All operands of a chain at once, however it is nested: the order of evaluation is the same. */
  #chain(form: JsonObject, name: "&&" | "||", below: number): Node {
    const parts: Node[] = [];
    const open: (Json | undefined)[] = [form];
    while (open.length > 0) {
      const next = open.pop();
      const pair = isObject(next) && Object.keys(next).length === 1 ? next[name] : undefined;
      if (isObject(pair)) open.push(pair["right"], pair["left"]);
      else parts.push(this.#prepare(next, below));
    }
    return this.#node(form, `${name} ${parts.map(({ number }) => number).join(" ")}`, () => ({ run: name === "&&" ? all(parts) : any(parts), boolean: true }));
  }

  #set(body: readonly Json[], below: number, form: JsonObject): Node {
    const parts = body.map((item) => this.#prepare(item, below));
    return this.#node(form, `set ${parts.map(({ number }) => number).join(" ")}`, () => setOf(parts));
  }

  #record(body: JsonObject, below: number, form: JsonObject): Node {
    const fields = Object.entries(body).sort(([left], [right]) => byCodePoint(left, right));
    const names = fields.map(([name]) => name);
    const parts = fields.map(([, item]) => this.#prepare(item, below));
    return this.#node(form, `record ${JSON.stringify(names)} ${parts.map(({ number }) => number).join(" ")}`, () => recordOf(names, parts));
  }

  #call(name: string, body: readonly Json[], below: number, form: JsonObject): Node {
    const wanted = extensionFunctions.get(name) ?? unknownFunction(name);
    const parts = body.map((item) => this.#prepare(item, below));
    const [first, second] = parts;
    return this.#node(form, `call ${name} ${parts.map(({ number }) => number).join(" ")}`, () => {
      const runs = parts.map(({ run }) => run);
      if (parts.length !== wanted.arity || first === undefined) {
        return {
          run: (request) => {
            for (const run of runs) run(request);
            throw wrongCount(name, wanted.arity, runs.length);
          },
        };
      }
      const { constant } = first;
      if (wanted.arity === 1) return constant === undefined ? { run: (request) => wanted.call(first.run(request)) } : folded(() => wanted.call(constant));
      const other = second ?? first;
      const { constant: known } = other;
      if (constant !== undefined && known !== undefined) return folded(() => wanted.call(constant, known));
      return { run: (request) => wanted.call(first.run(request), other.run(request)) };
    });
  }

  #special(name: string, body: JsonObject, below: number, form: JsonObject): Node {
    if (name === "if-then-else") {
      const [test, then, otherwise] = [this.#prepare(body["if"], below), this.#prepare(body["then"], below), this.#prepare(body["else"], below)];
      return this.#node(form, `if ${test.number} ${then.number} ${otherwise.number}`, () => ({ run: choice(test, then, otherwise), boolean: then.boolean === true && otherwise.boolean === true }));
    }
    const { attr, pattern, entity_type: type } = body;
    if (Object.hasOwn(body, "arg")) {
      const arg = this.#prepare(body["arg"], below);
      const prepared = unary(name, arg.run);
      if (prepared !== undefined) return this.#node(form, `${name} ${arg.number}`, () => prepared);
    }
    const left = Object.hasOwn(body, "left") ? this.#prepare(body["left"], below) : undefined;
    if (left === undefined) throw unknownForm(`there is no expression \`${name.slice(0, 64)}\` of this form`);
    const key = `${name} ${left.number} ${JSON.stringify([attr, pattern, type])}`;
    if (name === "." && typeof attr === "string") return this.#node(form, key, () => ({ run: read(left.run, attr) }));
    if (name === "has") return this.#node(form, key, () => ({ run: has(left.run, pathOf(attr)), boolean: true }));
    if (name === "like") return this.#node(form, key, () => ({ run: like(left.run, piecesOf(patternOf(pattern))), boolean: true }));
    if (name !== "is" || typeof type !== "string") throw unknownForm(`there is no expression \`${name.slice(0, 64)}\` of this form`);
    const inside = Object.hasOwn(body, "in") ? this.#prepare(body["in"], below) : null;
    return this.#node(form, `${key} ${inside?.number ?? ""}`, () => ({ run: is(left.run, type, inside?.run ?? null), boolean: true }));
  }
}

/** All of one shape, field by field: there are a hundred thousand of them. */
const numbered = ({ constant, boolean }: Prepared, run: Evaluate, number: number): Node => ({ run, constant, boolean, number });

const pathOf = (attr: Json | undefined): string[] => {
  const path = typeof attr === "string" ? [attr] : Array.isArray(attr) ? attr.filter((step) => typeof step === "string") : [];
  if (path.length === 0 || (Array.isArray(attr) && path.length < attr.length)) throw unknownForm("a `has` names no attribute");
  return path;
};

const patternOf = (pattern: Json | undefined): PatternPart[] => {
  if (!Array.isArray(pattern)) throw unknownForm("a `like` has no pattern");
  return pattern.map((part) => {
    if (part === "Wildcard") return part;
    if (!isObject(part) || typeof part["Literal"] !== "string") throw unknownForm("a pattern holds something else than text and wildcards");
    return { Literal: part["Literal"] };
  });
};

/** Cedar evaluates the fields of a record in the order of their UTF-8 bytes, which is that of code points. */
const byCodePoint = (left: string, right: string): number => {
  const [one, two] = [[...left], [...right]];
  for (let index = 0; index < Math.min(one.length, two.length); index += 1) {
    const difference = (one[index]?.codePointAt(0) ?? 0) - (two[index]?.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return one.length - two.length;
};
