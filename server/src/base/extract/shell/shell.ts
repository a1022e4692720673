import type { ShellFacts } from "@lanyard/contract";
import { ShellReading } from "./reading.ts";
import { readScript, runWords } from "./script.ts";

/** A command of more characters, or an array of more words, is not read. */
const mostShellChars = 16 * 1024;
const mostShellWords = 2000;

/** Commands within words. Each is parsed on its own, with all that are in it. */
const mostSubstitutions = 64;

/** What is said of a text that is not read. What it deletes is not known, so it may. */
const unreadShell: ShellFacts = { class: "unknown", programs: [], paths: [], hosts: [], destructive: true, reaches: ["other"] };

/** What a command does: a text for a POSIX shell or bash, or an array of words that is run without a shell. Never throws. */
export function shellFacts(command: string | readonly string[]): ShellFacts {
  const texts = typeof command === "string" ? [command] : command;
  if (texts.length > mostShellWords || texts.reduce((sum, { length }) => sum + length, 0) > mostShellChars) return unreadShell;
  // Characters that a person does not see, and those that only some shells take for the end of a line, are no part of an honest command.
  if (texts.some((text) => /[^\P{C}\t\n]/u.test(text))) return unreadShell;
  if (typeof command === "string" && (command.match(/[$<>]\(|`/g) ?? []).length > mostSubstitutions) return unreadShell;
  const reading = new ShellReading();
  try {
    if (typeof command === "string") readScript(command, reading);
    else runWords(command.map((text) => ({ text, kind: "sure" })), { reading, scripts: 0, fed: null });
  } catch {
    return unreadShell;
  }
  return reading.facts();
}
