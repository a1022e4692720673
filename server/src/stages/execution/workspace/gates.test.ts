import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { systemClock } from "../../../base/clock.ts";
import { judge, needsOf } from "./gates.ts";
import { fits } from "./patterns.ts";
import { protectedChanges } from "./protected.ts";
import { newSecrets } from "./secrets.ts";
import { ObjectShelf } from "./shelf.ts";
import type { TreeChange, TreeEntry } from "./tree.ts";

const file: TreeEntry = { kind: "file", mode: 0o644, size: 1, hash: "x" };
const folder: TreeEntry = { kind: "folder", mode: 0o755, size: 0, hash: "" };
const link = (hash: string): TreeEntry => ({ kind: "link", mode: 0o777, size: 0, hash });

test.each<[pattern: string, hits: string[], misses: string[]]>([
  ["CLAUDE.md", ["CLAUDE.md", "a/claude.MD", "a/CLAUDE.md/b"], ["CLAUDE.mdx", "a/xCLAUDE.md"]],
  ["AGENTS.md", ["AGENT\u017f.md", "AGENTS\u200c.md", "a/\uff21gents.md/b"], ["AGENTSS.md"]],
  ["caf\u00e9", ["cafe\u0301", "CAF\u00c9"], ["cafe"]],
  [".github/", [".github", ".github/x/y", "a/.github/x"], [".githubs", "x.github"]],
  ["/src/pay", ["src/pay", "src/pay/a"], ["a/src/pay", "src/payments"]],
  ["src/pay", ["src/pay/a"], ["a/src/pay"]],
  ["*.lock", ["a.lock", "b/c.lock"], ["a.lock2", "lock"]],
  ["/docs/*.md", ["docs/a.md"], ["docs/a/b.md", "x/docs/a.md"]],
  ["/docs/**/x?", ["docs/x1", "docs/a/b/x1", "docs/a/x1/deep"], ["docs/x", "docs/x12"]],
  ["**/hooks", ["hooks/a", "a/b/hooks"], ["ahooks"]],
  ["*", ["a", "a/b"], []],
])("the pattern %s", (pattern, hits, misses) => {
  const fit = fits(pattern);
  expect([hits.filter((path) => !fit(path)), misses.filter(fit)]).toEqual([[], []]);
});

test("a pattern of many stars is answered at once, whatever the name", () => {
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom("a", "*"), maxLength: 60 }), (pattern) => void fits(pattern)("a".repeat(200))));
});

