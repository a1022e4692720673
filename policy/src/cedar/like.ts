/** Part of a pattern: any text, or just this text. */
export type PatternPart = "Wildcard" | { readonly Literal: string };

/** The texts around and between the wildcards of a pattern: the first it begins with, the last it ends with, in the middle none is empty. */
export const piecesOf = (pattern: readonly PatternPart[]): readonly string[] => {
  const pieces = [""];
  for (const part of pattern) {
    if (part === "Wildcard") pieces.push("");
    else pieces[pieces.length - 1] += part.Literal;
  }
  return pieces.filter((piece, index) => piece !== "" || index === 0 || index === pieces.length - 1);
};

/**
 * Whether a text has these pieces, one after the other. It never goes back: every piece is taken at its first place, which leaves most for the
 * others, so that it takes at most the length of the pattern times that of the text.
 */
export const matches = (pieces: readonly string[], text: string): boolean => {
  const [first = "", last = ""] = [pieces[0], pieces[pieces.length - 1]];
  if (pieces.length === 1) return text === first;
  if (!text.startsWith(first) || !text.endsWith(last)) return false;
  let from = first.length;
  for (let index = 1; index < pieces.length - 1; index += 1) {
    const piece = pieces[index] ?? "";
    const at = text.indexOf(piece, from);
    if (at < 0) return false;
    from = at + piece.length;
  }
  return from <= text.length - last.length;
};
