// Makes the scratch world that the demo's agent works in: a folder of files, a git repository with a remote, a database.
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** Makes the world anew in `folder`, which holds nothing else. Throws when git is not installed. */
export function makeWorld(folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, "files"), { recursive: true });
  writeFileSync(join(folder, "files", "notes.md"), "# Notes\n\nCall Ben about the open orders.\n");
  makeRepository(join(folder, "repo"), join(folder, "remote.git"));
  makeDatabase(join(folder, "shop.db"));
}

function makeRepository(repo, remote) {
  mkdirSync(repo);
  const identity = { GIT_AUTHOR_NAME: "Ana", GIT_AUTHOR_EMAIL: "ana@example.org", GIT_COMMITTER_NAME: "Ana", GIT_COMMITTER_EMAIL: "ana@example.org" };
  const git = (...args) => execFileSync("git", args, { cwd: repo, stdio: "pipe", env: { ...process.env, ...identity, GIT_CONFIG_GLOBAL: "/dev/null" } });
  git("init", "--quiet", "--initial-branch", "main");
  for (const [name, message] of [["shop.txt", "Open the shop"], ["prices.txt", "Set the prices"]]) {
    writeFileSync(join(repo, name), `${message}\n`);
    git("add", name);
    git("commit", "--quiet", "--message", message);
  }
  git("init", "--quiet", "--bare", remote);
  git("remote", "add", "origin", remote);
  git("push", "--quiet", "origin", "main");
}

function makeDatabase(path) {
  const database = new DatabaseSync(path);
  database.exec(`
    CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT NOT NULL, cents INTEGER NOT NULL, status TEXT NOT NULL);
    INSERT INTO orders (customer, cents, status) VALUES ('Ina', 1200, 'open'), ('Jo', 5600, 'open'), ('Kim', 900, 'paid');
  `);
  database.close();
}
