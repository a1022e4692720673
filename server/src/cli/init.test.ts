import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import picocolors from "picocolors";
import { afterEach, describe, expect, it } from "vitest";
import type { Context } from "./context.ts";
import { setupVerb } from "./init.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

const empty = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "init-"));
  folders.push(folder);
  return folder;
};

const init = async (...words: string[]): Promise<string> => {
  const lines: string[] = [];
  const program = new Command().exitOverride();
  setupVerb(program, { out: (line: string) => void lines.push(line), colour: picocolors.createColors(false) } as unknown as Context);
  await program.parseAsync(["init", ...words], { from: "user" });
  return lines.join("\n");
};

describe("lanyard init", () => {
  it.each([
    ["lanyard.yaml", (folder: string) => writeFileSync(join(folder, "lanyard.yaml"), "mine")],
    ["policies", (folder: string) => mkdirSync(join(folder, "policies"))],
    ["policies", (folder: string) => symlinkSync("/nowhere/at/all", join(folder, "policies"))],
    ["before", (folder: string) => writeFileSync(join(folder, "before"), "mine")],
  ])("writes nothing where `%s` is there", async (name, make) => {
    const folder = empty();
    writeFileSync(join(folder, ".mcp.json"), JSON.stringify({ mcpServers: { a: { command: "x" } } }));
    make(folder);
    const before = readdirSync(folder);
    await expect(init("--dir", folder, "--from", join(folder, ".mcp.json"))).rejects.toMatchObject({ code: "invalid_request", message: `\`${join(folder, name)}\` is there already, and nothing is written over; name another folder with \`--dir\`, and copy from there what you want` });
    expect(readdirSync(folder)).toEqual(before);
    expect(existsSync(join(folder, "policies/guardrails"))).toBe(false);
  });

  it("does not write where its words are wrong", async () => {
    const folder = empty();
    await expect(init("--dir", folder, "--packs", "recipient")).rejects.toThrow("there is no pack `recipient`");
    await expect(init("--dir", folder, "--approvers", "a b")).rejects.toThrow("the name of a group is");
    await expect(init("--dir", folder, "--enforce")).rejects.toThrow("`--enforce` goes with `--from`");
    await expect(init("--dir", folder, "--from", join(folder, "none"))).rejects.toThrow("could not be read (ENOENT)");
    expect(readdirSync(folder)).toEqual([]);
  });

  it("makes the folder that is named, and brings the permit along", async () => {
    const folder = join(empty(), "new");
    expect(JSON.parse(await init("--dir", folder, "--packs", "recipients", "--json"))).toMatchObject({ packs: ["permit-the-rest", "recipients"], shadow: false, next: [`cd '${folder}'`, "lanyard policy test", "lanyard serve &"] });
    expect(readdirSync(join(folder, "policies/guardrails"))).toEqual(["permit-the-rest.cedar", "recipients.cases.yaml", "recipients.cedar"]);
    expect(readFileSync(join(folder, "policies/guardrails/recipients.cedar"), "utf8")).toMatch(/^\/\/ From the pack `recipients` of Lanyard /);
  });

  it("keeps secrets out of what it says", async () => {
    const folder = empty();
    writeFileSync(join(folder, ".mcp.json"), JSON.stringify({ mcpServers: { a: { command: "x", env: { KEY: "swordfish" } }, b: { command: "x", args: ["--token", "swordfish"] } } }));
    const said = await init("--dir", folder, "--from", join(folder, ".mcp.json"), "--enforce");
    expect(said).toContain("reads them from KEY");
    expect(said).toContain("left out: b: its argument 2 looks like a secret");
    expect(said + readFileSync(join(folder, "lanyard.yaml"), "utf8")).not.toContain("swordfish");
  });
});
