import type { Json, JsonObject } from "@lanyard/contract";
import type { Expressions } from "../../policy/src/cedar/compile.ts";
import type { literal } from "../../policy/src/cedar/literal.ts";
import type { Entity, EvaluationFault, EvaluationRequest, Test } from "../../policy/src/cedar/request.ts";
import type { EntityUid, RecordValue, Value } from "../../policy/src/cedar/value.ts";
import type { PolicyForm } from "./text.ts";
import type { FuzzQuestion, Uid, WorldEntity } from "./world.ts";

/** The evaluator under test: Lanyard's own, or a mutant of it, whose classes are then other ones. */
export interface EvaluatorModules {
  readonly Expressions: typeof Expressions;
  readonly literal: typeof literal;
  readonly EntityUid: typeof EntityUid;
  readonly EvaluationFault: typeof EvaluationFault;
}

/** Loads an evaluator from a folder that holds the files of policy/src/cedar. */
export const loadEvaluator = async (folder: URL): Promise<EvaluatorModules> => {
  const [compile, literals, request, value] = (await Promise.all(["compile.ts", "literal.ts", "request.ts", "value.ts"].map((file) => import(new URL(file, folder).href)))) as [
    Pick<EvaluatorModules, "Expressions">,
    Pick<EvaluatorModules, "literal">,
    Pick<EvaluatorModules, "EvaluationFault">,
    Pick<EvaluatorModules, "EntityUid">,
  ];
  return { Expressions: compile.Expressions, literal: literals.literal, EntityUid: value.EntityUid, EvaluationFault: request.EvaluationFault };
};

const nameOf = ({ type, id }: Uid): string => `${type} ${id}`;

/** The entities of a world as the evaluator reads them. */
export const findIn = ({ literal, EntityUid }: EvaluatorModules, entities: readonly WorldEntity[]): ((uid: Uid) => Entity | undefined) => {
  const parents = new Map(entities.map((entity) => [nameOf(entity.uid), entity.parents]));
  const above = (uid: Uid, found = new Set<string>()): ReadonlySet<string> => {
    for (const parent of parents.get(nameOf(uid)) ?? []) {
      if (!found.has(nameOf(parent))) above(parent, found.add(nameOf(parent)));
    }
    return found;
  };
  const known = new Map<string, Entity>();
  for (const { uid, attrs, tags } of entities) {
    const ancestors = above(uid);
    const record = (json: JsonObject): RecordValue => literal(json) as RecordValue;
    known.set(nameOf(uid), { uid: new EntityUid(uid.type, uid.id), attributes: record(attrs), tags: record(tags), within: (ancestor) => ancestors.has(nameOf(ancestor)) });
  }
  return (uid) => known.get(nameOf(uid));
};

export const requestOf = ({ literal, EntityUid }: EvaluatorModules, { principal, action, resource, context }: FuzzQuestion, find: EvaluationRequest["find"]): EvaluationRequest => {
  const uid = ({ type, id }: Uid): EntityUid => new EntityUid(type, id);
  return { principal: uid(principal), action: uid(action), resource: uid(resource), context: literal(context as Json) as RecordValue, find };
};

/** What came of a policy: whether it holds, or the message of its error. Anything else that is thrown is told as such: it is always a bug. */
export const outcomeOf = ({ EvaluationFault }: EvaluatorModules, test: Test, request: EvaluationRequest): boolean | string => {
  try {
    return test(request);
  } catch (fault) {
    return fault instanceof EvaluationFault ? fault.message : `threw ${String(fault)}`;
  }
};

export const prepare = (expressions: Expressions, { head, clauses }: PolicyForm): Test =>
  expressions.policy(head as unknown as Parameters<Expressions["policy"]>[0], clauses);

/** A value as an expression that gives it, to ask Cedar whether it gets the same. */
export const formOf = (value: Value): JsonObject => {
  if (typeof value === "boolean" || typeof value === "string") return { Value: value };
  if (typeof value === "number" || typeof value === "bigint") return longForm(BigInt(value));
  const parts = value as unknown as Readonly<Record<string, Value>>;
  switch ((value.constructor as { name: string }).name) {
    case "EntityUid":
      return { Value: { __entity: { type: String(parts["type"]), id: String(parts["id"]) } } };
    case "SetValue":
      return { Set: (value as { items: readonly Value[] } & object).items.map(formOf) };
    case "DecimalValue":
      return { decimal: [{ Value: decimalText(BigInt(parts["units"] as bigint)) }] };
    case "DatetimeValue":
      return { offset: [{ datetime: [{ Value: "1970-01-01" }] }, { duration: [{ Value: `${String(parts["ms"])}ms` }] }] };
    case "DurationValue":
      return { duration: [{ Value: `${String(parts["ms"])}ms` }] };
    case "IpValue":
      return { ip: [{ Value: addressText(value as unknown as { v6: boolean; address: bigint; prefix: number }) }] };
    default: {
      const record = value as RecordValue;
      return { Record: Object.fromEntries(record.names().map((name) => [name, formOf(record.get(name) ?? false)])) };
    }
  }
};

// A JSON number carries no more than 2^53 exactly, and powers of two.
const longForm = (value: bigint): JsonObject => {
  if (BigInt(Number(value)) === value && BigInt.asIntN(64, BigInt(Number(value))) === value) return { Value: Number(value) };
  const high = (value >> 32n) << 32n;
  return { "+": { left: { Value: Number(high) }, right: { Value: Number(value - high) } } };
};

const decimalText = (units: bigint): string => {
  const size = units < 0n ? -units : units;
  return `${units < 0n ? "-" : ""}${size / 10_000n}.${String(size % 10_000n).padStart(4, "0")}`;
};

const addressText = ({ v6, address, prefix }: { v6: boolean; address: bigint; prefix: number }): string => {
  const groups = Array.from({ length: v6 ? 8 : 4 }, (_, index) => (address >> BigInt((v6 ? 16 : 8) * ((v6 ? 7 : 3) - index))) & (v6 ? 0xffffn : 0xffn));
  const written = groups.map((group) => group.toString(v6 ? 16 : 10)).join(v6 ? ":" : ".");
  return `${written}/${prefix}`;
};
