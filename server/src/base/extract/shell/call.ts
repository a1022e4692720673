import type { ShellReading } from "./reading.ts";
import type { ShellWord } from "./words.ts";

/** One program with its words, as it is about to be judged. */
export interface ShellCall {
  /** Last component of what it was called by. */
  readonly name: string;
  readonly words: readonly ShellWord[];
  readonly reading: ShellReading;
  /** One of the names that it is fed through a pipe, where they lie below paths that are read already; null where it is fed anything else. */
  readonly fed: ShellWord | null;
  /** Judges other words as a program of their own, such as those behind `nice`. */
  run(words: readonly ShellWord[]): void;
  /** Reads a text as a script of its own, such as that of `sh -c`. */
  script(text: string): void;
}

/** A name that is not known before it runs, but lies below a path that is read already. The first begins with no dash. */
export const foundName: ShellWord = { text: "./*", kind: "glob" };
export const listedName: ShellWord = { text: "*", kind: "glob" };
