import type { ShellFacts } from "@lanyard/contract";

/** What is said of a text that is not read. What it deletes is not known, so it may. */
const unreadShell: ShellFacts = { class: "unknown", programs: [], paths: [], hosts: [], destructive: true };

/** What a command does: a text for a POSIX shell or bash, or an array of words that is run without a shell. Never throws. */
export function shellFacts(_command: string | readonly string[]): ShellFacts {
  return unreadShell;
}
