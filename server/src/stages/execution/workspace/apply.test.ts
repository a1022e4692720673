import fs, { chmodSync, chownSync, existsSync, lchownSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, realpathSync, rmSync, symlinkSync, writeFileSync, readFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import fc from "fast-check";
import { expect, test } from "vitest";
import { systemClock } from "../../../base/clock.ts";
import { apply, recover } from "./apply.ts";
import { openBase } from "./base.ts";
import { harvest } from "./harvest.ts";
import { ObjectShelf } from "./shelf.ts";
import type { Manifest } from "./tree.ts";

const limits = { workspace_files: 1000, workspace_bytes: 10_000_000 };

/** A folder's tree as a test writes it: text is a file, an object a folder, an array a link's target. */
type Tree = { [name: string]: string | [target: string] | Tree };

function plant(folder: string, tree: Tree): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, what] of Object.entries(tree)) {
    const path = join(folder, name);
    if (typeof what === "string") {
      writeFileSync(path, what);
      chmodSync(path, what.startsWith("#!") ? 0o755 : 0o644);
    } else if (Array.isArray(what)) symlinkSync(what[0] as string, path);
    else plant(path, what as Tree);
  }
}

const read = (folder: string): Tree =>
  Object.fromEntries(
    readdirSync(folder).sort().map((name) => {
      const path = join(folder, name);
      const stats = lstatSync(path);
      if (stats.isSymbolicLink()) return [name, [readlinkSync(path)] as [string]];
      return [name, stats.isDirectory() ? read(path) : readFileSync(path, "utf8")];
    }),
  );

