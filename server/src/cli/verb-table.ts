import type { Command } from "commander";
import type { Context } from "./context.ts";

/** Adds its verbs to the command line; `words` are those that follow the verb, for who has verbs below it. */
type Register = (program: Command, context: Context, words: readonly string[]) => unknown;

/** A row of a table of verbs. Its code is loaded when one of them is asked for: most need little of it, and people wait for them. */
export interface VerbRow {
  /** The verbs that the row registers, aliases included. */
  readonly names: readonly string[];
  load(): Promise<Register>;
}

/** Registers the verbs of the row that these words name, or all of the table: for help, and for what is no verb. */
export async function registerVerbs(table: readonly VerbRow[], program: Command, context: Context, words: readonly string[]): Promise<void> {
  const at = words.findIndex((word, index) => !word.startsWith("-") && !["-c", "--config"].includes(words[index - 1] ?? "")); // no option, nor the value of one
  const named = table.filter(({ names }) => names.includes(words[at] ?? ""));
  for (const { load } of named.length > 0 ? named : table) await (await load())(program, context, words.slice(at + 1));
}
