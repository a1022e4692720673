// Which names and links may come out of a sandbox. The folder they go to may be carried on to other machines, whose file systems know fewer
// names than this one, or take two for one.

/** Names that mean a device, with or without an ending, on Windows. */
const devices = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)/iu;
const maxNameBytes = 255;
const maxPathBytes = 4096;
const maxLevels = 64;
const maxLinks = 32;
/** Names that are walked to see where a link leads. */
const maxSteps = 512;

/** Why a path may not come out; null when it may. */
export function pathFlaw(path: string): string | null {
  if (Buffer.byteLength(path) > maxPathBytes) return `its path is over ${maxPathBytes} bytes`;
  const names = path.split("/");
  if (names.length > maxLevels) return `it lies over ${maxLevels} folders deep`;
  for (const name of names) {
    const flaw = nameFlaw(name);
    if (flaw) return flaw;
  }
  return null;
}

function nameFlaw(name: string): string | null {
  if (name === "") return "its path is absolute, or has an empty name";
  if (name === "." || name === "..") return "its path has `.` or `..`";
  if (/[\p{Cc}\p{Zl}\p{Zp}\p{Co}\p{Cn}]/u.test(name)) return "its name has control characters";
  if (/[\\:*?"<>|]/.test(name)) return "its name has a backslash or another character that has a meaning elsewhere";
  if (/[. ]$/.test(name)) return "its name ends in a dot or a blank";
  if (devices.test(name)) return "its name is a device's on Windows";
  if (Buffer.byteLength(name) > maxNameBytes) return `its name is over ${maxNameBytes} bytes`;
  if (/^git~\d+$/i.test(name)) return "its name is another for `.git`";
  if (name !== ".git" && plainName(name) === ".git") return "its name looks like `.git`";
  return null;
}

/** A name, or path, as the most forgiving file system sees it: the same for two that it takes for one, by case, by the way Unicode writes them, or by letters nobody sees. */
export const plainName = (name: string): string =>
  /^[ -~]*$/.test(name) ? name.toLowerCase() : name.replace(/\p{Default_Ignorable_Code_Point}/gu, "").normalize("NFKC").toUpperCase().toLowerCase().normalize("NFKC");

/**
 * Where a link leads, followed through the other links of its tree: a path in the tree (empty: its root), or why it may not come out.
 * `linkAt` gives the target of a link at a path, null for anything else.
 */
export function followLink(path: string, linkAt: (path: string) => string | null): { readonly to: string } | { readonly flaw: string } {
  const at = path.split("/").slice(0, -1);
  const steps = (linkAt(path) ?? "").split("/");
  for (let [links, walked] = [0, 0]; steps.length > 0; ) {
    if (++walked + steps.length > maxSteps || at.length > maxLevels) return { flaw: "it is a link that leads through too many folders" };
    const step = steps.shift() as string;
    if (step === "" || step === ".") continue;
    if (step === "..") {
      if (at.pop() === undefined) return { flaw: "it is a link that leads out of the workspace" };
      continue;
    }
    at.push(step);
    const next = linkAt(at.join("/"));
    if (next === null) continue;
    if (++links > maxLinks) return { flaw: "it is a link in a circle of links" };
    if (next.startsWith("/")) return { flaw: "it is a link that leads to an absolute path" };
    at.pop();
    steps.unshift(...next.split("/"));
  }
  return { to: at.join("/") };
}

/** Why the words of a link may not come out. */
export function targetFlaw(target: string): string | null {
  if (target === "") return "it is a link to nothing";
  if (target.startsWith("/")) return "it is a link that leads to an absolute path";
  if (Buffer.byteLength(target) > maxPathBytes) return `its target is over ${maxPathBytes} bytes`;
  if (/[\p{Cc}\p{Zl}\p{Zp}\\]/u.test(target)) return "its target has control characters or a backslash";
  return null;
}
