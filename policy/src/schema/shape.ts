import { isObject, type Json, type JsonObject } from "@lanyard/contract";

/**
 * What policy may know of one value: the part of a JSON Schema that Cedar can express. Fields are a sorted list, not an object, so
 * that a field named `__proto__` is a field like any other.
 */
export type Shape =
  | { readonly kind: "string" | "long" | "decimal" | "boolean" }
  | { readonly kind: "set"; readonly of: Shape }
  | RecordShape
  /** One of several: a record with at most one field, named by the kind of the value (`string`, `long`, `set` ...). */
  | { readonly kind: "tagged"; readonly of: readonly Shape[] };

export interface RecordShape {
  readonly kind: "record";
  readonly fields: readonly Field[];
}

export interface Field {
  readonly name: string;
  readonly shape: Shape;
  /** False when the schema lists it under `required` and it may not be null. */
  readonly required: boolean;
}

/** What a path of names leads to; a set on the way stands for each of its items, of several types the first that has it. Null when none is declared. */
export const shapeAt = (shape: Shape, [step, ...below]: readonly string[]): Shape | null => {
  if (step === undefined) return shape;
  if (shape.kind === "set") return shapeAt(shape.of, [step, ...below]);
  if (shape.kind === "tagged") return shape.of.map((part) => shapeAt(part, [step, ...below])).find((found) => found !== null) ?? null;
  const field = shape.kind === "record" ? shape.fields.find(({ name }) => name === step) : undefined;
  return field === undefined ? null : shapeAt(field.shape, below);
};

/** Something an author of policies should know about how a tool's schema was read. */
export interface Note {
  readonly action: string;
  /** JSON pointer into the tool's input schema; empty for the whole. */
  readonly at: string;
  readonly text: string;
}

/** How a note ends that says that policy is not shown a value at all. */
export const hides = "policy cannot see it";

/** Keys by which Cedar's JSON marks entities and extension values; as names of arguments they never reach it. */
export const reservedKeys: ReadonlySet<string> = new Set(["__entity", "__extn", "__expr"]);

const bounds = { depth: 12, nodes: 4000 } as const;

/** A reading of a sub-schema: no shape means that policy cannot see the value at all. */
interface Reading {
  readonly shape: Shape | null;
  readonly nullable: boolean;
  /** It can be nothing but null: an alternative that says nothing of the others. */
  readonly isNull?: true;
}
const opaque: Reading = { shape: null, nullable: true };
const unseen: Reading = { shape: null, nullable: false };
const onlyNull: Reading = { shape: null, nullable: true, isNull: true };
const seen = (shape: Shape): Reading => ({ shape, nullable: false });

interface Reader {
  readonly root: Json;
  nodes: number;
  /** The references that are being followed: one that leads back to itself is recursive. */
  references: readonly string[];
  note(at: string, text: string): void;
}

/**
 * Reads a tool's `inputSchema` (JSON Schema 2020-12 or draft 7) into the shape of `context.input`, stable under reordering of the schema.
 * Never throws: what Cedar cannot express is left out and noted.
 */
export const shapeOfInput = (schema: Json, note: (at: string, text: string) => void): RecordShape => {
  const noted = new Map<string, string>();
  const once = (at: string, text: string): void => void (noted.has(at) || noted.set(at, text));
  const reader = { root: schema, nodes: 0, references: [], note: once };
  const { shape } = read(reader, schema, "", 0);
  if (reader.nodes > bounds.nodes) {
    // Which part came first would depend on the order of the schema: all or nothing.
    note("", `the schema has more than ${bounds.nodes} parts; policy sees none of the arguments`);
    return { kind: "record", fields: [] };
  }
  for (const [at, text] of noted) note(at, text);
  if (shape?.kind === "record") return shape;
  if (shape !== null && !noted.has("")) note("", "arguments are not an object; policy sees none of them");
  return { kind: "record", fields: [] };
};

