import { createHash } from "node:crypto";
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { Fault, isObject } from "@lanyard/contract";

/** What a template was made of and what it is: by name, the hash and the identity of a file. */
export type Seal = Readonly<Record<string, { readonly sha256: string; readonly identity: string }>>;

const blockBytes = 1024 * 1024;
const hole = Buffer.alloc(blockBytes);

export const seal = (files: Readonly<Record<string, string>>): Seal =>
  Object.fromEntries(Object.entries(files).map(([name, path]) => [name, { sha256: hashOf(path), identity: identityOf(path) }]));

/** Identities of files that this process has looked at. */
const sound = new Set<string>();

/**
 * Throws Fault `isolation_unavailable` when a file is not what was sealed. A file that nobody has touched since (its change time is not for
 * anybody to set) is not read again; one that was copied or written to is.
 */
export function checkSeal(made: unknown, files: Readonly<Record<string, string>>, folder: string): void {
  for (const [name, path] of Object.entries(files)) {
    const entry = isObject(made) ? made[name] : null;
    const refused = new Fault("isolation_unavailable", `the virtual machines' template \`${folder}\` is not what was made: \`${name}\` differs; delete that folder, and it is made anew`);
    if (!isObject(entry)) throw refused;
    const key = `${path} ${String(entry["sha256"])} ${identityOf(path)}`;
    if (entry["identity"] === identityOf(path) || sound.has(key)) continue;
    if (hashOf(path) !== entry["sha256"]) throw refused;
    sound.add(key);
  }
}

function identityOf(path: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
  } catch {
    return "absent";
  }
}

/** Of the size and of all blocks that hold anything: memory is mostly holes. */
function hashOf(path: string): string {
  const hash = createHash("sha256");
  try {
    hash.update(`${statSync(path).size}\n`);
    const fd = openSync(path, "r");
    try {
      const block = Buffer.allocUnsafe(blockBytes);
      for (let at = 0; ; ) {
        const length = readSync(fd, block, 0, blockBytes, at);
        if (length === 0) break;
        const bytes = block.subarray(0, length);
        if (!bytes.equals(hole.subarray(0, length))) hash.update(`${at} ${length}\n`).update(bytes);
        at += length;
      }
    } finally {
      closeSync(fd);
    }
  } catch {
    return "absent";
  }
  return hash.digest("hex");
}
