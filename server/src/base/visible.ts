/**
 * Controls, formats (bidirectional, zero width), private, unassigned and lone halves; separators but the space; what Unicode lets a reader
 * ignore (fillers, joiners, variation selectors, tags); the empty braille cell. Words for a model hide where a person sees nothing.
 */
export const unseen = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}/gu;

/** The text with every character that does not show written as `\u{...}`. Safe to print on a terminal. */
export const visible = (text: string): string => text.replace(unseen, (character) => `\\u{${character.codePointAt(0)?.toString(16).toUpperCase() ?? "?"}}`);

/** The same line by line, so that line ends stay what they are. */
export const visibleLines = (text: string): string => text.split("\n").map(visible).join("\n");

/** At most `chars` characters, with a sign that something is missing. */
export const shortened = (text: string, chars: number): string => (text.length <= chars ? text : `${text.slice(0, chars - 1).toWellFormed()}…`);
