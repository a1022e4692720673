import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openScratch, splitFiles } from "./script.ts";

const root = join(import.meta.dirname, "../..");
const world = join(import.meta.dirname, "world");

// `npm test -- -u journeys` writes what really happened into the texts; the diff is then read like any other change.
describe("journeys", { timeout: 480_000 }, () => {
  for (const name of globSync("*.txt", { cwd: import.meta.dirname }).sort()) {
    it(name, async () => {
      const path = join(import.meta.dirname, name);
      const { script, files, tail } = splitFiles(readFileSync(path, "utf8"));
      await using scratch = openScratch(root, files, world);
      await expect(`${await scratch.play(script)}${tail}`).toMatchFileSnapshot(path);
    });
  }
});

it("a journey fails when a command prints something else", async () => {
  await using scratch = openScratch(root, { note: "hello\n\n# you\n" });
  expect(await scratch.play("# why\n$ cat note\nwrong\n\n$ false\n")).toBe("# why\n$ cat note\nhello\n# you\n\n$ false\n[exit 1]\n");
});
