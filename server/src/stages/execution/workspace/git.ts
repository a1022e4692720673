import { Fault } from "@lanyard/contract";
import type { Anchor } from "../../../base/anchor.ts";
import { entryAt } from "./moves.ts";
import { sameEntry, type Manifest, type TreeChange } from "./tree.ts";

/** The folder of a path that git keeps its own things in; null outside. */
const gitOf = (path: string): string | null => /^(.*?(?:^|\/)\.git)(?:\/|$)/.exec(path)?.[1] ?? null;
const isStaged = (path: string, git: string): boolean => path === git || path === `${git}/index` || path === `${git}/objects` || path.startsWith(`${git}/objects/`);

/**
 * Without what git wrote for itself: where neither a branch nor HEAD moved, its index (which every `git status` writes anew) and what was only
 * staged say nothing that the files do not say.
 */
export function withoutStaged(changes: readonly TreeChange[]): TreeChange[] {
  const moved = new Set(changes.flatMap(({ path }) => {
    const git = gitOf(path);
    return git !== null && !isStaged(path, git) ? [git] : [];
  }));
  return changes.filter(({ path }) => {
    const git = gitOf(path);
    return git === null || moved.has(git) || !isStaged(path, git);
  });
}

/** Repositories of which a branch, a tag or HEAD moves: what their commits hold need not be what the files show. */
export const movedGit = (changes: readonly TreeChange[]): string[] =>
  [...new Set(changes.flatMap(({ path }) => {
    const git = gitOf(path);
    return git !== null && /^\/(HEAD|packed-refs|refs\/.*)$/.test(path.slice(git.length)) ? [git] : [];
  }))];

/** Where a repository stands. */
const stands = /\/(HEAD|index|packed-refs|refs\/.*)$/;

/**
 * Invariant: commits made in a session are applied only to the repository they were made from: where it stands is as it was, not only what changes.
 * Throws Fault `conflict`.
 */
export function expectSameGit(root: Anchor, changes: readonly TreeChange[], base: Manifest): void {
  for (const git of new Set(changes.flatMap(({ path }) => gitOf(path) ?? []))) {
    if (!base.entries.has(git)) continue;
    for (const [path, entry] of base.entries) {
      if (!path.startsWith(`${git}/`) || !stands.test(path.slice(git.length)) || entry.kind !== "file") continue;
      if (!sameEntry(entryAt(root, path), entry)) throw new Fault("conflict", `the repository has moved since the session began (\`${path}\`), so the session's commits do not fit any more; nothing was applied`);
    }
    if (entryAt(root, `${git}/index.lock`)) throw new Fault("conflict", `git is at work in \`${git}\`; try again when it has finished`);
  }
}
