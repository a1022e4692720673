import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readPolicies, readTests } from "./policies.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lanyard-policies-"));
  mkdirSync(join(folder, "p"));
  mkdirSync(join(folder, "rules"));
  writeFileSync(join(folder, "rules/no.cedar"), "forbid (principal, action, resource);");
});
afterEach(() => rmSync(folder, { recursive: true }));

it("reads a file through a link, also a dangling link's neighbours", async () => {
  symlinkSync(join(folder, "rules/no.cedar"), join(folder, "p/no.cedar"));
  symlinkSync(join(folder, "nowhere"), join(folder, "p/editor-lock"));
  expect(await readPolicies(join(folder, "p"))).toMatchObject([{ file: "no.cedar" }]);
});

it("refuses a file that a person takes for one of these: passed over, its rules and cases would silently not hold", async () => {
  for (const [name, read, ending] of [["a.CEDAR", readPolicies, ".cedar"], ["a.yml", readTests, ".yaml"], ["a.Yaml", readTests, ".yaml"]] as const) {
    writeFileSync(join(folder, "p", name), "");
    await expect(read(join(folder, "p")), name).rejects.toMatchObject({ code: "invalid_config", message: expect.stringContaining(`\`${name}\``) as string });
    await expect(read(join(folder, "p")), name).rejects.toThrow(ending);
    rmSync(join(folder, "p", name));
  }
});

it("refuses a link to a folder, whose rules would silently not hold", async () => {
  symlinkSync(join(folder, "rules"), join(folder, "p/rules"));
  await expect(readPolicies(join(folder, "p"))).rejects.toMatchObject({ code: "invalid_config", message: expect.stringContaining("`rules` in the folder of policies") as string });
});
