import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Dice } from "../fuzz/dice.ts";
import { folderDigest, scratch } from "./world-filesystem.ts";
import { someText, type ActedWorld, type AgentStep, type Digest } from "./world.ts";

const names = ["shop.txt", "prices.txt", "new.txt", "src/a.txt", "src/b.txt"];
const branches = ["main", "topic", "fix", "old/one"];
const tags = ["v1", "v2"];

/** A repository with a remote, which an agent reaches through git-mcp-server, and whose files it writes through the filesystem server. */
export class GitWorld implements ActedWorld {
  readonly name = "git";
  readonly root = scratch();
  readonly repo = join(this.root, "repo");
  readonly servers: string;
  readonly contracts: string;

  constructor(programs: string) {
    const env = `{ MCP_TRANSPORT_TYPE: stdio, GIT_BASE_DIR: "${this.root}", LOGS_DIR: "${this.root}/logs", GIT_SIGN_COMMITS: "false", GIT_USERNAME: Clerk, GIT_EMAIL: clerk@example.org }`;
    this.servers = [
      `  git: { command: "${process.execPath}", args: ["${programs}/node_modules/@cyanheads/git-mcp-server/dist/index.js"], env: ${env} }`,
      `  tree: { command: "${process.execPath}", args: ["${programs}/node_modules/@modelcontextprotocol/server-filesystem/dist/index.js", "${this.repo}"] }`,
    ].join("\n");
    this.contracts = `  git: { use: git, root: "${this.root}" }\n  tree: { use: filesystem, root: "${this.repo}" }`;
    mkdirSync(this.repo);
  }

  #git(...args: string[]): string {
    const identity = { GIT_AUTHOR_NAME: "Ana", GIT_AUTHOR_EMAIL: "ana@example.org", GIT_COMMITTER_NAME: "Ana", GIT_COMMITTER_EMAIL: "ana@example.org", GIT_AUTHOR_DATE: "2026-01-01T00:00:00Z", GIT_COMMITTER_DATE: "2026-01-01T00:00:00Z" };
    return execFileSync("git", args, { cwd: this.repo, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], env: { PATH: process.env["PATH"], HOME: this.root, GIT_CONFIG_NOSYSTEM: "1", GIT_OPTIONAL_LOCKS: "0", ...identity } });
  }

  async reset(): Promise<void> {
    for (const name of ["repo/.git", "remote.git"]) rmSync(join(this.root, name), { recursive: true, force: true });
    for (const name of ["src", ...names, "loose.txt"]) rmSync(join(this.repo, name), { recursive: true, force: true });
    this.#git("init", "--quiet", "--initial-branch", "main");
    mkdirSync(join(this.repo, "src"), { recursive: true });
    for (const name of ["shop.txt", "prices.txt", "src/a.txt"]) {
      writeFileSync(join(this.repo, name), `${name}\n`);
      this.#git("add", name);
      this.#git("commit", "--quiet", "--message", `Add ${name}`);
    }
    this.#git("branch", "topic", "HEAD~1");
    this.#git("tag", "v1", "HEAD~2");
    this.#git("init", "--quiet", "--bare", join(this.root, "remote.git"));
    this.#git("remote", "add", "origin", join(this.root, "remote.git"));
    this.#git("push", "--quiet", "origin", "main");
    appendFileSync(join(this.repo, "shop.txt"), "unstaged\n");
    writeFileSync(join(this.repo, "loose.txt"), "untracked\n");
  }

  async digest(): Promise<Digest> {
    const found = folderDigest(this.repo, [".git"]);
    const lines = (key: string, text: string) => text.split("\n").forEach((line) => line && found.set(`${key} ${line.split("\t")[1] ?? ""}`, line));
    lines("ref", this.#git("for-each-ref", "--format=%(objectname)%09%(refname)%09%(symref)"));
    lines("index", this.#git("ls-files", "--stage"));
    found.set("HEAD", readFileSync(join(this.repo, ".git/HEAD"), "utf8"));
    found.set("config", readFileSync(join(this.repo, ".git/config"), "utf8"));
    found.set("stash", this.#git("stash", "list", "--format=%H %gs"));
    found.set("under way", ["MERGE_HEAD", "CHERRY_PICK_HEAD", "rebase-merge", "rebase-apply"].filter((name) => existsSync(join(this.repo, ".git", name))).join());
    found.set("remote", execFileSync("git", ["-C", join(this.root, "remote.git"), "for-each-ref"], { encoding: "utf8" }));
    return found;
  }

  next(dice: Dice): AgentStep {
    const path = this.repo;
    const git = (tool: string, args: Record<string, string | boolean | string[]>): AgentStep => ({ action: `git/git_${tool}`, args: { path, ...args } });
    const file = dice.pick(names);
    const branch = dice.pick(branches);
    const kinds: (() => AgentStep)[] = [
      ...Array.from({ length: 5 }, () => () => ({ action: "tree/write_file", args: { path: join(path, file), content: someText(dice) } })),
      ...Array.from({ length: 3 }, () => () => git("add", dice.chance(40) ? { all: true } : { paths: [file] })),
      ...Array.from({ length: 3 }, () => () => git("commit", { message: `c${dice.below(1000)}`, ...(dice.chance(20) && { allowEmpty: true }), ...(dice.chance(15) && { amend: true }), ...(dice.chance(30) && { filesToStage: [file] }) })),
      () => git("branch", { mode: "create", branchName: branch }),
      () => git("branch", { mode: "delete", branchName: branch, force: true }),
      () => git("branch", { mode: "rename", branchName: branch, newBranchName: dice.pick(branches) }),
      () => git("checkout", { target: branch, ...(dice.chance(30) && { force: true }) }),
      () => git("checkout", { target: branch, createBranch: true }),
      () => git("checkout", { target: "HEAD", paths: [file] }),
      () => git("merge", { branch, ...(dice.chance(50) && { noFastForward: true }) }),
      () => git("reset", { mode: dice.pick(["soft", "mixed", "hard", "keep", "merge"]), target: dice.pick(["HEAD", "HEAD~1", "v1", "topic"]), confirmed: true }),
      () => git("reset", { mode: "mixed", paths: [file] }),
      () => git("tag", { mode: dice.pick(["create", "delete"]), tagName: dice.pick(tags), ...(dice.chance(40) && { annotated: true, message: "m" }) }),
      () => git("stash", { mode: dice.pick(["push", "pop", "apply", "drop"]), ...(dice.chance(30) && { includeUntracked: true }) }),
      () => git("clean", { force: true, ...(dice.chance(50) && { directories: true }) }),
      () => git("status", {}),
    ];
    return dice.pick(kinds)();
  }

  async meddle(dice: Dice): Promise<void> {
    try {
      const file = dice.pick([...names, "loose.txt"]);
      const kind = dice.below(10);
      if (kind === 0) this.#git("commit", "--quiet", "--allow-empty", "--message", `theirs ${dice.below(1000)}`);
      else if (kind < 3) this.#git("tag", "--force", dice.pick(tags), "HEAD");
      else if (kind < 5) this.#git("branch", "--force", dice.pick(branches), dice.pick(["HEAD", "v1"]));
      else {
        mkdirSync(join(this.repo, file, ".."), { recursive: true });
        writeFileSync(join(this.repo, file), `theirs ${dice.below(1000)}\n`);
      }
    } catch {
      // It does not always work out for others either.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.root, { recursive: true, force: true });
  }
}
