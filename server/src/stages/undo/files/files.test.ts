import { execFileSync } from "node:child_process";
import { appendFileSync, chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { changesBetween } from "../image.ts";
import { readFiles, restoreFiles, type FilesLook } from "./files.ts";
import { indexEntries } from "./git-index.ts";

const made: string[] = [];
afterAll(() => made.forEach((folder) => rmSync(folder, { recursive: true, force: true })));
const folder = (): string => {
  made.push(mkdtempSync(join(tmpdir(), "lanyard-undo-")));
  return made.at(-1) as string;
};

/** Everything below, as text. */
const dump = (at: string, path = ""): string[] =>
  readdirSync(join(at, path)).sort().flatMap((name) => {
    const here = join(path, name);
    const stats = lstatSync(join(at, here));
    if (stats.isSymbolicLink()) return [`${here} -> ${readlinkSync(join(at, here))}`];
    return stats.isDirectory() ? [`${here}/ ${stats.mode}`, ...dump(at, here)] : [`${here} ${stats.mode} ${readFileSync(join(at, here), "hex")}`];
  });

async function done(look: FilesLook, work: () => void): Promise<() => Promise<void>> {
  const before = await readFiles(look, true);
  work();
  const after = await readFiles(look, false);
  return () => restoreFiles(look.root, changesBetween(before.image, after.image), before.contents);
}

const path = fc.constantFrom("a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "ü ñ", "run.sh");
const operation = fc.oneof(
  fc.record({ kind: fc.constant("write" as const), path, bytes: fc.uint8Array({ maxLength: 6 }) }),
  fc.record({ kind: fc.constant("folder" as const), path }),
  fc.record({ kind: fc.constant("remove" as const), path }),
  fc.record({ kind: fc.constant("move" as const), path, to: path }),
  fc.record({ kind: fc.constant("mode" as const), path, mode: fc.constantFrom(0o600, 0o755, 0o700) }),
  fc.record({ kind: fc.constant("link" as const), path, to: fc.constantFrom("a", "../x", "/etc") }),
);

function carryOut(root: string, one: typeof operation extends fc.Arbitrary<infer T> ? T : never): void {
  const at = join(root, one.path);
  try {
    if (one.kind === "write" && !(existsSync(at) && lstatSync(at).isSymbolicLink())) writeFileSync(at, one.bytes);
    if (one.kind === "folder") mkdirSync(at, { recursive: true });
    if (one.kind === "remove") rmSync(at, { recursive: true });
    if (one.kind === "move") renameSync(at, join(root, one.to));
    if (one.kind === "mode" && lstatSync(at).isFile()) chmodSync(at, one.mode);
    if (one.kind === "link") symlinkSync(one.to, at);
  } catch {
    // A program that fails changes nothing, or something: both are to be taken back.
  }
}

test("whatever happens in a folder is taken back to the last bit, in reverse order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(operation, { maxLength: 4 }), { maxLength: 5 }), async (actions) => {
      const root = folder();
      mkdirSync(join(root, "d/e"), { recursive: true });
      writeFileSync(join(root, "d/a"), "old", { mode: 0o640 });
      const trail: [string[], () => Promise<void>][] = [];
      for (const some of actions) trail.push([dump(root), await done({ root, tops: [{ path: root, deep: true }] }, () => some.forEach((one) => carryOut(root, one)))]);
      for (const [state, back] of trail.toReversed()) {
        await back();
        expect(dump(root)).toEqual(state);
      }
    }),
    { numRuns: 150 },
  );
});

test("what somebody else changed since, or put into a new folder, is left as it is", async () => {
  const root = folder();
  writeFileSync(join(root, "a"), "1");
  const back = await done({ root, tops: [{ path: join(root, "a") }] }, () => writeFileSync(join(root, "a"), "2"));
  writeFileSync(join(root, "a"), "3");
  await expect(back()).rejects.toMatchObject({ code: "conflict" });
  expect(readFileSync(join(root, "a"), "utf8")).toBe("3");

  const unmake = await done({ root, tops: [{ path: join(root, "n/m"), way: true }] }, () => mkdirSync(join(root, "n/m"), { recursive: true }));
  writeFileSync(join(root, "n/other"), "theirs");
  await expect(unmake()).rejects.toMatchObject({ code: "conflict" });
  expect(readFileSync(join(root, "n/other"), "utf8")).toBe("theirs");
});

