/** One thing in a folder, as far as a workspace keeps it. */
export interface TreeEntry {
  readonly kind: "folder" | "file" | "link";
  /** Permission bits; its owner's right to read counts as given. */
  readonly mode: number;
  readonly size: number;
  /** base64url SHA-256 of a file; where a link leads; empty for a folder. */
  readonly hash: string;
}

/** A folder at one time, by path: relative, `/` between names. */
export interface Manifest {
  readonly entries: ReadonlyMap<string, TreeEntry>;
  /** What stayed out, and why: nothing is ever said about it again, and nothing may come back in its place. */
  readonly left: ReadonlyMap<string, string>;
}

/** Parents before what is in them, the same on every machine. */
export const byteOrder = (a: Uint8Array, b: Uint8Array): number => Buffer.compare(a, b);