const read = (reader: Reader, schema: Json, at: string, depth: number): Reading => {
  if (!isObject(schema)) return opaque; // `true` and `false` are schemas too
  reader.nodes += 1;
  if (reader.nodes > bounds.nodes) return opaque;
  if (depth > bounds.depth) {
    reader.note(at, `nested too deeply; ${hides}`);
    return opaque;
  }
  for (const key of ["if", "dependentSchemas"]) if (Object.hasOwn(schema, key)) reader.note(`${at}/${key}`, "a conditional part of the schema is not read; policy cannot see what only it declares");
  const parts: Reading[] = [readOwn(reader, schema, at, depth)];
  if (typeof schema["$ref"] === "string") parts.push(readReference(reader, schema["$ref"], at, depth));
  for (const key of ["allOf", "anyOf", "oneOf"]) {
    const branches = Object.hasOwn(schema, key) ? schema[key] : undefined;
    if (!Array.isArray(branches)) continue;
    const readings = branches.map((branch, index) => read(reader, branch, `${at}/${key}/${index}`, depth + 1));
    if (key === "allOf") parts.push(...readings);
    else parts.push(either(readings, (text) => reader.note(`${at}/${key}`, text)));
  }
  const reading = allOf(parts, (text) => reader.note(at, text));
  return schema["nullable"] === true ? { ...reading, nullable: true } : reading; // as OpenAPI 3.0 says it
};

const readReference = (reader: Reader, reference: string, at: string, depth: number): Reading => {
  let target: Json | undefined = reference === "#" || reference.startsWith("#/") ? reader.root : undefined;
  for (const step of reference.split("/").slice(1)) {
    const key = step.replaceAll("~1", "/").replaceAll("~0", "~");
    target = (isObject(target) || Array.isArray(target)) && Object.hasOwn(target, key) ? (target as JsonObject)[key] : undefined;
  }
  if (reader.references.includes(reference)) {
    reader.note(at, "recursive; policy cannot see it from here on");
    return opaque;
  }
  if (target !== undefined) {
    const before = reader.references;
    reader.references = [...before, reference];
    const reading = read(reader, target, at, depth + 1);
    reader.references = before;
    return reading;
  }
  reader.note(at, `a \`$ref\` that leads nowhere in this schema; ${hides}`);
  return opaque;
};

const typesOf = (schema: JsonObject): readonly string[] => {
  const type = schema["type"];
  if (typeof type === "string") return [type];
  if (Array.isArray(type)) return type.filter((name) => typeof name === "string");
  const values = Array.isArray(schema["enum"]) ? schema["enum"] : Object.hasOwn(schema, "const") ? [schema["const"] ?? null] : [];
  if (values.length > 0) return [...new Set(values.map(jsonTypeOf))];
  if (isObject(schema["properties"])) return ["object"];
  return schema["items"] === undefined ? [] : ["array"];
};

const jsonTypeOf = (value: Json): string => {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
};

/** The schema's own keywords, without its combinators. */
const readOwn = (reader: Reader, schema: JsonObject, at: string, depth: number): Reading => {
  const types = typesOf(schema);
  if (types.length === 0) return opaque;
  if (Array.isArray(schema["enum"]) && types.includes("string")) reader.note(at, "an enumeration is a plain String; a value outside it is not refused");
  return either(types.map((type) => readType(reader, schema, type, at, depth)), (text) => reader.note(at, text));
};

const readType = (reader: Reader, schema: JsonObject, type: string, at: string, depth: number): Reading => {
  switch (type) {
    case "string":
      return seen({ kind: "string" });
    case "integer":
      return seen({ kind: "long" });
    case "number":
      reader.note(at, "a number is a decimal: more than four digits after the point are refused");
      return seen({ kind: "decimal" });
    case "boolean":
      return seen({ kind: "boolean" });
    case "null":
      return onlyNull;
    case "array":
      return readArray(reader, schema, at, depth);
    case "object":
      return readObject(reader, schema, at, depth);
    default:
      reader.note(at, `has an unknown type; ${hides}`);
      return opaque;
  }
};

const readArray = (reader: Reader, schema: JsonObject, at: string, depth: number): Reading => {
  if (schema["items"] === undefined || Array.isArray(schema["items"]) || schema["prefixItems"] !== undefined) {
    reader.note(at, `an array without one type for all its items; ${hides}`);
    return unseen;
  }
  const item = read(reader, schema["items"], `${at}/items`, depth + 1);
  if (item.shape === null || item.nullable) {
    reader.note(at, `an array whose items policy cannot see, or that may be null; ${hides}`);
    return unseen;
  }
  reader.note(at, "an array is a Set: its order and its duplicates are lost to policy");
  return seen({ kind: "set", of: item.shape });
};

