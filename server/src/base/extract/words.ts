const kept = 4096;
const known = new Map<string, readonly string[]>();

/** The words of a name in lower case, however they are joined: `sendEmail`, `send_email`, `Send-Email`. */
export function wordsOf(name: string): readonly string[] {
  const before = known.get(name);
  if (before) return before;
  const words = name
    .slice(0, 256)
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== "");
  if (known.size >= kept) known.clear(); // Names come from agents too.
  known.set(name, words);
  return words;
}
