import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { root } from "./install.mjs";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "install-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const bootstrap = (args: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<{ code: number | null; out: string; err: string }> =>
  new Promise((done) => {
    const env = { PATH: [dirname(process.execPath), process.env["PATH"]].join(delimiter), HOME: folder, XDG_CACHE_HOME: join(folder, "cache"), ...more };
    const child = spawn(process.execPath, [join(root, "scripts/bootstrap.mjs"), ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
    child.on("close", (code) => done({ code, out, err }));
  });

/** Programs without any dependency: npm installs them without a network. */
const pin = (dependencies: Readonly<Record<string, string>> = {}): string => {
  const source = join(folder, "programs");
  mkdirSync(source);
  const manifest = { name: "some-programs", version: "1.0.0", dependencies };
  writeFileSync(join(source, "package.json"), JSON.stringify(manifest));
  const packages = Object.fromEntries(Object.entries(dependencies).map(([name, version]) => [`node_modules/${name}`, { version, integrity: `sha512-${"A".repeat(86)}==` }]));
  writeFileSync(join(source, "package-lock.json"), JSON.stringify({ ...manifest, lockfileVersion: 3, requires: true, packages: { "": manifest, ...packages } }));
  return source;
};

describe("programs of others", () => {
  it("are installed once, also by two at the same time, and leave nothing half-made", async () => {
    const source = pin();
    const [one, two] = await Promise.all([bootstrap(["programs", source]), bootstrap(["programs", source])]);
    expect(one, one.err).toMatchObject({ code: 0 });
    expect(two.out).toBe(one.out);
    expect(existsSync(join(one.out.trim(), "package-lock.json"))).toBe(true);
    expect(`${one.err}${two.err}`.match(/✓ installing/g)).toHaveLength(1);
    expect(readdirSync(join(folder, "cache/lanyard"))).toHaveLength(1);
    expect(await bootstrap(["programs", source])).toEqual({ code: 0, out: one.out, err: "" });
  });

  it("that cannot be fetched say what was tried and what to do, and leave nothing that looks installed", async () => {
    const source = pin({ "left-pad": "1.3.0" });
    const { code, out, err } = await bootstrap(["programs", source], { npm_config_registry: "http://127.0.0.1:9/", npm_config_cache: join(folder, "npm"), npm_config_fetch_retries: "0" });
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toMatch(/could not install .*: the npm registry was not reached/);
    expect(err).toMatch(/run the same command again/);
    expect(readdirSync(join(folder, "cache/lanyard"))).toEqual([]);
  });
});

describe("bootstrap", () => {
  it.each([[[]], [["nonsense"]], [["constructor"]], [["bench", "../scripts/check"]], [["bench"]]])("answers %j with its usage", async (args) => {
    expect(await bootstrap(args)).toMatchObject({ code: 1, out: "", err: expect.stringContaining("usage: npm start") as string });
  });

  it("says which folder it cannot write to", async () => {
    writeFileSync(join(folder, "cache"), "in the way");
    expect((await bootstrap(["programs", pin()])).err).toMatch(/cannot make the cache folder .* Set XDG_CACHE_HOME/);
  });

  it("runs the program with clean output", async () => {
    const { code, out, err } = await bootstrap(["lanyard", "limits", "--json"]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(JSON.parse(out)).toHaveProperty("body_bytes");
  });
});