test("what makes machines, agents or git do things is protected, and lanyard.yaml may say more and less", () => {
  const named = (paths: Readonly<Record<string, TreeEntry | null>>, more: string[] = [], tree: Record<string, TreeEntry> = {}): string[] => {
    const changes = Object.entries(paths).map(([path, after]): TreeChange => ({ path, before: after ? null : file, after }));
    return protectedChanges(changes, new Map([...Object.entries(tree), ...Object.entries(paths).flatMap(([path, after]) => (after ? [[path, after] as const] : []))]), more).map(({ path }) => path);
  };
  const all = { ".github/workflows/ci.yml": file, "sub/AGENTS.md": file, ".claude/settings.json": null, ".mcp.json": file, ".husky": link("elsewhere"), "src/a.ts": file, "package.json": file };
  expect(named(all)).toEqual([".github/workflows/ci.yml", "sub/AGENTS.md", ".claude/settings.json", ".mcp.json", ".husky"]);
  expect(named(all, ["/src/", "!AGENTS.md"])).toEqual([".github/workflows/ci.yml", ".claude/settings.json", ".mcp.json", ".husky", "src/a.ts"]);
  const others = [".gitea/workflows/x.yml", ".forgejo/workflows/x.yml", ".clinerules", ".opencode/plugin/x.ts", ".kiro/hooks/x", ".zed/tasks.json", "x.code-workspace", ".devcontainer.json", ".yarn/releases/yarn-4.cjs", ".cargo/config.toml", "a/.mvn/jvm.config", "mise.toml", "lefthook-local.yml"];
  expect(named(Object.fromEntries([...others, "mise.txt", "src/cargo/config.toml", ".yarn/cache/a.zip"].map((path) => [path, file])))).toEqual(others);
  const git = [".git/HEAD", ".git/index", ".git/refs/heads/x", ".git/objects/ab/cd", ".git/logs/HEAD", ".git/COMMIT_EDITMSG"];
  const held = [".git/config", ".git/hooks/pre-commit", ".git/info/attributes", ".git/objects/info/alternates", ".git/modules/a/config", ".git/rebase-merge/git-rebase-todo", "sub/.git/config", ".git/commondir"];
  expect(named(Object.fromEntries([...git, ...held].map((path) => [path, file])), ["!*"])).toEqual(held);
  expect(named({ ".git/objects/INFO/Alternates": file, ".git/objects/x/.git/config": file, ".git": null })).toEqual([".git/objects/INFO/Alternates", ".git/objects/x/.git/config", ".git"]);
  expect(named({ ".git": file, "sub/.git": folder, "a/.git/refs": link("x") })).toEqual([".git", "a/.git/refs"]);
  // A folder that git would take for a repository, and a link to what is protected.
  expect(named({ "x/config": file }, [], { "x/HEAD": file, "x/objects": folder, "x/refs": folder })).toEqual(["x/config"]);
  expect(named({ "x/config": file }, [], { "x/HEAD": file })).toEqual([]);
  expect(named({ HEAD: file, objects: folder, refs: folder, config: file })).toEqual(["HEAD", "objects", "refs", "config"]);
  expect(named({ "x/Head": file, "x/OBJECTS": folder, "x/re\u200cfs": folder, "x/config": file })).toHaveLength(4);
  expect(named({ "x/HEAD": file, "x/commondir": file, "y/objects": folder, "y/refs": folder, "y/config": file })).toEqual(["x/HEAD", "x/commondir"]);
  expect(named({ "docs/a": link("../.git/hooks"), "docs/b": link("../.github"), "docs/c": link("../src"), "docs/d": link("c/../.claude/x") }, [], { src: folder })).toEqual(["docs/a", "docs/b", "docs/d"]);
  // What a protected link leads to, wherever it lies.
  const links = { "CLAUDE.md": link("docs/agents.md"), docs: folder, ".github": link("ci"), ".git": folder, ".git/hooks": link("../tools/git"), "a.md": link("docs/b.md") };
  expect(named({ "docs/agents.md": file, "docs/b.md": file, "ci/workflows/x.yml": file, "tools/git/pre-commit": null }, [], links)).toEqual(["docs/agents.md", "ci/workflows/x.yml", "tools/git/pre-commit"]);
});

test("one approval is needed for each set of owners; the last rule that matches a path counts, and may name nobody", () => {
  const owners = [{ pattern: "*", names: ["@all"] }, { pattern: "/pay/", names: ["@leads", "ben"] }, { pattern: "*.md", names: [] }];
  const proposal = { digest: "d", refused: [], changes: ["a", "b", "pay/x", "pay/readme.md"].map((path): TreeChange => ({ path, before: null, after: file })) };
  expect(needsOf({ proposal, gates: { owners, commands: [], protected: [], maxBytes: 1, maxFiles: 1 } })).toEqual([["@all"], ["@leads", "ben"]]);
});

