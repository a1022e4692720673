import type { Word, WordPart } from "unbash";

/** One word of a command as the program will get it. */
export interface ShellWord {
  readonly text: string;
  /**
   * `sure`: exactly this text. `glob`: names of files that match it, each beginning as it does up to the first wildcard.
   * `open`: nobody knows before it runs, nor how many words it becomes.
   */
  readonly kind: "sure" | "glob" | "open";
}

/** Variables of the script whose every value is known, each with all the words it may be. */
export type KnownVariables = ReadonlyMap<string, readonly ShellWord[]>;

/** The words that one word of the source may become. More than one where a known variable of several values is in it. */
export function wordsOf(word: Word, known: KnownVariables): readonly ShellWord[] {
  const parts = word.parts ?? [{ type: "Literal", value: word.value, text: word.text, pos: word.pos, end: word.end } as const];
  const alternatives = parts.map((part) => wordsOfPart(part, known, false));
  if (alternatives.reduce((product, { length }) => product * length, 1) > 64) return [{ text: word.text, kind: "open" }];
  return alternatives.reduce<readonly ShellWord[]>((heads, tails) => heads.flatMap((head) => tails.map((tail) => joined(head, tail))), [{ text: "", kind: "sure" }]).map(suspicious);
}

function wordsOfPart(part: WordPart, known: KnownVariables, quoted: boolean): readonly ShellWord[] {
  const open = [{ text: part.text, kind: "open" }] as const;
  switch (part.type) {
    case "Literal":
    case "SingleQuoted":
    case "AnsiCQuoted":
      return [{ text: part.value, kind: "sure" }];
    case "Glob":
      return [{ text: part.value, kind: "glob" }];
    case "DoubleQuoted":
      return part.parts
        .map((inner) => wordsOfPart(inner, known, true))
        .reduce<readonly ShellWord[]>((heads, tails) => (heads.length * tails.length > 64 ? open : heads.flatMap((head) => tails.map((tail) => joined(head, tail)))), [{ text: "", kind: "sure" }]);
    case "SimpleExpansion":
      return variable(part.text.slice(1), known, quoted) ?? open;
    case "ParameterExpansion":
      return part.prefix || part.index || part.operation ? open : (variable(part.parameter, known, quoted) ?? open);
    default:
      return open;
  }
}

/** Unquoted, its value is cut at spaces and its wildcards count. */
function variable(name: string, known: KnownVariables, quoted: boolean): readonly ShellWord[] | null {
  const values = known.get(name);
  return values && (quoted || values.every(({ text, kind }) => kind === "glob" || /^[\w./~:@%+=,-]+$/.test(text))) ? values : null;
}

const joined = (head: ShellWord, tail: ShellWord): ShellWord => ({
  text: head.text + tail.text,
  kind: head.kind === "open" || tail.kind === "open" ? "open" : head.kind === "glob" || tail.kind === "glob" ? "glob" : "sure",
});

/** A subscript is computed wherever a variable's name is taken, also from a quoted word: `[ -v 'a[$(id)]' ]` runs id. */
const suspicious = (word: ShellWord): ShellWord => {
  const subscript = word.text.indexOf("[");
  return subscript >= 0 && /\$\(|`|\$\{/.test(word.text.slice(subscript)) ? { text: word.text, kind: "open" } : word;
};

/** Whether a program may take it for an option. */
export const maybeOption = ({ text, kind }: ShellWord): boolean => kind === "open" || /^([-+]|[*?[])/.test(text);
