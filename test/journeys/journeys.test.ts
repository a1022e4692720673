import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { consoleBlocks, openScratch, splitFiles, withBlocks } from "./script.ts";

const root = join(import.meta.dirname, "../..");
const world = join(import.meta.dirname, "world");

// `npm test -- -u journeys` writes what really happened into the texts; the diff is then read like any other change.
describe("journeys", { timeout: 120_000 }, () => {
  for (const name of globSync("*.txt", { cwd: import.meta.dirname }).sort()) {
    it(name, async () => {
      const path = join(import.meta.dirname, name);
      const { script, files, tail } = splitFiles(readFileSync(path, "utf8"));
      await using scratch = openScratch(root, files, world);
      await expect(`${await scratch.play(script)}${tail}`).toMatchFileSnapshot(path);
    });
  }
});

describe("commands in the documentation", { timeout: 120_000 }, () => {
  const pages = globSync("docs/*.md", { cwd: root }).filter((page) => consoleBlocks(readFileSync(join(root, page), "utf8")).length > 0);
  for (const page of pages.sort()) {
    it(page, async () => {
      const path = join(root, page);
      const text = readFileSync(path, "utf8");
      await using scratch = openScratch(root, {}, world);
      const blocks: string[] = [];
      for (const block of consoleBlocks(text)) blocks.push(await scratch.play(block));
      await expect(withBlocks(text, blocks)).toMatchFileSnapshot(path);
    });
  }
});

it("a journey fails when a command prints something else", async () => {
  await using scratch = openScratch(root, { note: "hello\n" });
  expect(await scratch.play("# why\n$ cat note\nwrong\n\n$ false\n")).toBe("# why\n$ cat note\nhello\n\n$ false\n[exit 1]\n");
});