class Ground implements Disposable {
  readonly folder = realpathSync(mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "lanyard-apply-")));
  readonly root = join(this.folder, "root");
  readonly journal = join(this.folder, "journal.json");
  readonly contents = new ObjectShelf(join(this.folder, "contents"), systemClock);
  readonly kept = new ObjectShelf(join(this.folder, "kept"), systemClock);

  /** The changes that make the tree at `root` the other. */
  async changes(to: Tree): Promise<Awaited<ReturnType<typeof harvest>>["changes"]> {
    const other = join(this.folder, "other");
    rmSync(other, { recursive: true, force: true });
    plant(other, to);
    const { changes, refused } = await harvest({ base: await this.manifest(this.root), shelf: this.contents, limits }, Readable.from([await buffer(openBase({ folder: other, hidden: [], limits }).tar)]));
    expect(refused).toEqual([]);
    return changes;
  }

  async manifest(folder: string): Promise<Manifest> {
    const { tar, manifest } = openBase({ folder, hidden: [], limits });
    tar.resume();
    return manifest;
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const name = fc.constantFrom("a", "b", "c", "d.txt", "é", "e".repeat(120));
const { tree } = fc.letrec<{ tree: Tree; leaf: string | [string] }>((tie) => ({
  leaf: fc.oneof(fc.constantFrom("", "one", "two", "#!three"), fc.constantFrom<[string]>(["nowhere"], ["x/y"])),
  tree: fc.dictionary(name, fc.oneof({ maxDepth: 3, depthSize: "small" }, tie("leaf"), tie("tree")), { maxKeys: 4, noNullPrototype: true }) as fc.Arbitrary<Tree>,
}));

test("the changes between two trees, applied to the one, make the other; taken back from any step, they make the first again", async () => {
  await fc.assert(
    fc.asyncProperty(tree, tree, fc.nat(60), async (from, to, crashAt) => {
      using ground = new Ground();
      plant(ground.root, from);
      const before = read(ground.root);
      const changes = await ground.changes(to);
      let steps = 0;
      const crash = (): void => {
        if (steps++ === crashAt) throw new Error("crash");
      };
      const all = { root: ground.root, changes, contents: ground.contents, kept: ground.kept, journal: ground.journal };
      try {
        apply({ ...all, step: crash });
      } catch (error) {
        expect((error as Error).message).toMatch(/nothing was applied/);
        expect(read(ground.root)).toEqual(before);
        apply(all);
      }
      expect(existsSync(ground.journal)).toBe(false);
      expect(read(ground.root)).toEqual(read(join(ground.folder, "other")));
      expect((await ground.manifest(ground.root)).entries).toEqual((await ground.manifest(join(ground.folder, "other"))).entries);
      // And the way back, from what was kept.
      apply({ ...all, changes: changes.map(({ path, before: was, after }) => ({ path, before: after, after: was })), contents: ground.kept, kept: ground.contents });
      expect(read(ground.root)).toEqual(before);
    }),
    { numRuns: 100 },
  );
});

test.each<[string, Tree, Tree, (root: string) => void]>([
  ["changed", { a: "1", b: "1" }, { a: "2", b: "2" }, (root) => writeFileSync(join(root, "b"), "mine")],
  ["gone", { a: "1", b: "1" }, { a: "2", b: "2" }, (root) => rmSync(join(root, "b"))],
  ["there already", { a: "1" }, { a: "2", b: "2" }, (root) => writeFileSync(join(root, "b"), "mine")],
  ["a folder by now", { a: "1" }, { a: "2", b: "2" }, (root) => mkdirSync(join(root, "b"))],
  ["of another mode", { a: "1", b: "1" }, { a: "2", b: "2" }, (root) => chmodSync(join(root, "b"), 0o755)],
  ["in a folder that has more now", { a: "1", b: { c: "1" } }, { a: "2" }, (root) => writeFileSync(join(root, "b/mine"), "mine")],
  ["behind a link by now", { a: "1", b: { c: "1" } }, { a: "2", b: { c: "2" } }, (root) => {
    rmSync(join(root, "b"), { recursive: true });
    mkdirSync(join(root, "../elsewhere"));
    writeFileSync(join(root, "../elsewhere/c"), "1");
    symlinkSync("../elsewhere", join(root, "b"));
  }],
])("nothing is applied when what is to change is %s", async (_, from, to, meanwhile) => {
  using ground = new Ground();
  plant(ground.root, from);
  const changes = await ground.changes(to);
  meanwhile(ground.root);
  const before = read(ground.root);
  expect(() => apply({ root: ground.root, changes, contents: ground.contents, kept: ground.kept, journal: ground.journal })).toThrow(/does not fit any more|became a link/);
  expect(read(ground.root)).toEqual(before);
});

test("what others write while changes are carried out stays", async () => {
  using ground = new Ground();
  plant(ground.root, { a: "1", b: "1", c: {} });
  const changes = await ground.changes({ a: "2", b: "2", c: { d: "2" } });
  const meddle = (step: string): void => {
    if (step === "moving") writeFileSync(join(ground.root, "c/d"), "mine");
  };
  expect(() => apply({ root: ground.root, changes, contents: ground.contents, kept: ground.kept, journal: ground.journal, step: meddle })).toThrow(/does not fit/);
  expect(read(ground.root)).toEqual({ a: "1", b: "1", c: { d: "mine" } });
  expect(recover(ground.journal)).toBe(null);
});

test("what is applied is what was reviewed: a content that changed on its shelf is refused", async () => {
  using ground = new Ground();
  plant(ground.root, { a: "1" });
  const changes = await ground.changes({ a: "2" });
  for (const { after } of changes) if (after?.kind === "file") writeFileSync(ground.contents.place(after.hash), "3");
  expect(() => apply({ root: ground.root, changes, contents: ground.contents, kept: ground.kept, journal: ground.journal })).toThrow(/does not fit/);
  expect(read(ground.root)).toEqual({ a: "1" });
});

test("a folder that becomes a link the moment it was made leads nowhere", async () => {
  using ground = new Ground();
  plant(ground.root, { a: "1" });
  const changes = await ground.changes({ a: "1", b: {} });
  const outside = join(ground.folder, "outside");
  mkdirSync(outside, { mode: 0o700 });
  const { mkdirSync: made } = fs;
  fs.mkdirSync = ((path: string, options: object) => {
    made(path, options);
    if (!path.endsWith("/b")) return;
    rmSync(join(ground.root, "b"), { recursive: true });
    symlinkSync(outside, join(ground.root, "b"));
  }) as typeof made;
  syncBuiltinESMExports();
  try {
    expect(() => apply({ root: ground.root, changes, contents: ground.contents, kept: ground.kept, journal: ground.journal })).toThrow(/does not fit/);
  } finally {
    fs.mkdirSync = made;
    syncBuiltinESMExports();
  }
  expect(lstatSync(outside).mode & 0o777).toBe(0o700);
});

test.runIf(process.getuid?.() === 0)("what root applies belongs to who had what it replaces, or has the folder", async () => {
  using ground = new Ground();
  plant(ground.root, { a: "1", b: { c: "1" }, l: ["a"] });
  const changes = await ground.changes({ a: "2", b: { c: "1", d: { e: "2" } }, l: ["b"], n: "2" });
  for (const [path, owner] of [["", 1001], ["a", 1002], ["b", 1003]] as const) chownSync(join(ground.root, path), owner, owner);
  lchownSync(join(ground.root, "l"), 1004, 1004);
  const all = { root: ground.root, contents: ground.contents, kept: ground.kept, journal: ground.journal };
  apply({ ...all, changes });
  const owners = (...paths: string[]): string[] => paths.map((path) => `${lstatSync(join(ground.root, path)).uid}:${lstatSync(join(ground.root, path)).gid}`);
  expect(owners("a", "b/d", "b/d/e", "l", "n")).toEqual(["1002:1002", "1003:1003", "1003:1003", "1004:1004", "1001:1001"]);
  apply({ ...all, changes: changes.map(({ path, before, after }) => ({ path, before: after, after: before })), contents: ground.kept, kept: ground.contents });
  expect(owners("a", "l")).toEqual(["1002:1002", "1004:1004"]);
});
