import { createHash } from "node:crypto";
import { Fault } from "@lanyard/contract";
import { followLink, pathFlaw, plainName, targetFlaw } from "./names.ts";
import type { ObjectShelf } from "./shelf.ts";
import { readTar, type TarEntry } from "./tar-read.ts";
import { changesBetween, foldersOf, sameEntry, shownAsItIs, type TreeChange, type Manifest, type Refusal, type TreeEntry } from "./tree.ts";

export interface HarvestOptions {
  /** What went in. */
  readonly base: Manifest;
  /** Takes the content of what changed, by hash: no name out of the archive ever names a file here. */
  readonly shelf: ObjectShelf;
  readonly limits: { readonly workspace_files: number; readonly workspace_bytes: number };
}

export interface Harvest {
  readonly changes: readonly TreeChange[];
  /** What may not come out; nothing is applied while there is any. */
  readonly refused: readonly Refusal[];
}

/** Refusals that are kept; past them the rest is counted in the last one. */
const maxRefusals = 1000;

/**
 * Reads a workspace out of a sandbox with suspicion: what is in the archive is hashed here, compared with what went in, and nothing of it is
 * written but contents under their hashes. Throws Fault `invalid_request` when it is no archive, `limit_exceeded`.
 */
export async function harvest({ base, shelf, limits }: HarvestOptions, archive: AsyncIterable<Buffer>): Promise<Harvest> {
  const tree = new Map<string, TreeEntry>();
  const refused: Refusal[] = [];
  const refuse = (path: string, why: string): void => void (refused.length < maxRefusals && refused.push({ path, why }));
  let [bytes, members] = [0, 0];
  for await (const entry of readTar(archive)) {
    if (++members > limits.workspace_files) throw new Fault("limit_exceeded", `more than ${limits.workspace_files} files came out of the sandbox (limit workspace_files)`);
    if ((bytes += entry.size + Buffer.byteLength(entry.target ?? "")) > limits.workspace_bytes) throw new Fault("limit_exceeded", `over ${limits.workspace_bytes} bytes came out of the sandbox (limit workspace_bytes)`);
    const path = entry.path === null ? null : plainPath(entry);
    if (path === "" || (path !== null && isShown(base, path))) continue;
    const flaw = path === null ? "its name is not UTF-8" : (memberFlaw(entry) ?? (tree.has(path) ? "it is in the archive twice" : leftOut(base, path)));
    if (path === null || flaw !== null) refuse(path ?? "?", flaw ?? "");
    else if (entry.kind === "file") tree.set(path, await keep(entry, base.entries.get(path), shelf));
    else if (entry.kind === "link") tree.set(path, { kind: "link", mode: 0o777, size: 0, hash: entry.target ?? "" });
    else tree.set(path, { kind: "folder", mode: withOwner(entry.mode, 0o700), size: 0, hash: "" });
  }
  const changes = changesBetween(base.entries, tree);
  for (const { path, why } of flaws(changes, tree, base)) refuse(path, why);
  return { changes, refused };
}

/** `./a/b/` as tar writes it is `a/b`; any other form stays, and is refused. */
const plainPath = ({ path, kind }: TarEntry): string => {
  const bare = (path ?? "").replace(/^\.\//, "");
  const name = kind === "folder" ? bare.replace(/\/$/, "") : bare;
  return name === "." ? "" : name;
};

const withOwner = (mode: number, bits: number): number => (mode & 0o777) | bits;

function memberFlaw({ kind, type, mode, target }: TarEntry): string | null {
  if (kind === "other") return `it is ${type}`;
  if (kind === "link") return target === null ? "its target is not UTF-8" : null;
  if ((mode & 0o6000) !== 0) return "it would run as its owner or group (setuid, setgid)";
  return null;
}

/** Where parts of the machine's own folder are shown inside, their content comes along and says nothing. */
const isShown = ({ left }: Manifest, path: string): boolean => [path, ...foldersOf(path)].some((at) => left.get(at) === shownAsItIs);

const leftOut = ({ left }: Manifest, path: string): string | null =>
  [path, ...foldersOf(path)].some((at) => left.has(at)) ? "what lies there was not copied in, so nothing may come out in its place" : null;

/** Hashes a file; its content is put away only where it is not what went in. */
async function keep(entry: TarEntry, before: TreeEntry | undefined, shelf: ObjectShelf): Promise<TreeEntry> {
  const box = shelf.box();
  const digest = createHash("sha256");
  for await (const piece of entry.content()) {
    digest.update(piece);
    box.add(piece);
  }
  const hash = digest.digest("base64url");
  if (before?.hash === hash) box.drop();
  else box.close(hash);
  return { kind: "file", mode: withOwner(entry.mode, 0o600), size: entry.size, hash };
}

/** What is wrong with the changes in the light of the whole tree. What was so before, and did not change, is nobody's fault here. */
function* flaws(changes: readonly TreeChange[], tree: ReadonlyMap<string, TreeEntry>, base: Manifest): Generator<Refusal> {
  const linkAt = (path: string): string | null => {
    const entry = tree.get(path);
    return entry?.kind === "link" ? entry.hash : null;
  };
  const twins = new Map<string, string[]>();
  for (const path of [...tree.keys(), ...base.left.keys()]) {
    const folded = plainName(path);
    const same = twins.get(folded);
    if (same) same.push(path);
    else twins.set(folded, [path]);
  }
  for (const path of tree.keys()) {
    const flaw = wayFlaw(path, tree);
    if (flaw) yield { path, why: flaw };
  }
  for (const { path, before, after } of changes) {
    if (!after) continue;
    const flaw = (before ? null : pathFlaw(path)) ?? (after.kind === "link" ? linkFlaw(path, after, before, linkAt) : null);
    if (flaw) yield { path, why: flaw };
    const twin = before ? undefined : twins.get(plainName(path))?.find((other) => other !== path);
    if (twin !== undefined) yield { path, why: `some file systems take it for \`${twin}\`` };
  }
}

/** Every folder on the way must be one: not a link, not a file, not missing. */
function wayFlaw(path: string, tree: ReadonlyMap<string, TreeEntry>): string | null {
  for (const folder of foldersOf(path)) {
    const kind = tree.get(folder)?.kind;
    if (kind === "link") return "it lies behind a link";
    if (kind !== "folder") return "it lies below what is no folder";
  }
  return null;
}

function linkFlaw(path: string, after: TreeEntry, before: TreeEntry | null, linkAt: (path: string) => string | null): string | null {
  if (sameEntry(before, after)) return null;
  const flaw = targetFlaw(after.hash);
  if (flaw) return flaw;
  const led = followLink(path, linkAt);
  return "flaw" in led ? led.flaw : null;
}
