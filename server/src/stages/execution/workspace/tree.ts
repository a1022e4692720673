/** One thing in a folder, as far as a workspace keeps it. */
export interface TreeEntry {
  readonly kind: "folder" | "file" | "link";
  /** Permission bits; its owner's right to read and write (and enter) counts as given. */
  readonly mode: number;
  readonly size: number;
  /** base64url SHA-256 of a file; where a link leads; empty for a folder. */
  readonly hash: string;
}

/** A folder at one time, by path: relative, `/` between names. */
export interface Manifest {
  readonly entries: ReadonlyMap<string, TreeEntry>;
  /** What stayed out, and why: nothing is said about it again, and nothing may come back in its place. */
  readonly left: ReadonlyMap<string, string>;
}

/** Why something that is shown inside as it is stays out of the copy. */
export const shownAsItIs = "it is shown as it is";

/** What a change makes of one path. */
export interface TreeChange {
  readonly path: string;
  /** Null: it is new. */
  readonly before: TreeEntry | null;
  /** Null: it is gone. */
  readonly after: TreeEntry | null;
  /** For a new file: a file that is gone and had the same content. */
  readonly from?: string;
}

export interface Refusal {
  /** As it came, or `?` when it cannot be written. */
  readonly path: string;
  readonly why: string;
}

export const sameEntry = (a: TreeEntry | null | undefined, b: TreeEntry | null | undefined): boolean =>
  a === b || (!!a && !!b && a.kind === b.kind && a.hash === b.hash && (a.kind === "link" || a.mode === b.mode) && (a.kind !== "file" || a.size === b.size));

/** A path's folder; empty for what lies at the top. */
export const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf("/")));

/** The folders on the way to a path, the nearest first. */
export function foldersOf(path: string): string[] {
  const folders: string[] = [];
  for (let at = parentOf(path); at !== ""; at = parentOf(at)) folders.push(at);
  return folders;
}

/** Folders before what is in them. */
export const byPath = (a: { readonly path: string }, b: { readonly path: string }): number => {
  const [one, other] = [a.path.split("/"), b.path.split("/")];
  for (let at = 0; at < Math.min(one.length, other.length); at++) if (one[at] !== other[at]) return (one[at] as string) < (other[at] as string) ? -1 : 1;
  return one.length - other.length;
};

/** What makes one tree of the other, in the order of paths; a file that only moved is named as such. */
export function changesBetween(before: ReadonlyMap<string, TreeEntry>, after: ReadonlyMap<string, TreeEntry>): TreeChange[] {
  const gone = [...before].flatMap(([path, entry]) => (sameEntry(entry, after.get(path)) ? [] : [{ path, before: entry, after: after.get(path) ?? null }]));
  const come = [...after].flatMap(([path, entry]) => (before.has(path) ? [] : [{ path, before: null, after: entry }]));
  const moved = new Map<string, string[]>();
  // Taken from the end, as that costs the same however many files were alike.
  for (const { path, before: entry, after: stays } of gone.toReversed()) {
    if (stays || entry.kind !== "file" || entry.size === 0) continue;
    const alike = moved.get(entry.hash);
    if (alike) alike.push(path);
    else moved.set(entry.hash, [path]);
  }
  const named = come.sort(byPath).map((change): TreeChange => {
    const from = change.after.kind === "file" ? moved.get(change.after.hash)?.pop() : undefined;
    return from === undefined ? change : { ...change, from };
  });
  return [...gone, ...named].sort(byPath);
}
