import { isObject, type Json, type JsonObject } from "@lanyard/contract";
import type { RecordShape, Shape } from "@lanyard/policy";
import { cedarField, cedarHas, cedarPart, cedarPrefix, cedarString } from "../../base/cedar-text.ts";

/** Up to so many different values are listed one by one. */
const few = 8;
/** So many names are listed where nothing shorter says what they have in common. */
const manyNames = 32;
/** A longer text is content, not a name: nobody calls with it again. */
const nameChars = 120;

/** What is said of a value, and what could not be said. */
interface Narrowing {
  readonly terms: readonly string[];
  readonly notes: readonly string[];
}

const nothing: Narrowing = { terms: [], notes: [] };
const only = (...terms: string[]): Narrowing => ({ terms, notes: [] });
const unnarrowed = (note: string): Narrowing => ({ terms: [], notes: [note] });

/** The narrowest conditions that all these arguments meet; each is a Cedar expression, and all must hold. */
export const conditionsOf = (shape: RecordShape, seen: readonly JsonObject[]): Narrowing => ofRecord("context.input", "", shape, seen);

const present = (record: JsonObject, name: string): Json | undefined => {
  const value = Object.hasOwn(record, name) ? record[name] : undefined;
  return value === null ? undefined : value;
};

const ofRecord = (at: string, path: string, { fields }: RecordShape, seen: readonly JsonObject[]): Narrowing => {
  const terms: string[] = [];
  const notes: string[] = [];
  for (const { name, shape, required } of fields) {
    const values = seen.map((record) => present(record, name)).filter((value) => value !== undefined);
    if (values.length === 0) {
      terms.push(`!(${cedarHas(at, name)})`);
      continue;
    }
    const inner = ofValue(cedarField(at, name), path === "" ? name : `${path}.${name}`, shape, values);
    notes.push(...inner.notes);
    // Cedar's validator knows that a field is there after `has` in an `if`, not after `!has ||`.
    if (values.length < seen.length) terms.push(...(inner.terms.length > 0 ? [`(if ${cedarHas(at, name)} then ${inner.terms.join(" && ")} else true)`] : []));
    else terms.push(...(required ? [] : [cedarHas(at, name)]), ...inner.terms);
  }
  return { terms, notes };
};

const ofValue = (at: string, path: string, shape: Shape, values: readonly Json[]): Narrowing => {
  switch (shape.kind) {
    case "boolean":
      return new Set(values).size > 1 ? nothing : only(`${at} == ${String(values[0])}`);
    case "string":
      return ofStrings(at, path, [...new Set(values.filter((value) => typeof value === "string"))].sort());
    case "long":
    case "decimal":
      return ofNumbers(at, shape.kind, [...new Set(values.filter((value) => typeof value === "number"))].sort((left, right) => left - right));
    case "set":
      return ofSets(at, path, shape.of, values.filter((value) => Array.isArray(value)));
    case "record":
      return ofRecord(at, path, shape, values.filter(isObject));
    case "tagged":
      return ofRecord(at, path, fieldsByKind(shape.of), values.map((value) => ({ [kindOf(value, shape.of)]: value })));
  }
};

/** Policy sees a value of several types as a record with one field, named by the kind it has. */
const fieldsByKind = (shapes: readonly Shape[]): RecordShape => ({ kind: "record", fields: shapes.map((shape) => ({ name: shape.kind, shape, required: false })) });

const kindOf = (value: Json, shapes: readonly Shape[]): string => {
  if (Array.isArray(value)) return "set";
  if (typeof value === "object") return "record";
  return typeof value === "number" ? (shapes.find(({ kind }) => kind === "long" || kind === "decimal")?.kind ?? "long") : typeof value;
};

const oneOf = (at: string, literals: readonly string[]): string => (literals.length === 1 ? `${at} == ${literals[0]}` : `[${literals.join(", ")}].contains(${at})`);

const ofStrings = (at: string, path: string, texts: readonly string[]): Narrowing => {
  const most = texts.every((text) => text.length <= nameChars) ? manyNames : 0;
  const folder = texts.length > Math.min(few, most) ? commonFolder(texts) : null;
  if (folder === null && texts.length <= most) return only(oneOf(at, texts.map(cedarString)));
  if (folder === null) return unnarrowed(`\`${path}\` may be any text; seen: ${texts.length} different`);
  const unused = tricks.filter((trick) => !texts.some((text) => text.includes(trick)));
  return only(`${at} like ${cedarPrefix(folder)}`, ...unused.map((trick) => `!(${at} like ${cedarPart(trick)})`));
};

// A prefix says where a path begins, not where it ends: what leads out of a folder again is refused unless somebody needed it.
const tricks = ["..", "\\", "%", "//"];
/** A URL up to the slash behind its host, without user info: `https://good.com` also begins `https://good.com.evil`. */
const wholeHost = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/@\\]+\//;

/** The folder that all these paths or URLs are below, with its final slash; null when they are none, share none, or climb. */
const commonFolder = (texts: readonly string[]): string | null => {
  if (texts.some((text) => !text.includes("/") || /[\s\p{Cc}]/u.test(text) || text.split(/[/\\]/).includes(".."))) return null;
  const [first = "", last = ""] = [texts[0], texts.at(-1)]; // sorted: what these two share, all share
  let length = 0;
  while (length < first.length && first[length] === last[length]) length += 1;
  const folder = first.slice(0, first.slice(0, length).lastIndexOf("/") + 1);
  if (first.includes("://")) return wholeHost.test(folder) ? folder : null;
  return folder.length > 1 ? folder : null; // "/" alone says nothing
};

const decimal = (value: number): string => `decimal("${Number.isInteger(value) ? `${value}.0` : value}")`;

const ofNumbers = (at: string, kind: "long" | "decimal", values: readonly number[]): Narrowing => {
  const literal = (value: number): string => (kind === "decimal" ? decimal(value) : String(value));
  if (values.length <= few / 2) return only(oneOf(at, values.map(literal)));
  const [least, most] = [literal(values[0] ?? 0), literal(values.at(-1) ?? 0)];
  if (kind === "decimal") return only(`${at}.greaterThanOrEqual(${least})`, `${at}.lessThanOrEqual(${most})`);
  return only(`${at} >= ${least}`, `${at} <= ${most}`);
};

const ofSets = (at: string, path: string, shape: Shape, values: readonly (readonly Json[])[]): Narrowing => {
  const items = [...new Set(values.flat())];
  if (items.length === 0) return only(`${at}.isEmpty()`);
  const literals = items.map((item) => literalOf(shape, item));
  if (literals.some((literal) => literal === null) || items.length > few * 2) return unnarrowed(`\`${path}\` may hold anything; seen: ${items.length} different items`);
  return only(`[${literals.toSorted().join(", ")}].containsAll(${at})`);
};

const literalOf = ({ kind }: Shape, item: Json): string | null => {
  if (typeof item === "string") return item.length <= nameChars ? cedarString(item) : null;
  if (typeof item === "boolean") return String(item);
  if (typeof item === "number") return kind === "decimal" ? decimal(item) : String(item);
  return null;
};
