import { isObject, type Json } from "@lanyard/contract";
import { names, remembered } from "../remembered.ts";
import { assignedIn, secretWordIn, urlPasswordsIn } from "./assigned.ts";
import { fold } from "./fold.ts";
import { cardsIn, emailsIn, ibansIn, nationalIdsIn, phonesIn } from "./personal.ts";
import { formatsIn, privateKeysIn } from "./secrets.ts";
import { shortestRun, sign, signsOf } from "./signs.ts";
import { noSpans, type Span } from "./span.ts";

/** The name of a field as words, and the word in it that says that it holds a secret. */
interface FieldName {
  readonly context: string;
  readonly secretWord: string | null;
}

const read = remembered(names, (field): FieldName => {
  const context = field.replace(/([a-z0-9])([A-Z])/g, "$1 $2").replace(/(?:^|[_\-. ])/g, " ").trim();
  return { context, secretWord: secretWordIn(context) };
});

/** Labels with those that they imply, sorted, without repeats. */
export const impliedBy = (labels: Iterable<string>): string[] => {
  const all = new Set<string>();
  for (const label of labels) for (let at = label.length; at > 0; at = label.lastIndexOf(".", at - 1)) all.add(label.slice(0, at));
  return [...all].sort();
};

const noLabels: readonly string[] = [];

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
  /** Classes of what stands in the name of a field, with those they imply, sorted: names are few, and asked about with each call. */
  readonly detectInName: (name: string) => readonly string[] = remembered(names, (name) => this.detect(name));

  constructor({ finders }: OwnClasses = { finders: [] }) {
    this.#own = finders;
  }

  /** Where values of any class stand in a text, in order. `field`: the name it has, such as `password`, which tells much about it. */
  spans(text: string, field = ""): readonly Span[] {
    if (text.length < 4) return noSpans;
    let signs = signsOf(text);
    const folded = signs & sign.foreign ? fold(text) : null;
    const plain = folded?.text ?? text;
    if (folded) signs = signsOf(plain);
    const { context, secretWord } = read(field);
    const found: Span[] = [];
    if (signs & sign.key) found.push(...formatsIn(plain));
    found.push(...privateKeysIn(plain));
    if (secretWord !== null || signs & (sign.assignment | sign.credential)) found.push(...assignedIn(plain, secretWord, signs));
    found.push(...urlPasswordsIn(plain));
    if (plain.includes("@")) found.push(...emailsIn(plain));
    if (signs & sign.number) this.#numbers(plain, context, found);
    for (const find of this.#own) found.push(...find(plain));
    if (found.length === 0) return noSpans;
    const placed = folded === null ? found : found.map(({ label, start, end }) => ({ label, ...folded.original(start, end) }));
    return placed.sort((a, b) => a.start - b.start || b.end - a.end);
  }

  /** A number is one thing: what passes as a card or an id by its check digits is no telephone. */
  #numbers(plain: string, context: string, found: Span[]): void {
    found.push(...ibansIn(plain), ...cardsIn(plain, context), ...nationalIdsIn(plain, context));
    const phones = phonesIn(plain, context);
    if (phones.length > 0) found.push(...phones.filter((phone) => !found.some((span) => span.start < phone.end && phone.start < span.end)));
  }

  /** Classes of what stands in a text, with those they imply, sorted. */
  detect(text: string, field = ""): readonly string[] {
    const spans = this.spans(text, field);
    return spans.length === 0 ? noLabels : impliedBy(spans.map(({ label }) => label));
  }

  /** Classes of all texts, numbers and names in a value, also of secrets that were split over several of its texts. */
  detectIn(value: Json, field = ""): readonly string[] {
    const found = new Set<string>();
    const leaves = textsOf(value, field);
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

/** All texts in a value, numbers as texts, names of fields before what they hold; put behind those in `texts`. */
export function textsOf(value: Json, field: string, texts: LabelledText[] = []): LabelledText[] {
  if (typeof value === "string") texts.push({ text: value, field, isName: false });
  else if (typeof value === "number" && Math.abs(value) > 99_999) texts.push({ text: String(value), field, isName: false });
  else if (Array.isArray(value)) for (const item of value) textsOf(item, field, texts);
  else if (isObject(value)) {
    for (const name of Object.keys(value)) {
      texts.push({ text: name, field: "", isName: true });
      textsOf(value[name] ?? null, name, texts);
    }
  }
  return texts;
}

const mostPieces = 4096;
const longestPiece = 200;

/** Texts that hold parts of one key, when they are read one after the other: values alone, or with the names that they stand under. */
export function splitSecrets<L extends LabelledText>(leaves: readonly L[]): ReadonlySet<L> {
  const pieces = leaves.slice(0, mostPieces).map((leaf) => ({ leaf, text: pieceOf(leaf.text) }));
  return new Set([...joined(pieces.filter(({ leaf }) => !leaf.isName)), ...joined(pieces)]);
}

/** As much of a text as can be part of a key that begins or ends elsewhere. */
const pieceOf = (text: string): string => fold(text.length > 2 * longestPiece ? `${text.slice(0, longestPiece)} ${text.slice(-longestPiece)}` : text).text.trim();

interface Piece<L> {
  readonly leaf: L;
  readonly text: string;
}

function joined<L extends LabelledText>(pieces: readonly Piece<L>[]): readonly L[] {
  if (pieces.length < 2) return [];
  const starts: number[] = [];
  let whole = "";
  for (const { text } of pieces) {
    starts.push(whole.length);
    whole += text;
  }
  if (whole.length < shortestRun.key) return [];
  const found = formatsIn(whole, new Set([...starts, whole.length]));
  if (found.length === 0) return [];
  return pieces.flatMap(({ leaf, text }, at) => {
    const from = starts[at] ?? 0;
    const to = from + text.length;
    return found.some(({ start, end }) => start < to && end > from && (start < from || end > to)) ? [leaf] : [];
  });
}
