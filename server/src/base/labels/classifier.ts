import { isObject, type Json } from "@lanyard/contract";
import { assignedIn, urlPasswordsIn } from "./assigned.ts";
import { fold } from "./fold.ts";
import { cardsIn, emailsIn, ibansIn, nationalIdsIn, phonesIn } from "./personal.ts";
import { formatsIn, privateKeysIn } from "./secrets.ts";
import type { Span } from "./span.ts";

/** Digits enough for a number that somebody could be known by. */
const hasNumber = /\d(?:[ .()/-]{0,2}\d){5}|[A-Za-z]{6}\d{2}/;

const separator = /(?:^|[_\-. ])/;
const spoken = (context: string): string => context.replace(/([a-z0-9])([A-Z])/g, "$1 $2").replace(new RegExp(separator, "g"), " ").trim();

/** Labels with those that they imply, sorted, without repeats. */
export const impliedBy = (labels: Iterable<string>): string[] => {
  const all = new Set<string>();
  for (const label of labels) for (let at = label.length; at > 0; at = label.lastIndexOf(".", at - 1)) all.add(label.slice(0, at));
  return [...all].sort();
};

/** What is looked for beside the built-in classes. */
export interface OwnClasses {
  /** Of the organisation's patterns and sets; offsets are those of the folded text. */
  readonly finders: readonly ((text: string) => Span[])[];
}

/**
 * Tells which classes of data a value holds. Pure, and linear in what it is given. Texts are read as a person would: without what does not show,
 * and with digits and letters of other scripts as those they look like.
 */
export class Classifier {
  readonly #own: OwnClasses["finders"];

  constructor({ finders }: OwnClasses = { finders: [] }) {
    this.#own = finders;
  }

  /** Where values of any class stand in a text, in order. `field`: the name it has, such as `password`, which tells much about it. */
  spans(text: string, field = ""): Span[] {
    if (text.length < 4) return [];
    const { text: plain, original } = fold(text);
    const context = spoken(field);
    const found: Span[] = [...formatsIn(plain), ...privateKeysIn(plain), ...assignedIn(plain, context), ...urlPasswordsIn(plain)];
    if (plain.includes("@")) found.push(...emailsIn(plain));
    if (hasNumber.test(plain)) {
      const numbers = [...ibansIn(plain), ...cardsIn(plain, context), ...nationalIdsIn(plain, context)];
      const taken = [...found, ...numbers];
      // A number is one thing: what passes as a card or an id by its check digits is no telephone.
      found.push(...numbers, ...phonesIn(plain, context).filter((phone) => !taken.some((span) => span.start < phone.end && phone.start < span.end)));
    }
    for (const find of this.#own) found.push(...find(plain));
    return found.map(({ label, start, end }) => ({ label, ...original(start, end) })).sort((a, b) => a.start - b.start || b.end - a.end);
  }

  /** Classes of what stands in a text, with those they imply, sorted. */
  detect(text: string, field = ""): readonly string[] {
    return impliedBy(this.spans(text, field).map(({ label }) => label));
  }

  /** Classes of all texts, numbers and names in a value, also of secrets that were split over several of its texts. */
  detectIn(value: Json, field = ""): readonly string[] {
    const found = new Set<string>();
    const leaves = [...textsOf(value, field)];
    for (const leaf of leaves) for (const { label } of this.spans(leaf.text, leaf.field)) found.add(label);
    if (!found.has("secret") && splitSecrets(leaves).size > 0) found.add("secret");
    return impliedBy(found);
  }
}

/** A text of a value, or the name of one of its fields; `field`: the name it stands under. */
export interface LabelledText {
  readonly text: string;
  readonly field: string;
  readonly isName: boolean;
}

/** All texts in a value, numbers as texts, names of fields before what they hold. */
export function* textsOf(value: Json, field: string): Generator<LabelledText> {
  if (typeof value === "string") yield { text: value, field, isName: false };
  else if (typeof value === "number" && Math.abs(value) > 99_999) yield { text: String(value), field, isName: false };
  else if (Array.isArray(value)) for (const item of value) yield* textsOf(item, field);
  else if (isObject(value)) {
    for (const [name, item] of Object.entries(value)) {
      yield { text: name, field: "", isName: true };
      yield* textsOf(item, name);
    }
  }
}

const mostPieces = 4096;
const longestPiece = 200;

/** Texts that hold parts of one key, when they are read one after the other: values alone, or with the names that they stand under. */
export function splitSecrets<L extends LabelledText>(leaves: readonly L[]): Set<L> {
  const few = leaves.slice(0, mostPieces);
  return new Set([...joined(few.filter(({ isName }) => !isName)), ...joined(few)]);
}

function joined<L extends LabelledText>(leaves: readonly L[]): L[] {
  if (leaves.length < 2) return [];
  const pieces = leaves.map(({ text }) => fold(text.length > 2 * longestPiece ? `${text.slice(0, longestPiece)} ${text.slice(-longestPiece)}` : text).text.trim());
  const starts: number[] = [];
  let whole = "";
  for (const piece of pieces) {
    starts.push(whole.length);
    whole += piece;
  }
  const found = formatsIn(whole, new Set([...starts, whole.length]));
  return leaves.filter((_leaf, at) => {
    const from = starts[at] ?? 0;
    const to = from + (pieces[at]?.length ?? 0);
    return found.some(({ start, end }) => start < to && end > from && (start < from || end > to));
  });
}
