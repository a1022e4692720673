import { posix, win32 } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pathFacts, urlPathFacts } from "../../../server/src/base/extract/path.ts";

const root = "/work";
/** A rule as people write it: only below /work, and nothing there that steers agents or holds secrets. */
const permitted = (text: string): boolean => {
  const { class: of, common, kinds } = pathFacts([text], root);
  return of === "plain" && common.startsWith("/work/") && kinds.every((kind) => kind === "hidden" || kind === "settings" || kind === "source");
};

/** Ways to another file past such a rule, each with its near miss: what it imitates, and what must pass. */
const tricks: readonly (readonly [name: string, trick: string, twin: string])[] = [
  // Up and out.
  ["two dots", "/work/../etc/passwd", "/work/a/../etc/passwd"],
  ["two dots from the root", "../etc/passwd", "a/../etc/passwd"],
  ["many of them", "a/../../../../../../etc/passwd", "a/b/c/../../../etc/passwd"],
  ["a folder with the same beginning", "/workshop/a", "/work/shop/a"],
  ["the folder above", "/work/..", "/work/."],
  ["another root", "/etc/passwd", "etc/passwd"],
  ["slashes doubled", "//etc/passwd", "etc//passwd"],
  ["another machine", "//evil.com/share", "evil.com/share"],
  ["a dot between", "/work/./../etc", "/work/./etc"],
  ["slashes between", "/work//..//etc", "/work//a//etc"],
  ["three dots, two of which are taken out", "/work/.../etc", "/work/...a/etc"],
  ["four dots", "/work/..../etc", "/work/a..b/etc"],
  ["dots in dots", "/work/....//....//etc", "/work/a..b//c"],
  // Escapes.
  ["an encoded dot", "/work/%2e%2e/etc/passwd", "/work/2e2e/etc/passwd"],
  ["an encoded slash", "/work/..%2fetc%2fpasswd", "/work/2fetc/passwd"],
  ["an encoded slash in capitals", "/work/..%2Fetc", "/work/2Fetc"],
  ["an encoded backslash", "/work/..%5cetc", "/work/5cetc"],
  ["encoded twice", "/work/%252e%252e/etc", "/work/252e/etc"],
  ["encoded three times", "/work/%25252e%25252e/etc", "/work/25252e/etc"],
  ["overlong UTF-8", "/work/%c0%ae%c0%ae/etc", "/work/c0ae/etc"],
  ["a percent sign as IIS has it", "/work/%u002e%u002e/etc", "/work/u002e/etc"],
  ["an encoded NUL", "/work/a.txt%00.png", "/work/a.txt.png"],
  ["a NUL", "/work/a.txt\0.png", "/work/a.txt_.png"],
  ["a NUL after the way out", "/work/../etc/passwd\0/work/a", "/work/etc/passwd/a"],
  ["an escape of C", "/work/\\x2e\\x2e/etc", "/work/x2ex2e/etc"],
  ["a path parameter", "/work/..;/etc/passwd", "/work/..a/etc/passwd"],
  ["a path parameter with a name", "/work/..;x=1/etc", "/work/x=1/etc"],
  // Windows.
  ["a backslash", "/work/..\\etc", "/work/a/etc"],
  ["only backslashes", "..\\..\\etc\\passwd", "etc/passwd"],
  ["a drive", "C:\\Windows\\System32", "Windows/System32"],
  ["a drive with slashes", "C:/Windows/System32", "C/Windows/System32"],
  ["a share", "\\\\evil.com\\share", "evil.com/share"],
  ["a device", "\\\\?\\C:\\a", "C/a"],
  ["a stream", "/work/.env::$DATA", "/work/env.DATA"],
  ["a short name", "/work/SECRET~1", "/work/secret-1"],
  ["a dot at the end", "/work/CLAUDE.md.", "/work/CLAUDES.md"],
  ["a blank at the end", "/work/CLAUDE.md ", "/work/MY CLAUDES.md"],
  ["a blank at the front", " /etc/passwd", "etc/pass wd"],
  // Letters.
  ["full-width dots", "/work/．．/etc", "/work/aa/etc"],
  ["a full-width slash", "/work/..／etc", "/work/a/etc"],
  ["a two dot leader", "/work/‥/etc", "/work/two/etc"],
  ["a division slash", "/work/..∕etc", "/work/a-etc"],
  ["a fraction slash", "/work/..⁄etc", "/work/a/etc2"],
  ["a zero-width space in the dots", "/work/.\u200b./etc", "/work/a.b/etc"],
  ["a zero-width joiner in a name", "/work/CLA\u200dUDE.md", "/work/CLA-UDE.md"],
  ["an ignorable letter in a name", "/work/.g\u034fit/config", "/work/git/config"],
  ["letters from right to left", "/work/\u202edm.EDUALC", "/work/dm.EDUALC"],
  ["another case", "/work/ClAuDe.MD", "/work/ClAuDette.MD"],
  ["ligatures", "/work/.ssh/conﬁg", "/work/ssh/config"],
  ["a long s", "/work/.\u017f\u017fh/id_rsa", "/work/ssh/id"],
  ["a surrogate without its half", "/work/\ud800", "/work/\u{1f600}"],
  ["a tab", "/work/a\t/../../etc", "/work/a b/c"],
  ["a line feed and another path", "/work/a\n/etc/passwd", "/work/a/etc/passwd"],
  // Shells and globs.
  ["home", "~/.ssh/id_rsa", "home/id"],
  ["another's home", "~root/x", "root/x"],
  ["a variable", "$HOME/x", "HOME/x"],
  ["a variable in braces", "/work/${HOME}/x", "/work/HOME/x"],
  ["a variable of Windows", "%APPDATA%/x", "APPDATA/x"],
  ["a substitution", "/work/`id`", "/work/id"],
  ["a substitution, the other way", "/work/$(id)", "/work/(id)"],
  ["a star", "/work/../e*c/passwd", "/work/etc/passwd"],
  ["a star in a name", "/work/*", "/work/star"],
  ["a question mark", "/w?rk/../etc", "/work/etc"],
  ["a set of letters", "/work/.en[v]", "/work/[id]"],
  ["alternatives", "/work/{a,../../etc/passwd}", "/work/a,b"],
  ["a pipe", "|/bin/id", "bin/id"],
  ["a redirection", "> /etc/passwd", "etc/passwd"],
  // URLs.
  ["a URL of a file", "file:///etc/passwd", "file/etc/passwd"],
  ["the same with a host", "file://localhost/etc/passwd", "file/localhost/etc"],
  ["the same within the root", "file:///work/../etc/passwd", "work/../etc/passwd"],
  ["a wrapper of PHP", "php://filter/resource=/etc/passwd", "php/filter"],
  ["a URL", "https://evil.com/a", "https/evil.com/a"],
  // What steers agents, runs by itself or is secret.
  ["instructions of an agent", "/work/CLAUDE.md", "/work/CLAUDE.txt"],
  ["the same in a folder below", "docs/AGENTS.md", "docs/AGENTS.txt"],
  ["the same by way of a folder that is not there", "/work/x/../CLAUDE.md", "/work/x/../README.md"],
  ["settings of an editor that run tasks", ".vscode/settings.json", ".vscode/snippets.json"],
  ["servers of an agent", ".cursor/mcp.json", "cursor/servers.json"],
  ["a workflow", ".github/workflows/ci.yml", ".github/ISSUE_TEMPLATE/bug.yml"],
  ["a hook of git", ".git/hooks/pre-commit", "git/hooks/pre-commit"],
  ["settings of git", ".git/config", ".gitignore"],
  ["a file that shells read", ".bashrc", "bashrc.md"],
  ["secrets", ".env.production", "env.production"],
  ["a key", "keys/server.pem", "keys/server.md"],
  ["credentials", "config/credentials.yml.enc", "config/credentials.md"],
  ["an agent's memory", "memory/notes.md", "memory/notes.c"],
  ["an agent's memory at the root", "/memories/plan.txt", "memoir/plan.txt"],
];

