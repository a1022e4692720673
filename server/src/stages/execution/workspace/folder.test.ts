import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { systemClock } from "../../../base/clock.ts";
import { WorkspaceFolder } from "./folder.ts";
import type { TreeChange } from "./tree.ts";

class Home implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "lanyard-folder-"));

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

const changes: TreeChange[] = [
  { path: "a", before: null, after: { kind: "file", mode: 0o644, size: 1, hash: "x" }, from: "b" },
  { path: "b", before: { kind: "file", mode: 0o644, size: 1, hash: "x" }, after: null },
];

test.each<[file: string, from: string, to: string]>([
  ["proposal.json", '"path":"a"', '"path":"c"'],
  ["proposal.json", '"mode":420', '"mode":493'],
  ["proposal.json", '"refused":[{"path":"d","why":"w"}]', '"refused":[]'],
  ["origin.json", "/srv/project", "/srv/another"],
])("a proposal whose %s was changed afterwards is none: %s to %s", (file, from, to) => {
  using home = new Home();
  const folder = new WorkspaceFolder(home.path, "ses_1", systemClock);
  folder.create({ session: "ses_1", folder: "/srv/project", hidden: [], shown: [] }, { entries: new Map(), left: new Map() });
  const made = folder.propose(changes, [{ path: "d", why: "w" }]);
  expect(folder.proposal()).toEqual(made);
  const path = join(folder.path, file);
  const text = readFileSync(path, "utf8");
  expect(text).toContain(from);
  writeFileSync(path, text.replace(from, to));
  expect(() => folder.proposal()).toThrow(/were changed since/);
});

test("what lies among the workspaces and is none is passed over", () => {
  using home = new Home();
  mkdirSync(join(home.path, "workspaces", "ses_1"), { recursive: true });
  writeFileSync(join(home.path, "workspaces", ".DS_Store"), "");
  expect(WorkspaceFolder.all(home.path, systemClock).map(({ session }) => session)).toEqual(["ses_1"]);
});

test("what was looked at is what may be applied: not what the session made of it afterwards", () => {
  using home = new Home();
  const folder = new WorkspaceFolder(home.path, "ses_1", systemClock);
  folder.create({ session: "ses_1", folder: "/srv/project", hidden: [], shown: [] }, { entries: new Map(), left: new Map() });
  const first = folder.propose(changes, []);
  folder.expectShown(first.digest);
  folder.keepShown(first);
  folder.expectShown(folder.propose(changes, []).digest);
  const second = folder.propose(changes.slice(0, 1), []);
  expect(() => folder.expectShown(second.digest)).toThrow(/since you looked/);
  folder.keepShown(second);
  folder.expectShown(second.digest);
});
