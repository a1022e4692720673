import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { shellFacts } from "../../../server/src/base/extract/shell/shell.ts";

// Random commands that are called a read are carried out by a real bash, in a cage without a network whose only writable folder is looked at after each.

const words =
  "ls|cat|grep|find|sed|awk|sort|uniq|head|tail|xargs|git|tee|xxd|tar|env|echo|printf|date|file|tree|sh|nice|wc|cut|diff|cp|rm|touch|-o|-i|-n|-e|-c|-r|-d|-exec|{}|+|\\;|-delete|-fprint|-print|-w|-f|--output=n|'s/a/b/'|'s/a/b/w n'|'w n'|'p'|'1e touch n'|'{print}'|'{print > \"n\"}'|'BEGIN{system(\"touch n\")}'|a|b|d|.|*|n|>|>>|<|<<<|2>&1|&>|>&|&&|;|&|$(|)|`|'|\"|$x|x=a|x=n|for x in a n; do|done|if true; then|fi|(|{|}|!|log|status|diff|branch|config x.y z|tag n|init|stash|--|1|~|-I%|%|touch n|rm a|> n"
    .split("|")
    .concat(["|", "|", "\n"]);

function fill(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, "d"), { recursive: true });
  writeFileSync(join(folder, "a"), "a1\nb\n/mnt/n\n");
  writeFileSync(join(folder, "b"), "touch n\nrm a\n");
  execFileSync("git", ["init", "-q", folder]);
}

/** All names and bytes, but for what git remembers of when it looked. */
const contents = (folder: string): string =>
  readdirSync(folder)
    .filter((name) => name !== "index")
    .toSorted()
    .map((name) => (statSync(join(folder, name)).isDirectory() ? `${name}{${contents(join(folder, name))}}` : `${name}:${readFileSync(join(folder, name), "utf8")}`))
    .join(";");

const cage = (folder: string, command: string): string[] =>
  ["--ro-bind", "/", "/", "--bind", folder, "/mnt", "--tmpfs", "/tmp", "--dev", "/dev", "--proc", "/proc", "--unshare-all", "--die-with-parent", "--chdir", "/mnt", "timeout", "3", "bash", "-c", command];

const caged = existsSync("/usr/bin/bwrap") && spawnSync("bwrap", ["--ro-bind", "/", "/", "--unshare-all", "true"]).status === 0;

test.skipIf(!caged)("what is called a read changes no file", () => {
  const folder = join(mkdtempSync(join(tmpdir(), "lanyard-read-")), "work");
  fill(folder);
  const before = contents(folder);
  spawnSync("bwrap", cage(folder, "touch n"));
  expect(contents(folder)).not.toBe(before); // A change would be seen.
  fill(folder);
  let read = 0;
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...words), { minLength: 2, maxLength: 10 }), (all) => {
      const command = all.join(" ");
      if (shellFacts(command).class !== "read") return;
      read += 1;
      spawnSync("bwrap", cage(folder, command), { input: "" });
      expect(contents(folder), command).toBe(before);
    }),
    { numRuns: 8000 },
  );
  expect(read).toBeGreaterThan(50);
  rmSync(join(folder, ".."), { recursive: true });
});
