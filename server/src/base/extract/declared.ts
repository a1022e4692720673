import { isObject, type ArgumentRole, type JsonObject } from "@lanyard/contract";

/** Kinds of values that are read for what they mean; `text` says that nothing of the kind is in it, whatever it looks like. */
export const argumentKinds = ["sql", "shell", "url", "path", "email", "money", "code", "text"] as const;
export type ArgumentKind = (typeof argumentKinds)[number];

/** Types that policies can compare, by their names in JSON Schema; of `any` they see that it is there, and a text, a number or a truth below its kind. */
export const argumentTypes = ["string", "integer", "number", "boolean", "any"] as const;

/** What a tool's contract says of one argument, or of what lies in it. */
export interface DeclaredArgument {
  /** Null where only the role is said: the kind is then found as where nothing is said. */
  readonly kind: ArgumentKind | null;
  /** Null: by the name and the kind. */
  readonly role: ArgumentRole | null;
  /** For policies, where the server's own schema says none. */
  readonly type: (typeof argumentTypes)[number] | null;
  /** Of `sql`; null where nobody says. */
  readonly dialect: string | null;
  /** Of `code`; null where nobody says. */
  readonly language: string | null;
  /** Of `path`: what paths that are not absolute begin at; null where nobody says. */
  readonly root: string | null;
  /** Of `money`. `minor`: cents, and whatever else is a currency's smallest unit; `major`: whole ones. */
  readonly unit: "minor" | "major";
  /** Of `money`: its ISO 4217 code, or the argument that holds it (a path of names); null where nobody says. */
  readonly currency: string | { readonly argument: readonly string[] } | null;
}

/** By the path of names that leads to the argument, joined by dots; arrays on the way are walked through. */
export type DeclaredArguments = ReadonlyMap<string, DeclaredArgument>;

/** What a server says of its tool, as far as it was approved. */
export interface ToolShape {
  readonly inputSchema: JsonObject;
  readonly annotations?: JsonObject;
}

/**
 * A tool's schema with the types that its contract says of what lies in objects that the server says nothing of: `changes.mfa`. What the server says stays as it is, for
 * it refuses all else anyway.
 */
export function typedSchema(schema: JsonObject, declared: DeclaredArguments | undefined): JsonObject {
  return [...(declared ?? [])].reduce((typed, [path, { type }]) => (type === null ? typed : typedAt(typed, path.split("."), type)), schema);
}

function typedAt(schema: JsonObject, [step, ...below]: readonly string[], type: string): JsonObject {
  if (step === undefined) return saysType(schema) ? schema : { ...schema, ...(type === "any" ? whatever : { type }) };
  if (schema["type"] === "array") return { ...schema, items: typedAt(isObject(schema["items"]) ? schema["items"] : {}, [step, ...below], type) };
  if (saysType(schema) && schema["type"] !== "object") return schema;
  const properties = isObject(schema["properties"]) ? schema["properties"] : {};
  const known = Object.hasOwn(properties, step) ? properties[step] : {};
  return { ...schema, type: "object", properties: { ...properties, [step]: typedAt(isObject(known) ? known : {}, below, type) } };
}

/** Of a value that may be anything. An object without a field that policies could speak of is hidden from them altogether: hence one that nothing has. */
const single: readonly JsonObject[] = [{ type: "string" }, { type: "number" }, { type: "boolean" }, { type: "object", properties: { "(part)": { type: "boolean" } } }];
const whatever: JsonObject = { anyOf: [...single, { type: "array", items: { anyOf: [...single] } }] };

const saysType = (schema: JsonObject): boolean => ["type", "$ref", "allOf", "anyOf", "oneOf", "enum", "const"].some((key) => Object.hasOwn(schema, key));
