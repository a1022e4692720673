import { remembered } from "../remembered.ts";

const endings: readonly (readonly [RegExp, string])[] = [
  [/'s?$/, ""],
  [/(?<=[a-z]{2})ies$/, "y"],
  [/(?<=(?:s|x|z|ch|sh))es$/, "e"],
  [/(?<=[a-z]{2}[^s'u])s$/, ""], // Before what else ends a word: the `s` of `closed` is its own.
  [/(?:ization|isation)$/, "ize"],
  [/(?<=[a-z]{3})(?:ation|ion|ment|ing|ness)$/, ""],
  [/(?<=[a-z]{3})ied$/, "y"],
  [/(?<=[a-z]{2}[^e])ed$/, ""],
  [/(?<=[a-z]{2})(?:e|y|i)$/, ""],
];

/** What forms of an English word have in common: `booking`, `booked` and `books` are `book`. It is no word itself, and some words that differ share one. */
export const stemOf: (word: string) => string = remembered({ most: 8192, longest: 64 }, (word) => {
  let stem = word;
  for (const [ending, instead] of endings) stem = stem.replace(ending, instead);
  return stem === "off" ? stem : stem.replace(/([bdfglmnprt])\1$/, "$1"); // `of` stands in every task
});