// Cut by a bar, so that no scanner takes this file for a leak. Each with something that looks nearly like it.
const samples: [rule: string, hit: string, miss: string][] = [
  ["a private key", "-----BEGIN RSA ¦PRIVATE KEY-----", "-----BEGIN PUBLIC KEY-----"],
  ["an AWS access key", "AKIA¦QWERTYUIOPASDFGH", "AKIA¦QWERTY"],
  ["an AWS secret", "aws_secret_access_key = " + "a1B2".repeat(10), "aws_secret_access_key = $SECRET"],
  ["a GitHub token", "ghp_" + "a1B2".repeat(9), "ghp_¦a1B2"],
  ["a GitLab token", "glpat-" + "a1B2c".repeat(4), "glpat-short"],
  ["an Anthropic key", "sk-ant-¦api03-" + "a1B2".repeat(8), "sk-ant-x"],
  ["an OpenAI key", "sk-proj-" + "a1B2".repeat(10), "sk-project"],
  ["a Slack token", "xoxb-¦1234567890-abc", "xoxb-1"],
  ["a Slack webhook", "https://hooks.slack.com/¦services/T12345678/B12345678/¦a1B2c3D4e5F6g7H8i9J0k1L2", "https://hooks.slack.com/services/"],
  ["a Stripe key", "sk_live_" + "a1B2".repeat(6), "sk_test_" + "a1B2".repeat(6)],
  ["a Google API key", "AIza" + "a1B2-".repeat(7), "AIza¦a1B2"],
  ["a Google service account's key", '"private_key_id": "' + "0123456789".repeat(4) + '"', '"private_key_id": "x"'],
  ["an npm token", "npm_" + "a1B2".repeat(9), "npm_config_cache"],
  ["a PyPI token", "pypi-AgEI" + "a1B2".repeat(12), "pypi-server"],
  ["a Docker token", "dckr_pat_" + "a1B2c".repeat(5), "dckr_pat_"],
  ["a Hugging Face token", "hf_" + "aB".repeat(17), "hf_hub_download"],
  ["a SendGrid key", "SG." + "a".repeat(22) + "." + "b".repeat(43), "SG.a.b"],
  ["a Twilio key", "SK" + "0a".repeat(16), "SK0a"],
  ["a DigitalOcean token", "dop_v1_" + "0a".repeat(32), "dop_v1_"],
  ["a Vault token", "hvs." + "a1B2".repeat(8), "hvs.x"],
  ["a credential of Lanyard", "lyd_agent_" + "a".repeat(43), "lyd_agent_..."],
  ["a JSON Web Token", "eyJ" + "a".repeat(20) + ".eyJ" + "b".repeat(20) + "." + "c".repeat(20), "eyJabc.def"],
  ["a password in a URL", "postgres://app:¦s3cretpw@db.example/x", "postgres://app:${PASSWORD}@db.example/x"],
  ["a password or key written out", 'password = "¦correct4horse7battery"', 'password = "change-me-please-now"'],
];

test.each(samples)("%s is found, by its line; what only looks like it, or was there before, is not", (rule, cut, miss) => {
  const hit = cut.replaceAll("¦", "");
  expect(newSecrets(`one\n${hit}\n`, "")).toContainEqual({ rule, line: 2 });
  expect(newSecrets(`one\n${miss}\n`, "").filter((found) => found.rule === rule)).toEqual([]);
  expect(newSecrets(`new\none\n${hit}\n`, `one\n${hit}\n`)).toEqual([]);
});

test("looking for secrets is linear in the text", () => {
  for (const text of ["eyJ".repeat(20_000), "a://b:".repeat(20_000), `password="${"a".repeat(100_000)}`, "aws_secret_key".repeat(5000)]) expect(newSecrets(text, "").length).toBeLessThan(3);
  expect(newSecrets(`${"AKIAQWERTY"}UIOPASDFGH\n`.repeat(40_000), "").map(({ line }) => line)).toEqual(Array.from({ length: 100 }, (_, at) => at + 1));
});

test("a file too large to be looked through has not passed", async () => {
  const home = mkdtempSync(join(tmpdir(), "lanyard-gates-"));
  try {
    const results = await judge({
      origin: { session: "s", folder: home, hidden: [], shown: [], salt: "s", atMs: 0 },
      base: { entries: new Map(), left: new Map() },
      proposal: { digest: "d", refused: [], changes: [{ path: "big", before: null, after: { ...file, size: 600 * 1024 * 1024 } }] },
      contents: new ObjectShelf(join(home, "contents"), systemClock),
      gates: { owners: [], commands: [], protected: [], maxBytes: 2 ** 40, maxFiles: 10 },
      own: [],
      limits: { workspace_files: 10, workspace_bytes: 2 ** 40 },
      sandbox: () => Promise.reject(new Error("no command")),
      running: () => {},
    });
    expect(results.filter(({ passed }) => !passed)).toEqual([{ gate: "secrets", passed: false, findings: ["big: too large to be looked through"] }]);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});
