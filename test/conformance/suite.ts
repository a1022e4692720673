import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parse } from "yaml";

export type Revision = "2025-11-25" | "2026-07-28";

/** Checks passed and failed, by scenario. */
export type Score = ReadonlyMap<string, { readonly passed: number; readonly failed: number }>;

const suite = dirname(createRequire(import.meta.url).resolve("@modelcontextprotocol/conformance/package.json"));

/** Scenarios a server must pass to conform to a revision, as the suite has frozen them. */
export const required = (revision: Revision): readonly string[] =>
  (parse(readFileSync(join(suite, "requirements", `${revision}.yaml`), "utf8")) as { server: string[] }).server;

/** Runs the public conformance suite against a server, in a process of its own. */
export async function conformance(url: string, revision: Revision): Promise<Score> {
  const output = await new Promise<string>((resolve) => {
    execFile(process.execPath, [join(suite, "dist/index.js"), "server", "--url", url, "--requirements", revision], { maxBuffer: 2 ** 26 }, (_error, stdout) => resolve(stdout));
  });
  const rows = [...output.matchAll(/^[✓✗] ([\w-]+): (\d+) passed, (\d+) failed/gm)];
  return new Map(rows.map(([, name = "", passed, failed]) => [name, { passed: Number(passed), failed: Number(failed) }]));
}

/** The sum over all scenarios, or over those named. */
export function total(score: Score, only?: readonly string[]): { passed: number; failed: number } {
  const rows = [...score].filter(([name]) => !only || only.includes(name));
  return { passed: rows.reduce((sum, [, { passed }]) => sum + passed, 0), failed: rows.reduce((sum, [, { failed }]) => sum + failed, 0) };
}
