import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { Fault } from "@lanyard/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../../base/clock.ts";
import { copyInto, openBase } from "./base.ts";
import { withoutStaged } from "./git.ts";
import { harvest, type Harvest } from "./harvest.ts";
import { ObjectShelf } from "./shelf.ts";
import { readTar, type TarEntry } from "./tar-read.ts";
import { checksum, tarEnd, tarHeader, tarPadding, type TarMember } from "./tar-write.ts";
import { changesBetween, shownAsItIs, type Manifest, type TreeEntry } from "./tree.ts";

class Ground implements Disposable {
  readonly folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "lanyard-harvest-"));
  readonly shelf = new ObjectShelf(join(this.folder, "shelf"), systemClock);

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const limits = { workspace_files: 100, workspace_bytes: 100_000 };
const nothing: Manifest = { entries: new Map(), left: new Map() };

/** A member as a hostile tar would write it. `type`: another type flag than its kind's. */
function member(path: string, more: Partial<TarMember> & { readonly content?: string; readonly type?: string } = {}): Buffer {
  const { content = "", type, ...rest } = more;
  const bytes = Buffer.from(content);
  const header = tarHeader({ path, kind: "file", mode: 0o644, size: bytes.length, modifiedAt: 0, target: "", ...rest });
  if (type !== undefined) {
    const last = header.subarray(header.length - 512);
    last.write(type, 156, "latin1");
    last.write(checksum(last).toString(8).padStart(6, "0"), 148, "latin1");
  }
  return Buffer.concat([header, bytes, tarPadding(bytes.length)]);
}
const folder = (path: string): Buffer => member(path, { kind: "folder", mode: 0o755 });
const link = (path: string, target: string): Buffer => member(path, { kind: "link", mode: 0o777, target });
const file = (text: string): TreeEntry => ({ kind: "file", mode: 0o644, size: text.length, hash: createHash("sha256").update(text).digest("base64url") });

async function taken(members: readonly Buffer[], base: Manifest = nothing, most = limits): Promise<Harvest> {
  using ground = new Ground();
  return await harvest({ base, shelf: ground.shelf, limits: most }, Readable.from([...members, tarEnd()]));
}

