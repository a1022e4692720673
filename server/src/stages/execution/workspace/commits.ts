import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "@lanyard/contract";
import type { Sandbox } from "../sandbox/driver.ts";
import { protectedChanges } from "./protected.ts";
import { newSecrets } from "./secrets.ts";
import type { ObjectShelf } from "./shelf.ts";
import type { TreeChange } from "./tree.ts";

/** Commits of a session, in a fresh sandbox that has its repository and no way out. */
export interface CommitsOptions {
  readonly sandbox: Sandbox;
  /** The repository's own folder, `.git` or `sub/.git`. */
  readonly git: string;
  /** The folder that the session began with. */
  readonly folder: string;
  readonly changes: readonly TreeChange[];
  /** What the files held before, where it is known. */
  readonly old: string;
  readonly contents: ObjectShelf;
  /** Patterns of protected paths beside those that always are. */
  readonly kept: readonly string[];
}

/** Of what git says; past it commits count as unread. */
const maxSaidBytes = 64 * 1024 * 1024;
const gitMs = 120_000;
const unread = (git: string, why: string): string => `the commits in ${git} could not be read: ${why}`;

/**
 * What new commits hold that no file shows: changes of protected paths, and secrets, in any commit that a branch, a tag or HEAD now leads to and
 * none led to before. Git reads the repository inside, since it is the session's; what it says is untrusted. Invariant: what cannot be read is a finding.
 */
export async function commitFindings(options: CommitsOptions): Promise<string[]> {
  const { git, folder, old } = options;
  try {
    const before = tipsOf(join(folder, git)).map((tip) => `^${tip}\n`).join("");
    const [named, shown] = [await said(options, ["--raw", "-z", "--no-abbrev", "--no-renames", "--format=commit %H"], before), await said(options, ["-p", "-U0", "--text", "--format=%H%n+%an%n+%cn%n%w(0,1,1)%B"], before)];
    return [...protectedFindings(options, named), ...secretFindings(git, shown, old)];
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return [unread(git, error.message)];
  }
}

/** Where a repository on this machine stands, read as text: no program of git's looks at it. */
function tipsOf(git: string): string[] {
  const texts: string[] = [];
  const read = (path: string): void => {
    try {
      texts.push(readFileSync(path, "latin1"));
    } catch {
      // There is none: everything is new.
    }
  };
  for (const name of ["HEAD", "packed-refs"]) read(join(git, name));
  try {
    for (const entry of readdirSync(join(git, "refs"), { recursive: true, withFileTypes: true })) if (entry.isFile()) read(join(entry.parentPath, entry.name));
  } catch {
    // As above.
  }
  return [...new Set(texts.flatMap((text) => text.match(/\b(?:[0-9a-f]{64}|[0-9a-f]{40})\b/g) ?? []))];
}

/** `git log` of every new commit, each merge against all its parents. Throws Fault `sandbox_ended`, `limit_exceeded`, `invalid_request`. */
async function said({ sandbox, git }: CommitsOptions, how: readonly string[], input: string): Promise<string> {
  const settings = ["core.quotePath=false", "core.fsmonitor=false", "core.hooksPath=/dev/null", "diff.external=", "log.showSignature=false", "safe.directory=*"].flatMap((setting) => ["-c", setting]);
  const args = ["--no-pager", ...settings, "--no-replace-objects", `--git-dir=${git}`, "log", "--all", "--ignore-missing", "-m", "--root", "--no-color", "--no-ext-diff", "--no-textconv", ...how, "--stdin"];
  const environment = { PATH: "/usr/local/bin:/usr/bin:/bin", HOME: "/nonexistent", GIT_CONFIG_NOSYSTEM: "1", GIT_OPTIONAL_LOCKS: "0", GIT_ATTR_NOSYSTEM: "1", LC_ALL: "C" };
  const { stdin, stdout, stderr, ended, signal } = sandbox.exec({ command: "git", args, environment, timeoutMs: gitMs });
  stdin.end(input);
  const chunks: Buffer[] = [];
  let [bytes, errors] = [0, ""];
  stdout.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= maxSaidBytes) chunks.push(chunk);
    else signal(9);
  });
  stderr.on("data", (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-500)));
  const { kind, value } = await ended;
  if (bytes > maxSaidBytes) throw new Fault("limit_exceeded", `they say more than ${maxSaidBytes} bytes`);
  if (kind !== "exited" || value !== 0) throw new Fault("invalid_request", `git ${kind} with ${value}${errors && `: ${errors.trim().split("\n").at(-1)}`}`);
  return Buffer.concat(chunks).toString("latin1");
}

/** A protected path may change in a commit only as it changes in the folder, where the gate `protected` sees it. */
function protectedFindings({ git, changes, contents, kept }: CommitsOptions, named: string): string[] {
  const top = git.slice(0, -".git".length);
  const shown = new Map(changes.map((change) => [change.path, change]));
  const findings: string[] = [];
  let commit = "";
  const words = named.split("\0");
  for (let at = 0; at < words.length; at++) {
    const word = (words[at] ?? "").replace(/^\n/, "");
    if (word.startsWith("commit ")) commit = word.slice("commit ".length, "commit ".length + 12);
    else if (word.startsWith(":")) {
      const path = `${top}${Buffer.from(words[++at] ?? "", "latin1").toString()}`;
      const [, , , id = ""] = word.split(" ");
      const after = { kind: "file", mode: 0o644, size: 0, hash: "" } as const;
      if (protectedChanges([{ path, before: null, after }], new Map(), kept).length === 0) continue;
      if (!isShown(shown.get(path), id, contents)) findings.push(`${path}: commit ${commit} of ${git} changes it otherwise than the files show, and it is protected`);
    }
  }
  return [...new Set(findings)];
}

/** Whether a path's change in the folder comes to the content that git names by `id`; zeros: it is gone. */
function isShown(change: TreeChange | undefined, id: string, contents: ObjectShelf): boolean {
  if (!change) return false;
  if (/^0+$/.test(id)) return change.after === null;
  const { after } = change;
  if (after === null || after.kind === "folder") return false;
  const bytes = after.kind === "link" ? Buffer.from(after.hash) : readFileSync(contents.place(after.hash));
  return createHash(id.length === 64 ? "sha256" : "sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex") === id;
}

/** Of what lines bring, and of what commits say of themselves. That a line is taken away again in a later commit does not take it out of the first. */
function secretFindings(git: string, shown: string, old: string): string[] {
  const brought = shown.split("\n").flatMap((line) => (line.startsWith("+") || line.startsWith(" ") ? [line.slice(1)] : [])).join("\n");
  return [...new Set(newSecrets(brought, old).map(({ rule }) => `a commit of ${git} brings ${rule}`))];
}
