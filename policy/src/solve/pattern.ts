import { matches, piecesOf, type PatternPart } from "../cedar/like.ts";

/** A pattern of `like`, and whether a text is to match it. */
export interface Wish {
  readonly pattern: Pattern;
  readonly match: boolean;
}

/** A pattern made ready: to test a text, and to be followed character by character. */
export interface Pattern {
  readonly matches: (text: string) => boolean;
  /** One character each; null stands for any text. */
  readonly parts: readonly (string | null)[];
  readonly pieces: readonly string[];
}

export const patternOf = (written: readonly PatternPart[]): Pattern => {
  const parts = written.flatMap((part): (string | null)[] => (part === "Wildcard" ? [null] : [...part.Literal]));
  const pieces = piecesOf(written);
  return { matches: (text) => matches(pieces, text), parts, pieces };
};

/** Steps of a search before it gives up. */
const patience = 20_000;

/** A text, "none" when no text fulfils all wishes, "unknown" when the search was given up or all texts there are were refused. */
export type Found = { readonly text: string } | "none" | "unknown";

/**
 * A text that fulfils all wishes and is not refused; likely texts are tried first, then every text in order of length until it is certain.
 */
export const textFor = (wishes: readonly Wish[], refused: (text: string) => boolean, likely: readonly string[] = []): Found => {
  const fits = (text: string): boolean => wishes.every(({ pattern, match }) => pattern.matches(text) === match) && !refused(text);
  const guess = [...likely, ...guesses(wishes)].find(fits);
  return guess === undefined ? search(wishes, refused) : { text: guess };
};

/** Texts made of what the wished patterns hold: begin, middle and end, with something or nothing between. */
const guesses = (wishes: readonly Wish[]): string[] => {
  const wanted = wishes.filter(({ match }) => match).map(({ pattern }) => pattern.pieces);
  const longest = (pieces: readonly string[]): string => pieces.reduce((one, two) => (two.length > one.length ? two : one), "");
  const start = longest(wanted.map((pieces) => pieces[0] ?? ""));
  const end = longest(wanted.map((pieces) => (pieces.length > 1 ? (pieces.at(-1) ?? "") : "")));
  const middle = wanted.flatMap((pieces) => pieces.slice(1, -1)).filter((piece) => piece !== "");
  return ["", "x", "y", "1", " "].flatMap((filler) => {
    const inner = [...new Set(middle)].join(filler);
    return [`${start}${filler}${inner}${filler}${end}`, `${start}${inner}${filler}${end}`, `${start}${filler}${end}`, `${start}${filler}`];
  });
};

interface Place {
  readonly text: string;
  readonly at: readonly (readonly number[])[];
}

/** Breadth first over what all patterns have read so far: exact, because only characters that some pattern names tell texts apart. */
const search = (wishes: readonly Wish[], refused: (text: string) => boolean): Found => {
  const alphabet = alphabetOf(wishes);
  const start: Place = { text: "", at: wishes.map(({ pattern }) => closure(pattern, [0])) };
  const seen = new Set<string>([keyOf(start)]);
  const open = [start];
  let refusals = false;
  for (let next = 0; next < open.length; next++) {
    const place = open[next];
    if (place === undefined || next > patience) return "unknown";
    const fits = wishes.every(({ pattern, match }, index) => (place.at[index] ?? []).includes(pattern.parts.length) === match);
    if (fits && !refused(place.text)) return { text: place.text };
    refusals ||= fits;
    for (const char of alphabet) {
      const after: Place = { text: place.text + char, at: wishes.map(({ pattern }, index) => step(pattern, place.at[index] ?? [], char)) };
      const key = refusals ? after.text : keyOf(after); // once a text was refused, others that read alike may still do
      if (seen.has(key) || isLost(wishes, after)) continue;
      seen.add(key);
      open.push(after);
    }
  }
  return refusals ? "unknown" : "none";
};

const keyOf = ({ at }: Place): string => at.map((places) => places.join(",")).join(";");

/** True when a wished pattern can no longer match. */
const isLost = (wishes: readonly Wish[], { at }: Place): boolean => wishes.some(({ match }, index) => match && at[index]?.length === 0);

/** Every character that some pattern names, and one that none does. */
const alphabetOf = (wishes: readonly Wish[]): readonly string[] => {
  const named = new Set(wishes.flatMap(({ pattern }) => pattern.parts.filter((part) => part !== null)));
  let other = 0x78;
  while (named.has(String.fromCodePoint(other))) other += 1;
  return [String.fromCodePoint(other), ...[...named].sort()];
};

const closure = ({ parts }: Pattern, places: readonly number[]): readonly number[] => {
  const all = new Set<number>();
  for (const from of places) {
    all.add(from);
    for (let at = from; parts[at] === null; at++) all.add(at + 1);
  }
  return [...all].sort((left, right) => left - right);
};

const step = (pattern: Pattern, places: readonly number[], char: string): readonly number[] =>
  closure(
    pattern,
    places.flatMap((at) => (pattern.parts[at] === null ? [at] : pattern.parts[at] === char ? [at + 1] : [])),
  );
