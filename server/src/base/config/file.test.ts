import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { dataFolderIn } from "./file.ts";
import { loadConfig } from "./read.ts";

const written = (text: string): string => {
  const file = join(mkdtempSync(join(tmpdir(), "lanyard-file-")), "lanyard.yaml");
  writeFileSync(file, text);
  return file;
};

describe("where data lies", () => {
  it.each([
    ["as `data:` says", "version: 1\ndata: ledger\n"],
    ["from the root", "version: 1\ndata: /var/lib/lanyard\n"],
    ["where nothing is said", "version: 1\n"],
  ])("%s is what the whole file says", (_name, text) => {
    const file = written(text);
    expect(dataFolderIn(file)).toBe(loadConfig(file).data);
  });

  it.each([
    ["an unknown key", "version: 1\ndata: ledger\nserverss: {}\n"],
    ["a list that does not end", "version: 1\ndata: ledger\nservers: [\n"],
    ["a key twice", "version: 1\ndata: ledger\nservers: {}\nservers: {}\n"],
    ["a wrong indent", "version: 1\ndata: ledger\nservers:\n  a: 1\n b: 2\n"],
  ])("is known in spite of %s", (_name, text) => {
    const file = written(text);
    expect(() => loadConfig(file)).toThrow();
    expect(dataFolderIn(file)).toBe(join(file, "..", "ledger"));
  });

  it.each([["no text", "data: [1]\n"], ["no YAML at all", "\u0000{"], ["a list", "- 1\n"]])("is not guessed from %s", (_name, text) => {
    const file = written(text);
    expect(() => loadConfig(file)).toThrow();
    expect(dataFolderIn(file)).toBeNull();
  });

  it("is not guessed where there is no file", () => {
    expect(dataFolderIn(join(tmpdir(), "no-such-folder", "lanyard.yaml"))).toBeNull();
  });
});