const readObject = (reader: Reader, schema: JsonObject, at: string, depth: number): Reading => {
  const properties = isObject(schema["properties"]) ? schema["properties"] : {};
  const required = new Set(Array.isArray(schema["required"]) ? schema["required"] : []);
  const names = Object.keys(properties).sort();
  if (isObject(schema["additionalProperties"]) || isObject(schema["patternProperties"])) {
    reader.note(at, "arguments beyond those named are accepted by the tool; policy cannot see them");
  }
  if (names.length === 0 && at !== "") {
    if (schema["additionalProperties"] !== false) reader.note(at, `an object without named fields; ${hides}`);
    return unseen;
  }
  const fields: Field[] = [];
  for (const name of names) {
    const place = `${at}/properties/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    if (reservedKeys.has(name) || !name.isWellFormed()) {
      reader.note(place, `has a name that Cedar keeps for itself; ${hides}`);
      continue;
    }
    const { shape, nullable } = read(reader, properties[name] ?? null, place, depth + 1);
    if (shape === null) reader.note(place, `no type that Cedar has; ${hides}`);
    else fields.push({ name, shape, required: required.has(name) && !nullable });
  }
  return seen({ kind: "record", fields });
};

/** One of the readings holds: equal shapes stay, records become one with optional fields, anything else is tagged by its kind. */
const either = (readings: readonly Reading[], note: (text: string) => void): Reading => {
  const typed = readings.filter(({ isNull }) => isNull !== true);
  const nullable = readings.some((reading) => reading.nullable);
  if (typed.length === 0) return onlyNull;
  const byKind = new Map<Shape["kind"], Shape>();
  for (const { shape } of typed) {
    if (shape === null) return { shape: null, nullable };
    for (const part of shape.kind === "tagged" ? shape.of : [shape]) {
      const before = byKind.get(part.kind);
      const merged = before === undefined ? part : unite(before, part, note);
      if (merged === null) return { shape: null, nullable };
      byKind.set(part.kind, merged);
    }
  }
  if (byKind.has("decimal")) byKind.delete("long"); // every integer is a number
  const [first, ...more] = [...byKind.values()].sort((left, right) => (left.kind < right.kind ? -1 : 1));
  if (first === undefined || more.length === 0) return { shape: first ?? null, nullable };
  note("one of several types: policy reads it as a record with one field named by the type, such as `string` or `long`");
  return { shape: { kind: "tagged", of: [first, ...more] }, nullable };
};

/** Two shapes of one kind as one that holds values of both. */
const unite = (left: Shape, right: Shape, note: (text: string) => void): Shape | null => {
  if (left.kind === "set" && right.kind === "set") {
    const { shape } = either([seen(left.of), seen(right.of)], note);
    return shape === null ? null : { kind: "set", of: shape };
  }
  if (left.kind !== "record" || right.kind !== "record") return left;
  return mergeFields([left, right], (pair) => ({
    shape: either(pair.map((field) => seen(field.shape)), note).shape,
    required: pair.length === 2 && pair.every((field) => field.required),
  }));
};

/** All readings hold at once (`allOf`, or keywords beside a combinator). What says nothing of the type leaves it to the others. */
const allOf = (readings: readonly Reading[], note: (text: string) => void): Reading => {
  if (readings.some(({ isNull }) => isNull === true)) return onlyNull;
  const nullable = readings.every((reading) => reading.nullable);
  const shapes = readings.flatMap(({ shape }) => shape ?? []);
  const [first] = shapes;
  if (first === undefined) return { shape: null, nullable };
  const records = shapes.filter((shape) => shape.kind === "record");
  if (records.length === shapes.length) {
    const merged = mergeFields(records, (fields) => ({
      shape: allOf(fields.map((field) => seen(field.shape)), note).shape,
      required: fields.some((field) => field.required),
    }));
    return { shape: merged, nullable };
  }
  if (shapes.every((shape) => JSON.stringify(shape) === JSON.stringify(first))) return { shape: first, nullable };
  note(`two parts of the schema disagree on its type; ${hides}`);
  return opaque;
};

/** One record of all fields; `merge` is given those of one name, at most one from each record. */
const mergeFields = (records: readonly RecordShape[], merge: (fields: readonly Field[]) => { shape: Shape | null; required: boolean }): RecordShape => {
  const byName = new Map<string, Field[]>();
  for (const field of records.flatMap(({ fields }) => fields)) byName.set(field.name, [...(byName.get(field.name) ?? []), field]);
  const fields = [...byName.keys()].sort().flatMap((name): Field[] => {
    const { shape, required } = merge(byName.get(name) ?? []);
    return shape === null ? [] : [{ name, shape, required }];
  });
  return { kind: "record", fields };
};
