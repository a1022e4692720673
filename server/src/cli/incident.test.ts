import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { expect, test } from "vitest";
import { incidentWorld } from "../../../test/kits/incident.ts";
import type { Context } from "./context.ts";
import { incidentVerb } from "./incident.ts";

test("a report replaces what lies in its place, a link too, and is for its owner's eyes alone", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lanyard-incident-"));
  try {
    const w = await incidentWorld();
    await w.open("ses_1");
    const report = await w.report("ses_1");
    const context = { reach: () => Promise.resolve({ call: () => Promise.resolve(report) }), out: () => {} } as unknown as Context;
    const [victim, place] = [join(folder, "victim"), join(folder, "incident-ses_1.html")];
    writeFileSync(victim, "untouched");
    symlinkSync(victim, place);
    writeFileSync(join(folder, "incident-ses_1.json"), "old", { mode: 0o644 });
    const program = new Command();
    incidentVerb(program, context);
    await program.parseAsync(["incident", "ses_1", "--out", folder], { from: "user" });
    expect(readFileSync(victim, "utf8")).toBe("untouched");
    for (const name of ["html", "json"]) expect(statSync(join(folder, `incident-ses_1.${name}`)).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder).toSorted()).toEqual(["incident-ses_1.html", "incident-ses_1.json", "victim"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