const refusals: [name: string, members: readonly Buffer[], why: RegExp, base?: Manifest][] = [
  ["an absolute link", [link("a", "/etc/passwd")], /absolute path/],
  ["a link out", [folder("b"), link("b/a", "../../x")], /out of the workspace/],
  ["a link out through another", [folder("b"), folder("b/c"), link("b/d", "c"), link("e", "b/d/../../../x")], /out of the workspace/],
  ["a link through a link of the base that leads out", [link("out", "/etc"), link("a", "out/passwd")], /absolute path/, { entries: new Map([["out", { kind: "link", mode: 0o777, size: 0, hash: "/etc" }]]), left: new Map() }],
  ["a link to itself", [link("a", "a")], /circle/],
  ["a link through too many folders", [link("a", "x/../".repeat(300))], /too many folders/],
  ["a link with a line break", [link("a", "b\nc")], /control characters/],
  ["a link to nothing", [link("a", "")], /link to nothing/],
  ["a link in a folder's place, written through", [link("a", "b"), folder("b"), member("a/c", { content: "x" })], /behind a link/],
  ["a path behind a link of the base", [link("out", "/etc"), member("out/cron", { content: "x" })], /behind a link/, { entries: new Map([["out", { kind: "link", mode: 0o777, size: 0, hash: "/etc" }]]), left: new Map() }],
  ["a file where a folder must be", [member("a", { content: "x" }), member("a/b", { content: "x" })], /below what is no folder/],
  ["a file in no folder", [member("a/b", { content: "x" })], /below what is no folder/],
  ["a hard link", [member("a", { content: "x" }), member("b", { type: "1", target: "a" })], /a hard link/],
  ["a fifo", [member("a", { type: "6" })], /a fifo/],
  ["a character device", [member("a", { type: "3" })], /a device/],
  ["a block device", [member("a", { type: "4" })], /a device/],
  ["`..`", [member("../a", { content: "x" })], /`\.` or `\.\.`/],
  ["`..` on the way", [folder("a"), member("a/../../b", { content: "x" })], /`\.` or `\.\.`/],
  ["`.` on the way", [folder("a"), member("a/./b", { content: "x" })], /`\.` or `\.\.`/],
  ["an absolute name", [member("/etc/passwd", { content: "x" })], /absolute/],
  ["an empty name on the way", [folder("a"), member("a//b", { content: "x" })], /empty name/],
  ["a NUL, by a pax header", [member(`${"a".repeat(120)}\0b`, { content: "x" })], /control characters/],
  ["a line break", [member("a\nb", { content: "x" })], /control characters/],
  ["an escape sequence", [member("a\x1b[2Jb", { content: "x" })], /control characters/],
  ["a backslash", [member("..\\a", { content: "x" })], /backslash/],
  ["a stream of NTFS", [member("a:b", { content: "x" })], /backslash or another/],
  ["a device of Windows", [member("aux.txt", { content: "x" })], /device's on Windows/],
  ["a device of Windows as a folder", [folder("COM1"), member("COM1/a", { content: "x" })], /device's on Windows/],
  ["a dot at the end", [member("a.", { content: "x" })], /ends in a dot/],
  ["`.git` by another name", [folder("GIT~1")], /another for `.git`/],
  ["`.git` in capitals", [folder(".GIT")], /looks like `.git`/],
  ["`.git` with a letter nobody sees", [folder(".g\u200cit")], /looks like `.git`/],
  ["twins by case", [member("Read", { content: "1" }), member("read", { content: "2" })], /takes? it for/],
  ["a twin of the base by case", [member("Read", { content: "1" }), member("read", { content: "2" })], /take it for `Read`/, { entries: new Map([["Read", file("1")]]), left: new Map() }],
  ["twins by Unicode's forms", [member("caf\u00e9", { content: "1" }), member("cafe\u0301", { content: "2" })], /take it for/],
  ["twins by a letter nobody sees", [member("read", { content: "1" }), member("re\u200cad", { content: "2" })], /take it for/],
  ["twins by ß and ss", [member("stra\u00dfe", { content: "1" }), member("STRASSE", { content: "2" })], /take it for/],
  ["folders that are twins", [folder("A"), folder("a"), member("a/b", { content: "1" })], /take it for/],
  ["setuid", [member("a", { mode: 0o4755, content: "x" })], /setuid/],
  ["setgid", [member("a", { mode: 0o2755, content: "x" })], /setuid, setgid/],
  ["a path too deep", [...Array.from({ length: 65 }, (_, at) => folder(Array(at + 1).fill("a").join("/")))], /folders deep/],
  ["a name too long", [member("a".repeat(256), { content: "x" })], /over 255 bytes/],
  ["a duplicate", [member("a", { content: "1" }), member("a", { content: "2" })], /twice/],
  ["a duplicate, once with `./`", [member("a", { content: "1" }), member("./a", { content: "2" })], /twice/],
  ["what was not copied in", [folder(".lanyard"), member(".lanyard/key", { content: "x" })], /was not copied in/, { entries: new Map(), left: new Map([[".lanyard", "it is Lanyard's own"]]) }],
  ["a twin of what was not copied in", [folder(".Lanyard")], /take it for/, { entries: new Map(), left: new Map([[".lanyard", "it is Lanyard's own"]]) }],
];

describe("what may not come out is refused", () => {
  test.each(refusals)("%s", async (...[, members, why, base]) => {
    const { refused } = await taken(members, base);
    expect(refused.map((one) => one.why).join("\n")).toMatch(why);
  });

  test("a name that is not UTF-8", async () => {
    const header = member("aXb", { content: "x" });
    header[1] = 0xff;
    header.write(checksum(header.subarray(0, 512)).toString(8).padStart(6, "0"), 148, "latin1");
    expect((await taken([header])).refused).toEqual([{ path: "?", why: "its name is not UTF-8" }]);
  });

  test("a sparse file of a thousand terabytes, a wrong checksum, a cut archive, another kind of file: no archive at all", async () => {
    const sparse = member("a", { type: "S" });
    const large = tarHeader({ path: "a", kind: "file", mode: 0o644, size: 2 ** 40, modifiedAt: 0, target: "" });
    const broken = member("a", { content: "x" });
    broken[0] = 0x62;
    await expect(taken([sparse])).rejects.toThrow(/sparse/);
    await expect(taken([large])).rejects.toThrow(/workspace_bytes/);
    await expect(taken([broken])).rejects.toThrow(/checksum/);
    await expect(taken([member("a", { type: "g" })])).rejects.toThrow(/unknown type/);
    using ground = new Ground();
    const headers = function* (): Generator<Buffer> {
      for (let at = 0; at < 100_000; at++) yield member("pax", { type: "x", content: `1000 ${at}=`.padEnd(999, "x") + "\n" });
    };
    await expect(harvest({ base: nothing, shelf: ground.shelf, limits }, Readable.from(headers()))).rejects.toThrow(/too many headers/);
    await expect(harvest({ base: nothing, shelf: ground.shelf, limits }, Readable.from([member("a", { content: "x".repeat(600) }).subarray(0, 700)]))).rejects.toThrow(/middle of a member/);
  });

  test("the limits workspace_files and workspace_bytes are met, and one past them is not", async () => {
    const most = { workspace_files: 3, workspace_bytes: 10 };
    expect((await taken([folder("a"), member("a/b", { content: "12345" }), member("a/c", { content: "12345" })], nothing, most)).changes).toHaveLength(3);
    await expect(taken([folder("a"), folder("b"), folder("c"), folder("d")], nothing, most)).rejects.toThrow(/workspace_files/);
    await expect(taken([member("a", { content: "12345678901" })], nothing, most)).rejects.toThrow(/workspace_bytes/);
    await expect(taken([link("a", "123456"), link("b", "123456")], nothing, most)).rejects.toThrow(/workspace_bytes/);
  });
});

test("what was so before and did not change is nobody's fault", async () => {
  const entries = new Map<string, TreeEntry>([["aux.c", file("1")], ["Read", file("1")], ["read", file("2")], ["out", { kind: "link", mode: 0o777, size: 0, hash: "/etc" }]]);
  expect(await taken([member("aux.c", { content: "1" }), member("Read", { content: "1" }), member("read", { content: "2" }), link("out", "/etc")], { entries, left: new Map() })).toEqual({ changes: [], refused: [] });
});

test("what is shown inside as it is comes along and says nothing", async () => {
  expect(await taken([folder("lib"), member("lib/a", { content: "1" }), folder("lib/b")], { entries: new Map(), left: new Map([["lib", shownAsItIs]]) })).toEqual({ changes: [], refused: [] });
});

test("whatever bytes come, they are an archive or not; nothing is written but on the shelf, under hashes", async () => {
  const path = fc.oneof(fc.constantFrom("a", "a/b", "../a", "/a", "./a", "..", ".", "", "a/../../b", "a\0b"), fc.string({ maxLength: 130 }));
  const one = fc.record({ path, type: fc.constantFrom("0", "1", "2", "3", "5", "6", "x", "L", "K", "S", "g"), content: fc.string({ maxLength: 700 }), target: path, mode: fc.nat(0o7777) });
  const mangled = fc.array(fc.record({ at: fc.nat(4000), byte: fc.nat(255) }), { maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(fc.array(one, { maxLength: 6 }), mangled, fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 5 }), async (members, dents, cuts) => {
      using ground = new Ground();
      const bytes = Buffer.concat([...members.map(({ path: name, ...rest }) => member(name, rest)), tarEnd()]);
      for (const { at, byte } of dents) if (dents.length > 1 && at < bytes.length) bytes[at] = byte;
      const pieces: Buffer[] = [];
      for (let at = 0, n = 0; at < bytes.length; n++) pieces.push(bytes.subarray(at, (at += cuts[n % cuts.length] ?? 1)));
      try {
        const { changes } = await harvest({ base: nothing, shelf: ground.shelf, limits }, Readable.from(pieces));
        for (const { after } of changes) if (after?.kind === "file") expect(existsSync(ground.shelf.place(after.hash))).toBe(true);
      } catch (error) {
        expect(error).toMatchObject({ name: "Fault" });
      }
      expect(readdirSync(ground.folder)).toEqual(["shelf"]);
      for (const name of readdirSync(join(ground.folder, "shelf"))) expect(name).toMatch(/^([\w-]{43}|new_[\w-]{16})$/);
    }),
    { numRuns: 300 },
  );
});

test("an archive of ours is read by us as it was written, however its bytes are cut", async () => {
  const arbitrary = fc.array(fc.record({ name: fc.string({ minLength: 1, maxLength: 200, unit: fc.constantFrom("a", "b", "é", "-") }), content: fc.string({ maxLength: 1200 }), mode: fc.nat(0o777) }), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(arbitrary, fc.integer({ min: 1, max: 2000 }), async (members, cut) => {
      const bytes = Buffer.concat([...members.map(({ name, content, mode }) => member(name, { content, mode })), link("l", "x".repeat(150)), tarEnd()]);
      const pieces = Array.from({ length: Math.ceil(bytes.length / cut) }, (_, at) => bytes.subarray(at * cut, (at + 1) * cut));
      const read: { name: string | null; content: string; mode: number }[] = [];
      let last: TarEntry | null = null;
      for await (const entry of readTar(Readable.from(pieces))) {
        last = entry;
        if (entry.kind === "file") read.push({ name: entry.path, content: (await buffer(entry.content())).toString(), mode: entry.mode });
      }
      expect(read).toEqual(members.map(({ name, content, mode }) => ({ name, content, mode })));
      expect(last?.target).toBe("x".repeat(150));
    }),
    { numRuns: 100 },
  );
});

test("a folder goes through the system's tar and back without a change, long names and all; git's own writing is left out", async () => {
  using ground = new Ground();
  const [from, to] = [join(ground.folder, "from"), join(ground.folder, "to")];
  mkdirSync(join(from, "d".repeat(120), "e".repeat(120)), { recursive: true });
  mkdirSync(to);
  writeFileSync(join(from, "d".repeat(120), "e".repeat(120), "f".repeat(90)), "deep");
  writeFileSync(join(from, "é run"), "#!", { mode: 0o750 });
  symlinkSync(`${"d".repeat(120)}/x`, join(from, "link"));
  execFileSync("git", ["init", "-q", from]);
  const { tar, manifest } = openBase({ folder: from, hidden: [], limits: { workspace_files: 1000, workspace_bytes: 1e6 } });
  execFileSync("tar", ["-x", "-p", "-C", to, "-f", "-"], { input: await buffer(tar) });
  for (const format of ["gnu", "posix"]) {
    const back = execFileSync("tar", ["-c", `--format=${format}`, "-C", to, "-f", "-", "."]);
    expect(await harvest({ base: await manifest, shelf: ground.shelf, limits: { workspace_files: 1000, workspace_bytes: 1e6 } }, Readable.from([back]))).toEqual({ changes: [], refused: [] });
  }
  execFileSync("git", ["-C", to, "add", "."]);
  const { changes } = await harvest({ base: await manifest, shelf: ground.shelf, limits: { workspace_files: 1000, workspace_bytes: 1e6 } }, Readable.from([execFileSync("tar", ["-c", "-C", to, "-f", "-", "."])]));
  expect([changes.length > 0, withoutStaged(changes)]).toEqual([true, []]);
});

test("where the sandbox ends while a folder is copied in, that is what is said", async () => {
  using ground = new Ground();
  writeFileSync(join(ground.folder, "large"), Buffer.alloc(3_000_000));
  const put = async (tar: Readable): Promise<void> => {
    tar.once("data", () => tar.destroy());
    await new Promise((closed) => tar.once("close", closed));
    throw new Fault("sandbox_ended", "the guest is gone");
  };
  await expect(copyInto(put, { folder: ground.folder, hidden: [], limits: { workspace_files: 10, workspace_bytes: 1e7 } })).rejects.toThrow("the guest is gone");
});

test("what went is compared in a time that does not grow with how many files were alike", () => {
  const before = new Map(Array.from({ length: 60_000 }, (_, at) => [`old/${at}`, file("x")] as const));
  const changes = changesBetween(before, new Map([["new", file("x")]]));
  expect([changes.length, changes.find(({ path }) => path === "new")?.from]).toEqual([60_001, "old/0"]);
});

test("a chain of long links is given up, not walked for each link that leads into it", async () => {
  const chain = Array.from({ length: 32 }, (_, at) => link(`l${at}`, `${"x/../".repeat(800)}l${at + 1}`));
  const { refused } = await taken([folder("x"), ...chain, ...Array.from({ length: 300 }, (_, at) => link(`to${at}`, "l0"))], nothing, { workspace_files: 1000, workspace_bytes: 1e6 });
  expect(refused).toHaveLength(332);
});
