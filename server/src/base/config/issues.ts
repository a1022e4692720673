import type { z } from "zod";
import { nearest, type Path, type YamlSource } from "./source.ts";

/** Says of a file what its shape has against it, each at its place. `known`: the keys that may stand at a path; empty where any may. */
export function tellIssues(source: YamlSource, issues: readonly z.core.$ZodIssue[], known: (path: Path) => readonly string[]): void {
  for (const issue of issues) {
    const path = issue.path as Path;
    if (issue.code === "unrecognized_keys") {
      for (const key of issue.keys) source.problem([...path, key], `unknown key \`${key}\`${hint(key, known(path))}`, "key");
    } else if (issue.code === "invalid_key") {
      source.problem(path, `\`${String(path.at(-1))}\`: ${issue.issues[0]?.message ?? "not allowed as a key"}`, "key");
    } else {
      source.problem(path, `${path.length > 0 ? `\`${path.join(".")}\`: ` : ""}${words(issue.message)}`);
    }
  }
}

const words = (message: string) => message.replace(/^Invalid input: /, "").replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase());

/** The end of a message on a name that there is none of: which is meant, or which there are. */
export function hint(text: string, known: readonly string[]): string {
  const close = nearest(text, known);
  if (close !== null) return `; did you mean \`${close}\`?`;
  return known.length === 0 ? "" : `; known here: ${known.join(", ")}`;
}
