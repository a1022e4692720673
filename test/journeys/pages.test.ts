import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { consoleBlocks, openScratch, withBlocks } from "./script.ts";

const root = join(import.meta.dirname, "../..");
const world = join(import.meta.dirname, "world");

// What a page tells the reader to type is typed here, and must print what the page says it prints.
describe("commands in the documentation", { timeout: 360_000 }, () => {
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
