import { names, remembered } from "../remembered.ts";

/** The words of a name in lower case, however they are joined: `sendEmail`, `send_email`, `Send-Email`. */
export const wordsOf: (name: string) => readonly string[] = remembered(names, (name) =>
  name
    .slice(0, 256)
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== ""),
);

/** Words that are written with spaces between them. */
export const wordSet = (words: string): ReadonlySet<string> => new Set(words.split(" "));
