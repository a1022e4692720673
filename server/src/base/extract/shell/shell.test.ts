import fc from "fast-check";
import { expect, test } from "vitest";
import { shellFacts } from "./shell.ts";

test("a command that is only read is told with all that it names", () => {
  expect(shellFacts("cd /srv && grep -rn 'TODO' src | head -5")).toEqual({ class: "read", programs: ["cd", "grep", "head"], paths: ["/srv", "/srv/src", "src"], hosts: [], destructive: false });
});

test("a command at the limit is read, and one past it is not", () => {
  const comment = (length: number): string => `ls #${"x".repeat(length - 4)}`;
  expect(shellFacts(comment(16 * 1024)).class).toBe("read");
  expect(shellFacts(comment(16 * 1024 + 1)).class).toBe("unknown");
});

test("what would take more work than a command is worth is unknown", () => {
  for (const piece of ["(", "$(", "`", "'", '"$(', "{a,b}", "ls|", "cd a;", "nice ", "xargs ", "-exec find ", "for a in b;do ", "case a in ", "${a:-", "[[ (", ">a "]) {
    expect(shellFacts(`find . ${piece.repeat(16_000 / piece.length)}`).class, piece).not.toBe("read");
  }
});

test("whatever comes, it ends, and what it says is sorted and bounded", () => {
  const pieces = fc.constantFrom("ls", "rm", "find", " ", ";", "|", "&", "$(", ")", "`", "'", '"', "<<E\n", "\nE\n", ">", "{", "}", "[[", "]]", "$x", "${", "x=", "-exec", "sed", "git", "-c", "*", "/etc", "http://a.b", "for", "do", "done", "if", "case", "\\", "#", "=", "@");
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary", maxLength: 200 }), fc.array(pieces, { maxLength: 60 }).map((all) => all.join(""))), (text) => {
      const { programs, paths, hosts } = shellFacts(text);
      for (const list of [programs, paths, hosts]) {
        expect([...list]).toEqual([...new Set(list)].toSorted((a, b) => (a < b ? -1 : 1)));
        expect(list.length).toBeLessThanOrEqual(256);
      }
    }),
    { numRuns: 2000 },
  );
});
