import { maybeOption, type ShellWord } from "./words.ts";

/** Options of a program, as far as they are let through. */
export interface OptionSpec {
  /** Letters without a value. `*`: whatever begins with a dash is harmless. */
  readonly flags: string;
  /** Letters whose value is attached or the next word. */
  readonly valued: string;
  /** Long options, whole: an abbreviation is not known, though the program may take it. A `=` at the end: it has a value. */
  readonly long: readonly string[];
}

/** `letters:letters with a value`; long options are told without their dashes. */
export function optionsOf(short: string, long: readonly string[]): OptionSpec {
  const [flags = "", valued = ""] = short.split(":");
  return { flags, valued, long: long.filter(Boolean).map((option) => `--${option}`) };
}

export interface ParsedOptions {
  /** False where some word is, or may become, an option that is not let through. */
  readonly known: boolean;
  /** Options that are there: letters and long names with their dashes. */
  readonly options: ReadonlySet<string>;
  readonly values: readonly { readonly option: string; readonly value: ShellWord }[];
  readonly operands: readonly ShellWord[];
}

/** Reads words as GNU getopt does: options may stand between operands, `--` ends them. */
export function parseOptions(words: readonly ShellWord[], spec: OptionSpec): ParsedOptions {
  const options = new Set<string>();
  const values: { option: string; value: ShellWord }[] = [];
  const operands: ShellWord[] = [];
  let known = true;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as ShellWord;
    if (word.kind === "sure" && word.text === "--") {
      operands.push(...words.slice(at + 1));
      break;
    }
    if (!maybeOption(word) || /^[-+]$/.test(word.text) || (word.kind === "sure" && word.text.startsWith("+"))) {
      operands.push(word);
      continue;
    }
    if (word.kind !== "sure") {
      known &&= spec.flags === "*";
      if (!word.text.startsWith("-")) operands.push(word);
      continue;
    }
    const read = word.text.startsWith("--") ? longOption(word.text, spec) : shortOptions(word.text, spec);
    known &&= read.known;
    for (const option of read.options) options.add(option);
    if (read.value === undefined) continue;
    const value = read.value === null ? words[++at] : { text: read.value, kind: "sure" as const };
    if (value) values.push({ option: read.options.at(-1) ?? "", value });
    else known = false;
  }
  return { known, options, values, operands };
}

interface ReadOptions {
  readonly known: boolean;
  readonly options: readonly string[];
  /** Null: the next word is the value; undefined: there is none. */
  readonly value?: string | null | undefined;
}

function longOption(text: string, { long, flags }: OptionSpec): ReadOptions {
  const [name = "", ...rest] = text.split("=");
  const value = text.includes("=") ? rest.join("=") : undefined;
  if (long.includes(`${name}=`)) return { known: true, options: [name], value: value ?? null };
  return { known: flags === "*" || long.includes(name), options: [name], value };
}

function shortOptions(text: string, { flags, valued }: OptionSpec): ReadOptions {
  const options: string[] = [];
  for (let at = 1; at < text.length; at++) {
    const letter = text.charAt(at);
    options.push(`-${letter}`);
    if (valued.includes(letter)) return { known: true, options, value: at + 1 < text.length ? text.slice(at + 1) : null };
    if (flags !== "*" && !flags.includes(letter)) return { known: false, options };
  }
  return { known: true, options };
}
