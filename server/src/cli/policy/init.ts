import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command } from "commander";
import { Fault } from "@lanyard/contract";
import { loadConfig } from "../../base/config/read.ts";
import { readPolicies } from "../../base/policies.ts";
import type { Context } from "../context.ts";
import { printable } from "../terminal.ts";
import { starterFiles } from "./starter.ts";

export function initVerb(policy: Command, context: Context): void {
  policy
    .command("init")
    .description("a folder of policies to begin with: the organisation's guardrails, a folder for every team, and cases")
    .argument("[folder]", "where to (default: `policies:` of lanyard.yaml)")
    .addHelpText("after", "\nWrites for the teams of lanyard.yaml, and over no file that is there.\n\nExample:\n  lanyard policy init policies\n  lanyard policy check --dir policies")
    .action(async (given: string | undefined) => {
      const config = loadConfig(context.configPath());
      const folder = given ?? config.policies;
      const files = starterFiles(config);
      // What is written into the folder in force is in force at once: only an empty one is begun.
      const others = existsSync(folder) ? (await readPolicies(folder)).filter(({ file }) => !files.has(file)) : [];
      if (others[0] !== undefined) throw new Fault("conflict", `\`${folder}\` holds policies already (\`${others[0].file}\`); name another folder, and copy from there what you want`, { remedy: "" });
      for (const [path, text] of files) context.out(`${write(join(folder, path), text) ? context.colour.green("wrote") : context.colour.dim("kept ")} ${printable(join(folder, path))}`);
    });
}

/** False when there is a file already. Throws Fault `invalid_request` when there can be none. */
const write = (path: string, text: string): boolean => {
  if (existsSync(path)) return false;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text, { flag: "wx" });
    return true;
  } catch (cause) {
    throw new Fault("invalid_request", `\`${path}\` could not be written (${(cause as NodeJS.ErrnoException).code ?? "unknown error"})`, { cause });
  }
};
