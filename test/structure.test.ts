import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { rules } from "./structure/rules.ts";
import { parse, readAll } from "./structure/source.ts";

const root = join(import.meta.dirname, "..");
const sources = readAll(root);

describe("the structure of the code", () => {
  it("reads a repository, not an empty folder", () => {
    expect(sources.map(({ path }) => path)).toContain("server/src/mediation/mediate.ts");
    expect(sources.find(({ path }) => path === "server/src/mediation/stages.ts")?.imports.map(({ target }) => target)).toContain("server/src/base/path.ts");
  });

  for (const { name, why, check, broken } of rules) {
    it(name, () => expect(check(sources), why).toEqual([]));
    it(`${name}: fails where it is broken`, () =>
      expect(check(Object.entries(broken).map(([path, text]) => parse(path, text)))).not.toEqual([]));
  }
});

interface LockEntry {
  readonly version?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
  readonly [kind: string]: unknown;
}

const readJson = (path: string): Record<string, unknown> => JSON.parse(readFileSync(join(root, path), "utf8")) as Record<string, unknown>;

describe("dependencies", () => {
  const lock = readJson("package-lock.json")["packages"] as Record<string, LockEntry>;
  const installed = Object.entries(lock).filter(([path, entry]) => path.includes("node_modules/") && !entry.link);
  const members = ["package.json", ...(readJson("package.json")["workspaces"] as string[]).map((member) => `${member}/package.json`)];
  const wanted = members.flatMap((path) => {
    const { dependencies = {}, devDependencies = {} } = readJson(path) as { dependencies?: Record<string, string>; devDependencies?: Record<string, string> };
    return Object.entries({ ...dependencies, ...devDependencies }).map(([name, version]) => ({ path, name, version }));
  });

  it("are pinned exactly", () => expect(wanted.filter(({ version }) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([]));

  it("carry a hash each and run no script when installed", () =>
    expect(installed.filter(([, { integrity, hasInstallScript }]) => !integrity || hasInstallScript).map(([path]) => path)).toEqual([]));

  // `npm ci` refuses a lock that lacks one platform's binary, which a registry mirror may not carry.
  it("are locked for every platform, so that `npm ci` takes the lock", () => {
    const names = new Set(Object.keys(lock).map((path) => path.split("node_modules/").at(-1)));
    const asked = installed.flatMap(([path, { optionalDependencies = {} }]) => Object.keys(optionalDependencies as object).map((name) => `${path} wants ${name}`));
    expect(asked.filter((line) => !names.has(line.split(" wants ")[1]))).toEqual([]);
  });

  it("are explained in docs/dependencies.md", () => {
    const page = readFileSync(join(root, "docs/dependencies.md"), "utf8");
    expect(wanted.filter(({ name }) => !name.startsWith("@lanyard/") && !page.includes(`| ${name} |`)).map(({ name }) => name)).toEqual([]);
  });
});
