import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "@lanyard/contract";
import type { PolicyFile } from "@lanyard/policy";
import { defaultLimits, type Limits } from "./limits.ts";

type FolderLimits = Pick<Limits, "policy_bytes" | "policy_files">;

interface Seen {
  /** Path below the folder, with `/`. */
  readonly file: string;
  readonly path: string;
  readonly bytes: number;
  readonly mark: string;
}

const refuse = (message: string, cause?: unknown): never => {
  throw new Fault("invalid_config", message, { cause });
};

/** All files of this ending in a folder and those below it, sorted; names that begin with a dot are passed over. */
const list = async (folder: string, limits: FolderLimits, ending: string): Promise<Seen[]> => {
  const found: Seen[] = [];
  const open = [""];
  for (let below = open.pop(), entries = 0; below !== undefined; below = open.pop()) {
    for (const entry of await readdir(join(folder, below), { withFileTypes: true })) {
      if (entry.name.startsWith(".")) continue;
      if ((entries += 1) > limits.policy_files) refuse(`the folder of policies \`${folder}\` holds more than ${limits.policy_files} files (limit policy_files)`);
      const file = below === "" ? entry.name : `${below}/${entry.name}`;
      if (entry.isDirectory()) open.push(file);
      // Not followed, for it may lead in a circle; nor passed over, for the rules in there would silently not hold.
      else if (entry.isSymbolicLink() && (await isFolder(join(folder, file)))) refuse(`\`${file}\` in the folder of policies \`${folder}\` is a link to a folder: put the folder itself there, or links to its files`);
      else if (file.endsWith(ending)) found.push(await look(folder, file));
      else if (isNearly(file, ending)) refuse(`\`${file}\` in the folder of policies \`${folder}\` would not be read: its name must end in \`${ending}\``);
    }
  }
  const total = found.reduce((sum, { bytes }) => sum + bytes, 0);
  if (total > limits.policy_bytes) refuse(`the policies in \`${folder}\` are larger than ${limits.policy_bytes} bytes (limit policy_bytes)`);
  return found.sort((left, right) => (left.file < right.file ? -1 : 1));
};

/** A name that a person takes for one of these: passed over it would be a rule, or a case, that nobody looks at. */
const isNearly = (file: string, ending: string): boolean => file.toLowerCase().endsWith(ending) || (ending === ".yaml" && file.toLowerCase().endsWith(".yml"));

const isFolder = async (path: string): Promise<boolean> => (await stat(path).catch(() => null))?.isDirectory() ?? false;

const look = async (folder: string, file: string): Promise<Seen> => {
  const path = join(folder, file);
  const { size, mtimeMs, ino } = await stat(path);
  return { file, path, bytes: size, mark: `${file} ${size} ${mtimeMs} ${ino}` };
};

const guarded = async <T>(folder: string, work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    const why = (cause as NodeJS.ErrnoException).code === "ENOENT" ? "it is not there" : "it cannot be read";
    return refuse(`cannot read the folder of policies \`${folder}\`: ${why}`, cause);
  }
};

/** A text that changes when any policy file is written, replaced, added or removed. Throws Fault `invalid_config`. */
export const markOf = async (folder: string, limits: FolderLimits = defaultLimits): Promise<string> =>
  guarded(folder, async () => (await list(folder, limits, ".cedar")).map(({ mark }) => mark).join("\n"));

/** Every policy file (`*.cedar`) with its text. Throws Fault `invalid_config` when one is no UTF-8, when a limit is met, or the folder is not there. */
export const readPolicies = (folder: string, limits: FolderLimits = defaultLimits): Promise<PolicyFile[]> => readFiles(folder, limits, ".cedar");

/** Every file of cases (`*.yaml`) in a folder of policies. Throws as {@link readPolicies}. */
export const readTests = (folder: string, limits: FolderLimits = defaultLimits): Promise<PolicyFile[]> => readFiles(folder, limits, ".yaml");

const readFiles = (folder: string, limits: FolderLimits, ending: string): Promise<PolicyFile[]> =>
  guarded(folder, async () => {
    const files: PolicyFile[] = [];
    let left = limits.policy_bytes;
    for (const { file, path } of await list(folder, limits, ending)) {
      const bytes = await readFile(path);
      if ((left -= bytes.length) < 0) refuse(`the policies in \`${folder}\` are larger than ${limits.policy_bytes} bytes (limit policy_bytes)`);
      try {
        files.push({ file, text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) });
      } catch (cause) {
        refuse(`cannot read the policies in \`${file}\`: they are not UTF-8 text`, cause);
      }
    }
    return files;
  });