test("no link leads out of the root, neither when reading nor when a name becomes one before it is put back", async () => {
  const root = folder();
  const secret = folder();
  writeFileSync(join(secret, "a"), "secret");
  symlinkSync(secret, join(root, "way"));
  await expect(readFiles({ root, tops: [{ path: join(root, "way/a") }] }, true)).rejects.toMatchObject({ code: "irreversible" });
  mkdirSync(join(root, "d"));
  writeFileSync(join(root, "d/a"), "mine");
  const back = await done({ root, tops: [{ path: join(root, "d/a") }] }, () => writeFileSync(join(root, "d/a"), "new"));
  rmSync(join(root, "d"), { recursive: true });
  symlinkSync(secret, join(root, "d"));
  await expect(back()).rejects.toThrow();
  expect(readFileSync(join(secret, "a"), "utf8")).toBe("secret");
});

test("a folder that must be one is refused where it is missing, a file or a link, and where a link in it leads elsewhere", async () => {
  const root = folder();
  const read = () => readFiles({ root, tops: [{ path: join(root, ".git"), must: true, deep: true }] }, false);
  await expect(read()).rejects.toMatchObject({ code: "irreversible" });
  writeFileSync(join(root, ".git"), "gitdir: /elsewhere\n");
  await expect(read()).rejects.toMatchObject({ code: "irreversible" });
  rmSync(join(root, ".git"));
  symlinkSync("/elsewhere", join(root, ".git"));
  await expect(read()).rejects.toMatchObject({ code: "irreversible" });
  rmSync(join(root, ".git"));
  mkdirSync(join(root, ".git"));
  expect(Object.keys((await read()).image)).toEqual([join(root, ".git")]);
  symlinkSync("/elsewhere", join(root, ".git/refs"));
  await expect(read()).rejects.toMatchObject({ code: "irreversible" });
});

test.each(["relative", "/etc/passwd", "ROOT/../x", "ROOT//a", "ROOT/./a", "ROOTx/a", "ROOT/a\0b"])("%s is no path below the root", async (path_) => {
  const root = folder();
  await expect(readFiles({ root, tops: [{ path: path_.replace("ROOT", root) }] }, true)).rejects.toMatchObject({ code: "irreversible" });
});

test("a git index is what its entries say, not when git looked at the files last", () => {
  const root = folder();
  const git = (...args: string[]) => execFileSync("git", args, { cwd: root, stdio: "pipe", env: { PATH: process.env["PATH"], HOME: root } });
  const index = () => readFileSync(join(root, ".git/index"));
  git("init", "-q");
  for (const name of ["a", "ü", `${"x".repeat(99)}/${"y".repeat(99)}/${"z".repeat(99)}`]) {
    mkdirSync(join(root, name, ".."), { recursive: true });
    writeFileSync(join(root, name), name);
  }
  git("add", ".");
  const [bytes, entries] = [index(), indexEntries(index())];
  expect(entries).not.toBeNull();
  execFileSync("touch", ["-d", "2020-01-01", join(root, "a")]);
  git("status");
  git("update-index", "--refresh");
  expect(index().equals(bytes)).toBe(false);
  expect(indexEntries(index())).toBe(entries);
  appendFileSync(join(root, "new"), "x");
  git("add", "--intent-to-add", "new");
  expect(indexEntries(index())).not.toBe(entries);
  git("update-index", "--index-version", "4");
  expect(indexEntries(index())).toBeNull();
});

test("no bytes make the reader of an index throw", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 0, max: 5 }), (bytes, count) => {
    const head = Buffer.alloc(12);
    head.write("DIRC");
    head.writeUInt32BE(2, 4);
    head.writeUInt32BE(count, 8);
    void indexEntries(Buffer.concat([head, bytes]));
  }));
});

test("no file that is in the way, of an interrupted run or of somebody who foresaw it, keeps another from coming back", async () => {
  const root = folder();
  writeFileSync(join(root, "a"), "1");
  const back = await done({ root, tops: [{ path: join(root, "a") }] }, () => writeFileSync(join(root, "a"), "2"));
  writeFileSync(join(root, "a.lanyard-undo"), "theirs");
  await back();
  expect(dump(root).map((line) => line.split(" ")[0])).toEqual(["a", "a.lanyard-undo"]);
  expect(readFileSync(join(root, "a"), "utf8")).toBe("1");
});
