import { isObject, type Json, type JsonObject } from "@lanyard/contract";
import type { Yields } from "../../base/config/labels.ts";

/** Fields that say who wrote a record, with those whose word it is trusted as. */
export type Authors = Yields["author"];

const address = /[^\s<>"'(),;:[\]]+@[^\s<>"'(),;:[\]]+/g;
const mostAuthors = 64;

/** What a field says, if it is a text or a list of some. */
const saidIn = (value: Json | undefined): readonly string[] => (typeof value === "string" ? [value] : Array.isArray(value) && value.length <= mostAuthors && value.every((item) => typeof item === "string") ? (value as string[]) : []);

/** Every address there is must be one of them, so that `"ana@ours.example" <mallory@evil.example>` is not; where there is none, the whole text. */
function isOneOf(known: ReadonlySet<string>, text: string): boolean {
  const addresses = text.toLowerCase().match(address);
  if (addresses === null) return known.has(text.trim().toLowerCase());
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

/** Words with which a task leaves what is to be done to what somebody wrote. */
const leaving = /\b(?:asks?|asked|wants?|wanted|writes?|wrote|written|says?|said|lists?|listed|requests?|requested|describes?|described|sent|tells?|told|mentions?|mentioned|instructions?|according|per|see|as in|from (?:his|her|their))\b|(?:'s|’s|his|her|their) (?:e-?mail|mail|message|note|list|ticket|request|post|wishes)\b/iu;
const namesIn = (text: string): readonly string[] => text.toLowerCase().split(/[^\p{L}]+/u).filter((word) => word.length > 2);
const mostChars = 4000;

/**
 * What a record adds to a task that leaves it to its author what is to be done: `do what Yaw asks in his mail`, `set her up as in R-7802`. Null where the
 * task names neither somebody who wrote it nor one of its ids, or leaves nothing to them.
 */
export function addedBy(record: JsonObject, authors: Authors, task: string): string | null {
  if (!leaving.test(task)) return null;
  const words = new Set(task.toLowerCase().split(/[^\p{L}\p{N}_-]+/u).map((word) => word.replace(/^-+|-+$/g, "")));
  const people = [...authors.keys()].flatMap((field) => saidIn(record[field])).flatMap((said) => [...namesIn(said.replace(address, (one) => ` ${one.slice(0, one.lastIndexOf("@"))} `))]);
  const ids = Object.values(record).filter((value): value is string => typeof value === "string" && value.length >= 4 && value.length <= 64 && /\d/.test(value) && /^[\p{L}\p{N}_-]+$/u.test(value));
  if (![...people, ...ids].some((name) => words.has(name.toLowerCase()))) return null;
  return textsOf(record).join("\n").slice(0, mostChars);
}

const textsOf = (value: Json): readonly string[] => (typeof value === "string" ? [value] : Array.isArray(value) ? value.flatMap(textsOf) : isObject(value) ? Object.values(value).flatMap(textsOf) : []);
