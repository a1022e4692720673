import type { Json, JsonObject } from "@lanyard/contract";
import type { Yields } from "../../base/config/labels.ts";

/** Fields that say who wrote a record, with those whose word it is trusted as. */
export type Authors = Yields["author"];

/** Addresses in a text, as they stand in the field of a header. */
export const address = /[^\s<>"'(),;:[\]]+@[^\s<>"'(),;:[\]]+/g;
const mostAuthors = 64;

/** What a field says, if it is a text, a list of some, or yes or no (`verified`). */
const saidIn = (value: Json | undefined): readonly string[] => (typeof value === "string" || typeof value === "boolean" ? [String(value)] : Array.isArray(value) && value.length <= mostAuthors && value.every((item) => typeof item === "string") ? (value as string[]) : []);

const aside = /\((?![^()]*\b(?:guest|extern|outsid|visitor|contractor|former))[^()]*\)\s*$/i;

/** Every address there is must be one of them, so that `"ana@ours.example" <mallory@evil.example>` is not; where there is none, the whole text but for what stands in parentheses behind it: `office (Jonas)`, and not `mina (guest)`. */
function isOneOf(known: ReadonlySet<string>, text: string): boolean {
  const addresses = text.toLowerCase().match(address);
  if (addresses === null) return known.has(text.replace(aside, "").trim().toLowerCase());
  return addresses.every((one) => known.has(one) || known.has(one.slice(one.lastIndexOf("@") + 1)));
}

/** Whose word a record is: true when all who wrote it are known, false when somebody else did, null when it does not say. */
export function isWordOfKnown(record: JsonObject, authors: Authors): boolean | null {
  let answer: boolean | null = null;
  for (const [field, known] of authors) {
    const value = record[field];
    if (value === undefined || value === null) continue;
    const said = saidIn(value);
    answer = answer !== false && said.length > 0 && said.every((text) => isOneOf(known, text));
  }
  return answer;
}
