import { followLink, plainName } from "./names.ts";
import { fits } from "./patterns.ts";
import { foldersOf, parentOf, type TreeChange, type TreeEntry } from "./tree.ts";

/** What makes machines or agents do things, and is rarely read: whoever may change it is let out later. */
const always = [
  ...[".github/", ".gitlab-ci.yml", ".gitlab/", ".ci/", ".circleci/", ".buildkite/", ".woodpecker/", ".drone.yml", ".travis.yml", "Jenkinsfile", "azure-pipelines.y*ml", "bitbucket-pipelines.yml"],
  ...[".gitea/", ".forgejo/", ".woodpecker.y*ml", ".drone.y*ml", ".appveyor.yml", "appveyor.yml", ".cirrus.y*ml", ".semaphore/", ".tekton/", "cloudbuild.y*ml", "buildspec.y*ml"],
  ...["CLAUDE.md", "CLAUDE.local.md", "AGENTS.md", "AGENTS.override.md", "GEMINI.md", ".claude/", ".codex/", ".gemini/", ".cursor/", ".cursorrules", ".windsurf/", ".windsurfrules", ".continue/", ".aider*", ".mcp.json"],
  ...[".agents/", ".amazonq/", ".clinerules", ".junie/", ".kiro/", ".opencode/", "opencode.json*", ".roo/", ".roorules", ".roomodes", ".goosehints"],
  ...[".husky/", ".githooks/", ".pre-commit-config.yaml", "lefthook.y*ml", ".lefthook.y*ml", ".gitmodules", ".vscode/", ".idea/", ".devcontainer/", ".envrc", ".npmrc", ".yarnrc*", ".pnpmfile.cjs", ".mise.toml", ".tool-versions"],
  ...["lefthook*.y*ml", ".lefthook/", ".lefthook-local/", ".overcommit.yml", ".simple-git-hooks.*", ".vs/", ".zed/", ".fleet/", "*.code-workspace", ".devcontainer.json", ".exrc", ".nvimrc", ".nvim.lua", ".vimrc"],
  ...[".yarn/releases/", ".yarn/plugins/", ".pnpmfile.*", "bunfig.toml", ".cargo/", ".mvn/", "gradle-wrapper.*", ".bazelrc", ".bundle/", "mise.toml", "mise.*.toml", ".mise.*.toml", ".mise/", "/.config/mise/"],
  ...["CODEOWNERS", "lanyard.yaml"],
];

/** Of a `.git`, what is content; all else is configuration, hooks or a way to other places. */
const gitContent = /^(objects(\/.*)?|refs(\/.*)?|logs(\/.*)?|packed-refs|index|HEAD|ORIG_HEAD|FETCH_HEAD|MERGE_HEAD|CHERRY_PICK_HEAD|REVERT_HEAD|AUTO_MERGE|COMMIT_EDITMSG|MERGE_MSG|MERGE_MODE|SQUASH_MSG)$/;

/** Of its content, what leads to objects of other repositories. */
const elsewhere = /^objects\/info\/(http-)?alternates$/;
const untouched = { before: null, after: null };

/**
 * Changed paths that are protected, each with why. `more`: patterns of lanyard.yaml; the last that matches counts, `!` takes a path out. What
 * lies in a `.git` and is not content stays protected whatever they say.
 */
export function protectedChanges(changes: readonly TreeChange[], tree: ReadonlyMap<string, TreeEntry>, more: readonly string[]): { readonly path: string; readonly why: string }[] {
  const rules = [...always, ...more].map((pattern) => ({ keeps: !pattern.startsWith("!"), fit: fits(pattern.replace(/^!/, "")) }));
  const linkAt = (path: string): string | null => {
    const entry = tree.get(path);
    return entry?.kind === "link" ? entry.hash : null;
  };
  const bare = bareFolders(tree);
  const isKept = (path: string): boolean => rules.findLast(({ fit }) => fit(path))?.keeps ?? false;
  const isHeld = (path: string): boolean => isKept(path) || gitFlaw(path, untouched, bare) !== null;
  // What a protected name leads to is read under that name: `CLAUDE.md -> docs/agents.md`.
  const read = new Set([...tree].flatMap(([path, { kind }]) => {
    const led = kind === "link" && isHeld(path) ? followLink(path, linkAt) : null;
    return led && "to" in led ? [led.to] : [];
  }));
  return changes.flatMap(({ path, before, after }) => {
    const git = gitFlaw(path, { before, after }, bare);
    if (git) return [{ path, why: git }];
    if (isKept(path)) return [{ path, why: "it is protected" }];
    if (read.size > 0 && [path, ...foldersOf(path)].some((at) => read.has(at))) return [{ path, why: "a protected link leads to it" }];
    if (after?.kind !== "link") return [];
    const led = followLink(path, linkAt);
    return "to" in led && (isHeld(led.to) || led.to.split("/").some(isGit)) ? [{ path, why: "it leads to what is protected" }] : [];
  });
}

const isGit = (name: string): boolean => name.toLowerCase() === ".git";

/** Why a path may not change for git's sake; null when it may. */
function gitFlaw(path: string, { before, after }: Pick<TreeChange, "before" | "after">, bare: ReadonlySet<string>): string | null {
  const names = path.split("/");
  const at = names.findIndex(isGit);
  if (at < 0) return ["", ...foldersOf(path)].some((folder) => bare.has(plainName(folder))) ? "it lies in what git takes for a repository" : null;
  const inside = names.slice(at + 1).join("/");
  if (after?.kind === "link") return "it is a link in git's own folder";
  if (inside === "") return [before, after].some((entry) => entry && entry.kind !== "folder") ? "it tells git where to look" : null;
  return gitContent.test(inside) && !elsewhere.test(plainName(inside)) && !names.slice(at + 1).some(isGit) ? null : "it is git's configuration, a hook, or leads git elsewhere";
}

/**
 * Folders, as the most forgiving file system sees their names, that git takes for a repository and whose configuration it heeds: the top of the
 * workspace may be one too, and `commondir` has it look for the rest elsewhere.
 */
function bareFolders(tree: ReadonlyMap<string, TreeEntry>): ReadonlySet<string> {
  const names = new Set([...tree.keys()].map(plainName));
  const heads = [...names].filter((name) => name === "head" || name.endsWith("/head"));
  return new Set(heads.map(parentOf).filter((folder) => {
    const has = (name: string): boolean => names.has(folder === "" ? name : `${folder}/${name}`);
    return has("commondir") || (has("objects") && has("refs"));
  }));
}
