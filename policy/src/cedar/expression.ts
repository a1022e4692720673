import { asBool, asEntity, asLong, asString } from "./fault.ts";
import { matches } from "./like.ts";
import { negate } from "./long.ts";
import { attribute, hasAttribute, isEmpty, isIn, type BinaryOperator } from "./operators.ts";
import { EvaluationFault, type Evaluate, type EvaluationRequest, type Test } from "./request.ts";
import { contains, EntityUid, FieldsValue, RecordValue, SetValue, type Value } from "./value.ts";

// One closure for each kind of expression, and quicker ones for the forms that policies are mostly made of. All take what is below them as
// closures: who builds them shares those of equal expressions.

/** An expression made ready. */
export interface Prepared {
  readonly run: Evaluate;
  /** Its value, when that is the same for every request and there is no error. */
  readonly constant?: Value | undefined;
  /** True when it gives a boolean or errs: nobody needs to look again. */
  readonly boolean?: boolean | undefined;
}

/** What gives a boolean or errs, made to. */
const boolean = ({ run, boolean: known }: Prepared): Test => (known === true ? (run as Test) : (request) => asBool(run(request)));

export const constantOf = (value: Value): Prepared => ({ constant: value, run: () => value, boolean: typeof value === "boolean" });

/** What is known now, or the fault that evaluating it is. */
export const folded = (make: () => Value): Prepared => {
  try {
    return constantOf(make());
  } catch (fault) {
    if (!(fault instanceof EvaluationFault)) throw fault;
    return {
      run: () => {
        throw fault;
      },
    };
  }
};

const variables: Readonly<Record<string, Evaluate>> = {
  principal: (request) => request.principal,
  action: (request) => request.action,
  resource: (request) => request.resource,
  context: (request) => request.context,
};

/** Undefined when Cedar has no such variable. */
export const variable = (name: string): Evaluate | undefined => (Object.hasOwn(variables, name) ? variables[name] : undefined);

/** `a && b && c`: from the left, until one is false. */
export const all = (parts: readonly Prepared[]): Test => inTurn(parts.map(boolean));

/** True when all hold, asked from the first to the last until one does not. */
export const inTurn = (tests: readonly Test[]): Test => {
  const [first, second] = tests;
  if (tests.length === 1 && first !== undefined) return first;
  if (tests.length === 2 && first !== undefined && second !== undefined) return (request) => first(request) && second(request);
  return (request) => {
    for (const test of tests) if (!test(request)) return false;
    return true;
  };
};

/** `a || b || c`: from the left, until one is true. */
export const any = (parts: readonly Prepared[]): Test => {
  const tests = parts.map(boolean);
  const [first, second] = tests;
  if (tests.length === 2 && first !== undefined && second !== undefined) return (request) => first(request) || second(request);
  return (request) => {
    for (const test of tests) if (test(request)) return true;
    return false;
  };
};

export const choice = (question: Prepared, { run: then }: Prepared, { run: otherwise }: Prepared): Evaluate => {
  const test = boolean(question);
  return (request) => (test(request) ? then(request) : otherwise(request));
};

/** `!`, `neg` and `isEmpty`; undefined when there is no such operator. */
export const unary = (name: string, arg: Evaluate): Prepared | undefined => {
  if (name === "!") return { run: (request) => !asBool(arg(request)), boolean: true };
  if (name === "neg") return { run: (request) => negate(asLong(arg(request))) };
  return name === "isEmpty" ? { run: (request) => isEmpty(arg(request)), boolean: true } : undefined;
};

const valued = new Set(["+", "-", "*", "getTag"]);

/** An operator with a value on either side. */
export const binary = (name: string, operator: BinaryOperator, left: Prepared, right: Prepared): Prepared => ({ run: quickest(name, operator, left, right), boolean: !valued.has(name) });

const quickest = (name: string, operator: BinaryOperator, left: Prepared, right: Prepared): Evaluate => {
  const [one, two] = [left.run, right.run];
  if (name === "==" || name === "!=") {
    const known = right.constant ?? left.constant;
    const quick = known === undefined ? undefined : equals(right.constant === undefined ? two : one, known, name === "==");
    if (quick !== undefined) return quick;
  }
  const { constant } = right;
  if (typeof constant === "number") return compareWith(name, one, constant) ?? ((request) => operator(one(request), constant, request));
  if (name === "in" && constant instanceof EntityUid) return within(one, constant);
  if (name === "contains" && left.constant instanceof SetValue) {
    const set = left.constant;
    return (request) => contains(set, two(request));
  }
  return (request) => operator(one(request), two(request), request);
};