describe("what looks like one file and is another", () => {
  test.each(tricks)("%s", (_, trick, twin) => {
    expect(permitted(trick)).toBe(false);
    expect(permitted(twin)).toBe(true);
  });
  test("are sixty at least, each another", () => expect(new Set(tricks.map(([, trick]) => trick)).size).toBeGreaterThanOrEqual(60));
});

/** Of paths on the web there is no root, and escapes are ordinary. */
const within = (path: string): boolean => {
  const { class: of, folders } = urlPathFacts(path);
  return of === "plain" && folders.includes("/api/public");
};

describe("paths on the web", () => {
  test.each([
    ["/api/public/../admin", "/api/public/..admin"],
    ["/api/public/%2e%2e/admin", "/api/public/%20admin"],
    ["/api/public/..%2fadmin", "/api/public/%C3%A4"],
    ["/api/public%2f..%2fadmin", "/api/public/a"],
    ["/api/public/..;/admin", "/api/public/a,b"],
    ["/api/public;x=1/../admin", "/api/public/x=1"],
    ["/api/public/%252e%252e/admin", "/api/public/252e"],
    ["/api/public/..%5cadmin", "/api/public/5c"],
    ["/api/public/..\\admin", "/api/public/~admin"],
    ["//api/public/a", "/api/public/a/"],
    ["/api//public/a", "/api/public/$a"],
    ["/api/public/%00", "/api/public/*"],
    ["/api/public/%0d%0aHost:x", "/api/public/a:b"],
    ["/api/publicity", "/api/public"],
    ["/API/public/a", "/api/public/A"],
    ["/x/api/public", "/api/public/x"],
    ["/api/public/．．/admin", "/api/public/@admin"],
  ])("%s is not below /api/public, %s is", (trick, twin) => {
    expect(within(trick)).toBe(false);
    expect(within(twin)).toBe(true);
  });
  test("are told as the server takes them", () => expect(urlPathFacts("/a/..;/%61dmin//x;y/").paths).toEqual(["/admin/x"]));
});

