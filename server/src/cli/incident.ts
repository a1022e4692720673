import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "@lanyard/contract";
import type { Command } from "commander";
import type { IncidentReport } from "../edge/api/incident/report.ts";
import type { Context } from "./context.ts";
import { incidentPage } from "./incident-page.ts";
import { json } from "./terminal.ts";

export function incidentVerb(program: Command, context: Context): void {
  program
    .command("incident <session>")
    .description("everything on record about a session that went wrong: one page to read and print, one JSON with proofs")
    .option("--out <folder>", "where to write `incident-<session>.html` and `.json`", ".")
    .option("--json", "print the JSON, and write nothing")
    .addHelpText("after", "\nSecrets are left out. That the report was made is itself on record.\n\nExample:\n  lanyard incident ses_x7Qp0LrT2kVn8sWz --out monday")
    .action(async (session: string, { out, json: printed }: { out: string; json?: boolean }) => {
      const report = await (await context.reach()).call<IncidentReport>("incident", { at: { session } });
      if (printed) return context.out(json(report));
      const name = `incident-${session.replace(/[^\w-]/g, "_")}`;
      write(join(out, `${name}.html`), incidentPage(report));
      write(join(out, `${name}.json`), `${json(report)}\n`);
      const { calls, records, omitted } = report;
      context.out(`wrote ${join(out, name)}.html and .json: decisions ${calls.length}, records with proofs ${records.length}${omitted > 0 ? `, left out ${omitted}` : ""}`);
    });
}

/** For its owner alone: it holds what agents sent. What lies there before, such as a link that an agent left, is replaced and never written through. */
function write(file: string, text: string): void {
  const fresh = `${file}.${process.pid}`;
  try {
    writeFileSync(fresh, text, { mode: 0o600, flag: "wx" });
    renameSync(fresh, file);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") rmSync(fresh, { force: true });
    throw new Fault("invalid_request", `\`${file}\` cannot be written (${(cause as NodeJS.ErrnoException).code ?? "unknown error"})`, { cause });
  }
}