const equals = (other: Evaluate, known: Value, wanted: boolean): Evaluate | undefined => {
  if (typeof known !== "object") return wanted ? (request) => other(request) === known : (request) => other(request) !== known;
  if (!(known instanceof EntityUid)) return undefined;
  const { type, id } = known;
  return (request) => {
    const value = other(request);
    return (value instanceof EntityUid && value.id === id && value.type === type) === wanted;
  };
};

const compareWith = (name: string, left: Evaluate, bound: number): Evaluate | undefined => {
  // A bigint is beyond every number here, and `<` knows on which side.
  if (name === "<") return (request) => asLong(left(request)) < bound;
  if (name === "<=") return (request) => asLong(left(request)) <= bound;
  if (name === ">") return (request) => asLong(left(request)) > bound;
  return name === ">=" ? (request) => asLong(left(request)) >= bound : undefined;
};

const within = (left: Evaluate, ancestor: EntityUid): Evaluate => {
  const { type, id } = ancestor;
  return (request) => {
    const uid = asEntity(left(request));
    return (uid.id === id && uid.type === type) || (request.find(uid)?.within(ancestor) ?? false);
  };
};

export const read = (holder: Evaluate, name: string): Evaluate => (request) => {
  const value = holder(request);
  const found = value instanceof RecordValue ? value.get(name) : undefined;
  return found ?? attribute(value, name, request);
};

/** `has a.b.c`: each of them, from the left. */
export const has = (holder: Evaluate, path: readonly string[]): Evaluate => {
  const [first = ""] = path;
  if (path.length === 1) return (request) => hasAttribute(holder(request), first, request);
  return (request) => {
    let value = holder(request);
    for (const [index, name] of path.entries()) {
      if (!hasAttribute(value, name, request)) return false;
      if (index < path.length - 1) value = attribute(value, name, request);
    }
    return true;
  };
};

/** The texts between the wildcards of a pattern, as {@link piecesOf} gives them. */
export const like = (text: Evaluate, pieces: readonly string[]): Test => {
  const [first = "", last, more] = pieces;
  if (last === undefined || more !== undefined) return (request) => matches(pieces, asString(text(request)));
  if (last === "") return (request) => asString(text(request)).startsWith(first);
  if (first === "") return (request) => asString(text(request)).endsWith(last);
  return (request) => {
    const value = asString(text(request));
    return value.length >= first.length + last.length && value.startsWith(first) && value.endsWith(last);
  };
};

/** `is T`, and `is T in E` when there is a `below`, which is only looked at when the type is right. */
export const is = (entity: Evaluate, type: string, below: Evaluate | null): Evaluate => {
  if (below === null) return (request) => asEntity(entity(request)).type === type;
  return (request) => {
    const uid = asEntity(entity(request));
    return uid.type === type && isIn(uid, below(request), request);
  };
};

const evaluateAll = (parts: readonly Evaluate[], request: EvaluationRequest): Value[] => parts.map((part) => part(request));

export const setOf = (parts: readonly Prepared[]): Prepared => {
  const known = parts.flatMap(({ constant }) => (constant === undefined ? [] : [constant]));
  if (known.length === parts.length) return constantOf(new SetValue(known));
  const runs = parts.map(({ run }) => run);
  return { run: (request) => new SetValue(evaluateAll(runs, request)) };
};

/** Fields are evaluated in the order given. */
export const recordOf = (names: readonly string[], parts: readonly Prepared[]): Prepared => {
  const make = (values: readonly Value[]): Value => new FieldsValue(new Map(values.map((value, index) => [names[index] ?? "", value])));
  const known = parts.flatMap(({ constant }) => (constant === undefined ? [] : [constant]));
  if (known.length === parts.length) return constantOf(make(known));
  const runs = parts.map(({ run }) => run);
  return { run: (request) => make(evaluateAll(runs, request)) };
};

/** A clause: whether its body is as wanted. */
export const condition = (body: Prepared, wanted: boolean): Test => {
  const test = boolean(body);
  return wanted ? test : (request) => !test(request);
};