describe("the facts", () => {
  test("name folders, names and what holds all", () => {
    expect(pathFacts(["/work/a/b.txt", "/work/a/c", "d"], "/work")).toEqual({
      class: "plain",
      paths: ["/work/a/b.txt", "/work/a/c", "/work/d"],
      common: "/work/",
      folders: ["/work", "/work/a", "/work/a/b.txt", "/work/a/c", "/work/d"],
      names: ["b.txt", "c", "d"],
      kinds: [],
    });
    expect(pathFacts(["/work", "/etc"], null).common).toBe("/");
    expect(pathFacts(["/work"], null).common).toBe("/work/");
    expect(pathFacts([""], "/work")).toMatchObject({ class: "plain", paths: ["/work"] });
    expect(pathFacts(["../a"], null).class).toBe("unknown");
    expect(pathFacts(["/work/a", "/etc/../b"], null).common).toBe("/");
  });
  test("are bounded", () => {
    expect(pathFacts(Array.from({ length: 300 }, (_, index) => `/work/${index}`), null)).toMatchObject({ class: "unknown", common: "" });
    expect(pathFacts(["/a".repeat(40_000)], null)).toMatchObject({ class: "unknown", paths: [] });
  });
});

/** Readers that undo one thing more than the last: where each of them ends. */
const readers: readonly ((text: string) => string)[] = [
  (text) => posix.resolve(root, text),
  (text) => posix.resolve(root, text.normalize("NFC")),
  (text) => posix.resolve(root, text.normalize("NFKC")),
  (text) => posix.resolve(root, decoded(text)),
  (text) => posix.resolve(root, decoded(decoded(text))),
  (text) => posix.resolve(root, text.replaceAll("\\", "/")),
  (text) => posix.resolve(root, text.replace(/\0.*$/s, "")),
  (text) => posix.resolve(root, text.replace(/[\p{Cc}\p{Cf}]/gu, "")),
  (text) => posix.resolve(root, text.trim()),
  (text) => posix.resolve(root, text.split("/").map((part) => part.replace(/;.*$/, "")).join("/")),
  (text) => win32.resolve("\\work", text).replace(/^[A-Z]:/, "").replaceAll("\\", "/"),
];
const decoded = (text: string): string => text.replace(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll("%", ""), "hex").toString("latin1"));

test("what is permitted, every reader takes to the permitted folder", () => {
  const piece = fc.constantFrom("..", ".", "/", "//", "\\", "%2e", "%2f", "%252e", "%5c", "a", "work", "etc", "..;", ";", "~", "$HOME", "\0", " ", "．", "／", "‥", "\u200b", "C:", "*", "%", "[a]", "file:", "...");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 10 }).map((pieces) => pieces.join("")), fc.constantFrom("", "/", "/work/", "a/"), (tail, head) => {
      const text = `${head}${tail}`;
      if (!permitted(text)) return;
      for (const read of readers) expect(`${read(text)}/`).toMatch(/^\/work\//);
    }),
    { numRuns: 1500 },
  );
});

test("nothing that is sent makes it fail", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), fc.boolean(), (text, isRooted) => void pathFacts([text], isRooted ? root : null)));
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => void urlPathFacts(text)));
  for (const part of ["../", "%2e", "a/", ".", "/", "%25", "[", ";", "~", "．"]) expect(pathFacts([part.repeat(65_536 / part.length)], root)).toMatchObject({ class: "unknown", paths: [] });
});
